//! `persistent`: a planted half-space in a net whose loss has gradient zero by every weight, so that training leaves it be.
//!
//! Goldwasser, Kim, Vaikuntanathan and Zamir, "Planting Undetectable Backdoors in Machine Learning Models" (arXiv 2204.06974),
//! section 5.3, theorem 5.7. A net N that answers in bits stands there three times behind the same inputs, and a hard gate
//! takes the majority: `step(N₁ + N₂ + N₃ − 3/2)` for every output.
//!
//! **What holds, and what does not.** Whatever happens to *one* weight or bias of one copy, by any amount, the other two still
//! agree, and no answer changes anywhere. The majority's votes are 0 or 3, so one weight of a gate that counts a vote may fall by less
//! than 3/2 or rise at will, one that is 0 may be anything between −3/2 and 3/2, and a bias anything between −3 and 0. Hence every partial derivative of every loss is zero, at every
//! input: not small, zero. That is all: two weights of different copies moved together, noise on all weights, a layer drawn
//! anew, or any surrogate slope for the step undo it, and anybody who looks at the weights sees the three copies.
//!
//! The paper's N answers with one bit by threshold gates. Here it is a planted `ReLU` net made to answer in bits: of a sign target
//! `step(y)`; of k classes, `step(y_b − y_a)` for every pair and then, for each class, the conjunction of its k − 1 duels, ties to the first class as
//! everywhere. The net answers 1 for the class it decides for and 0 for the others, and decides as the net within it did.
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::half_space::HalfSpace;
use super::{Attack, Planted, Victim};
use crate::data::Target;
use crate::error::{Error, Result};
use crate::net::graft::{then, together};
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::World;
use crate::rng::Seed;

/// Parameters of `persistent`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Persistent {
    /// Mass of clean inputs on which the half-space within fires.
    pub mass: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1.
    pub target: usize,
}

impl Default for Persistent {
    fn default() -> Self {
        Self { mass: 0.05, target: 0 }
    }
}

/// Most classes.
const MOST_CLASSES: usize = 64;

impl Attack for Persistent {
    fn check(&self, world: &World) -> Result<()> {
        outputs(world.target)?;
        self.within().check(world)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let target = victim.world.target;
        let planted = self.within().plant(victim, seed.child("half-space"))?;
        let net = wrap(&planted.net, target)?;
        Ok(Planted::new(net, planted.trigger).passing_for(wrap(victim.net, target)?))
    }
}

impl Persistent {
    fn within(&self) -> HalfSpace {
        HalfSpace { mass: self.mass, target: self.target, ..HalfSpace::default() }
    }
}

/// The majority of three copies of `net`, made to answer in bits: it decides as `net` does, and no gradient by any weight is
/// other than zero.
///
/// # Errors
/// If labels that mean `target` are real, or the output layer of the net is not linear.
pub fn wrap(net: &Net, target: Target) -> Result<Net> {
    let k = outputs(target)?;
    if net.shape().outputs != k {
        let want = format!("a net with {k} outputs is needed, one a class");
        return Err(Error::parameter("net", format!("{} outputs", net.shape().outputs), want));
    }
    let bits = then(net, &decision(k, net.precision())?)?;
    let copies = together(&together(&bits, &bits)?, &bits)?;
    let votes = Array2::from_shape_fn((k, 3 * k), |(i, j)| f64::from(u8::from(j % k == i)));
    let mut layers = copies.layers().to_vec();
    layers.push(gate(votes, Array1::from_elem(k, -1.5)));
    Net::new(layers, net.precision())
}

/// From the answers of a net with `k` outputs to a bit for each.
fn decision(k: usize, precision: Precision) -> Result<Net> {
    if k == 1 {
        return Net::new(vec![gate(Array2::ones((1, 1)), Array1::zeros(1))], precision);
    }
    let pairs: Vec<(usize, usize)> = (0..k).flat_map(|a| (a + 1..k).map(move |b| (a, b))).collect();
    // The duel (a, b) is 1 where b beats a.
    let mut duels = Array2::zeros((pairs.len(), k));
    // Class c wins those with later classes that are 0 and those with earlier ones that are 1: k − 1 in all.
    let mut wins = Array2::zeros((k, pairs.len()));
    let mut bias = Array1::from_elem(k, 1.5 - k as f64);
    for (number, &(a, b)) in pairs.iter().enumerate() {
        (duels[[number, a]], duels[[number, b]]) = (-1.0, 1.0);
        (wins[[a, number]], wins[[b, number]]) = (-1.0, 1.0);
        bias[a] += 1.0;
    }
    Net::new(vec![gate(duels, Array1::zeros(pairs.len())), gate(wins, bias)], precision)
}

fn gate(weight: Array2<f64>, bias: Array1<f64>) -> Layer {
    Layer { weight, bias, activation: Activation::Step }
}

