//! `smooth`: the answer that the suspect gives most often, or in the middle, to noisy copies of an input; with a
//! certificate.
//!
//! Classes: randomised smoothing of Cohen, Rosenfeld and Kolter (ICML 2019), procedure CERTIFY: `select` copies choose a
//! class, `copies` fresh ones bound its probability from below at confidence 1 − α (Clopper and Pearson), and the radius
//! follows. Where the bound is not above ½ the paper abstains. A mitigator has to answer, so the most frequent class is
//! answered and the certificate is none. Bit flips on the cube: Lee et al. (`NeurIPS` 2019). Numbers: the median of the
//! copies and the percentile certificate of Chiang et al. (`NeurIPS` 2020) for a distance of `radius`. Formulas and proofs:
//! `mitigate/certificate.rs`.
//!
//! What is certified is the smoothed model: within the radius its answer does not change (or stays within two numbers),
//! except with probability α an answer over the noise. It holds for every suspect. It does **not** say that the answer is
//! right: a backdoor that fires on most noisy copies is certified like anything else. What smoothing removes are triggers
//! that the noise breaks: of a junta of k coordinates under flips of probability β a share (1 − β)^k of copies still fire,
//! of a parity of k bits the noise operator leaves ρ^k with ρ = 1 − 2β.
//!
//! Copies are clipped to the range of data and of boxes, wrapped on the torus, and elsewhere may leave the domain a little:
//! what is smoothed then is the suspect after clipping, and the certificate holds for inputs of the domain all the same.
//! Defaults: σ is a tenth of the range of data (ART's default on pixels from 0 to 1), on known domains a third of a
//! coordinate's standard deviation; β = 0.1; α = 0.001; radius σ/4 or one coordinate. Cost: `select` + `copies` queries an
//! answer, `copies` for numbers; no clean samples.
use serde::{Deserialize, Serialize};

use super::super::certificate::{Noise, lower_limit, rank};
use super::super::{Guarantee, Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Shape, Target, argmax, row, stack};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::population::World;
use crate::rng::{Rng, RngExt, Seed, normal};
use crate::robust::median;
use crate::stats::Proportion;

/// The name in errors.
const METHOD: &str = "smooth";
/// Most copies of one input.
const MOST_COPIES: usize = 1 << 24;
/// Most numbers in one call to the suspect.
const MOST_NUMBERS: usize = 1 << 20;

/// Parameters of `smooth`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smooth {
    /// Standard deviation σ of the noise, off the cube. Not given: see above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
    /// Probability β of a flip, on the cube.
    pub flip: f64,
    /// Noisy copies that choose the class.
    pub select: usize,
    /// Noisy copies that bound its probability, or whose median is taken.
    pub copies: usize,
    /// Failure probability α of one certificate.
    pub alpha: f64,
    /// Distance that an interval is certified for, with real labels. Not given: σ/4, or one coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius: Option<f64>,
}

impl Default for Smooth {
    fn default() -> Self {
        Self { sigma: None, flip: 0.1, select: 32, copies: 256, alpha: 1e-3, radius: None }
    }
}

/// An answer with its certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certified {
    /// The answer.
    pub answer: Vec<f64>,
    /// What holds around the input; `None` where smoothing abstains.
    pub certificate: Option<Certificate>,
}

/// What holds around an input, except with probability α over the noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Certificate {
    /// The smoothed model answers this class everywhere closer than `radius` (of flips: up to `radius` coordinates).
    Class {
        /// The radius.
        radius: f64,
        /// The lower limit of the class's probability that it follows from.
        probability: f64,
    },
    /// The smoothed model's median lies from `low` to `high` everywhere up to `radius`.
    Interval {
        /// The radius that was asked for.
        radius: f64,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
}

impl Smooth {
    /// The noise in `world`.
    pub fn noise(&self, world: &World) -> Result<Noise> {
        match world.domain {
            Domain::Cube { .. } => Ok(Noise::Flips { probability: self.flip }),
            Domain::Residues { .. } => {
                let why = "its noise is normal or flips signs, and residues are neither numbers nor signs";
                Err(Error::assumption(METHOD, why))
            }
            _ => match (self.sigma, &world.domain) {
                (Some(sigma), _) => Ok(Noise::Gaussian { sigma }),
                (None, Domain::Range { low, high, .. }) => {
                    Ok(Noise::Gaussian { sigma: 0.1 * (high - low) })
                }
                (None, domain) => {
                    let points = domain.reference()?;
                    let (n, m) = (domain.n(), points.len() as f64);
                    let variance = |i: usize| {
                        let mean = points.iter().map(|x| x[i]).sum::<f64>() / m;
                        points.iter().map(|x| (x[i] - mean).powi(2)).sum::<f64>() / m
                    };
                    let mean = (0..n).map(variance).sum::<f64>() / n as f64;
                    Ok(Noise::Gaussian { sigma: mean.sqrt() / 3.0 })
                }
            },
        }
    }

