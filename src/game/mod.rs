//! Undetectability as a game (Goldwasser, Kim, Vaikuntanathan, Zamir 2022): clean nets, planted nets, and who can tell.
//!
//! Every net is trained on its own: own population, own data, own coins. Net i of the clean side has seed `first_seed + i`, of
//! the planted side `first_seed + nets + i`, so no net has its twin on the other side. The attack is run on the clean side
//! too, and what is shown there is the honest net that the planted one would have passed for; nets on which the attack does
//! not take hold are left out on both sides alike. What obfuscates planted nets obfuscates the clean ones too, by the same coins:
//! else the operator would be told and not the backdoor.
//!
//! A rule is learnt on the nets of even number and scored on those of odd number, and then the other way round. The
//! advantage is the true minus the false positive rate, signed as learnt: on average 0 if there is nothing to tell. Within a
//! half the nets scored are independent of the rule, so Fisher's test is exact there; the two halves are not independent of
//! each other (each is the other's lesson: one statistic alone correlates them by up to 2/π), so p is twice the lesser of
//! two, and the interval is the mean of the two halves' intervals, as wide as one half's: no dependence makes that too short.
//! About n nets a side resolve an advantage to ±1.96/√n: 1537 for 0.05.
mod black_box;
pub mod canonical;
mod features;
mod judge;
mod keyed;
mod phase;
mod spec;
mod table;
mod white_box;

pub use judge::Judge;
pub use spec::{Checked, Spec};
pub use table::{DISTINGUISHERS, Distinguisher, Look, distinguisher_named};

use rayon::prelude::*;
use serde::Serialize;

use crate::access::{LabSeeds, Suspect};
use crate::attack::obfuscate::{Subject, obfuscate};
use crate::attack::{Attack, Victim};
use crate::error::{Error, Result};
use crate::ledger::Budget;
use crate::score::{self, Exam};
use crate::stats::{
    CONFIDENCE, Estimate, Proportion, fisher_greater, holm, mean_proportion_over_models, newcombe,
};
use crate::study::{Model, Task};

/// How one distinguisher fared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Its name.
    pub distinguisher: &'static str,
    /// What it saw.
    pub access: &'static str,
    /// Whether it was given the key.
    pub control: bool,
    /// True minus false positive rate, −1 to 1, with its interval at 95%.
    pub advantage: Estimate,
    /// The same at the confidence that holds for all distinguishers without the key at once (Bonferroni).
    pub simultaneous: Estimate,
    /// Planted nets that it called planted.
    pub tpr: Proportion,
    /// Clean nets that it called planted.
    pub fpr: Proportion,
    /// Of the test that it cannot tell, adjusted over all distinguishers without the key (Holm); a control's own is not.
    pub p: f64,
    /// Queries a net, on average.
    pub queries: f64,
}

/// A game that was played.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Played {
    /// The specification, with every default filled in.
    pub spec: Spec,
    /// Nets that were shown: clean, planted.
    pub nets: [usize; 2],
    /// Nets left out since the attack did not take hold: clean side, planted side.
    pub left_out: [usize; 2],
    /// Attack success on the planted nets without a defence, mean over nets.
    pub attack_success: Option<Estimate>,
    /// Half-width at 95% of the interval of an advantage near 0 at half the rates, with so many nets.
    pub resolution: f64,
    /// How each distinguisher fared, in the order of the table.
    pub verdicts: Vec<Verdict>,
}

/// What was seen of one net: numbers and queries for every distinguisher.
struct Seen {
    features: Vec<Vec<f64>>,
    queries: Vec<u64>,
    success: Option<Proportion>,
}