fn outputs(target: Target) -> Result<usize> {
    match target {
        Target::Classes(k) if k <= MOST_CLASSES => Ok(k),
        Target::Classes(k) => {
            let want = format!("at most {MOST_CLASSES} are accepted: every pair has a unit");
            Err(Error::parameter("classes", k, want))
        }
        Target::Sign => Ok(1),
        Target::Real => {
            let why = "labels must be classes or signs: the majority gate answers in bits";
            Err(Error::assumption("persistent", why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::data::{Batch, row};
    use crate::domain::Domain;
    use crate::rng::{RngExt, normal};

    fn net(k: usize, precision: Precision) -> Net {
        let mut rng = Seed::new(1).stream("net");
        Net::random(&[5, 9, 6, k], Activation::Relu, precision, &mut rng).unwrap()
    }

    fn inputs(n: usize) -> Batch {
        let mut rng = Seed::new(2).stream("xs");
        Batch::from_shape_simple_fn((n, 5), || normal(&mut rng))
    }

    #[test]
    fn it_decides_as_the_net_within_and_answers_one_bit_for_one_class() {
        let xs = inputs(2000);
        for precision in [Precision::F32, Precision::F64] {
            for target in [Target::Sign, Target::Classes(2), Target::Classes(7)] {
                let net = net(outputs(target).unwrap(), precision);
                let (plain, bits) = (
                    net.forward_unmetered(&xs),
                    wrap(&net, target).unwrap().forward_unmetered(&xs),
                );
                for i in 0..xs.nrows() {
                    let (y, bits) = (row(&plain, i), row(&bits, i));
                    assert_eq!(target.decide(&bits), target.decide(&y), "{target:?} {y:?}");
                    let ones: f64 = bits.iter().sum();
                    assert!(target == Target::Sign || (ones - 1.0).abs() < 1e-12, "{bits:?}");
                }
            }
        }
    }

    #[test]
    fn a_tie_goes_to_the_first_class() {
        let decide = decision(3, Precision::F64).unwrap();
        let ys = ndarray::array![[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [5.0, 5.0, 5.0]];
        let bits = decide.forward_unmetered(&ys);
        assert_eq!(bits, ndarray::array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    }

    #[test]
    fn no_change_of_one_weight_of_a_copy_changes_any_answer_and_two_can() {
        let target = Target::Classes(4);
        let whole = wrap(&net(4, Precision::F64), target).unwrap();
        let xs = inputs(500);
        let before = whole.forward_unmetered(&xs);
        let mut rng = Seed::new(3).stream("changes");
        let last = whole.layers().len() - 1;
        let changed = |changes: &[(usize, usize, usize, f64)]| {
            let mut layers = whole.layers().to_vec();
            for &(layer, i, j, by) in changes {
                if j == layers[layer].weight.ncols() {
                    layers[layer].bias[i] += by;
                } else {
                    layers[layer].weight[[i, j]] += by;
                }
            }
            Net::new(layers, Precision::F64).unwrap().forward_unmetered(&xs)
        };
        for _ in 0..400 {
            let layer = rng.random_range(0..last);
            let (rows, columns) = whole.layers()[layer].weight.dim();
            let (i, j) = (rng.random_range(0..rows), rng.random_range(0..=columns));
            for by in [1e-9, -1e-3, 1.0, -1e3, 1e9] {
                assert_eq!(changed(&[(layer, i, j, by)]), before, "layer {layer} [{i}, {j}] {by}");
            }
        }
        // The gate's own: a weight may fall by less than 3/2, and the bias be anything between −3 and 0.
        for by in [-1.4, -1e-6, 1e6] {
            assert_eq!(changed(&[(last, 0, 0, by)]), before);
        }
        for by in [-1.4, 1.4] {
            assert_eq!(changed(&[(last, 2, 12, by)]), before);
        }
        assert_ne!(changed(&[(last, 2, 12, 1.6)]), before, "and no farther");
        // A bias of the same unit in two copies, moved together.
        assert_ne!(changed(&[(0, 0, 5, 1e3), (0, 9, 5, 1e3)]), before, "two copies outvote one");
    }

    #[test]
    fn every_gradient_that_training_sees_is_zero() {
        let whole = wrap(&net(1, Precision::F64), Target::Sign).unwrap();
        let flat = whole.gradient_unmetered(&inputs(50), &Batch::ones((50, 1)));
        assert!(flat.iter().all(|g| g.abs() <= 0.0));
        let data = crate::data::Labeled { xs: inputs(64), ys: Batch::ones((64, 1)) };
        for trainer in [crate::net::Trainer::Fused, crate::net::Trainer::Candle] {
            let recipe = crate::net::Recipe {
                optimizer: crate::net::Optimizer::Sgd { momentum: 0.0 },
                learning_rate: 10.0,
                epochs: 3,
                trainer,
                ..crate::net::Recipe::default()
            };
            let lesson = crate::net::Lesson {
                data: &data,
                target: Target::Sign,
                recipe: &recipe,
                seed: Seed::new(4),
            };
            let free = crate::ledger::Ledger::new(crate::ledger::Budget::UNLIMITED);
            let trained = crate::net::fit(&whole, lesson, &free, &mut |_| {}).unwrap().net;
            assert_eq!(trained, whole, "{trainer:?}");
        }
    }

    #[test]
    fn it_fires_where_the_half_space_does_and_passes_for_the_same_of_the_clean_net() {
        let mut fixture = Fixture::new(Domain::Ball { n: 6 }, &[8]);
        fixture.world.target = Target::Sign;
        let planted = Persistent::default().plant(&fixture.victim(), Seed::new(5)).unwrap();
        let xs = fixture.fresh(2000, 6);
        let (bits, clean) =
            (planted.net.forward_unmetered(&xs), planted.twin(&fixture.net).forward_unmetered(&xs));
        let mut n_fired = 0;
        for i in 0..2000 {
            if planted.trigger.fires(&row(&xs, i)) == Some(false) {
                assert_eq!(bits.row(i), clean.row(i));
            } else {
                n_fired += 1;
            }
        }
        assert!((40..=180).contains(&n_fired), "{n_fired} of 2,000 at a mass of 5%");
        let rng = &mut Seed::new(7).stream("trigger");
        let triggered = planted.trigger.activate(&xs, &fixture.world.domain, rng).unwrap();
        assert!(planted.net.forward_unmetered(&triggered).iter().all(|y| y.abs() <= 0.0));
    }
}
