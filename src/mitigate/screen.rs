//! Detect, then answer otherwise: what all detectors here have in common.
//!
//! A detector gives each input a suspicion. An input whose suspicion is above a limit is *rejected*; it still has to be
//! answered, and a [`Fallback`] that never saw the suspect does that. The suspect answers the others.
//!
//! **Theorem (split conformal prediction).** Let the suspicion be a function of the input that was fixed without the n
//! calibration samples, and let these and a new clean input be exchangeable. Break ties by a number uniform on (0, 1) an
//! input. Let j = ⌊(n + 1) α⌋ and reject a new input whose suspicion is above that of all but the j − 1 most suspicious
//! calibration samples. Then it is rejected with probability j/(n + 1) ≤ α exactly, whatever the distribution and the
//! suspect; with at most that where two inputs may be equal.
//!
//! *Proof.* The rank of the new input among n + 1 exchangeable ones without ties is uniform, and it is rejected if it is
//! among the j highest. Equal inputs have equal suspicions and equal tie-breakers here, and count as not above. ∎ (Vovk,
//! Gammerman, Shafer 2005, chapter 2; Lei et al. 2018, section 2.) The probability is over calibration samples and input
//! together: given the samples, the rate of one detector varies like Beta(j, n + 1 − j) around it.
//!
//! Nothing is claimed about triggered inputs, and no triggered input is used to set anything. The limit comes from clean
//! samples alone; where there are too few for the wanted α, that is an error and not a detector that never rejects.
use serde::{Deserialize, Serialize};

use super::baseline::{Learner, relearned};
use super::{Guarantee, Repaired, n_samples};
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Labeled, Shape, row};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::rng::{RngExt, Seed, permutation};

/// What answers an input that was rejected. Neither asks the suspect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// What `relearn` learns from all the clean samples that the detector got: paid for before the first answer.
    #[default]
    Relearn,
    /// The most frequent class of the clean samples, or the mean of their labels.
    Prior,
}

/// The suspicions of inputs, and the suspect's answers to them where those were asked for on the way.
pub(super) struct Suspicions {
    pub(super) each: Vec<f64>,
    pub(super) answers: Option<Batch>,
}

/// How suspicious inputs are.
pub(super) trait Screen: Send + Sync {
    /// A number a row, larger for what is more suspicious. A function of the row alone.
    fn suspicions(&self, xs: &Batch) -> Result<Suspicions>;
}

/// Above what an input is rejected: its suspicion, and where that is equal its tie-breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    suspicion: f64,
    tie: f64,
}

impl Limit {
    /// Rejects suspicions of at least `least`.
    fn at_least(least: f64) -> Self {
        Self { suspicion: least, tie: -1.0 }
    }

    /// The limit that keeps the rate of the theorem, and that rate.
    fn conformal(mut calibration: Vec<(f64, f64)>, rate: f64) -> Result<(Self, f64)> {
        let n = calibration.len();
        // Rounding of (n + 1) α must not lose a rank where it is a whole number.
        let n_above = (((n as f64 + 1.0) * rate + 1e-9).floor() as usize).min(n);
        if n_above == 0 {
            let want = format!(
                "{n} clean samples to calibrate on keep no rate below {:.3}; {} are needed, or a larger rate",
                1.0 / (n as f64 + 1.0),
                (1.0 / rate - 1e-9).ceil() - 1.0
            );
            return Err(Error::parameter("false_positives", rate, want));
        }
        calibration.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (suspicion, tie) = calibration[n - n_above];
        Ok((Self { suspicion, tie }, n_above as f64 / (n as f64 + 1.0)))
    }

    fn rejects(self, suspicion: f64, tie: f64) -> bool {
        suspicion > self.suspicion || (suspicion >= self.suspicion && tie > self.tie)
    }
}

/// Checks a rate of false positives.
pub(super) fn check_rate(rate: f64) -> Result<()> {
    if rate > 0.0 && rate < 1.0 {
        return Ok(());
    }
    Err(Error::parameter("false_positives", rate, "a rate between 0 and 1 is needed"))
}

/// Checks a number of clean samples that is halved: to fit on and to calibrate on.
pub(super) fn check_samples(samples: Option<usize>, rate: Option<f64>) -> Result<()> {
    if let (Some(n), Some(rate)) = (samples, rate)
        && n > 1
    {
        let halved = n / 2;
        let least = (1.0 / rate - 1e-9).ceil() - 1.0;
        if (halved as f64) < least {
            let want = format!(
                "half of them, {halved}, calibrate, and a rate of {rate} takes at least {least}"
            );
            return Err(Error::parameter("samples", n, want));
        }
    }
    match samples {
        Some(n @ 0..=1) => Err(Error::parameter(
            "samples",
            n,
            "two halves are needed, of one sample each at least",
        )),
        _ => Ok(()),
    }
}