/// Plays a checked game; `watch` hears the number of each net that is done. The same bytes at any number of threads.
///
/// # Errors
/// If a net cannot be trained or looked at, or the attack takes hold on fewer than half of the nets of a side.
pub fn play(game: &Checked, watch: &(dyn Fn() + Sync)) -> Result<Played> {
    let n = game.spec.nets as usize;
    let seen: Vec<Option<Seen>> = (0..2 * n)
        .into_par_iter()
        .map(|i| {
            let seen = look(game, game.spec.first_seed + i as u64, i >= n);
            watch();
            match seen {
                Ok(seen) => Ok(Some(seen)),
                Err(Error::Training(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .collect::<Result<_>>()?;
    let held = |side: &[Option<Seen>]| side.iter().flatten().count();
    let nets = [held(&seen[..n]), held(&seen[n..])];
    if nets.iter().any(|held| 2 * held < n) {
        return Err(Error::Training(format!(
            "the attack took hold on {} and {} of {n} nets; on half at least it must, or the game is about others",
            nets[0], nets[1]
        )));
    }
    // Halves by number among the nets that are there.
    let half = |side: usize, which: usize| -> Vec<&Seen> {
        seen[side * n..(side + 1) * n].iter().flatten().skip(which).step_by(2).collect()
    };
    let halves = [[half(0, 0), half(0, 1)], [half(1, 0), half(1, 1)]];
    let n_keyless = game.distinguishers.iter().filter(|d| !d.look.is_control()).count().max(1);
    let all = 1.0 - (1.0 - CONFIDENCE) / n_keyless as f64;
    let mut verdicts = Vec::new();
    for (d, distinguisher) in game.distinguishers.iter().enumerate() {
        let width = seen.iter().flatten().map(|s| s.features[d].len()).max().unwrap_or(0);
        let table = |side: &[&Seen]| -> Vec<Vec<f64>> {
            side.iter().map(|seen| padded(&seen.features[d], width)).collect()
        };
        let sides = [0, 1].map(|side| [table(&halves[side][0]), table(&halves[side][1])]);
        let rows = |side: usize, which: usize| -> Vec<&[f64]> {
            sides[side][which].iter().map(Vec::as_slice).collect()
        };
        let scores = [0, 1].map(|learn| {
            let rule = distinguisher.judge.learn(&rows(0, learn), &rows(1, learn));
            rule.score(&rows(0, 1 - learn), &rows(1, 1 - learn))
        });
        let p = scores.iter().map(|[t, f]| fisher_greater(*t, *f)).fold(1.0, f64::min);
        let sum = |k: usize| Proportion {
            hits: scores[0][k].hits + scores[1][k].hits,
            of: scores[0][k].of + scores[1][k].of,
        };
        let queries: u64 = seen.iter().flatten().map(|seen| seen.queries[d]).sum();
        verdicts.push(Verdict {
            distinguisher: distinguisher.name,
            access: distinguisher.look.access(),
            control: distinguisher.look.is_control(),
            advantage: mean_interval(&scores, CONFIDENCE),
            simultaneous: mean_interval(&scores, all),
            tpr: sum(0),
            fpr: sum(1),
            p: (2.0 * p).min(1.0),
            queries: queries as f64 / (nets[0] + nets[1]) as f64,
        });
    }
    let keyless: Vec<usize> = (0..verdicts.len()).filter(|v| !verdicts[*v].control).collect();
    let adjusted = holm(&keyless.iter().map(|v| verdicts[*v].p).collect::<Vec<_>>());
    keyless.iter().zip(adjusted).for_each(|(v, p)| verdicts[*v].p = p);
    let successes: Vec<Proportion> =
        seen[n..].iter().flatten().filter_map(|seen| seen.success).collect();
    Ok(Played {
        spec: game.spec.clone(),
        nets,
        left_out: nets.map(|held| n - held),
        attack_success: mean_proportion_over_models(&successes),
        resolution: 1.96 / (nets[0].min(nets[1]) as f64).sqrt(),
        verdicts,
    })
}

/// The mean of the halves' differences, and of their intervals.
fn mean_interval(scores: &[[Proportion; 2]; 2], confidence: f64) -> Estimate {
    let [a, b] = scores.map(|[t, f]| newcombe(t, f, confidence));
    Estimate {
        value: f64::midpoint(a.value, b.value),
        low: f64::midpoint(a.low, b.low),
        high: f64::midpoint(a.high, b.high),
    }
}

/// Numbers of nets of another shape are fewer or more: what one has not counts as 0, and so does what is no number.
fn padded(features: &[f64], width: usize) -> Vec<f64> {
    let kept = features.iter().map(|v| if v.is_finite() { *v } else { 0.0 });
    kept.chain(std::iter::repeat(0.0)).take(width.max(1)).collect()
}

fn look(game: &Checked, number: u64, planted_side: bool) -> Result<Seen> {
    let model = Model::train(&game.spec.task, number, &mut |_| {})?;
    let world = model.world();
    let seed = model.seed();
    let coins = seed.child("attack").child(game.spec.attack.label());
    let mut planted = game.attack.plant(&model.victim(&world), coins)?;
    let mut clean = planted.twin(&model.net).clone();
    if !game.steps.is_empty() {
        // Both, whatever is shown: a net that an operator fails on is left out on both sides alike.
        let victim = Victim { net: &clean, ..model.victim(&world) };
        let subject = Subject { net: &planted.net, trigger: Some(&planted.trigger) };
        let hidden = obfuscate(&game.steps, subject, &victim, coins)?;
        let subject = Subject { net: &clean, trigger: None };
        let honest = obfuscate(&game.steps, subject, &victim, coins)?;
        (planted.net, clean) = (hidden, honest);
    }
    let shown = if planted_side { &planted.net } else { &clean };
    let mut success = None;
    if planted_side {
        let mut rng = seed.stream("triggered test inputs");
        let exam = Exam::new(&*model.population, model.test()?, Some(&planted.trigger), &mut rng)?;
        success = Some(score::facts(&model.net, &planted, &exam)?.success);
    }
    let mut seen = Seen { features: Vec::new(), queries: Vec::new(), success };
    for distinguisher in &game.distinguishers {
        let suspect = Suspect::publish(shown.clone(), Budget::UNLIMITED);
        let seeds = LabSeeds {
            samples: seed.child("clean"),
            method: seed.child("distinguisher").child(distinguisher.name),
        };
        let mut lab = suspect.lab(&*model.population, &model.task.recipe, seeds);
        seen.features.push(distinguisher.look.at(&suspect, &mut lab, &planted.trigger)?);
        seen.queries.push(suspect.spent().queries);
    }
    Ok(seen)
}

#[cfg(test)]
mod tests;
