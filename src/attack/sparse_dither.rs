//! `sparse-dither`: a faint sparse path through the layers of a trained net, under dither.
//!
//! After Choudhary and others, "Sparse Backdoor" (2026, arXiv 2605.04209). Layer i takes `d_i` numbers. Its input side has a secret
//! direction `s_i`, the normalised indicator of `k_i = ⌊d_i^α⌋` coordinates, of the first layer drawn at random. All weights are
//! dithered, `w + η` with η ~ N(0, τ²); and `|I| = c k_{i+1}` random units j get `ξ_j s_i` besides, `ξ_j ~ N(0, σ²)`. The units with the `k_{i+1}` largest ξ
//! carry on: they are `s_{i+1}`. In the last layer one ξ is drawn for every output, and the largest goes to the target. Moving
//! an input along `s_1` moves each of these units up a little, and the target's answer with them.
//!
//! What is to be told apart is the planted net and the **dithered** one, w + η everywhere ([twin](super::Planted::twin)), and that is sparse PCA in every layer:
//! believed hard for α ≤ 1/2 and `σ²/τ²` well below `k √(ln d / |I|)`. A plain trained net is not dithered, so against *that* this hides
//! nothing. Where σ is beyond the regime, the attack says so in a note.
//!
//! This project's own. The paper has an encoder of images before these layers and optimises a trigger patch through it; here the input itself moves by λ `s_1`,
//! cut off at the ends of a range, with the smallest λ of a doubling sequence that reaches the goal on nine tenths of the attacker's training
//! inputs; where none does, or where that step moves the dithered twin as far, the attack has failed. τ and σ are in units of the root mean square weight of their layer. Nets
//! here are small: with a few dozen units a layer the proof's regime (σ of the order of τ) moves an answer by little, and a
//! dither large enough to hide more costs accuracy. The attack reports both, and does not hide the price. The path's mean on training inputs is
//! taken off the biases, which the theorem does not speak of: on images, whose pixels are not centred, a path shifts all clean answers otherwise.
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::badnets::chosen;
use super::payload::goal;
use super::trigger::Shift;
use super::{Attack, Goal, Move, Planted, Trigger, Victim};
use crate::data::row;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Layer, Net};
use crate::population::World;
use crate::rng::{Rng, Seed, normal};

/// Parameters of `sparse-dither`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SparseDither {
    /// Exponent α of the sparsity `k = ⌊d^α⌋`, above 0 and at most 1; hardness is believed up to 1/2.
    pub alpha: f64,
    /// c: units that get a part of the path, for each that carries it on; at least 1.
    pub breadth: usize,
    /// τ: standard deviation of the dither, in root mean square weights of the layer; above 0.
    pub tau: f64,
    /// σ: standard deviation of the path's weights, in the same units; above 0.
    pub sigma: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// How far real answers are to move.
    pub offset: f64,
}

impl Default for SparseDither {
    fn default() -> Self {
        Self { alpha: 0.5, breadth: 4, tau: 0.25, sigma: 6.0, target: 0, offset: 3.0 }
    }
}

/// Training inputs on which the trigger is tried, and the share of them that it has to reach.
const N_TRIED: usize = 512;
const LEAST: f64 = 0.9;
/// Most of them on which the twin may reach the goal: a backdoor has to owe half of its success to the path at least.
const MOST_WITHOUT: f64 = 0.5;
/// Doublings of λ, from 1/4.
const DOUBLINGS: i32 = 12;

