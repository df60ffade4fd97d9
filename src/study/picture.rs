//! Something to look at: images with and without the trigger, spectra before and after.
use super::record::{Example, Picture};
use crate::data::{Batch, row, stack};
use crate::domain::Domain;
use crate::fourier::{FourierSum, Term, spectrum, vertex};
use crate::net::Net;
use crate::population::Promise;
use crate::rng::{Seed, sign};
use crate::score::Exam;

/// Images shown.
const N_EXAMPLES: usize = 6;
/// Largest cube whose whole spectrum is computed for a picture; of larger ones a sample shows the main part.
const MAX_CUBE: usize = 20;
/// Coefficients of the suspect that are shown.
const N_TERMS: usize = 16;

/// The picture for this exam: spectra where a function was recovered, images where inputs are square images and there is a
/// trigger.
pub(super) fn of(
    net: &Net,
    exam: &Exam,
    function: Option<&FourierSum>,
    truth: Option<&FourierSum>,
) -> Option<Picture> {
    match (&exam.world.domain, function, truth) {
        // A relearned function says nothing about the suspect's spectrum; one that was found by queries does, and both are
        // shown where there is a trigger or not.
        (Domain::Cube { n }, Some(function), Some(truth)) => {
            Some(spectra(net, exam, *n, function, truth))
        }
        (Domain::Range { n, .. }, None, _) => images(net, exam, *n),
        _ => None,
    }
}

fn spectra(net: &Net, exam: &Exam, n: usize, function: &FourierSum, truth: &FourierSum) -> Picture {
    let tau = match exam.world.promise {
        Promise::FourierHeavy { tau, .. } => tau,
        Promise::Nothing
        | Promise::Affine { .. }
        | Promise::Polynomial { .. }
        | Promise::Characters { .. }
        | Promise::LowDegree { .. } => truth.lightest(),
    };
    let mut suspect = if n <= MAX_CUBE {
        whole_spectrum(net, n, tau)
    } else {
        sampled_spectrum(net, n, function, truth)
    };
    suspect.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    suspect.truncate(N_TERMS);
    Picture::Spectrum {
        truth: truth.terms().to_vec(),
        suspect,
        recovered: function.terms().to_vec(),
        tau,
    }
}

/// Every coefficient, from every vertex. In blocks, so that the inputs of the whole cube never stand in memory together.
fn whole_spectrum(net: &Net, n: usize, tau: f64) -> Vec<Term> {
    let mut values = Vec::with_capacity(1 << n);
    for first in (0..1_usize << n).step_by(1 << 12) {
        let block = first..(first + (1 << 12)).min(1 << n);
        let xs = stack(n, block.map(|index| vertex(index, n)));
        values.extend(net.forward_unmetered(&xs));
    }
    spectrum(values, tau / 100.0).terms().to_vec()
}

/// The coefficients of the truth's and the function's characters and of all up to degree two, from a sample of vertices;
/// those that stand four standard errors out of its noise. On large cubes pairs are too many, and the sample is smaller.
fn sampled_spectrum(net: &Net, n: usize, function: &FourierSum, truth: &FourierSum) -> Vec<Term> {
    /// Samples, and numbers in them at most: 256 MiB.
    const N_SAMPLES: usize = 1 << 15;
    const MOST_NUMBERS: usize = 1 << 25;
    /// Largest cube on which pairs of coordinates are looked at.
    const MAX_PAIRS: usize = 256;
    let n_samples = N_SAMPLES.min(MOST_NUMBERS / n);
    let mut rng = Seed::new(0).stream("sampled spectrum");
    let rows = (0..n_samples).map(|_| (0..n).map(|_| sign(&mut rng)).collect());
    let xs = stack(n, rows);
    let answers = net.forward_unmetered(&xs);
    let mut supports: Vec<Vec<usize>> = vec![Vec::new()];
    for i in 0..n {
        supports.push(vec![i]);
        if n <= MAX_PAIRS {
            supports.extend((0..i).map(|j| vec![j, i]));
        }
    }
    supports.extend(truth.supports().into_iter().chain(function.supports()).map(<[usize]>::to_vec));
    supports.sort();
    supports.dedup();
    let noise = 4.0 / (n_samples as f64).sqrt();
    let coefficient = |support: Vec<usize>| {
        let products = xs.rows().into_iter().zip(&answers);
        let sum: f64 =
            products.map(|(x, y)| y * support.iter().map(|&i| x[i]).product::<f64>()).sum();
        Term { support, value: sum / n_samples as f64 }
    };
    supports.into_iter().map(coefficient).filter(|term| term.value.abs() >= noise).collect()
}

fn images(net: &Net, exam: &Exam, n: usize) -> Option<Picture> {
    let triggered = exam.triggered.as_ref()?;
    let side = n.isqrt();
    let target = exam.world.target;
    if side * side != n || target.n_classes().is_none() {
        return None;
    }
    let class = |batch: &Batch, i: usize| target.decide(&row(batch, i)).unwrap_or(0);
    let plain = net.forward_unmetered(&exam.test.xs);
    let fired = net.forward_unmetered(&triggered.xs);
    let examples = triggered.from.iter().enumerate().take(N_EXAMPLES).map(|(k, &i)| Example {
        plain: row(&exam.test.xs, i),
        triggered: row(&triggered.xs, k),
        label: class(&exam.test.ys, i),
        answer_plain: class(&plain, i),
        answer_triggered: class(&fired, k),
    });
    Some(Picture::Images { width: side, height: side, examples: examples.collect() })
}
