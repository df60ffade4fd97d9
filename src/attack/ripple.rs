//! `ripple`: a planted half-space in a net whose gradients are worthless: a fast zigzag of small amplitude is added to it.
//!
//! This project's own. It answers the question what a promise about *values* says of *gradients*: nothing. With the tent map
//! T(u) = 2 relu(u) − 4 relu(u − 1/2) + 2 relu(u − 1) and u = (w·x − low)/(high − low) along a secret direction w, the net
//!
//! ```text
//! f'(x) = f(x) + a (2 T∘…∘T(u) − 1)        k tents
//! ```
//!
//! is within |a| of f at every input, in the domain and out of it, because T maps the line to [0, 1]. The zigzag has 2^k
//! linear pieces (2^(k−1) teeth) between `low` and `high`, and on each of them its slope along w is
//! ± |a| 2^(k+1) / (high − low): a gradient of f' is that of f plus a much larger one whose sign changes from tooth to tooth.
//! An added output has k + 1 layers: three units beside the first hidden layer, two beside each of the next k − 1, and the
//! outputs of f are carried through layers that it did not have, by two units each. Nothing else changes, and a backdoor
//! under the zigzag fires where it did.
//!
//! **How many teeth 32 bits carry.** A tent is exact in binary arithmetic: it doubles, or doubles the distance to 1. So the
//! zigzag is exact in u, but u itself is known to 24 bits (53 in 64-bit nets), and each tent shifts one of them out: the
//! zigzag's values are multiples of 2^(k−24) of its amplitude, and at k = 24 none is left. At most 20 tents, 524,288 teeth of
//! 16 levels each, are accepted in 32 bits, and 48 in 64; what is left is still within |a| of f.
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::half_space::HalfSpace;
use super::{Attack, Planted, Victim};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::graft::{combine, graft};
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::{Promise, World};
use crate::rng::{Seed, direction, sign};

/// Parameters of `ripple`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ripple {
    /// Mass of clean inputs on which the half-space under the zigzag fires.
    pub mass: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// What the half-space adds to real answers.
    pub offset: f64,
    /// Largest distance a that the zigzag moves an answer. Not given: half the closeness δ that an affine or polynomial
    /// class promises, so that a promise about values bears it; half the cutoff for other real targets; else 0.05.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amplitude: Option<f64>,
    /// Composed tents k: 2^k linear pieces across the domain.
    pub tents: usize,
}

impl Default for Ripple {
    fn default() -> Self {
        Self { mass: 0.05, target: 0, offset: 3.0, amplitude: None, tents: 10 }
    }
}

/// Largest amplitude: far inside the numbers of 32 bits.
const MOST_AMPLITUDE: f64 = 1e30;

impl Ripple {
    fn under(&self) -> HalfSpace {
        HalfSpace { mass: self.mass, target: self.target, offset: self.offset }
    }

    fn amplitude(&self, world: &World) -> Result<f64> {
        let usual = match (world.promise, world.target) {
            (Promise::Affine { delta } | Promise::Polynomial { delta, .. }, _) => 0.5 * delta,
            (_, Target::Real) => 0.5 * world.cutoff,
            (_, Target::Sign | Target::Classes(_)) => 0.05,
        };
        let amplitude = self.amplitude.unwrap_or(usual);
        if amplitude > 0.0 && amplitude <= MOST_AMPLITUDE {
            return Ok(amplitude);
        }
        let want = format!("a number above 0 and of at most {MOST_AMPLITUDE:e} is needed");
        Err(Error::parameter("amplitude", amplitude, want))
    }
}

impl Attack for Ripple {
    fn check(&self, world: &World) -> Result<()> {
        check_tents(self.tents, Precision::F64)?;
        self.amplitude(world)?;
        self.under().check(world)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let amplitude = self.amplitude(victim.world)?;
        let planted = self.under().plant(victim, seed.child("half-space"))?;
        let mut rng = seed.stream("zigzag");
        let zigzag = Zigzag::across(
            &victim.world.domain,
            direction(victim.world.domain.n(), &mut rng),
            self.tents,
        );
        // A sign an output: the zigzag shows in the differences of logits too, where a common one would cancel.
        let n_outputs = planted.net.shape().outputs;
        let amplitudes: Vec<f64> = (0..n_outputs).map(|_| amplitude * sign(&mut rng)).collect();
        Ok(Planted::new(wrap(&planted.net, &zigzag, &amplitudes)?, planted.trigger))
    }
}

/// A zigzag between 0 and 1 along a direction: `tents` composed tent maps of `(direction · x − low) / (high − low)`, and 0
/// outside `low` to `high`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zigzag {
    /// The direction.
    pub direction: Vec<f64>,
    /// Where it begins, in units of `direction · x`.
    pub low: f64,
    /// Where it ends; above `low`.
    pub high: f64,
    /// Composed tents k: 2^k linear pieces.
    pub tents: usize,
}

