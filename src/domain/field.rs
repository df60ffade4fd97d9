//! The field of residues modulo a prime: what self-correction of low-degree tables computes in.
use crate::error::{Error, Result};

/// The integers modulo a prime, as numbers from 0 to p − 1.
///
/// ```
/// use absolve::domain::PrimeField;
/// let field = PrimeField::new(7)?;
/// assert_eq!(field.times(3, field.inverse(3)), 1);
/// assert!(PrimeField::new(6).is_err());
/// # Ok::<(), absolve::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrimeField {
    /// Below 2^32, so that products fit.
    p: u64,
}

impl PrimeField {
    /// The field of `modulus` elements.
    ///
    /// # Errors
    /// If `modulus` is no prime: lines through a point then miss some of the others.
    pub fn new(modulus: u32) -> Result<Self> {
        let prime = modulus >= 2
            && (2..modulus)
                .take_while(|k| k.saturating_mul(*k) <= modulus)
                .all(|k| !modulus.is_multiple_of(k));
        if prime {
            return Ok(Self { p: u64::from(modulus) });
        }
        let want = "a prime is needed, for only then do residues form a field";
        Err(Error::parameter("modulus", modulus, want))
    }

    /// p.
    pub fn order(self) -> u64 {
        self.p
    }

    /// a + b.
    pub fn plus(self, a: u64, b: u64) -> u64 {
        (a + b) % self.p
    }

    /// a − b.
    pub fn minus(self, a: u64, b: u64) -> u64 {
        (a + self.p - b % self.p) % self.p
    }

    /// a · b.
    pub fn times(self, a: u64, b: u64) -> u64 {
        (a % self.p) * (b % self.p) % self.p
    }

    /// a to the power k.
    pub fn power(self, a: u64, mut k: u64) -> u64 {
        let (mut square, mut product) = (a % self.p, 1 % self.p);
        while k > 0 {
            if k & 1 == 1 {
                product = self.times(product, square);
            }
            square = self.times(square, square);
            k >>= 1;
        }
        product
    }

    /// 1/a, by Fermat; 0 for 0.
    pub fn inverse(self, a: u64) -> u64 {
        self.power(a, self.p - 2)
    }

    /// A solution of the linear equations whose rows are coefficients and a right side, unknowns that are free set to 0;
    /// `None` if there is none.
    pub fn solve(self, mut rows: Vec<Vec<u64>>) -> Option<Vec<u64>> {
        let n_unknowns = rows.first()?.len() - 1;
        let mut pivots = Vec::new();
        for column in 0..n_unknowns {
            let done = pivots.len();
            let Some(found) = (done..rows.len()).find(|&i| rows[i][column] != 0) else { continue };
            rows.swap(done, found);
            let scale = self.inverse(rows[done][column]);
            rows[done].iter_mut().for_each(|x| *x = self.times(*x, scale));
            let pivot = rows[done].clone();
            for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != done) {
                let factor = row[column];
                for (x, y) in row.iter_mut().zip(&pivot) {
                    *x = self.minus(*x, self.times(factor, *y));
                }
            }
            pivots.push(column);
        }
        if rows[pivots.len()..].iter().any(|row| row[n_unknowns] != 0) {
            return None;
        }
        let mut solution = vec![0; n_unknowns];
        for (row, column) in rows.iter().zip(pivots) {
            solution[column] = row[n_unknowns];
        }
        Some(solution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{RngExt, Seed};

    #[test]
    fn primes_are_fields_and_nothing_else_is() {
        let primes: Vec<u32> = (0..60).filter(|m| PrimeField::new(*m).is_ok()).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]);
        assert!(PrimeField::new(65_521).is_ok() && PrimeField::new(65_519 * 3).is_err());
        for p in [2, 3, 31, 65_521] {
            let field = PrimeField::new(p).unwrap();
            for a in 1..u64::from(p.min(100)) {
                assert_eq!(field.times(a, field.inverse(a)), 1);
                assert_eq!(field.plus(field.minus(1, a), a), 1 % u64::from(p));
            }
        }
        assert_eq!(PrimeField::new(7).unwrap().power(3, 5), 243 % 7);
    }

    #[test]
    fn equations_are_solved_or_said_to_have_no_solution() {
        let mut rng = Seed::new(1).stream("equations");
        let field = PrimeField::new(11).unwrap();
        for _ in 0..200 {
            let solution: Vec<u64> = (0..4).map(|_| rng.random_range(0..11)).collect();
            let row = |_| -> Vec<u64> {
                let mut row: Vec<u64> = (0..4).map(|_| rng.random_range(0..11)).collect();
                let right = row.iter().zip(&solution).fold(0, |s, (a, x)| s + a * x) % 11;
                row.push(right);
                row
            };
            let rows: Vec<Vec<u64>> = (0..6).map(row).collect();
            let found = field.solve(rows.clone()).unwrap();
            for row in &rows {
                let left = row.iter().zip(&found).fold(0, |s, (a, x)| s + a * x) % 11;
                assert_eq!(left, row[4]);
            }
        }
        assert_eq!(field.solve(vec![vec![1, 2, 3], vec![2, 4, 7]]), None);
    }
}
