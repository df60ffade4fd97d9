//! Heavy characters of a function that can be queried, by hashing: pilots, coded tables, peeling, and a certificate.
//!
//! The search hashes characters into the bins of random cosets ([`Coset`]), reads each from its signs at coded delays, takes
//! it out, and goes on; in the line of Goldreich and Levin (STOC 1989), Kushilevitz and Mansour (SIAM J. Comput. 1993) and the
//! sparse transforms of Scheibler, Haghighatshoar and Vetterli (2015) and Pawar and Ramchandran (2018). The certificate, its
//! proof and its constants are this project's.
//!
//! It is told τ and B, and neither the number of heavy characters nor how much of the function is corrupted.
//!
//! **Setting.** `h` is τ-heavy (each coefficient is 0 or at least τ in size) and |h| ≤ B; `g` is the queried function clipped to
//! [−B, B], and fixed: its answers do not depend on what else is asked, and whoever made it did not know the search's coins.
//! One of two promises holds, and the first implies the second by Parseval:
//!
//! * mean square: `‖g − h‖₂ ≤ τ/4`;
//! * spectrum: every coefficient of g is within τ/4 of that of h. (A mass ε of inputs with arbitrary answers moves none by more
//!   than ε (B + ‖h‖∞), and random answers on it move none by much.)
//!
//! **Theorem.** The probability that the search returns a shut certificate with a list that lacks a set of the support of h
//! is at most the failure probability that was asked for; and for every φ, that it does and names a `failure` of at most φ has
//! probability at most φ.
//!
//! *Proof.* Consider one attempt. List, coefficients c, and the plan (promise, sizes, thresholds, number P of pilots) are fixed
//! by earlier answers, and the P cosets are drawn fresh and independent. Let `ρ = g − Σ_{T∈L} c_T χ_T`, and let S be the first
//! set of supp h that L lacks: a fixed one, so there is no union over the 2^n sets. The transform of a character on a coset is
//! its sign at the shift, in its bin, so the bins with the list subtracted are exactly those of ρ. By the four facts of
//! `plan.rs` each pilot accepts with probability at most some p, and P independent ones all do with at most p^P: `failure` of
//! this attempt. The plan of attempt a has p^P ≤ 3η/4^a, and these sum to at most η. ∎
//!
//! What this covers, and what it does not:
//!
//! * The event is "accepted, and something heavy is missing". The list may hold sets that h has not, planted ones among them:
//!   on g alone they cannot be told from the truth. Who has clean samples takes them out with those.
//! * No sparsity, independence or normality of the error is assumed for it. The decoder is heuristic: Viterbi, peeling and the
//!   sizes of tables may do badly against an error made for it. Then more is asked, or the certificate stays open; a wrong list
//!   is never certified but with probability η.
//! * Every question is uniform on the cube: a coset's shift is, and stays so times a delay or a fixed number of turned signs. So
//!   an answer changed at one input changes anything with probability at most (number of questions)/2^n.
//!
//! Cost, measured (see `experiments/fourier`): 2 to 3 kn questions for k characters with no corruption, and a certificate; the
//! tree of [`crate::fourier::HeavySearch`] takes 256 n B⁴/τ⁴ and more.
mod asker;
mod basis;
mod bch;
mod code;
mod coset;
mod peel;
mod pilot;
mod plan;
mod search;
mod table;
mod viterbi;

pub use coset::Coset;

use code::{Codes, Kind};
use serde::{Deserialize, Serialize};

use super::{Bits, Questions, Term};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Largest dimension that is searched: the random basis takes 3 n² bits.
const MOST_DIMENSIONS: usize = 1 << 12;

/// What to look for, how surely, and with how many questions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HashedSearch {
    /// Dimension of the cube.
    pub n: usize,
    /// The least non-zero coefficient of the function to be found.
    pub tau: f64,
    /// Answers are clipped to [−bound, bound].
    pub bound: f64,
    /// Largest probability that a shut certificate is wrong.
    pub failure: f64,
    /// Most questions: where more would be needed, the certificate stays open.
    pub most_queries: u64,
}

/// What is assumed of the function that is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promised {
    /// Its root mean square distance to a τ-heavy function is at most τ/4.
    MeanSquare,
    /// Each of its coefficients is within τ/4 of that of a τ-heavy function.
    Spectrum,
}

