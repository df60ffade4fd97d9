//! One pair: its nets, the runs on them, and what these show.
use rayon::prelude::*;

use super::measure::{self, N_READERS};
use super::observe::{Look, Seen, run};
use super::{Checked, Observed, Pair, REFUTE, Unit};
use crate::access::LabSeeds;
use crate::data::{Batch, row, stack};
use crate::error::{Error, Result};
use crate::mitigate::Assumption;
use crate::net::Net;
use crate::score::{self, AssumptionCheck, Exam};
use crate::stats::{CONFIDENCE, Proportion, binomial_tail, clopper_pearson};
use crate::study::Model;

/// Runs on the clean net, runs on the planted one, and runs on the planted one that are coupled with those on the clean one.
type Arms<'a> = [&'a [Seen]; 3];

/// The inputs of one pair: clean ones, then triggered ones.
struct Inputs {
    xs: Batch,
    n_clean: usize,
}

impl Pair {
    /// Trains and plants nets of number `seed`, runs the mitigator on them and measures.
    ///
    /// # Errors
    /// If that fails, the attack does not take hold, or the mitigator refuses in all runs on the clean net.
    pub(super) fn measure(game: &Checked, seed: u64, watch: &(dyn Fn() + Sync)) -> Result<Self> {
        let model = Model::train(&game.spec.task, seed, &mut |_| {})?;
        let world = model.world();
        let coins = model.seed().child("attack").child(game.spec.attack.label());
        let planted = game.attack.plant(&model.victim(&world), coins)?;
        let clean = planted.twin(&model.net);
        let mut rng = model.seed().stream("triggered test inputs");
        let exam = Exam::new(&*model.population, model.test()?, Some(&planted.trigger), &mut rng)?;
        let attack_success = score::facts(&model.net, &planted, &exam)?.success;
        let inputs = Inputs::of(&exam, game.spec.inputs as usize);

        let arms = [(clean, "clean"), (&planted.net, "planted"), (&planted.net, "clean")];
        let n = game.spec.runs as usize;
        let seen: Vec<Seen> = (0..3 * n)
            .into_par_iter()
            .map(|i| {
                let (net, coins) = arms[i / n];
                let seed = model.seed().child("canonical").child(coins).child(&(i % n).to_string());
                let seeds =
                    LabSeeds { samples: seed.child("clean"), method: seed.child("mitigator") };
                let seen = run(game, &model, net, &inputs.xs, seeds);
                watch();
                seen
            })
            .collect::<Result<_>>()?;
        let arms = [&seen[..n], &seen[n..2 * n], &seen[2 * n..]];
        let why = seen.iter().find_map(|seen| seen.refused.clone());
        let count = |what: &dyn Fn(&Seen) -> bool| {
            arms.map(|arm| arm.iter().filter(|seen| what(seen)).count() as u64)
        };
        let refused = count(&|seen| seen.refused.is_some());
        if refused[0] == n as u64 {
            let place =
                format!("mitigator {} on the clean net {seed}", game.spec.mitigator.label());
            return Err(Error::Spec { place, why: why.unwrap_or_default() });
        }
        // The same for all runs of one method in one world.
        let answered = seen.iter().find(|seen| seen.refused.is_none());
        let assumed = answered.map_or(&[][..], |seen| &seen.assumptions);
        let assumptions = checks(assumed, [clean, &planted.net], &model)?;
        let mut pair = Self {
            seed,
            attack_success,
            held: held(arms, assumed, &assumptions),
            assumptions,
            theorem: match canonical(arms, 0.05) {
                None => game.mitigator.plan(&world)?.and_then(|plan| plan.total_variation),
                bound => bound,
            },
            unclaimed: count(&|seen| seen.canonical.is_none()),
            refused,
            why,
            units: units(game, arms, &inputs, world.target.outputs()),
            errors: Vec::new(),
        };
        pair.errors = pair.refuted(arms, n_units(game, arms));
        Ok(pair)
    }