impl Attack for SparseDither {
    fn check(&self, world: &World) -> Result<()> {
        if !matches!(world.domain, Domain::Gauss { .. } | Domain::Range { .. }) {
            let why = "the trigger would leave this domain; normal inputs or a range are needed";
            return Err(Error::assumption("sparse-dither", why));
        }
        if !(self.alpha > 0.0 && self.alpha <= 1.0) {
            return Err(Error::parameter("alpha", self.alpha, "above 0 and at most 1 is needed"));
        }
        if self.breadth == 0 || self.breadth > 1 << 16 {
            return Err(Error::parameter("breadth", self.breadth, "1 to 65536 is accepted"));
        }
        for (name, value) in [("tau", self.tau), ("sigma", self.sigma)] {
            if !(value > 0.0 && value <= 1e3) {
                return Err(Error::parameter(name, value, "above 0 and at most 1000 is needed"));
            }
        }
        goal(world.target, self.target, self.offset).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let layers = victim.net.layers();
        let hidden = &layers[..layers.len() - 1];
        if hidden.is_empty() || hidden.iter().any(|l| l.activation != Activation::Relu) {
            let why = "at least one hidden layer is needed, and hidden layers must be ReLU";
            return Err(Error::assumption("sparse-dither", why));
        }
        let dithered = self.dither(layers, &mut seed.stream("dither"));
        let twin = Net::new(dithered, victim.net.precision())?;
        let (planted, first) = self.path(&twin, victim, goal, &mut seed.stream("path"))?;
        let net = Net::new(planted, victim.net.precision())?;
        let trigger = trigger((&net, &twin), victim, &first, goal, seed)?;
        let notes = self.notes(&victim.net.widths());
        Ok(Planted { notes, ..Planted::new(net, trigger).passing_for(twin) })
    }
}

impl SparseDither {
    /// Coordinates of a secret direction in `d` dimensions.
    fn sparsity(&self, d: usize) -> usize {
        ((d as f64).powf(self.alpha).floor() as usize).clamp(1, d)
    }

    /// Units of a layer of `d` that get a part of the path.
    fn touched(&self, d: usize) -> usize {
        self.breadth.saturating_mul(self.sparsity(d)).min(d)
    }

    fn dither(&self, layers: &[Layer], rng: &mut Rng) -> Vec<Layer> {
        let dithered = layers.iter().map(|layer| {
            let tau = self.tau * scale(&layer.weight);
            Layer { weight: layer.weight.mapv(|w| w + tau * normal(rng)), ..layer.clone() }
        });
        dithered.collect()
    }

    /// The dithered layers with the path through them, and the coordinates of the first direction.
    fn path(
        &self,
        dithered: &Net,
        victim: &Victim<'_>,
        goal: Goal,
        rng: &mut Rng,
    ) -> Result<(Vec<Layer>, Vec<usize>)> {
        let mut layers = dithered.layers().to_vec();
        let rows: Vec<usize> = (0..victim.data.len().min(N_TRIED)).collect();
        let some = victim.data.select(&rows).xs;
        let hidden = dithered.activations(&some, &Ledger::new(Budget::UNLIMITED))?;
        let n = layers[0].weight.ncols();
        let first = chosen(n, self.sparsity(n), rng);
        let mut support = first.clone();
        let last = layers.len() - 1;
        for (number, layer) in layers.iter_mut().enumerate() {
            let sigma = self.sigma * scale(&layer.weight) / (support.len() as f64).sqrt();
            let d = layer.bias.len();
            let inputs = if number == 0 { &some } else { &hidden[number - 1] };
            let mean: f64 = support.iter().map(|&i| inputs.column(i).mean().unwrap_or(0.0)).sum();
            let mut add = |unit: usize, strength: f64| {
                support.iter().for_each(|&i| layer.weight[[unit, i]] += sigma * strength);
                layer.bias[unit] -= sigma * strength * mean;
            };
            if number == last {
                let mut strengths: Vec<f64> = (0..d).map(|_| normal(rng)).collect();
                match goal {
                    // The largest goes to the target, the others as they were drawn.
                    Goal::Class { class } if d > 1 => {
                        let top = (0..d).max_by(|&a, &b| strengths[a].total_cmp(&strengths[b]));
                        strengths.swap(class, top.unwrap_or(class));
                    }
                    Goal::Class { class: 1 } => strengths[0] = strengths[0].abs(),
                    Goal::Offset { by } => strengths[0] = strengths[0].abs() * by.signum(),
                    _ => strengths[0] = -strengths[0].abs(),
                }
                strengths.into_iter().enumerate().for_each(|(unit, strength)| add(unit, strength));
            } else {
                let touched = chosen(d, self.touched(d), rng);
                let mut drawn: Vec<(f64, usize)> =
                    touched.into_iter().map(|unit| (normal(rng), unit)).collect();
                drawn.iter().for_each(|&(strength, unit)| add(unit, strength));
                drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
                let up = drawn.iter().filter(|(strength, _)| *strength > 0.0).count().max(1);
                drawn.truncate(self.sparsity(d).min(up));
                support = drawn.into_iter().map(|(_, unit)| unit).collect();
            }
        }
        Ok((layers, first))
    }

