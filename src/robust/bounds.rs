//! What is proved about robust means, as functions: bounds, failure probabilities, group sizes.
//!
//! Values are independent draws of `(1 − ε) U + ε Q`; U has mean μ and lies in the bar `[μ − b, μ + b]`; Q is arbitrary.
//! Which values are outliers is independent of what the others are; `B(N, p)` is a binomial count.
//!
//! **Mean of medians** (this project's version of the lemma behind the averaged local mitigator of Goldwasser, Shafer,
//! Vafa, Vaikuntanathan, STOC 2025). r groups of m = 2k − 1 values. *Then* with `q = P[B(m, ε) ≥ k]`,
//!
//! 1. all group medians lie in the bar, except with probability `1 − (1 − q)^r`;
//! 2. if they do, the answer is within `b (β + √(2 ln(2/η) / r))` of E[median of m draws of U], except with probability η,
//!    where `β = 2 max_p (G(p) − G((1 − ε) p))` and `G(p) = P[B(m, p) ≥ k]`; it is also within b of μ;
//! 3. if U is symmetric around μ, then E[median of m draws of U] = μ.
//!
//! *Proof.* (1) A median outside the bar needs k values outside on one side, all of them outliers; groups are independent.
//! (2) Clip every group median to the bar: where (1) holds nothing changes, and the clipped medians are independent and in
//! an interval of length 2b, so that their mean is within `b √(2 ln(2/η) / r)` of its expectation (Hoeffding 1963). For x
//! in the bar let p = P[U ≤ x]. A draw is at most x with probability p' between (1 − ε) p and (1 − ε) p + ε, and a median
//! of m draws with probability G(p'), G rising. Expectations are integrals over the bar of these probabilities, so the two
//! differ by at most `2b max_p |G(p') − G(p)|`; and p → 1 − p takes the second end of p' to the first. The
//! maximum is where `((1 − p) / (1 − (1 − ε) p))^{k−1} = (1 − ε)^k`. A coin with P[U is the lower value] = p and outliers
//! above the bar attain it. (3) The median is odd in the values. ∎
//!
//! **Trimmed**, t values at each end: with `d = b √(2 ln(2/η) / (N − t))` within `(t b + (N − t) d) / (N − 2t)` of μ, except
//! with probability `P[B(N, ε) > t] + η`. *Proof.* The answer rises in every value, so the worst j ≤ t outliers are all at −∞
//! (or all at +∞). They are left out with the t − j least good values, whose mean is at most that of all good ones, and the t
//! greatest, each at most μ + b. With the good mean at μ + e, `(N − 2t)(answer − μ) ≥ (N − j) e − (t − j) e − t b`; and |e| ≤ d
//! by Hoeffding. ∎
//!
//! **Median of means**, g groups of at most M and at least m values: within `b √(2 ln(2/s) / m)`, where a group is bad with
//! probability at most `p = 1 − (1 − ε)^M (1 − s)` and `P[B(g, p) ≥ g/2] ≤ η`. *Proof.* A group without an outlier is within
//! that of μ except with probability s; the median is, if more than half of the groups are. ∎ At constant ε and M·ε ≥ ln 2 there
//! is no such s: it fails.
//!
//! **Median**: within b of μ except with probability `P[B(N, ε) ≥ N/2]`. **Huber**, with k outliers: within `(1 + 2 c 1.4826
//! k / (N − k)) b`. *Proof.* k < N/2, so the median is in the bar and more than half of the values are within 2b of it: s ≤
//! 1.4826 · 2b. At θ = μ + b + a the N − k good values pull back with a force of at least min(c, a/s) each, the outliers
//! with at most c. ∎ **Mean**: Hoeffding, for ε = 0 only. **Catoni**: his proposition 2.4, for ε = 0 only.
//!
//! **Nothing does better than** `b ε / (1 − ε)` if all that is known of U is an interval of length 2b that holds it: two laws
//! in that interval at a total variation distance of ε/(1 − ε) can be made the same P, each with a Q of its own, and their
//! means may be 2b ε/(1 − ε) apart (the principle is that of Chen, Gao, Ren, Annals of Statistics 46, 2018).
use serde::{Deserialize, Serialize};

use super::{RobustMean, influence, order};
use crate::error::{Error, Result};
use crate::stats::binomial_tail;

/// What is known of the shape of the good part U beyond its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// Nothing.
    Any,
    /// U is symmetric around its mean.
    Symmetric,
}

/// What is assumed of a sample: Huber's contamination of values in a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contamination {
    /// Number of values.
    pub n: usize,
    /// ε: the probability that a value is an outlier, which may be anything.
    pub share: f64,
    /// b: the others are within b of their mean μ.
    pub half_width: f64,
    /// What is known of their shape.
    pub spread: Spread,
    /// Probability with which the bound may be exceeded.
    pub failure: f64,
}

/// A bound on the distance from μ, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The estimate is within this of μ, except with the failure probability that was asked for.
    pub error: f64,
    /// What was assumed beyond independent values and a bar around μ.
    pub assumes: &'static str,
}