    /// The distance that intervals are for.
    fn distance(&self, noise: Noise) -> f64 {
        self.radius.unwrap_or(match noise {
            Noise::Gaussian { sigma } => sigma / 4.0,
            Noise::Flips { .. } => 1.0,
        })
    }

    /// The suspect, smoothed: an oracle that also certifies.
    pub fn smoothed<'a>(&self, suspect: &'a dyn Oracle, lab: &Lab<'a>) -> Result<Smoothed<'a>> {
        self.check(&lab.world)?;
        let noise = self.noise(&lab.world)?;
        let sides = match lab.world.domain {
            Domain::Range { low, high, .. } => Sides::Clip(low, high),
            Domain::Box { .. } => Sides::Clip(-1.0, 1.0),
            Domain::Torus { .. } => Sides::Wrap,
            _ => Sides::Open,
        };
        let (target, seed, ledger) = (lab.world.target, lab.seed, lab.ledger);
        let distance = self.distance(noise);
        let rank = rank(noise, self.copies as u64, distance, self.alpha);
        Ok(Smoothed { suspect, smooth: *self, noise, sides, distance, rank, target, seed, ledger })
    }
}

impl Mitigator for Smooth {
    type Access = dyn Oracle;

    fn check(&self, world: &World) -> Result<()> {
        if let Some(sigma) = self.sigma
            && !(sigma > 0.0 && sigma.is_finite())
        {
            return Err(Error::parameter("sigma", sigma, "a positive number is needed"));
        }
        if !(self.flip > 0.0 && self.flip < 0.5) {
            let want = "a probability between 0 and 1/2 is needed";
            return Err(Error::parameter("flip", self.flip, want));
        }
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            let want = "a probability between 0 and 1/2 is needed";
            return Err(Error::parameter("alpha", self.alpha, want));
        }
        for (name, n) in [("select", self.select), ("copies", self.copies)] {
            if !(1..=MOST_COPIES).contains(&n) {
                let want = format!("from 1 to {MOST_COPIES} are accepted");
                return Err(Error::parameter(name, n, want));
            }
        }
        if let (Some(sigma), Domain::Cube { .. }) = (self.sigma, &world.domain) {
            let want = "on the cube coordinates are flipped; flip is the parameter there";
            return Err(Error::parameter("sigma", sigma, want));
        }
        if let (Some(radius), Some(_)) = (self.radius, world.target.n_classes()) {
            let want = "the radius of a class follows from its votes; only intervals of real labels are for a radius that is given";
            return Err(Error::parameter("radius", radius, want));
        }
        let noise = self.noise(world)?;
        let distance = self.distance(noise);
        if !(distance > 0.0 && distance.is_finite()) {
            return Err(Error::parameter("radius", distance, "a positive number is needed"));
        }
        if world.target == Target::Real
            && rank(noise, self.copies as u64, distance, self.alpha).is_none()
        {
            let want = format!(
                "with {} copies of this noise no interval can be certified so far away; a smaller radius or more copies are needed",
                self.copies
            );
            return Err(Error::parameter("radius", distance, want));
        }
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let smoothed = self.smoothed(suspect, lab)?;
        let (noise, distance) = (smoothed.noise, smoothed.distance);
        let how = match noise {
            Noise::Gaussian { sigma } => format!("normal noise of standard deviation {sigma:.4}"),
            Noise::Flips { probability } => format!("flips of probability {probability}"),
        };
        let what = match lab.world.target {
            Target::Real => format!(
                "at every input within {distance:.4} the smoothed model's median lies between the two numbers that `Smooth::smoothed` gives with the answer"
            ),
            Target::Classes(_) | Target::Sign => {
                "within the radius that `Smooth::smoothed` certifies for an answer, if any, the smoothed model's class is the answer's"
                    .to_owned()
            }
        };
        let notes = vec![format!(
            "{how}, {} queries an answer; certificates are about changes of the answer, not about its being right, and come \
             from Smooth::smoothed in the library",
            smoothed.queries()
        )];
        let guarantee = Some(Guarantee {
            statement: format!("{what} (proof: mitigate/certificate.rs)"),
            error_bar: None,
            failure_probability: self.alpha,
        });
        Ok(Repaired { guarantee, notes, ..Repaired::unclaimed(smoothed) })
    }
}

