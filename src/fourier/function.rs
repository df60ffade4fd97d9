//! A function written out in the basis of its domain: what a global mitigator recovers.
use serde::{Deserialize, Serialize};

use super::{FourierSum, ProductSum, TrigSum};
use crate::data::Batch;

/// A sum of basis functions with their coefficients. In JSON it is what the sum itself is, with no mark of its kind: a list of
/// terms on the cube, a group with its waves, or a basis with its terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Function {
    /// A sum of characters of the cube.
    Cube(FourierSum),
    /// A real sum of characters of the torus or of `Z_m^n`.
    Waves(TrigSum),
    /// A sum of products of orthonormal polynomials.
    Products(ProductSum),
}

impl Function {
    /// Its value at every row, as a column.
    pub fn at_all(&self, xs: &Batch) -> Batch {
        match self {
            Self::Cube(sum) => sum.at_all(xs),
            Self::Waves(sum) => sum.at_all(xs),
            Self::Products(sum) => sum.at_all(xs),
        }
    }

    /// Multiplications and additions to evaluate it once.
    pub fn flops(&self) -> u64 {
        match self {
            Self::Cube(sum) => sum.flops(),
            Self::Waves(sum) => sum.flops(),
            Self::Products(sum) => sum.flops(),
        }
    }

    /// How many basis functions it is a sum of; a wave, with its cosine and sine, is one.
    pub fn n_terms(&self) -> usize {
        match self {
            Self::Cube(sum) => sum.terms().len(),
            Self::Waves(sum) => sum.waves().len(),
            Self::Products(sum) => sum.terms().len(),
        }
    }

    /// Its coefficients in order, each with the name of its basis function; a wave gives one for its cosine and one for its sine.
    pub fn coefficients(&self) -> Vec<(String, f64)> {
        match self {
            Self::Cube(sum) => {
                let named =
                    sum.terms().iter().map(|term| (format!("{:?}", term.support), term.value));
                named.collect()
            }
            Self::Waves(sum) => {
                let named = sum.waves().iter().flat_map(|wave| {
                    let frequency = &wave.frequency;
                    [
                        (format!("cos {frequency:?}"), wave.cos),
                        (format!("sin {frequency:?}"), wave.sin),
                    ]
                });
                named.collect()
            }
            Self::Products(sum) => {
                let named =
                    sum.terms().iter().map(|term| (format!("{:?}", term.degrees), term.value));
                named.collect()
            }
        }
    }

    /// It as a sum of characters of the cube, if it is one.
    pub fn cube(&self) -> Option<&FourierSum> {
        match self {
            Self::Cube(sum) => Some(sum),
            Self::Waves(_) | Self::Products(_) => None,
        }
    }

    /// Whether the two are sums of the same basis functions; `None` if they are written in different bases.
    pub fn same_support(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Cube(a), Self::Cube(b)) => Some(a.supports() == b.supports()),
            (Self::Waves(a), Self::Waves(b)) if a.group() == b.group() => {
                Some(a.frequencies() == b.frequencies())
            }
            (Self::Products(a), Self::Products(b)) if a.basis() == b.basis() => {
                Some(a.supports() == b.supports())
            }
            _ => None,
        }
    }
}

impl From<FourierSum> for Function {
    fn from(sum: FourierSum) -> Self {
        Self::Cube(sum)
    }
}

impl From<TrigSum> for Function {
    fn from(sum: TrigSum) -> Self {
        Self::Waves(sum)
    }
}

impl From<ProductSum> for Function {
    fn from(sum: ProductSum) -> Self {
        Self::Products(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::{Group, Polynomials, ProductTerm, Term, Wave};

    fn each() -> [Function; 4] {
        let wave = |k, cos, sin| Wave { frequency: vec![(0, k), (2, 1)], cos, sin };
        let term =
            |degrees: &[(usize, u32)], value| ProductTerm { degrees: degrees.to_vec(), value };
        let products = vec![term(&[(1, 2)], 0.1 + 0.2), term(&[], -1.0)];
        [
            FourierSum::new(vec![Term { support: vec![1, 3], value: 0.1 + 0.2 }]).into(),
            TrigSum::new(Group::Torus, vec![wave(2, 1.0 / 3.0, 1.0)]).into(),
            TrigSum::new(Group::Residues { modulus: 5 }, vec![wave(2, 0.0, 1.0)]).into(),
            ProductSum::new(Polynomials::Hermite, products).into(),
        ]
    }

    #[test]
    fn every_kind_comes_back_from_json_and_the_cube_s_is_a_plain_list() {
        let all = each();
        for function in &all {
            let text = serde_json::to_string(function).unwrap();
            let read: Function = serde_json::from_str(&text).unwrap();
            assert_eq!(read, *function, "{text}");
        }
        // The format of records before there were other kinds.
        let old = r#"[{"support":[1,3],"value":0.30000000000000004}]"#;
        assert_eq!(serde_json::to_string(&all[0]).unwrap(), old);
        let empty: Function = serde_json::from_str("[]").unwrap();
        assert_eq!(empty, FourierSum::default().into());
    }

    #[test]
    fn supports_are_compared_in_one_basis_only() {
        let all = each();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a.same_support(b), (i == j).then_some(true));
            }
        }
        let other = Wave { frequency: vec![(0, 2)], cos: 1.0, sin: 0.0 };
        let other: Function = TrigSum::new(Group::Torus, vec![other]).into();
        assert_eq!(all[1].same_support(&other), Some(false));
    }
}