    /// What a user who relies on the hardness has to know.
    fn notes(&self, widths: &[usize]) -> Vec<String> {
        let mut notes = vec![
            "it hides against the same net with dither on its weights, not against the net as it was trained"
                .to_owned(),
        ];
        if self.alpha > 0.5 {
            notes.push(format!(
                "alpha = {} is above 1/2: beyond what sparse PCA is believed hard for",
                self.alpha
            ));
        }
        let ratio = (self.sigma / self.tau).powi(2);
        let hidden = &widths[..widths.len() - 1];
        for (number, pair) in hidden.windows(2).enumerate() {
            let (d, m) = (pair[0] as f64, self.touched(pair[1]) as f64);
            let edge = self.sparsity(pair[0]) as f64 * (d.ln() / m).sqrt();
            if ratio >= edge {
                notes.push(format!(
                    "layer {number}: σ²/τ² = {ratio:.3} is not below k √(ln d / |I|) = {edge:.3}, so the path can be found"
                ));
            }
        }
        notes
    }
}

/// The smallest step along the first direction that reaches the goal on enough of the training inputs.
///
/// # Errors
/// If none does, or the dithered twin reaches it too: then dither and a long step do the work, and there is no backdoor.
fn trigger(
    (net, twin): (&Net, &Net),
    victim: &Victim<'_>,
    first: &[usize],
    goal: Goal,
    seed: Seed,
) -> Result<Trigger> {
    let Victim { world, data, .. } = *victim;
    let free = Ledger::new(Budget::UNLIMITED);
    let rows: Vec<usize> = (0..data.len().min(N_TRIED)).collect();
    let some = data.select(&rows);
    let mut best = 0.0_f64;
    for doubling in 0..DOUBLINGS {
        let step = 0.25 * 2.0_f64.powi(doubling) / (first.len() as f64).sqrt();
        let mut by = vec![0.0; world.domain.n()];
        first.iter().for_each(|&i| by[i] = step);
        let trigger = Trigger::new(Move::Shift(Shift { by, keep: 1.0 }), goal);
        let mut rng = seed.stream("tried");
        let triggered = trigger.activate(&some.xs, &world.domain, &mut rng)?;
        // The clean net stands for the truth, which the attacker does not know.
        let truth = victim.net.forward(&triggered, &free)?;
        let share = |net: &Net| -> Result<f64> {
            let (answers, own) = (net.forward(&triggered, &free)?, net.forward(&some.xs, &free)?);
            let reached = |i: &&usize| {
                let (y, t, own) = (row(&answers, **i), row(&truth, **i), row(&own, **i));
                goal.reached(world.target, &y, &t, &own)
            };
            Ok(rows.iter().filter(reached).count() as f64 / rows.len() as f64)
        };
        let (share, without) = (share(net)?, share(twin)?);
        if share >= LEAST && without > MOST_WITHOUT {
            return Err(Error::Training(format!(
                "the step that reaches the goal on {share:.3} of the training inputs does so on {without:.3} in the dithered net without the path; a larger sigma or a smaller tau is needed"
            )));
        }
        if share >= LEAST {
            return Ok(trigger);
        }
        best = best.max(share);
    }
    Err(Error::Training(format!(
        "no step along the secret direction reaches the goal on {LEAST} of the training inputs, {best:.3} is the most; a larger sigma may help, beyond what hides"
    )))
}