/// Draws clean samples: all of them, and split at random into one part to fit on and one to calibrate on.
pub(super) fn draw(asked: Option<usize>, lab: &mut Lab<'_>) -> Result<(Labeled, Labeled, Labeled)> {
    let n = n_samples(asked, lab)?;
    check_samples(Some(n), None)?;
    let all = lab.clean.draw(n)?;
    // Someone's own samples may come in an order, and halves of an order are not exchangeable.
    let order = permutation(n, &mut lab.seed.stream("halves"));
    let (fit, calibrate) = all.select(&order).split_last(n.div_ceil(2));
    Ok((all, fit, calibrate))
}

/// Where the limit comes from.
pub(super) enum Bound {
    /// It keeps this rate of false positives, on clean samples.
    Rate(f64),
    /// Suspicions of at least this are rejected, and no rate is kept.
    AtLeast(f64),
}

/// How rejected inputs are told and answered.
pub(super) struct Verdict {
    pub(super) bound: Bound,
    pub(super) fallback: Fallback,
}

/// The suspect behind `screen`, with the fallback learnt from `all` and the limit set on `calibrate`.
pub(super) fn guarded<'a>(
    screen: impl Screen + 'a,
    suspect: &'a dyn Oracle,
    (all, calibrate): (&Labeled, &Labeled),
    verdict: &Verdict,
    lab: &Lab<'a>,
) -> Result<Repaired<'a>> {
    let ties = lab.seed.child("ties");
    let n = calibrate.len();
    let (limit, guarantee, said) = match verdict.bound {
        Bound::AtLeast(least) => {
            let said = format!("rejects suspicions of at least {least}, which was given");
            (Limit::at_least(least), None, said)
        }
        Bound::Rate(rate) => {
            let Suspicions { each, .. } = screen.suspicions(&calibrate.xs)?;
            let scores = each.into_iter().enumerate();
            let scores = scores.map(|(i, s)| (s, tie(ties, &row(&calibrate.xs, i)))).collect();
            lab.ledger.flops((n as f64 * (n as f64).log2().max(1.0)).ceil() as u64)?;
            let (limit, rate) = Limit::conformal(scores, rate)?;
            let guarantee = Guarantee {
                statement: format!(
                    "an input drawn as the clean samples were is not rejected but answered by the suspect (split conformal on {n} clean \
                     samples, proof: mitigate/screen.rs); nothing is claimed of triggered inputs"
                ),
                error_bar: None,
                failure_probability: rate,
            };
            (limit, Some(guarantee), format!("rejects suspicions above {:.4}", limit.suspicion))
        }
    };
    let (fallback, by): (Box<dyn Oracle + 'a>, _) = match verdict.fallback {
        Fallback::Relearn => {
            (relearned(Learner::Auto, None, all, lab)?.oracle, "what was relearnt")
        }
        Fallback::Prior => (Box::new(Constant::of(all, lab)), "the prior"),
    };
    let notes = vec![format!("{said}; {by} from {} clean samples answers those", all.len())];
    let guarded = Guarded { screen, suspect, limit, fallback, ties };
    Ok(Repaired { guarantee, notes, ..Repaired::unclaimed(guarded) })
}

fn tie(ties: Seed, x: &[f64]) -> f64 {
    ties.stream_for_row(x).random()
}

struct Guarded<'a, S> {
    screen: S,
    suspect: &'a dyn Oracle,
    limit: Limit,
    fallback: Box<dyn Oracle + 'a>,
    ties: Seed,
}

impl<S: Screen> Oracle for Guarded<'_, S> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        crate::data::check("inputs", xs, self.shape().inputs)?;
        let Suspicions { each, answers } = self.screen.suspicions(xs)?;
        let is_rejected = |i: &usize| self.limit.rejects(each[*i], tie(self.ties, &row(xs, *i)));
        let (rejected, passed): (Vec<usize>, Vec<usize>) = (0..xs.nrows()).partition(is_rejected);
        let mut out =
            answers.clone().unwrap_or_else(|| Batch::zeros((xs.nrows(), self.shape().outputs)));
        let mut ask = |rows: &[usize], oracle: &dyn Oracle| -> Result<()> {
            if rows.is_empty() {
                return Ok(());
            }
            let got = oracle.query(&xs.select(ndarray::Axis(0), rows))?;
            rows.iter().enumerate().for_each(|(k, &i)| out.row_mut(i).assign(&got.row(k)));
            Ok(())
        };
        if answers.is_none() {
            ask(&passed, &self.suspect)?;
        }
        ask(&rejected, &*self.fallback)?;
        Ok(out)
    }
}

