//! Answers of `field-correct`: the points of a trial, its value, and the vote.
use super::{METHOD, Origin, Setup, Trial};
use crate::access::Oracle;
use crate::data::{Batch, Shape, column, row, stack};
use crate::domain::{Domain, PrimeField};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::rng::{Rng, RngExt, Seed};

/// Inputs that are answered with one call to the suspect, and the most numbers that such a call may hold.
const BLOCK: usize = 64;
const MOST_NUMBERS: usize = 1 << 22;

pub(super) struct Local<'a> {
    pub(super) suspect: &'a dyn Oracle,
    pub(super) domain: Domain,
    pub(super) setup: Setup,
    pub(super) seed: Seed,
    pub(super) ledger: &'a Ledger,
}

impl Local<'_> {
    fn signs(&self) -> bool {
        matches!(self.domain, Domain::Cube { .. })
    }

    fn residue(&self, x: f64) -> u64 {
        // Of an answer, which may be any number, the nearest whole one; of a sign, what decides for −1.
        if self.signs() {
            u64::from(x <= 0.0)
        } else {
            x.round().rem_euclid(self.setup.field.order() as f64) as u64
        }
    }

    fn written(&self, residue: u64) -> f64 {
        if self.signs() { 1.0 - 2.0 * residue as f64 } else { residue as f64 }
    }

    /// The points of one trial.
    fn points(&self, star: &[u64], rng: &mut Rng, points: &mut Vec<Vec<f64>>) {
        let field = self.setup.field;
        let mut ask = |point: &[u64]| points.push(point.iter().map(|x| self.written(*x)).collect());
        let mut direction =
            || -> Vec<u64> { star.iter().map(|_| rng.random_range(0..field.order())).collect() };
        let plus = |a: &[u64], b: &[u64]| -> Vec<u64> {
            a.iter().zip(b).map(|(a, b)| field.plus(*a, *b)).collect()
        };
        match self.setup.trial {
            Trial::Line { nodes, .. } => {
                let v = direction();
                let mut point = star.to_vec();
                for _ in 0..nodes {
                    point = plus(&point, &v);
                    ask(&point);
                }
            }
            Trial::Subspace { dimension, origin } => {
                let mut directions: Vec<Vec<u64>> = (1..dimension).map(|_| direction()).collect();
                directions.push(match origin {
                    Origin::Unknown => direction(),
                    Origin::Zero => directions.iter().fold(star.to_vec(), |sum, a| plus(&sum, a)),
                });
                // An odometer over c: the digit that turns on adds its direction, those that turn over add it too, for p of them
                // are nothing.
                let mut digits = vec![0; directions.len()];
                let mut point = star.to_vec();
                for _ in 0..self.setup.width() {
                    for (digit, a) in digits.iter_mut().zip(&directions) {
                        point = plus(&point, a);
                        *digit = (*digit + 1) % field.order();
                        if *digit > 0 {
                            break;
                        }
                    }
                    ask(&point);
                }
            }
        }
    }

    /// The value of one trial, if its answers give one.
    fn value(&self, answers: &[u64]) -> Option<u64> {
        let field = self.setup.field;
        match self.setup.trial {
            Trial::Line { outliers: 0, nodes } if nodes == self.setup.degree + 1 => {
                let mut binomial = 1;
                let mut sum = 0;
                for (i, answer) in answers.iter().enumerate() {
                    // C(d + 1, t) = C(d + 1, t − 1) (d + 2 − t)/t, where t < p has an inverse.
                    let t = i as u64 + 1;
                    binomial = field.times(binomial, nodes as u64 + 1 - t);
                    binomial = field.times(binomial, field.inverse(t));
                    let term = field.times(binomial, *answer);
                    sum = if t % 2 == 1 { field.plus(sum, term) } else { field.minus(sum, term) };
                }
                Some(sum)
            }
            Trial::Line { outliers, .. } => decode(field, answers, self.setup.degree, outliers),
            Trial::Subspace { .. } => Some(answers.iter().fold(0, |sum, y| field.minus(sum, *y))),
        }
    }

    /// Operations of one trial: 2n a point and as many for a step over a digit, four an answer or a cube of the equations.
    fn flops(&self) -> u64 {
        let (n, m) = (self.domain.n() as u64, self.setup.width() as u64);
        let decoding = match self.setup.trial {
            Trial::Line { nodes, .. } if nodes > self.setup.degree + 1 => 2 * m * m * m,
            _ => 4 * m,
        };
        4 * n * m + decoding
    }
}