    /// What the theorem says and the runs refute, though its assumption held.
    fn refuted(&self, arms: Arms<'_>, n_units: f64) -> Vec<String> {
        let mut errors = Vec::new();
        if self.held != Some(true) {
            return errors;
        }
        // As many tests a unit: every distinguisher, the coupling, the bars.
        let alpha = REFUTE / (n_units * (N_READERS as f64 + 2.0));
        let failure = |seen: &Seen| {
            seen.claims.iter().flatten().map(|c| c.failure_probability).fold(0.0, f64::max)
        };
        let worst = |arm: &[Seen]| arm.iter().map(failure).fold(0.0, f64::max);
        let beyond = (worst(arms[0]) + worst(arms[2])).min(1.0);
        for unit in &self.units {
            let place = format!("pair {}, {}", self.seed, unit.place());
            for verdict in &unit.verdicts {
                let least = verdict.at_least(alpha);
                // Of runs that claim nothing as many may be among those still to come as this confidence allows.
                let bound = canonical(arms, alpha).or(self.theorem);
                if let Some(bound) = bound
                    && least > bound + 1e-12
                {
                    errors.push(format!(
                        "{place}: {} shows a total variation distance of at least {least:.4}, and the theorem's bound is {bound:.3e}",
                        verdict.distinguisher
                    ));
                }
            }
            let Proportion { hits, of } = unit.identical;
            if let Some(bound) = canonical(arms, alpha)
                && binomial_tail(of, bound, of - hits) < alpha
            {
                errors.push(format!(
                    "{place}: {} of {of} coupled runs differ, and by the theorem a share of at most {bound:.3e} does",
                    of - hits
                ));
            }
            if let (Some(Proportion { hits, of }), Some(bars)) = (unit.beyond_bars, unit.bars)
                && binomial_tail(of, beyond, hits) < alpha
            {
                errors.push(format!(
                    "{place}: {hits} of {of} coupled runs differ by more than both error bars ({bars:.4}), and by the theorem a \
                     share of at most {beyond:.3e} does"
                ));
            }
        }
        errors
    }
}

impl Inputs {
    fn of(exam: &Exam, n: usize) -> Self {
        let first =
            |xs: &Batch| -> Vec<Vec<f64>> { (0..xs.nrows().min(n)).map(|i| row(xs, i)).collect() };
        let mut rows = first(&exam.test.xs);
        let n_clean = rows.len();
        rows.extend(exam.triggered.iter().flat_map(|triggered| first(&triggered.xs)));
        Self { xs: stack(exam.test.xs.ncols(), rows), n_clean }
    }
}

/// Whether there is a whole output to look at, rather than answers.
fn is_whole(arms: Arms<'_>) -> bool {
    arms.iter().any(|arm| arm.iter().any(|seen| seen.whole))
}

/// How many units a game has at most: what its limits have to hold for at once.
fn n_units(game: &Checked, arms: Arms<'_>) -> f64 {
    let a_pair = if is_whole(arms) { 1 } else { 2 * u64::from(game.spec.inputs) };
    (u64::from(game.spec.pairs) * a_pair) as f64
}