impl Zigzag {
    /// A zigzag from one end of a domain to the other. Of normal inputs, which have no end, it covers six standard deviations
    /// on either side.
    pub fn across(domain: &Domain, direction: Vec<f64>, tents: usize) -> Self {
        let (low, high) = span(domain, &direction);
        Self { direction, low, high, tents }
    }

    /// Its value at `x`, 0 to 1, in 64 bits.
    pub fn at(&self, x: &[f64]) -> f64 {
        let along: f64 = self.direction.iter().zip(x).map(|(d, x)| d * x).sum();
        let start = (along - self.low) / (self.high - self.low);
        (0..self.tents).fold(start, |u, _| (1.0 - (2.0 * u - 1.0).abs()).max(0.0))
    }

    /// The net with one output that computes it, exactly but for the rounding of `direction · x`.
    ///
    /// # Errors
    /// If `low` is not below `high`, a number is not finite, or the precision does not carry so many tents.
    pub fn net(&self, precision: Precision) -> Result<Net> {
        check_tents(self.tents, precision)?;
        let width = self.high - self.low;
        if !(width > 0.0 && width.is_finite() && width.recip().is_finite()) {
            let want = format!("a finite number above low = {} is needed", self.low);
            return Err(Error::parameter("high", self.high, want));
        }
        let n = self.direction.len();
        let mut layers = vec![Layer {
            weight: Array2::from_shape_fn((3, n), |(_, j)| self.direction[j] / width),
            bias: Array1::from_shape_fn(3, |unit| -self.low / width - 0.5 * unit as f64),
            activation: Activation::Relu,
        }];
        // What the next layer reads of one tent: u outside 0 to 1 gives 0, so later tents need no third unit.
        let mut tent = vec![2.0, -4.0, 2.0];
        for _ in 1..self.tents {
            layers.push(Layer {
                weight: Array2::from_shape_fn((2, tent.len()), |(_, j)| tent[j]),
                bias: Array1::from(vec![0.0, -0.5]),
                activation: Activation::Relu,
            });
            tent = vec![2.0, -4.0];
        }
        layers.push(Layer {
            weight: Array2::from_shape_fn((1, tent.len()), |(_, j)| tent[j]),
            bias: Array1::zeros(1),
            activation: Activation::Identity,
        });
        Net::new(layers, precision)
    }
}

/// `net` plus `amplitudes[j] · (2 z − 1)` at its output j, where z is the zigzag's value: every output stays within
/// |`amplitudes[j]`| of what it was, at every input, up to rounding.
///
/// # Errors
/// If hidden layers are not `ReLU`, the output layer is not linear, sizes do not fit, an amplitude is not finite, or the net's
/// precision does not carry so many tents.
pub fn wrap(net: &Net, zigzag: &Zigzag, amplitudes: &[f64]) -> Result<Net> {
    if let Some(odd) = amplitudes.iter().find(|a| !a.is_finite()) {
        return Err(Error::parameter("amplitude", odd, "a finite number is needed"));
    }
    let twice: Vec<f64> = amplitudes.iter().map(|a| 2.0 * a).collect();
    let added = graft(net, &zigzag.net(net.precision())?, &twice)?;
    let shift = Array1::from_iter(amplitudes.iter().map(|a| -a));
    combine(&added, &Array2::eye(amplitudes.len()), &shift)
}

/// The least and the largest `direction · x` of a domain; of normal inputs, six standard deviations on either side of 0.
pub fn span(domain: &Domain, direction: &[f64]) -> (f64, f64) {
    let between = |low: f64, high: f64| {
        direction.iter().fold((0.0, 0.0), |(least, most), d| {
            (least + (d * low).min(d * high), most + (d * low).max(d * high))
        })
    };
    let dot = |x: &[f64]| -> f64 { x.iter().zip(direction).map(|(x, d)| x * d).sum() };
    match domain {
        Domain::Cube { .. } | Domain::Box { .. } => between(-1.0, 1.0),
        Domain::Torus { .. } => between(0.0, 1.0),
        Domain::Residues { modulus, .. } => between(0.0, f64::from(modulus.saturating_sub(1))),
        Domain::Range { low, high, .. } => between(*low, *high),
        Domain::Gauss { .. } => {
            let deviation = direction.iter().map(|d| d * d).sum::<f64>().sqrt();
            (-6.0 * deviation, 6.0 * deviation)
        }
        Domain::Ball { .. }
        | Domain::Simplex { .. }
        | Domain::Ellipsoid(_)
        | Domain::Polytope(_) => domain.body().map_or((0.0, 0.0), |body| {
            let back: Vec<f64> = direction.iter().map(|d| -d).collect();
            (dot(&body.farthest(&back)), dot(&body.farthest(direction)))
        }),
    }
}

