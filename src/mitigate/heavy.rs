//! What the global mitigators for heavy truths share beyond the cube: which functions of a list are heavy, and their values from
//! clean samples.
//!
//! **Which.** Let the truth h be a sum of functions of an orthonormal list, each coefficient 0 or at least τ in absolute value, and
//! let the suspect f, clipped to [−B, B], have ‖f − h‖₂ ≤ τ/4. By Bessel's inequality every coefficient of f is within τ/4 of that
//! of h. [`Estimation`] gives every one of them to within τ/8 (bias included) except with probability η. So estimates are at least
//! 5τ/8 on the support of h and at most 3τ/8 off it: those of at least τ/2 are exactly the support, and one strictly between
//! refutes the assumption.
//!
//! **What else could be there.** With g the sum of the L functions found with their estimates, `‖f − g‖²` is the square of the
//! distance from f to the span of them plus at most L τ²/64. That distance is at most ‖f − h‖₂. So `‖f − g‖² > τ²/16 + L τ²/64`
//! refutes the assumption too: it is what a truth looks like of which a part lies outside the list.
//!
//! **Values.** Least squares on m fresh clean samples, with X the matrix of the D functions at their inputs. Let `g°` be the best
//! function in the span in mean square, with ρ² its mean squared distance to labels, and `R = sup Σ φ_j²`. If
//! `m ≥ R ln(D/η) / 0.1534`, then XᵀX/m is at least 1/2 (in the order of matrices) except with probability η, by Tropp's matrix
//! Chernoff bound ("User-friendly tail bounds for sums of random matrices", 2012, Theorem 1.1: `D (e^{−1/2} / 2^{−1/2})^{m/R}`, and
//! `1/2 − ln 2/2 = 0.1534`). Given that, the expected squared distance of the output to `g°` is at most 4ρ²R/m. *Proof.* The
//! coefficients are off by `(XᵀX/m)⁻¹ v` with `v = (1/m) Σ r_i φ(x_i)` and r the distance of a label to `g°`; `E v = 0` since `g°`
//! is best, `E|v|² = E r²|φ|²/m ≤ ρ²R/m`, and the inverse is at most 2. ∎ If labels are h plus independent noise of variance
//! at most σ², the expected squared distance to h, given any inputs at all, is at most `σ² tr (XᵀX)⁻¹`, which the run computes and
//! reports with σ² estimated from the residuals. Where R is infinite, as Hermite's, `R = Σ E φ_j⁴` is put in its place to choose m: then
//! nothing says beforehand that XᵀX/m ≥ 1/2 will hold. It is looked at in every case, and said where it does not.
//!
//! Nothing in this step has seen the suspect but the list of functions found. So, given that they are exactly the support, the
//! output is a function of the clean samples alone.
use ndarray::Array2;

use super::least_squares::solve;
use crate::access::{Lab, Oracle};
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::fourier::{Dictionary, Draw, Estimation, Function, Questions, mean_square_at_least};
use crate::ledger::Ledger;

/// `1/2 − ln 2/2`, the exponent of the matrix Chernoff bound at half of the mean.
const CHERNOFF: f64 = 0.153_426_4;
/// Clean samples beyond which nothing is begun.
const MOST_SAMPLES: f64 = 1e7;

/// The suspect and the ledger, as a search sees them.
pub(super) struct Asked<'a> {
    pub(super) suspect: &'a dyn Oracle,
    pub(super) ledger: &'a Ledger,
}

impl Questions for Asked<'_> {
    fn ask(&mut self, xs: &Batch) -> Result<Batch> {
        self.suspect.query(xs)
    }

    fn work(&mut self, flops: u64) -> Result<()> {
        self.ledger.flops(flops)
    }
}

/// The functions found, and what speaks against the assumption.
pub(super) struct Found {
    pub(super) dictionary: Dictionary,
    /// Why the assumption is refuted, if it is: each a sentence.
    pub(super) refutations: Vec<String>,
}

/// Finds the functions of `list` that are heavy in the suspect: [`Estimation::queries`] and a quarter of them once more.
pub(super) fn heavy(
    list: &Dictionary,
    tau: f64,
    of: &Estimation,
    asked: &mut Asked<'_>,
    draw: &mut Draw<'_>,
) -> Result<Found> {
    let estimates = of.run(list, asked, draw)?;
    let moduli = list.moduli(&estimates);
    let keep: Vec<bool> = moduli.iter().map(|m| *m >= tau / 2.0).collect();
    let between = |m: &&f64| **m > 0.375 * tau && **m < 0.625 * tau;
    let n_ambiguous = moduli.iter().filter(between).count();
    let (dictionary, values) = list.only(&estimates, &keep);
    let mut refutations = Vec::new();
    if n_ambiguous > 0 {
        refutations
            .push(format!("{n_ambiguous} coefficients of the suspect lie between τ/4 and 3τ/4"));
    }
    // The slack is half of what is allowed.
    let allowed = tau * tau / 16.0 + values.len() as f64 * tau * tau / 64.0;
    let sum = dictionary.sum(&values);
    let outside = mean_square_at_least(of, &sum, tau * tau / 32.0, asked, draw)?;
    if outside > allowed {
        refutations.push(beyond(outside.sqrt(), tau));
    }
    Ok(Found { dictionary, refutations })
}

/// What is said of a suspect with much outside the functions found.
pub(super) fn beyond(outside: f64, tau: f64) -> String {
    format!(
        "outside the functions found the suspect still has a root mean square of {outside:.3}, more than τ/4 = {} allows: heavy \
         mass is missing, as when the truth has functions that were not looked for",
        tau / 4.0
    )
}

