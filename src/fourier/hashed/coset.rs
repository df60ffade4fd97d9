//! A random coset of the cube, and what the transform of a function on it says.
//!
//! The 2^m points are `r · M^ℓ` for ℓ in {0,1}^m, where `M^ℓ` is the product of the columns that ℓ picks, and the shift `r`
//! and the m columns are uniform and independent. So every point is uniform on the cube, and any two are independent: for
//! ℓ ≠ ℓ' their quotient is a product of a non-empty choice of columns. The transform of the answers, divided by 2^m, has in
//! bin j the sum of `f^(S) χ_S(r)` over all S that fall into it: those with `χ_S(column b) = −1` exactly where bit b of j is
//! set. Two different sets fall into the same bin with probability 2^−m.
use crate::fourier::Bits;
use crate::rng::Rng;

/// A coset of the cube: a shift, and the columns that span it.
#[derive(Clone, Debug, PartialEq)]
pub struct Coset {
    n: usize,
    columns: Vec<Bits>,
    shift: Bits,
}

impl Coset {
    /// A random one of 2^m points.
    pub(crate) fn random(n: usize, m: usize, rng: &mut Rng) -> Self {
        let columns = (0..m).map(|_| Bits::random(n, rng)).collect();
        Self { n, columns, shift: Bits::random(n, rng) }
    }

    /// The dimension of the cube.
    pub fn n(&self) -> usize {
        self.n
    }

    /// What spans it.
    pub fn columns(&self) -> &[Bits] {
        &self.columns
    }

    /// Its first point.
    pub fn shift(&self) -> &Bits {
        &self.shift
    }

    /// How many points, and bins, it has.
    pub fn len(&self) -> usize {
        1 << self.columns.len()
    }

    /// Whether it has no point: never.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The coset of the same columns whose shift is multiplied by `delay`.
    pub(super) fn delayed(&self, delay: &Bits) -> Self {
        Self { shift: self.shift.xor(delay), ..self.clone() }
    }

    /// Its points: number ℓ has the columns where ℓ has a bit.
    pub fn points(&self) -> Vec<Bits> {
        let mut points = Vec::with_capacity(self.len());
        points.push(self.shift.clone());
        for column in &self.columns {
            for i in 0..points.len() {
                points.push(points[i].xor(column));
            }
        }
        points
    }

    /// The bin that `set` falls into.
    pub fn bin(&self, set: &Bits) -> usize {
        let bits = self.columns.iter().enumerate();
        bits.map(|(b, column)| usize::from(set.odd_overlap(column)) << b).sum()
    }

    /// The sign of `set` at the shift.
    pub(super) fn sign(&self, set: &Bits) -> f64 {
        set.character(&self.shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fourier::walsh_hadamard;
    use crate::rng::Seed;

    #[test]
    fn the_transform_of_a_character_is_its_sign_in_its_bin_and_nothing_elsewhere() {
        let mut rng = Seed::new(1).stream("coset");
        for n in [5, 64, 130] {
            let (coset, set) = (Coset::random(n, 4, &mut rng), Bits::random(n, &mut rng));
            let mut values: Vec<f64> = coset.points().iter().map(|x| set.character(x)).collect();
            walsh_hadamard(&mut values);
            let mut want = vec![0.0; 16];
            want[coset.bin(&set)] = 16.0 * coset.sign(&set);
            assert_eq!(values, want, "n = {n}");
        }
    }

    #[test]
    fn two_sets_meet_in_a_bin_as_often_as_chance_says() {
        // Probability 2^−4; 20,000 draws: standard deviation 0.0017, and 0.0094 is 5.5 of them, passed with 4e-8.
        let mut rng = Seed::new(2).stream("coset");
        let (a, b) = (Bits::of(70, &[3]), Bits::of(70, &[3, 69]));
        let met = (0..20_000).filter(|_| {
            let coset = Coset::random(70, 4, &mut rng);
            coset.bin(&a) == coset.bin(&b)
        });
        let share = met.count() as f64 / 20_000.0;
        assert!((share - 0.0625).abs() < 0.0094, "{share}");
    }
}