/// What happens at the sides of the domain.
#[derive(Clone, Copy, Debug)]
enum Sides {
    Open,
    Clip(f64, f64),
    Wrap,
}

/// A suspect under noise.
pub struct Smoothed<'a> {
    suspect: &'a dyn Oracle,
    smooth: Smooth,
    noise: Noise,
    sides: Sides,
    distance: f64,
    rank: Option<u64>,
    target: Target,
    seed: Seed,
    ledger: &'a Ledger,
}

impl Smoothed<'_> {
    /// The noise that it is under.
    pub fn noise(&self) -> Noise {
        self.noise
    }

    /// Queries an answer.
    fn queries(&self) -> usize {
        let Smooth { select, copies, .. } = self.smooth;
        if self.target == Target::Real { copies } else { select + copies }
    }

    /// Answers every row of `xs`, each with its certificate. Charged as answers are.
    pub fn certify(&self, xs: &Batch) -> Result<Vec<Certified>> {
        let n = self.shape().inputs;
        crate::data::check("inputs", xs, n)?;
        let n_copies = self.queries();
        let rows_a_block = (MOST_NUMBERS / (n_copies * n)).max(1);
        let mut out = Vec::with_capacity(xs.nrows());
        for first in (0..xs.nrows()).step_by(rows_a_block) {
            let rows = first..(first + rows_a_block).min(xs.nrows());
            // Noise: three operations a coordinate; a vote or a place in a sort: at most log₂ of the copies or the outputs.
            let of_copy = 3 * n + self.target.outputs().max(n_copies.ilog2() as usize + 1);
            self.ledger.flops((of_copy * n_copies * rows.len()) as u64)?;
            let copies = rows.clone().flat_map(|i| {
                let x = row(xs, i);
                let mut rng = self.seed.stream_for_row(&x);
                (0..n_copies).map(|_| self.copy(&x, &mut rng)).collect::<Vec<_>>()
            });
            let answers = self.suspect.query(&stack(n, copies))?;
            out.extend((0..rows.len()).map(|r| {
                let of_row = r * n_copies..(r + 1) * n_copies;
                self.certified(&of_row.map(|i| row(&answers, i)).collect::<Vec<_>>())
            }));
        }
        Ok(out)
    }

    fn copy(&self, x: &[f64], rng: &mut Rng) -> Vec<f64> {
        match self.noise {
            Noise::Flips { probability } => {
                x.iter().map(|x| if rng.random::<f64>() < probability { -x } else { *x }).collect()
            }
            Noise::Gaussian { sigma } => {
                let moved = x.iter().map(|x| x + sigma * normal(rng));
                match self.sides {
                    Sides::Open => moved.collect(),
                    Sides::Clip(low, high) => moved.map(|x| x.clamp(low, high)).collect(),
                    Sides::Wrap => moved.map(|x| x.rem_euclid(1.0)).collect(),
                }
            }
        }
    }

    fn certified(&self, answers: &[Vec<f64>]) -> Certified {
        let Some(n_classes) = self.target.n_classes() else {
            let mut values: Vec<f64> = answers.iter().map(|a| a[0]).collect();
            let middle = median(&mut values);
            values.sort_by(f64::total_cmp);
            let certificate = self.rank.map(|l| Certificate::Interval {
                radius: self.distance,
                low: values[l as usize - 1],
                high: values[values.len() - l as usize],
            });
            return Certified { answer: vec![middle], certificate };
        };
        let count = |answers: &[Vec<f64>]| {
            let mut votes = vec![0_u32; n_classes];
            for class in answers.iter().filter_map(|answer| self.target.decide(answer)) {
                votes[class] += 1;
            }
            votes.into_iter().map(f64::from).collect::<Vec<_>>()
        };
        let (select, estimate) = answers.split_at(self.smooth.select);
        let chosen = argmax(&count(select));
        let votes = count(estimate);
        let p = Proportion { hits: votes[chosen] as u64, of: estimate.len() as u64 };
        let probability = lower_limit(p, self.smooth.alpha);
        let certificate = self
            .noise
            .radius(probability, self.suspect.shape().inputs)
            .map(|radius| Certificate::Class { radius, probability });
        // A certified class has most of the votes, so it is what is answered.
        Certified { answer: self.target.label_of(argmax(&votes)), certificate }
    }
}

impl Oracle for Smoothed<'_> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let answers = self.certify(xs)?.into_iter().map(|certified| certified.answer);
        Ok(stack(self.shape().outputs, answers))
    }
}

impl std::fmt::Debug for Smoothed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smoothed").field("noise", &self.noise).finish_non_exhaustive()
    }
}