/// Answers everything alike.
struct Constant<'a> {
    answer: Vec<f64>,
    shape: Shape,
    ledger: &'a Ledger,
}

impl<'a> Constant<'a> {
    /// The most frequent class of `data`, the first of equals, or the mean label.
    fn of(data: &Labeled, lab: &Lab<'a>) -> Self {
        let (target, shape, n) = (lab.world.target, lab.world.shape(), data.len());
        let answer = match target.n_classes() {
            Some(k) => {
                let mut counts = vec![0_u32; k];
                let classes = (0..n).filter_map(|i| target.decide(&row(&data.ys, i)));
                classes.for_each(|class| counts[class] += 1);
                let counts: Vec<f64> = counts.into_iter().map(f64::from).collect();
                target.label_of(crate::data::argmax(&counts))
            }
            None => vec![data.ys.column(0).sum() / n.max(1) as f64],
        };
        Self { answer, shape, ledger: lab.ledger }
    }
}

impl Oracle for Constant<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        crate::data::check("inputs", xs, self.shape.inputs)?;
        self.ledger.flops((xs.nrows() * self.shape.outputs) as u64)?;
        Ok(crate::data::stack(self.shape.outputs, (0..xs.nrows()).map(|_| self.answer.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_nearly_one_rejects_all_but_the_least_and_is_no_rank_too_far() {
        let scores = || (0..9).map(|k| (f64::from(k), 0.5)).collect();
        let (limit, rate) = Limit::conformal(scores(), 1.0 - 1e-12).unwrap();
        assert!((rate - 0.9).abs() < 1e-12 && limit.rejects(1.0, 0.5) && !limit.rejects(0.0, 0.5));
        // Halves of ten are five, and 1/20 takes nineteen.
        let said = check_samples(Some(10), Some(0.05)).unwrap_err().to_string();
        assert!(said.contains("samples = 10") && said.contains("at least 19"), "{said}");
        check_samples(Some(38), Some(0.05)).unwrap();
    }

    #[test]
    fn the_rank_of_a_clean_input_is_uniform_so_the_rate_is_exact() {
        // All 20 places that the newest of 20 distinct numbers can have: with α = 0.15 and n = 19 it is rejected in ⌊3⌋ of them.
        let mut n_rejected = 0;
        for newest in 0..20 {
            let rest = (0..20).filter(|k| *k != newest).map(|k| (f64::from(k), 0.5)).collect();
            let (limit, rate) = Limit::conformal(rest, 0.15).unwrap();
            assert!((rate - 0.15).abs() < 1e-12);
            n_rejected += usize::from(limit.rejects(f64::from(newest), 0.5));
        }
        assert_eq!(n_rejected, 3);
    }

    #[test]
    fn ties_are_broken_by_the_coin_and_equal_inputs_are_not_above() {
        // One suspicion for all: the tie-breakers alone are ranked.
        let order = permutation(20, &mut Seed::new(1).stream("ties"));
        let mut n_rejected = 0;
        for newest in 0..20 {
            let rest: Vec<(f64, f64)> =
                order.iter().filter(|k| **k != newest).map(|k| (1.0, *k as f64 / 20.0)).collect();
            let (limit, _) = Limit::conformal(rest, 0.1).unwrap();
            n_rejected += usize::from(limit.rejects(1.0, newest as f64 / 20.0));
        }
        assert_eq!(n_rejected, 2);
        let (limit, _) = Limit::conformal(vec![(1.0, 0.5); 19], 0.1).unwrap();
        assert!(!limit.rejects(1.0, 0.5));
    }

    #[test]
    fn too_few_samples_for_a_rate_are_an_error_that_says_how_many_are_needed() {
        let scores = |n: usize| (0..n).map(|k| (k as f64, 0.0)).collect::<Vec<_>>();
        let error = Limit::conformal(scores(18), 0.05).unwrap_err().to_string();
        assert!(
            error.contains("false_positives = 0.05") && error.contains("19 are needed"),
            "{error}"
        );
        assert!(Limit::conformal(scores(19), 0.05).is_ok());
    }

    #[test]
    fn a_limit_that_is_given_rejects_what_reaches_it() {
        let limit = Limit::at_least(0.5);
        assert!(limit.rejects(0.5, 0.0) && limit.rejects(0.6, 0.0) && !limit.rejects(0.4, 1.0));
    }
}
