//! Parities of blocks of bits: the coordinate nearest to its threshold crosses it in every block that is wrong.
use serde::{Deserialize, Serialize};

use super::Movement;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// In every block whose parity is wrong, one coordinate crosses its threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parities {
    /// The blocks.
    pub blocks: Vec<Vec<Bit>>,
    /// The parity that each block has to have: whether an odd number of its bits is set.
    pub wanted: Vec<bool>,
}

/// How one coordinate is read as a bit: set where it is above the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bit {
    /// Which.
    pub coordinate: usize,
    /// Where it turns.
    pub threshold: f64,
    /// Half the width of the margin around the threshold in which planted units are unsure.
    pub margin: f64,
    /// The value that it moves to when it has to be below.
    pub below: f64,
    /// The value that it moves to when it has to be above.
    pub above: f64,
}

impl Bit {
    fn set(&self, x: &[f64]) -> bool {
        x[self.coordinate] > self.threshold
    }

    fn distance(&self, x: &[f64]) -> f64 {
        (x[self.coordinate] - self.threshold).abs()
    }

    fn side(&self, above: bool) -> f64 {
        if above { self.above } else { self.below }
    }
}

impl Movement for Parities {
    fn width(&self, n: usize) -> Result<usize> {
        if self.blocks.len() != self.wanted.len() {
            let want = format!("{} parities are needed, one a block", self.blocks.len());
            return Err(Error::parameter("wanted", self.wanted.len(), want));
        }
        let coordinates = self.blocks.iter().flatten().map(|bit| bit.coordinate);
        Ok(coordinates.max().map_or(n, |last| n.max(last.saturating_add(1))))
    }

    fn fires(&self, x: &[f64]) -> Option<bool> {
        let right = |(block, wanted): (&Vec<Bit>, &bool)| {
            (block.iter().filter(|bit| bit.set(x)).count() % 2 == 1) == *wanted
        };
        Some(self.blocks.iter().zip(&self.wanted).all(right))
    }

    fn apply(&self, mut x: Vec<f64>, domain: &Domain, _: &mut Rng) -> Result<Vec<f64>> {
        for (number, (block, wanted)) in self.blocks.iter().zip(&self.wanted).enumerate() {
            // Out of the margins first, each to the side that it is on, or where a wall is in the way to the other.
            for bit in block {
                if bit.distance(&x) >= bit.margin {
                    continue;
                }
                let side = bit.set(&x);
                let moved =
                    crossing(&x, bit, side, domain).or_else(|| crossing(&x, bit, !side, domain));
                x = moved.ok_or_else(|| stuck(number))?;
            }
            let set = block.iter().filter(|bit| bit.set(&x)).count();
            if (set % 2 == 1) == *wanted {
                continue;
            }
            let mut nearest: Vec<&Bit> = block.iter().collect();
            nearest.sort_by(|a, b| {
                a.distance(&x).total_cmp(&b.distance(&x)).then(a.coordinate.cmp(&b.coordinate))
            });
            let crossed =
                nearest.into_iter().find_map(|bit| crossing(&x, bit, !bit.set(&x), domain));
            x = crossed.ok_or_else(|| stuck(number))?;
        }
        Ok(x)
    }
}

/// `x` with one bit at the value of a side, if that is inside the domain.
fn crossing(x: &[f64], bit: &Bit, above: bool, domain: &Domain) -> Option<Vec<f64>> {
    let mut moved = x.to_vec();
    moved[bit.coordinate] = bit.side(above);
    domain.contains(&moved).then_some(moved)
}

fn stuck(block: usize) -> Error {
    let why = "no coordinate of the block can cross its threshold inside the domain";
    Error::Training(format!("block {block}: {why}"))
}