impl RobustMean {
    /// The bound that is proved for this estimator in this setting, or `None` where there is none.
    pub fn bound(&self, setting: &Contamination) -> Option<Bound> {
        let Contamination { n, share, half_width: b, spread, failure } = *setting;
        if self.check().is_err() || n < self.fewest() || !(0.0..1.0).contains(&share) {
            return None;
        }
        let nothing_more = "nothing more";
        let within = |error: f64, assumes| Some(Bound { error, assumes });
        match *self {
            Self::Mean | Self::Catoni { .. } if share > 0.0 => None,
            Self::Mean => within(b * hoeffding(n, failure), "no outliers"),
            Self::Median => (self.spoilt(n, share)? <= failure)
                .then_some(())
                .and_then(|()| within(b, nothing_more)),
            Self::Trimmed { share: left_out } => {
                let t = order::left_out(left_out, n);
                let rest = failure - self.spoilt(n, share)?;
                (rest > 0.0).then_some(())?;
                let (kept, most) = ((n - 2 * t) as f64, (n - t) as f64);
                let deviation = b * hoeffding(n - t, rest);
                within((t as f64 * b + most * deviation) / kept, nothing_more)
            }
            Self::MedianOfMeans { groups } => {
                within(b * median_of_means(n, groups, share, failure)?, nothing_more)
            }
            Self::MeanOfMedians { size } => {
                let rest = failure - self.spoilt(n, share)?;
                (rest > 0.0).then_some(())?;
                match spread {
                    Spread::Any => within(b, nothing_more),
                    Spread::Symmetric => {
                        let error = bias_of_medians(size, share) + hoeffding(n / size, rest);
                        within(b * error.min(1.0), "U symmetric around its mean")
                    }
                }
            }
            Self::Catoni { failure: own, .. } if own > failure => None,
            Self::Catoni { deviation, failure: own } => within(
                influence::catoni_bound(n, deviation, own),
                "no outliers, a standard deviation of at most `deviation`",
            ),
            Self::Huber { tuning } => {
                let most = (0..=self.tolerates(n) as u64)
                    .find(|k| binomial_tail(n as u64, share, k + 1) <= failure)?;
                let pull = most as f64 / (n as f64 - most as f64);
                within(b * (1.0 + 2.0 * tuning * influence::MAD_SCALE * pull), nothing_more)
            }
        }
    }

    /// The probability that outliers alone carry the estimate away, if all of them are far out on one side: exact, and an
    /// upper bound for outliers anywhere. `None` for Catoni's, which outliers carry only as far as their logarithm.
    pub fn spoilt(&self, n: usize, share: f64) -> Option<f64> {
        self.check().ok()?;
        if n < self.fewest() {
            return None;
        }
        let at_least = |k: usize| binomial_tail(n as u64, share, k as u64);
        Some(match *self {
            Self::Mean => at_least(1),
            Self::Median | Self::Huber { .. } => at_least(n.div_ceil(2)),
            Self::Trimmed { share } => at_least(order::left_out(share, n) + 1),
            Self::MedianOfMeans { groups } => {
                let (size, longer) = (n / groups, n % groups);
                let bad = |size: usize| 1.0 - (1.0 - share).powi(size as i32);
                let each = (0..groups).map(|i| bad(size + usize::from(i < longer)));
                at_least_of(each, groups.div_ceil(2))
            }
            Self::MeanOfMedians { size } => any_of(n / size, bad_majority(size, share)),
            Self::Catoni { .. } => return None,
        })
    }
}

/// The half-width, in units of b, of Hoeffding's interval for the mean of `n` values in an interval of length 2b.
fn hoeffding(n: usize, failure: f64) -> f64 {
    (2.0 * (2.0 / failure).ln() / n as f64).sqrt()
}

/// The probability that any of `n` independent events of probability `p` happens, without loss of digits.
fn any_of(n: usize, p: f64) -> f64 {
    -(n as f64 * (-p).ln_1p()).exp_m1()
}

/// The probability that at least `k` of independent events happen.
fn at_least_of(each: impl Iterator<Item = f64>, k: usize) -> f64 {
    // The probabilities of 0, …, k − 1 events so far.
    let mut fewer = vec![0.0; k];
    fewer[0] = 1.0;
    for p in each {
        for i in (1..k).rev() {
            fewer[i] = fewer[i] * (1.0 - p) + fewer[i - 1] * p;
        }
        fewer[0] *= 1.0 - p;
    }
    (1.0 - fewer.iter().sum::<f64>()).clamp(0.0, 1.0)
}

/// The bound for a median of means in units of b.
fn median_of_means(n: usize, groups: usize, share: f64, failure: f64) -> Option<f64> {
    let (least, most) = (n / groups, n.div_ceil(groups));
    let half = groups.div_ceil(2) as u64;
    // The largest probability of a bad group that keeps the failure.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let p = f64::midpoint(low, high);
        if binomial_tail(groups as u64, p, half) <= failure { low = p } else { high = p }
    }
    let spread = 1.0 - (1.0 - low) / (1.0 - share).powi(most as i32);
    let clean = any_of(most, share);
    let in_bar = (binomial_tail(groups as u64, clean, half) <= failure).then_some(1.0);
    let near = (spread > 0.0).then(|| hoeffding(least, spread));
    match (in_bar, near) {
        (Some(bar), Some(near)) => Some(near.min(bar)),
        (bar, near) => bar.or(near),
    }
}