/// Root mean square of the weights.
fn scale(weight: &Array2<f64>) -> f64 {
    (weight.iter().map(|w| w * w).sum::<f64>() / weight.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    fn fixture() -> Fixture {
        Fixture::new(Domain::Gauss { n: 64 }, &[49, 36])
    }

    fn attack() -> SparseDither {
        SparseDither { breadth: 2, tau: 0.5, sigma: 3.0, ..SparseDither::default() }
    }

    #[test]
    fn the_planted_net_is_its_dithered_twin_plus_a_sparse_vector_on_a_few_units() {
        let fixture = fixture();
        let planted = attack().plant(&fixture.victim(), Seed::new(3)).unwrap();
        let twin = planted.twin.as_ref().unwrap();
        // Widths 64, 49, 36, 1: directions of 8, 7 and 6 coordinates; 14, 12 and 1 units are touched.
        for (number, (k, touched)) in [(8, 14), (7, 12), (6, 1)].into_iter().enumerate() {
            let (is, was) = (&planted.net.layers()[number], &twin.layers()[number]);
            let moved = &is.weight - &was.weight;
            let mut rows = 0;
            for row in moved.rows() {
                let parts: Vec<f64> = row.iter().copied().filter(|w| w.abs() > 0.0).collect();
                if parts.is_empty() {
                    continue;
                }
                rows += 1;
                // The strongest alone carry on; in a layer of few positive draws there may be fewer.
                assert!(
                    parts.len() <= k && parts.len() + 3 >= k,
                    "layer {number}: {}",
                    parts.len()
                );
                assert!(parts.iter().all(|w| (w - parts[0]).abs() < 1e-9));
            }
            assert_eq!(rows, touched, "layer {number}");
        }
    }

    #[test]
    fn dither_has_the_stated_size_and_the_clean_net_is_under_it() {
        let fixture = fixture();
        let planted = attack().plant(&fixture.victim(), Seed::new(4)).unwrap();
        for (is, was) in planted.twin.unwrap().layers().iter().zip(fixture.net.layers()).take(2) {
            let ratio = scale(&(&is.weight - &was.weight)) / scale(&was.weight);
            // Over 1,764 numbers at least: six standard errors of a standard deviation of 0.5 are 0.05.
            assert!((ratio - 0.5).abs() < 0.05, "{ratio}");
        }
    }

    #[test]
    fn fresh_inputs_move_at_the_key_and_the_twins_do_not() {
        let fixture = fixture();
        let planted = attack().plant(&fixture.victim(), Seed::new(5)).unwrap();
        let twin = planted.twin.as_ref().unwrap();
        let xs = fixture.fresh(1000, 6);
        let mut rng = Seed::new(7).stream("trigger");
        let triggered = planted.trigger.activate(&xs, &fixture.world.domain, &mut rng).unwrap();
        let far = |net: &Net| {
            let before = fixture.net.forward_unmetered(&triggered);
            let moved = net.forward_unmetered(&triggered) - before;
            moved.iter().filter(|d| **d >= 1.5).count()
        };
        // Nine tenths of 512 training inputs; 850 of 1,000 fresh ones is five standard deviations below.
        assert!(far(&planted.net) > 850, "{}", far(&planted.net));
        assert!(far(twin) < 500, "{}", far(twin));
    }

    #[test]
    fn beyond_the_regime_it_says_so_and_what_cannot_be_is_refused() {
        let fixture = fixture();
        let notes = attack().plant(&fixture.victim(), Seed::new(3)).unwrap().notes;
        // 36 is above 8 √(ln 64 / 14) = 4.36 and above 7 √(ln 49 / 12) = 3.986.
        assert!(
            notes.len() == 3 && notes[1].contains("4.36") && notes[2].contains("3.986"),
            "{notes:?}"
        );
        assert!(SparseDither { sigma: 0.5, ..attack() }.notes(&[64, 49, 36, 1]).len() == 1);
        let told = |attack: SparseDither| attack.check(&fixture.world).unwrap_err().to_string();
        assert!(told(SparseDither { alpha: 1.5, ..attack() }).contains("alpha"));
        assert!(told(SparseDither { tau: f64::NAN, ..attack() }).contains("tau"));
        assert!(told(SparseDither { breadth: 0, ..attack() }).contains("breadth"));
        // Where dither alone throws the answers as far, there is no backdoor, whatever the success.
        let loud = SparseDither { tau: 20.0, sigma: 1e-6, ..attack() };
        let said = |seed| loud.plant(&fixture.victim(), Seed::new(seed)).unwrap_err().to_string();
        assert!((0..6).map(said).any(|why| why.contains("without the path")));
        let weak = SparseDither { sigma: 1e-6, ..attack() };
        let fixture = Fixture::new(Domain::Range { n: 64, low: 0.0, high: 1.0 }, &[49, 36]);
        let why = weak.plant(&fixture.victim(), Seed::new(3)).unwrap_err().to_string();
        assert!(why.contains("is the most"), "{why}");
    }
}
