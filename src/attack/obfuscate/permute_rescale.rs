//! `permute-rescale` (O1): another net of the same function, by the symmetries of its units.
//!
//! Hidden units are put into a random order and, where their activation has a symmetry, changed by it. With incoming weights
//! w, bias b and outgoing weights v:
//!
//! | activation | symmetry | changed to |
//! |---|---|---|
//! | `ReLU`, identity | `σ(c z) = c σ(z)`, c > 0 | (c w, c b, v / c) |
//! | step | `σ(c z) = σ(z)`, c > 0 | (c w, c b, v) |
//! | tanh | `σ(−z) = −σ(z)` | (−w, −b, −v) |
//! | cosine | `σ(−z) = σ(z)` | (−w, −b, v) |
//! | GELU | none | as it is |
//!
//! With `scales = "powers-of-two"` a factor is 2^k with k uniform from −`octaves` to `octaves`: exact in floating point, so that
//! nothing but the order of sums is rounded otherwise. A reader of the bits sees the same significands as before: only the
//! exponents moved. With `"any"` the factor is 2^u with u uniform on the same range, and every weight is rounded anew.
//!
//! This hides nothing from a defender who brings units to unit norm and sorts them: that undoes it. It stops only methods
//! that read norms or places as they stand. That feed-forward nets have these symmetries is folklore (Hecht-Nielsen 1990 for
//! tanh); the rung is from this project's ladder.
use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::{Obfuscation, Subject};
use crate::attack::Victim;
use crate::error::{Error, Result};
use crate::net::{Activation, Layer, Net};
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, permutation};

/// Parameters of `permute-rescale`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PermuteRescale {
    /// Which factors units are rescaled by.
    pub scales: Scales,
    /// Factors lie between 2^−octaves and 2^octaves. 0 permutes and flips signs only. At most 16.
    pub octaves: u32,
}

/// Which factors units are rescaled by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scales {
    /// Powers of two, which are exact.
    #[default]
    PowersOfTwo,
    /// Any, uniform in the logarithm.
    Any,
}

impl Default for PermuteRescale {
    fn default() -> Self {
        Self { scales: Scales::PowersOfTwo, octaves: 3 }
    }
}

/// Largest `octaves`: weights of ordinary size stay far from the ends of 32 bit numbers.
const MOST_OCTAVES: u32 = 16;

impl Obfuscation for PermuteRescale {
    fn check(&self, _: &World) -> Result<()> {
        if self.octaves > MOST_OCTAVES {
            let want = format!("a number from 0 to {MOST_OCTAVES} is needed");
            return Err(Error::parameter("octaves", self.octaves, want));
        }
        Ok(())
    }

    fn apply(&self, subject: Subject<'_>, victim: &Victim<'_>, seed: Seed) -> Result<Net> {
        self.check(victim.world)?;
        let mut layers = subject.net.layers().to_vec();
        let mut rng = seed.stream("units");
        for number in 1..layers.len() {
            let (before, after) = layers.split_at_mut(number);
            self.shuffle(&mut before[number - 1], &mut after[0], &mut rng);
        }
        Net::new(layers, subject.net.precision())
    }
}

impl PermuteRescale {
    /// Reorders and rescales the units of `layer`, which `next` reads.
    fn shuffle(self, layer: &mut Layer, next: &mut Layer, rng: &mut Rng) {
        let order = permutation(layer.bias.len(), rng);
        layer.weight = layer.weight.select(Axis(0), &order);
        layer.bias = layer.bias.select(Axis(0), &order);
        next.weight = next.weight.select(Axis(1), &order);
        for unit in 0..order.len() {
            let (scale, sign) = (self.factor(rng), crate::rng::sign(rng));
            let (inward, outward) = match layer.activation {
                Activation::Relu | Activation::Identity => (scale, 1.0 / scale),
                Activation::Step => (scale, 1.0),
                Activation::Tanh => (sign, sign),
                Activation::Cos => (sign, 1.0),
                Activation::Gelu => (1.0, 1.0),
            };
            layer.weight.row_mut(unit).mapv_inplace(|w| inward * w);
            layer.bias[unit] *= inward;
            next.weight.column_mut(unit).mapv_inplace(|v| outward * v);
        }
    }

    fn factor(self, rng: &mut Rng) -> f64 {
        let most = f64::from(self.octaves);
        let exponent = match self.scales {
            Scales::PowersOfTwo => f64::from(rng.random_range(0..=2 * self.octaves)) - most,
            Scales::Any => most * (2.0 * rng.random::<f64>() - 1.0),
        };
        libm::exp2(exponent)
    }
}