/// Values from clean samples.
pub(super) struct Fitted {
    pub(super) function: Function,
    /// What the values are worth, measured or claimed.
    pub(super) note: String,
}

/// How many clean samples the values of `found` need at most `failure` to be ill determined.
pub(super) fn n_samples(found: &Dictionary, failure: f64) -> Result<usize> {
    if found.is_empty() {
        return Ok(0);
    }
    let n_functions = found.n_functions() as f64;
    let square = found.largest_square().unwrap_or_else(|| fourth_moments(found));
    let wanted = (square.max(1.0) * (n_functions / failure).ln() / CHERNOFF).ceil();
    if wanted > MOST_SAMPLES {
        let want =
            format!("the functions found need {wanted:.1e} clean samples; say how many to use");
        return Err(Error::parameter("samples", "not given", want));
    }
    Ok(wanted as usize)
}

/// `Σ E φ⁴` of Hermite products, from the moments of normal numbers.
fn fourth_moments(found: &Dictionary) -> f64 {
    match found {
        Dictionary::Products { basis, list } => {
            let fourth = |k: u32| super::moments::even_moment(*basis, k, 2);
            list.iter().map(|d| d.iter().map(|(_, k)| fourth(*k)).product::<f64>()).sum()
        }
        Dictionary::Waves { .. } => found.n_functions() as f64,
    }
}

/// Fits the functions of `found` to fresh clean samples by least squares.
pub(super) fn fit(found: &Dictionary, n_rows: usize, lab: &mut Lab<'_>) -> Result<Fitted> {
    let n_functions = found.n_functions();
    if n_functions == 0 {
        let note = "no clean samples were drawn".to_owned();
        return Ok(Fitted { function: found.sum(&[]), note });
    }
    if n_rows <= n_functions {
        let want =
            format!("{n_functions} functions were found, and more samples than that are needed");
        return Err(Error::parameter("samples", n_rows, want));
    }
    let clean = lab.clean.draw(n_rows)?;
    let (m, d) = (n_rows as u64, n_functions as u64);
    // The functions, the products of the normal equations, three eliminations, and residuals.
    let row = found.flops(clean.xs.ncols()) + 2 * d * (d + 1) + 2 * d + 2;
    lab.ledger.flops(m * row + 4 * d.pow(3))?;
    // Summed up row by row and not by a product of matrices, whose order of adding may differ between processors.
    let mut design = Array2::zeros((n_rows, n_functions));
    let (mut gram, mut moments) =
        (Array2::zeros((n_functions, n_functions)), Array2::zeros((n_functions, 1)));
    let mut values = Vec::with_capacity(n_functions);
    for (k, (x, y)) in clean.xs.rows().into_iter().zip(&clean.ys).enumerate() {
        found.values_at(&x.to_vec(), &mut values);
        for (i, a) in values.iter().enumerate() {
            design[[k, i]] = *a;
            moments[[i, 0]] += a * y / n_rows as f64;
            values.iter().enumerate().for_each(|(j, b)| gram[[i, j]] += a * b / n_rows as f64);
        }
    }
    let Some(solution) = solve(&gram, &moments) else {
        let want = "the clean inputs do not determine the functions found; more samples are needed";
        return Err(Error::parameter("samples", n_rows, want));
    };
    let eye = Array2::<f64>::eye(n_functions);
    let trace = solve(&gram, &eye).map_or(f64::INFINITY, |inverse| inverse.diag().sum());
    let conditioned = solve(&(&gram - &(&eye * 0.5)), &moments).is_some();
    let fitted = |row: ndarray::ArrayView1<'_, f64>| {
        row.iter().zip(&solution).map(|(v, c)| v * c).sum::<f64>()
    };
    let residuals =
        design.rows().into_iter().zip(&clean.ys).map(|(row, y)| (y - fitted(row)).powi(2));
    let residual: f64 = residuals.sum();
    let rho2 = residual / (n_rows - n_functions).max(1) as f64;
    let mut note = format!(
        "values by least squares on {n_rows} clean samples, whose labels lie a root mean square of {:.3} from the fit (measured); \
         if that is independent noise, the values' expected root mean square error is {:.4}",
        rho2.sqrt(),
        (rho2 * trace / n_rows as f64).sqrt()
    );
    if !conditioned {
        note += "; if not, nothing is claimed: the clean inputs determine the functions poorly, and more samples would help";
    }
    let coefficients: Vec<f64> = solution.column(0).to_vec();
    Ok(Fitted { function: found.sum(&coefficients), note })
}

/// What to say of values on clean samples that are too small for a truth of class τ.
pub(super) fn light(found: &Dictionary, function: &Function, tau: f64) -> Vec<String> {
    let coefficient = |i: usize| -> Option<(String, f64)> {
        match (found, function) {
            (Dictionary::Waves { list, .. }, Function::Waves(sum)) => {
                let (re, im) = sum.coefficient(&list[i]);
                Some((format!("{:?}", list[i]), re.hypot(im)))
            }
            (Dictionary::Products { list, .. }, Function::Products(sum)) => {
                let term = sum.terms().iter().find(|term| term.degrees == list[i]);
                Some((format!("{:?}", list[i]), term.map_or(0.0, |term| term.value.abs())))
            }
            _ => None,
        }
    };
    let mut notes: Vec<String> = (0..found.len())
        .filter_map(coefficient)
        .filter(|(_, value)| *value < tau / 2.0)
        .map(|(which, value)| {
            format!(
                "on clean samples the function {which} has a coefficient of {value:.3}, less than half of tau = {tau}: the \
                 suspect may have planted it, or tau is too large"
            )
        })
        .collect();
    if found.is_empty() {
        notes.push(format!(
            "no function of weight tau = {tau} was found; the output is 0 everywhere"
        ));
    }
    notes
}