fn units(game: &Checked, arms: Arms<'_>, inputs: &Inputs, outputs: usize) -> Vec<Unit> {
    let alpha = (1.0 - CONFIDENCE) / n_units(game, arms);
    let coupled = || arms[0].iter().zip(arms[2]);
    // All that a whole output and an answer have in common.
    let unit = |observed, input, look: &dyn Fn(&Seen) -> Look, alike: Proportion| {
        let looks = [arms[0], arms[1]].map(|arm| arm.iter().map(look).collect::<Vec<_>>());
        let verdicts = measure::tell(&looks[0], &looks[1], alpha / N_READERS as f64);
        let differ = Proportion { hits: alike.of - alike.hits, of: alike.of };
        Unit {
            observed,
            input,
            at_least: verdicts.iter().map(|verdict| verdict.at_least).fold(0.0, f64::max),
            verdicts,
            identical: alike,
            at_most: measure::upper(differ, alpha),
            largest_difference: 0.0,
            beyond_bars: None,
            bars: None,
        }
    };
    if is_whole(arms) {
        let width = arms.iter().flat_map(|arm| arm.iter()).map(Seen::width).max().unwrap_or(0);
        let alike = Proportion::count(coupled().map(|(a, b)| a.is(b)));
        let output = unit(Observed::Output, None, &|seen| seen.output(width), alike);
        let largest_difference = coupled().map(|(a, b)| a.distance(b)).fold(0.0, f64::max);
        return vec![Unit { largest_difference, ..output }];
    }
    (0..inputs.xs.nrows())
        .into_par_iter()
        .map(|i| {
            let (observed, number) = match i.checked_sub(inputs.n_clean) {
                None => (Observed::Clean, i),
                Some(number) => (Observed::Triggered, number),
            };
            let alike = Proportion::count(coupled().map(|(a, b)| a.is_at(b, i, outputs)));
            let answer = unit(observed, Some(number), &|seen| seen.at(i, outputs), alike);
            let distance = |(a, b): (&Seen, &Seen)| a.distance_at(b, i, outputs);
            let bar = |seen: &Seen| Some(seen.claims.get(i)?.as_ref()?.error_bar);
            let bars = |(a, b): (&Seen, &Seen)| Some(bar(a)? + bar(b)?);
            let beyond = coupled().filter_map(|pair| Some(distance(pair) > bars(pair)?));
            Unit {
                largest_difference: coupled().map(distance).fold(0.0, f64::max),
                beyond_bars: Some(Proportion::count(beyond)).filter(|beyond| beyond.of > 0),
                bars: coupled().filter_map(bars).reduce(f64::max),
                ..answer
            }
        })
        .collect()
}

/// Checks what the method assumes of a suspect on both nets.
fn checks(
    assumed: &[Assumption],
    nets: [&Net; 2],
    model: &Model,
) -> Result<[Vec<AssumptionCheck>; 2]> {
    let mut checks = [Vec::new(), Vec::new()];
    for (net, checks) in nets.into_iter().zip(&mut checks) {
        for assumption in assumed {
            let mut rng = model.seed().stream("assumptions");
            checks.extend(score::check(assumption, net, &*model.population, &mut rng)?);
        }
    }
    Ok(checks)
}

/// Whether all that is assumed held on both nets; a claim that assumes nothing holds. `None` if that could not be checked, or
/// nothing is claimed.
fn held(
    arms: Arms<'_>,
    assumed: &[Assumption],
    checks: &[Vec<AssumptionCheck>; 2],
) -> Option<bool> {
    let claims = |seen: &Seen| seen.canonical.is_some() || seen.claims.iter().any(Option::is_some);
    let claimed = arms[..2].iter().all(|arm| arm.iter().any(claims));
    let checked = checks.iter().all(|checks| checks.len() == assumed.len());
    if !checked || (assumed.is_empty() && !claimed) {
        return None;
    }
    Some(checks.iter().flatten().all(|check| check.held))
}

/// The sum over both nets of the probability that the output is not the one function of samples and coins: what is claimed, and the upper
/// limit, but for a probability of `alpha`, of the share of runs that claim nothing. At the 5% that is printed, a net on which
/// every run made a claim counts as one on which every run does; a theorem is not called false on that.
fn canonical(arms: Arms<'_>, alpha: f64) -> Option<f64> {
    let bounds = arms[..2].iter().map(|arm| {
        let claimed = arm.iter().filter_map(|seen| seen.canonical).reduce(f64::max)?;
        let unclaimed = Proportion::count(arm.iter().map(|seen| seen.canonical.is_none()));
        let share = if unclaimed.hits > 0 || alpha < 0.05 {
            clopper_pearson(unclaimed, 1.0 - alpha).1
        } else {
            0.0
        };
        Some(claimed + share)
    });
    bounds.sum::<Option<f64>>().map(|bound: f64| bound.min(1.0))
}
