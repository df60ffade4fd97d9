//! Playing the game: all pairs, and what they come to.
use rayon::prelude::*;

use super::{Checked, Coupled, Observed, Pair, Played, Row, Unit};
use crate::error::{Error, Result};
use crate::population::Part;
use crate::rng::Seed;
use crate::stats::{Estimate, Proportion, mean_over_models, mean_proportion_over_models};

/// Plays a checked game; `watch` hears of each run that is done. The same bytes at any number of threads.
///
/// # Errors
/// If a net cannot be trained, the attack takes hold on none, or the mitigator refuses in all runs on a clean net.
pub fn play(game: &Checked, watch: &(dyn Fn() + Sync)) -> Result<Played> {
    let pairs: Vec<Option<Pair>> = (0..u64::from(game.spec.pairs))
        .into_par_iter()
        .map(|i| match Pair::measure(game, game.spec.first_seed + i, watch) {
            Ok(pair) => Ok(Some(pair)),
            Err(Error::Training(_)) => Ok(None),
            Err(error) => Err(error),
        })
        .collect::<Result<_>>()?;
    let left_out = pairs.iter().filter(|pair| pair.is_none()).count();
    let pairs: Vec<Pair> = pairs.into_iter().flatten().collect();
    if pairs.is_empty() {
        let n = game.spec.pairs;
        return Err(Error::Training(format!("the attack took hold on none of {n} nets")));
    }
    let successes: Vec<Proportion> = pairs.iter().map(|pair| pair.attack_success).collect();
    let least: Vec<f64> = pairs.iter().map(Pair::at_least).collect();
    let bounds = pairs.iter().filter(|pair| pair.held != Some(false)).filter_map(|p| p.theorem);
    Ok(Played {
        spec: game.spec.clone(),
        left_out,
        attack_success: mean_proportion_over_models(&successes),
        at_least: least.iter().copied().fold(0.0, f64::max),
        mean_at_least: least.iter().sum::<f64>() / least.len() as f64,
        theorem: bounds.reduce(f64::max),
        held: Proportion::count(pairs.iter().filter_map(|pair| pair.held)),
        rows: rows(&pairs),
        coupled: coupled(&pairs),
        notes: notes(game, &pairs)?,
        errors: pairs.iter().flat_map(|pair| pair.errors.clone()).collect(),
        pairs,
    })
}

/// What was looked at, each kind once.
fn kinds(pairs: &[Pair]) -> Vec<Observed> {
    let mut kinds: Vec<Observed> =
        pairs.iter().flat_map(|pair| &pair.units).map(|unit| unit.observed).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The units of one kind, pair by pair.
fn of_kind(pairs: &[Pair], kind: Observed) -> Vec<Vec<&Unit>> {
    let units = pairs.iter().map(|pair| pair.units.iter());
    units
        .map(|units| units.filter(|unit| unit.observed == kind).collect::<Vec<_>>())
        .filter(|units| !units.is_empty())
        .collect()
}

fn rows(pairs: &[Pair]) -> Vec<Row> {
    let mut rows = Vec::new();
    for observed in kinds(pairs) {
        let units = of_kind(pairs, observed);
        let verdicts = units.iter().flatten().map(|unit| &unit.verdicts);
        let names = verdicts.max_by_key(|verdicts| verdicts.len());
        for distinguisher in names.into_iter().flatten().map(|verdict| verdict.distinguisher) {
            let of = |unit: &&Unit| {
                unit.verdicts.iter().find(|v| v.distinguisher == distinguisher).cloned()
            };
            let means: Vec<f64> = units
                .iter()
                .map(|units| {
                    let told: f64 = units.iter().filter_map(of).map(|v| v.advantage()).sum();
                    told / units.len() as f64
                })
                .collect();
            let all = units.iter().flatten().filter_map(of);
            let Some(mean) = mean_over_models(&means) else { continue };
            rows.push(Row {
                observed,
                distinguisher,
                // Of one pair the interval is the whole line, and no advantage is beyond ±1.
                advantage: Estimate { low: mean.low.max(-1.0), high: mean.high.min(1.0), ..mean },
                at_least: all.map(|verdict| verdict.at_least).fold(0.0, f64::max),
            });
        }
    }
    rows
}

fn coupled(pairs: &[Pair]) -> Vec<Coupled> {
    let mut rows = Vec::new();
    for observed in kinds(pairs) {
        let units = of_kind(pairs, observed);
        let sum = |all: &mut dyn Iterator<Item = Proportion>| {
            all.fold(Proportion { hits: 0, of: 0 }, |sum, p| Proportion {
                hits: sum.hits + p.hits,
                of: sum.of + p.of,
            })
        };
        let alike: Vec<Proportion> =
            units.iter().map(|units| sum(&mut units.iter().map(|unit| unit.identical))).collect();
        let all = || units.iter().flatten();
        let Some(identical) = mean_proportion_over_models(&alike) else { continue };
        let bars = all().filter_map(|unit| unit.bars).reduce(f64::max);
        let beyond = sum(&mut all().filter_map(|unit| unit.beyond_bars));
        rows.push(Coupled {
            observed,
            identical,
            at_most: all().map(|unit| unit.at_most).fold(0.0, f64::max),
            largest_difference: all().map(|unit| unit.largest_difference).fold(0.0, f64::max),
            beyond_bars: bars.map(|bars| (bars, beyond)),
        });
    }
    rows
}

fn notes(game: &Checked, pairs: &[Pair]) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let first = Seed::new(game.spec.first_seed).child("population");
    if let Some(n) = game.spec.task.population.build(first)?.available(Part::Clean) {
        notes.push(format!(
            "the clean samples are the same {n} rows in every run of a pair: laws are over the method's coins alone"
        ));
    }
    let all = |of: fn(&Pair) -> [u64; 3]| pairs.iter().flat_map(of).sum::<u64>();
    let n_runs = 3 * u64::from(game.spec.runs) * pairs.len() as u64;
    let n_refused = all(|pair| pair.refused);
    if n_refused > 0 {
        let why = pairs.iter().find_map(|pair| pair.why.as_deref()).unwrap_or_default();
        notes.push(format!(
            "{n_refused} of {n_runs} runs refused, which counts as an output; {why}"
        ));
    }
    let n_unclaimed = all(|pair| pair.unclaimed);
    if n_unclaimed > 0 && n_unclaimed < n_runs {
        notes.push(format!("{n_unclaimed} of {n_runs} runs made no claim of canonicity"));
    }
    Ok(notes)
}