/// The value at 0 of the polynomial of degree d that agrees with the answers at t = 1, 2, … but for `outliers` of them: with
/// E monic of that degree and Q = P E, `Q(t) = answer(t) E(t)` at every t, which is linear in the coefficients of both.
fn decode(field: PrimeField, answers: &[u64], degree: usize, outliers: usize) -> Option<u64> {
    let n_quotient = degree + outliers + 1;
    let row = |(i, y): (usize, &u64)| -> Vec<u64> {
        let t = i as u64 + 1;
        let q = (0..n_quotient as u64).map(|k| field.power(t, k));
        let e = (0..outliers as u64).map(|k| field.minus(0, field.times(*y, field.power(t, k))));
        let right = field.times(*y, field.power(t, outliers as u64));
        q.chain(e).chain([right]).collect()
    };
    let solution = field.solve(answers.iter().enumerate().map(row).collect())?;
    let (mut rest, locator) = (solution[..n_quotient].to_vec(), &solution[n_quotient..]);
    // Long division by E, whose leading coefficient is 1.
    for top in (outliers..n_quotient).rev() {
        let lead = rest[top];
        for (k, e) in locator.iter().enumerate() {
            let place = top - outliers + k;
            rest[place] = field.minus(rest[place], field.times(lead, *e));
        }
    }
    // What is above E's degree is now the quotient, what is below the remainder.
    rest[..outliers].iter().all(|x| *x == 0).then(|| rest[outliers])
}

/// The value that comes up most often, the least of equals; 0 if none does.
fn most_frequent(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    let runs = values.chunk_by(|a, b| a == b);
    runs.rev().max_by_key(|run| run.len()).map_or(0, |run| run[0])
}

impl Oracle for Local<'_> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let n = self.domain.n();
        crate::data::check("inputs", xs, n)?;
        let (n_trials, width) = (self.setup.repetition.size, self.setup.width());
        let mut answers = Vec::with_capacity(xs.nrows());
        let block = (MOST_NUMBERS / (n_trials * width * n)).clamp(1, BLOCK);
        for first in (0..xs.nrows()).step_by(block) {
            let rows = first..(first + block).min(xs.nrows());
            let mut points = Vec::with_capacity(n_trials * width * rows.len());
            for i in rows.clone() {
                let x = row(xs, i);
                if !self.domain.contains(&x) {
                    let why = format!("input {i} lies outside the domain");
                    return Err(Error::assumption(METHOD, why));
                }
                let star: Vec<u64> = x.iter().map(|x| self.residue(*x)).collect();
                let exact: Vec<f64> = star.iter().map(|x| self.written(*x)).collect();
                let mut rng = self.seed.stream_for_row(&exact);
                for _ in 0..n_trials {
                    self.points(&star, &mut rng, &mut points);
                }
            }
            // A vote: a sort of the values.
            let each = n_trials as u64 * self.flops() + self.setup.repetition.flops();
            self.ledger.flops(each * rows.len() as u64)?;
            let said: Vec<u64> =
                self.suspect.query(&stack(n, points))?.iter().map(|y| self.residue(*y)).collect();
            for trials in said.chunks(n_trials * width) {
                let values = trials.chunks(width).filter_map(|trial| self.value(trial)).collect();
                answers.push(self.written(most_frequent(values)));
            }
        }
        Ok(column(answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_errors_are_decoded_up_to_half_of_what_is_left_over() {
        let field = PrimeField::new(13).unwrap();
        let mut rng = Seed::new(1).stream("decode");
        for degree in 0..4 {
            for nodes in degree + 1..=12 {
                let outliers = (nodes - degree - 1) / 2;
                for wrong in 0..=outliers {
                    let c: Vec<u64> = (0..=degree).map(|_| rng.random_range(0..13)).collect();
                    let at = |t: u64| c.iter().rev().fold(0, |sum, c| (sum * t + c) % 13);
                    let mut answers: Vec<u64> = (1..=nodes as u64).map(at).collect();
                    let order = crate::rng::permutation(nodes, &mut rng);
                    for &i in &order[..wrong] {
                        answers[i] = (answers[i] + rng.random_range(1..13)) % 13;
                    }
                    let got = decode(field, &answers, degree, outliers);
                    assert_eq!(got, Some(c[0]), "degree {degree}, {nodes} nodes, {wrong} wrong");
                }
            }
        }
    }

    #[test]
    fn the_vote_is_for_the_most_frequent_and_the_least_of_equals() {
        assert_eq!(most_frequent(vec![3, 1, 3, 2, 1, 3]), 3);
        assert_eq!(most_frequent(vec![2, 1, 2, 1]), 1);
        assert_eq!(most_frequent(Vec::new()), 0);
    }
}