/// P[B(m, ε) > m/2]: the probability that outliers are the majority of a group.
pub fn bad_majority(size: usize, share: f64) -> f64 {
    binomial_tail(size as u64, share, size as u64 / 2 + 1)
}

/// β of the header, for groups of an odd size: the largest bias that outliers give a group's median, in units of b.
///
/// ```
/// use absolve::robust::bias_of_medians;
/// assert!(bias_of_medians(15, 0.0).abs() < 1e-12);
/// // Single values: an outlier moves a value by 2b at most, once it is clipped to the bar.
/// assert!((bias_of_medians(1, 0.1) - 0.2).abs() < 1e-12);
/// ```
pub fn bias_of_medians(size: usize, share: f64) -> f64 {
    let (m, k) = (size as u64, size as u64 / 2 + 1);
    if share <= 0.0 {
        return 0.0;
    }
    let p = if k == 1 {
        1.0
    } else {
        let rho = (1.0 - share).powf(k as f64 / (k - 1) as f64);
        (1.0 - rho) / (1.0 - rho * (1.0 - share))
    };
    2.0 * (binomial_tail(m, p, k) - binomial_tail(m, (1.0 - share) * p, k))
}

/// b ε / (1 − ε), at most b: no estimator does better for every U in an interval of length 2b.
pub fn unavoidable_bias(share: f64, half_width: f64) -> f64 {
    half_width * (share / (1.0 - share)).min(1.0)
}

/// m*(N, ε, η): the smallest odd group size with which outliers spoil a mean of medians with probability at most η.
///
/// About `ln(N / (m η)) / D` with `D = ½ ln(1 / (4 ε (1 − ε)))`.
///
/// ```
/// // 3000 values, a twentieth of them outliers, one failure in a hundred.
/// assert_eq!(absolve::robust::group_size(3000, 0.05, 0.01)?, 11);
/// # Ok::<(), absolve::error::Error>(())
/// ```
///
/// # Errors
/// If no size up to N does.
pub fn group_size(n: usize, share: f64, failure: f64) -> Result<usize> {
    check(share, failure)?;
    let spoilt = |size: usize| any_of(n / size, bad_majority(size, share));
    (1..=n).step_by(2).find(|size| spoilt(*size) <= failure).ok_or_else(|| {
        let want = format!(
            "with {n} values even one group of them has a bad majority with a probability above {failure}; more values or a \
             smaller share are needed"
        );
        Error::parameter("share", share, want)
    })
}

/// The smallest odd number of groups with which outliers spoil a median of means with probability at most η: so many that
/// most groups have no outlier, which at a constant share means groups of constant size, and in the end of one.
///
/// # Errors
/// If not even groups of one value do.
pub fn group_count(n: usize, share: f64, failure: f64) -> Result<usize> {
    check(share, failure)?;
    let spoilt = |groups: usize| {
        let (size, longer) = (n / groups, n % groups);
        let shorter = (groups - longer) as f64 * any_of(size, share);
        let bad = (longer as f64 * any_of(size + 1, share) + shorter) / groups as f64;
        // The tail of a sum of unequal events is at most that of equal ones of the same mean, one above the mean and beyond
        // (Hoeffding 1956).
        let half = groups / 2 + 1;
        let far = half as f64 >= groups as f64 * bad + 1.0;
        if far || longer == 0 { binomial_tail(groups as u64, bad, half as u64) } else { 1.0 }
    };
    (1..=n).step_by(2).find(|groups| spoilt(*groups) <= failure).ok_or_else(|| {
        let want = format!(
            "with {n} values half of them may be outliers with a probability above {failure}"
        );
        Error::parameter("share", share, want)
    })
}

/// The smallest share to trim at each end of `n` values with which outliers spoil a trimmed mean with probability at most
/// `failure`.
///
/// # Errors
/// If no share below 1/2 does.
pub fn trimmed_share(n: usize, share: f64, failure: f64) -> Result<f64> {
    check(share, failure)?;
    (0..n.div_ceil(2))
        .find(|t| binomial_tail(n as u64, share, *t as u64 + 1) <= failure)
        .map(|t| t as f64 / n as f64)
        .ok_or_else(|| {
            let want = format!(
                "with {n} values half of them may be outliers with a probability above {failure}"
            );
            Error::parameter("share", share, want)
        })
}

fn check(share: f64, failure: f64) -> Result<()> {
    if !(0.0..0.5).contains(&share) {
        let want = "a share of outliers from 0 to below 1/2 is needed";
        return Err(Error::parameter("share", share, want));
    }
    if !(failure > 0.0 && failure < 1.0) {
        let want = "a probability between 0 and 1 is needed";
        return Err(Error::parameter("failure", failure, want));
    }
    Ok(())
}