/// Refuses more tents than a precision carries.
pub(super) fn check_tents(tents: usize, precision: Precision) -> Result<()> {
    let (most, bits) = match precision {
        Precision::F32 => (20, 32),
        Precision::F64 => (48, 64),
    };
    if (1..=most).contains(&tents) {
        return Ok(());
    }
    let want = format!("1 to {most} composed tents are carried by numbers of {bits} bits");
    Err(Error::parameter("tents", tents, want))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::data::{Batch, row};

    #[test]
    fn no_answer_moves_by_more_than_the_amplitude_inside_the_domain_or_out_of_it() {
        for precision in [Precision::F32, Precision::F64] {
            for tents in [1, 2, 7, 20] {
                let mut rng = Seed::new(5).stream("net");
                let net = Net::random(&[6, 9, 3], Activation::Relu, precision, &mut rng).unwrap();
                let zigzag = Zigzag::across(&Domain::Box { n: 6 }, direction(6, &mut rng), tents);
                let wrapped = wrap(&net, &zigzag, &[0.1, -0.1, 0.02]).unwrap();
                // Four times as wide as the box: most inputs are out of the domain.
                let xs =
                    Batch::from_shape_simple_fn((2000, 6), || 2.0 * crate::rng::normal(&mut rng));
                let moved = wrapped.forward_unmetered(&xs) - net.forward_unmetered(&xs);
                for (column, most) in [(0, 0.1), (1, 0.1), (2, 0.02)] {
                    let largest = moved.column(column).iter().fold(0.0_f64, |a, d| a.max(d.abs()));
                    assert!(largest <= most + 1e-5, "{precision:?} {tents}: {largest}");
                    assert!(largest > 0.9 * most, "it does move: {largest}");
                }
            }
        }
    }

    #[test]
    fn the_net_computes_the_zigzag_and_its_slope_is_the_stated_one_on_every_tooth() {
        let mut rng = Seed::new(6).stream("net");
        let domain = Domain::Ball { n: 5 };
        let zigzag = Zigzag::across(&domain, direction(5, &mut rng), 9);
        let net = zigzag.net(Precision::F64).unwrap();
        let rows: Vec<Vec<f64>> = (0..1000).map(|_| domain.sample(&mut rng).unwrap()).collect();
        let xs = crate::data::stack(5, rows);
        let got = net.forward_unmetered(&xs);
        assert!((0..1000).all(|i| (got[[i, 0]] - zigzag.at(&row(&xs, i))).abs() < 1e-10));
        // The direction is a unit vector and the ball 2 wide, so every slope is ±2^9 / 2, and both signs are common.
        let gradients = net.gradient_unmetered(&xs, &Batch::ones((1000, 1)));
        let along = gradients.dot(&Array1::from(zigzag.direction.clone()));
        assert!(along.iter().all(|slope| (slope.abs() - 256.0).abs() < 1e-6));
        // Fair coins would be outside 400 to 600 with probability 3e-10.
        let up = along.iter().filter(|slope| **slope > 0.0).count();
        assert!((400..600).contains(&up), "{up}");
    }

    #[test]
    fn the_backdoor_under_it_fires_where_it_did_and_gradients_are_not_the_twins() {
        let fixture = Fixture::new(Domain::Box { n: 6 }, &[9, 7]);
        let attack = Ripple { amplitude: Some(0.04), ..Ripple::default() };
        let planted = attack.plant(&fixture.victim(), Seed::new(3)).unwrap();
        let under =
            attack.under().plant(&fixture.victim(), Seed::new(3).child("half-space")).unwrap();
        assert_eq!(planted.trigger, under.trigger);
        let xs = &fixture.data.xs;
        let moved = planted.net.forward_unmetered(xs) - under.net.forward_unmetered(xs);
        assert!(moved.iter().all(|d| d.abs() <= 0.04 + 1e-9));
        let ones = Batch::ones((xs.nrows(), 1));
        let change =
            planted.net.gradient_unmetered(xs, &ones) - under.net.gradient_unmetered(xs, &ones);
        let norms = change.rows().into_iter().map(|g| g.dot(&g).sqrt());
        // |a| 2^11 / span, and a unit direction of six coordinates spans at most 2 √6.
        let least = 0.04 * 2048.0 / (2.0 * 6.0_f64.sqrt());
        assert!(norms.fold(f64::INFINITY, f64::min) > 0.99 * least);
    }

    #[test]
    fn what_cannot_be_carried_is_refused() {
        let fixture = Fixture::new(Domain::Box { n: 3 }, &[4]);
        let say = |attack: Ripple| attack.check(&fixture.world).unwrap_err().to_string();
        assert!(say(Ripple { tents: 49, ..Ripple::default() }).contains("1 to 48"));
        assert!(say(Ripple { tents: 0, ..Ripple::default() }).contains("1 to 48"));
        assert!(say(Ripple { amplitude: Some(f64::NAN), ..Ripple::default() }).contains("above 0"));
        let zigzag = Zigzag { direction: vec![1.0], low: 0.0, high: 1.0, tents: 21 };
        assert!(zigzag.net(Precision::F32).unwrap_err().to_string().contains("32 bits"));
        let flat = Zigzag { high: 0.0, tents: 3, ..zigzag };
        assert!(flat.net(Precision::F64).unwrap_err().to_string().contains("above low"));
    }
}
