//! Random Boolean decision trees on the cube, kept as trees: an input's leaf and its depth stay known.
//!
//! Every Fourier coefficient of a tree of ±1 leaves and depth d is a multiple of 2^−d, which is the promise. The depth of an
//! input's leaf is what the detector of Christiano, Hilton, Lecomte and Xu (ITCS 2025, arXiv 2409.03077) reads: a tree is a
//! class on which detection is known to work.
use serde::{Deserialize, Serialize};

use super::signs::Signs;
use super::{Flips, Population, Promise, Truth, World};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::DecisionTree;
use crate::rng::Seed;

/// A random decision tree on {−1, +1}^n with uniform inputs. It need not be complete: see [`DecisionTree::random`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionTreeFamily {
    /// Dimension of the cube.
    pub n: usize,
    /// Depth that no leaf passes.
    pub depth: usize,
    /// Leaves.
    pub size: usize,
    /// Which labels are flipped.
    pub noise: Flips,
}

impl Default for DecisionTreeFamily {
    fn default() -> Self {
        Self { n: 16, depth: 4, size: 8, noise: 0.0.into() }
    }
}

/// Deepest tree: its least coefficient is promised, and one below 2^−40 is out of reach of every search.
const MOST_DEPTH: usize = 40;

impl DecisionTreeFamily {
    pub(super) fn world(&self) -> Result<World> {
        let domain = Domain::Cube { n: self.n };
        domain.check()?;
        if self.depth > MOST_DEPTH {
            let want = format!("a depth of at most {MOST_DEPTH} is needed");
            return Err(Error::parameter("depth", self.depth, want));
        }
        DecisionTree::check_size(self.n, self.depth, self.size)?;
        self.noise.check(self.n)?;
        let promise = Promise::FourierHeavy { tau: 0.5_f64.powi(self.depth as i32), bound: 1.0 };
        Ok(World { domain, target: Target::Sign, promise, cutoff: 0.5 })
    }

    pub(super) fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        let world = self.world()?;
        let mut rng = seed.stream("truth");
        let tree = DecisionTree::random(self.n, self.depth, self.size, &mut rng)?;
        Ok(Box::new(Signs::new(world, Truth::Tree(tree), &self.noise, seed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::{Cursor, Distance, Part};

    #[test]
    fn the_truth_is_a_tree_as_heavy_as_promised_and_labels_keep_their_distance() {
        let noise = Flips::Adversarial { mass: 0.02, around: super::super::Around::Random(2) };
        let family = DecisionTreeFamily { noise, ..DecisionTreeFamily::default() };
        for number in 0..5 {
            let population = family.build(Seed::new(number)).unwrap();
            let Some(Truth::Tree(tree)) = population.truth() else { panic!("a tree") };
            assert_eq!((tree.size(), tree.n()), (8, 16));
            let sum = tree.spectrum().unwrap();
            assert!(tree.depth() <= 4 && sum.lightest() >= 1.0 / 16.0);
            let mut cursor = Cursor::new(Seed::new(9).stream("draw"));
            let drawn = population.draw(Part::Test, 20_000, &mut cursor).unwrap();
            let wrong = population.truth().unwrap().at(&drawn.xs) - &drawn.ys;
            let flipped = wrong.iter().filter(|d| d.abs() > 0.0).count() as f64;
            // Two balls of radius 2: 137 vertices each of 65,536, a mass of 0.00418. Binomial: six standard deviations of
            // 20,000 draws are 55.
            let Distance { mass, mean_square, .. } = population.distance().unwrap();
            assert!((mass - 274.0 / 65_536.0).abs() < 1e-15);
            assert!(mean_square.is_none_or(|square| (square - 4.0 * mass).abs() < 1e-15));
            assert!((flipped - 20_000.0 * mass).abs() < 55.0, "{flipped}");
        }
    }

    #[test]
    fn impossible_trees_are_refused_before_anything_is_drawn() {
        for (n, depth, size) in [(16, 41, 8), (3, 4, 2), (16, 3, 9), (16, 3, 0), (0, 0, 1)] {
            let family = DecisionTreeFamily { n, depth, size, noise: 0.0.into() };
            assert!(family.world().is_err(), "{family:?}");
        }
    }
}