/// Whether it is proved that nothing heavy is missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Certificate {
    /// It is, under the promise.
    Shut {
        /// What the proof assumes.
        promise: Promised,
        /// Proved bound on the probability of a shut certificate with something missing.
        failure: f64,
        /// Fresh pilots that accepted.
        n_pilots: usize,
        /// Points of each.
        n_points: usize,
    },
    /// It is not.
    Open {
        /// What stood in the way.
        why: String,
    },
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct HashedFound {
    /// Characters with the coefficients that the queried function has there, shorter first.
    pub terms: Vec<Term>,
    /// Whether the list is proved complete.
    pub certificate: Certificate,
    /// Measured standard error of the coefficients.
    pub value_error: f64,
    /// Measured mean square of the function less these terms, on the pilots of the last attempt; 0 if there was none.
    pub residual: f64,
    /// Its standard error.
    pub residual_error: f64,
    /// Questions asked.
    pub queries: u64,
    /// Tables asked.
    pub n_tables: usize,
    /// Most numbers held at once in tables and pilots.
    pub n_numbers: usize,
}

impl HashedSearch {
    /// Checks every parameter against its range.
    pub fn check(&self) -> Result<()> {
        if self.n == 0 || self.n > MOST_DIMENSIONS {
            let want = format!("the hashed search takes from 1 to {MOST_DIMENSIONS} dimensions");
            return Err(Error::parameter("n", self.n, want));
        }
        let Self { n, tau, bound, failure, .. } = *self;
        super::HeavySearch { n, tau, bound, failure }.check()
    }

    /// Searches the function that `questions` are asked of.
    ///
    /// ```
    /// use absolve::data::Batch;
    /// use absolve::error::Result;
    /// use absolve::fourier::{Certificate, FourierSum, HashedSearch, Questions, Term};
    /// use absolve::rng::Seed;
    ///
    /// struct Free(FourierSum);
    ///
    /// impl Questions for Free {
    ///     fn ask(&mut self, xs: &Batch) -> Result<Batch> {
    ///         Ok(self.0.at_all(xs))
    ///     }
    ///
    ///     fn work(&mut self, _: u64) -> Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let term = |support: &[usize], value| Term { support: support.to_vec(), value };
    /// let truth = FourierSum::new(vec![term(&[3, 40, 77], 0.5), term(&[9], -0.5)]);
    /// let search = HashedSearch { n: 100, tau: 0.5, bound: 1.0, failure: 1e-6, most_queries: 10_000 };
    /// let found = search.run(&mut Free(truth.clone()), &mut Seed::new(1).stream("search"))?;
    /// assert!(matches!(found.certificate, Certificate::Shut { .. }));
    /// assert_eq!(FourierSum::new(found.terms).supports(), truth.supports());
    /// # Ok::<(), absolve::error::Error>(())
    /// ```
    pub fn run(&self, questions: &mut dyn Questions, rng: &mut Rng) -> Result<HashedFound> {
        self.run_among((0..self.n).collect(), questions, rng)
    }

    /// The same for who believes that all heavy sets lie among some coordinates: tables have a delay for each of those, and not for
    /// each of the n. Guides and the certificate stay as they are, on the whole cube. So the theorem holds whether the belief is
    /// right or wrong; where it is wrong a set that is not read leaves the certificate open.
    ///
    /// # Errors
    /// If a parameter is out of range, or `among` is not an ascending choice of at least one coordinate.
    pub fn run_among(
        &self,
        among: Vec<usize>,
        questions: &mut dyn Questions,
        rng: &mut Rng,
    ) -> Result<HashedFound> {
        self.check()?;
        let ascends = among.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascends || among.last().is_none_or(|last| *last >= self.n) {
            let want =
                format!("some of the coordinates 0 to {}, ascending, are needed", self.n - 1);
            return Err(Error::parameter("among", format!("{among:?}"), want));
        }
        search::Run::new(self, among, questions, rng).find()
    }
}

/// A character that was read: its coefficient, and its signs at the delays of every code.
#[derive(Clone, Debug)]
struct Known {
    set: Bits,
    value: f64,
    signs: [Vec<f64>; 3],
}

impl Known {
    fn new(set: Bits, value: f64, codes: &Codes) -> Self {
        let signs = [Kind::Few, Kind::Identity, Kind::Convolutional];
        let signs = signs.map(|kind| codes.of(kind).signs(&set));
        Self { set, value, signs }
    }

    fn signs(&self, kind: Kind) -> &[f64] {
        &self.signs[kind as usize]
    }
}
