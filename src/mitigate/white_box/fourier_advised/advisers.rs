//! Advisers that read the net. All are heuristic: what they say is checked by someone else.
use super::desk::{Adviser, Desk};
use crate::access::WhiteBox;
use crate::data::{Batch, stack};
use crate::error::Result;
use crate::fourier::Bits;
use crate::net::{ExactTree, Net};
use crate::robust::median;

/// The coordinates that stand out in many units of the first layer.
///
/// Unit j spreads one vote over the coordinates by its squared weights, and counts by how much it can move the output: its norm times the
/// product of the absolute weights above, but no more than the median unit. So no single unit, planted for a rare direction, outvotes
/// the rest. Of the coordinates before the widest gap every vertex is asked. Cost: six operations a weight of the first layer, two of each above.
#[derive(Clone, Copy, Debug)]
pub struct FirstLayer;

/// The coordinates with influence: all bit flips of a few random inputs, for about 3F an input in a net of one hidden layer.
///
/// A coordinate of a τ-heavy h has influence at least τ² there, and where the suspect is within τ/4 of h it has at least 9τ²/16 in the suspect, and
/// another at most τ²/16: those above τ²/4 are taken, strongest first. `ripple` moves answers little and hides from this nothing.
#[derive(Clone, Copy, Debug)]
pub struct Flips {
    /// Inputs looked at.
    pub samples: usize,
}

/// The tree search of [`ExactTree`] on a net with one hidden layer: no query, and much arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct ExactTreeAdviser {
    /// Samples a level.
    pub samples: usize,
}

/// A list that was made elsewhere.
#[derive(Clone, Debug)]
pub struct Given(pub Vec<Vec<usize>>);

impl Adviser<dyn WhiteBox> for FirstLayer {
    fn advise(&self, suspect: &dyn WhiteBox, desk: &Desk<'_>) -> Result<Vec<Vec<usize>>> {
        let net = suspect.net();
        let first = net.layers()[0].weight.len() as u64;
        let others: u64 = net.layers()[1..].iter().map(|layer| 2 * layer.weight.len() as u64).sum();
        let flops = 6 * first + others + 4 * net.layers()[0].bias.len() as u64;
        if !desk.may(flops) {
            return Ok(Vec::new());
        }
        desk.ledger.flops(flops)?;
        let scores = votes(net);
        desk.heavy_among(desk.before_the_gap(&scores)?, &suspect)
    }
}

/// The votes of the first layer's units for every coordinate.
fn votes(net: &Net) -> Vec<f64> {
    let first = &net.layers()[0];
    let mut reach = vec![1.0; net.shape().outputs];
    for layer in net.layers()[1..].iter().rev() {
        let columns = layer.weight.columns();
        let absolute = columns
            .into_iter()
            .map(|column| column.iter().zip(&reach).map(|(w, r)| w.abs() * r).sum::<f64>());
        reach = absolute.collect();
    }
    let squares: Vec<f64> =
        first.weight.rows().into_iter().map(|row| row.iter().map(|w| w * w).sum()).collect();
    let strength: Vec<f64> = squares.iter().zip(&reach).map(|(s, r)| s.sqrt() * r).collect();
    let typical = median(&mut strength.clone());
    let mut votes = vec![0.0; first.weight.ncols()];
    for ((row, square), strength) in first.weight.rows().into_iter().zip(&squares).zip(&strength) {
        if *square > 0.0 {
            let weight = strength.min(typical) / square;
            votes.iter_mut().zip(row).for_each(|(vote, w)| *vote += weight * w * w);
        }
    }
    votes
}

impl Adviser<dyn WhiteBox> for Flips {
    fn advise(&self, suspect: &dyn WhiteBox, desk: &Desk<'_>) -> Result<Vec<Vec<usize>>> {
        let (net, n, tau) = (suspect.net(), desk.plan.n, desk.plan.tau);
        let one = net.turned_flops() + 3 * n as u64;
        // At most half of what there is: the vertices of what is found are asked as well.
        let mut samples = self.samples as u64;
        while samples > 0 && !desk.may(2 * samples * one) {
            samples -= 1;
        }
        let mut rng = desk.seed.stream("flips");
        let rows = (0..samples).map(|_| Bits::random(n, &mut rng).signs(n).collect());
        let xs: Batch = stack(n, rows.collect::<Vec<Vec<f64>>>());
        let influences = net.influences(&xs, desk.ledger)?;
        desk.ledger.flops(n as u64)?;
        let mut found: Vec<usize> = (0..n).filter(|&i| influences[i] >= tau * tau / 4.0).collect();
        found.sort_by(|&i, &j| influences[j].total_cmp(&influences[i]));
        desk.heavy_among(found, &suspect)
    }
}

impl Adviser<dyn WhiteBox> for ExactTreeAdviser {
    fn advise(&self, suspect: &dyn WhiteBox, desk: &Desk<'_>) -> Result<Vec<Vec<usize>>> {
        let (net, n) = (suspect.net(), desk.plan.n as f64);
        let outputs = &net.layers()[net.layers().len() - 1].weight;
        // A grid at which a coefficient is off by a root mean square of τ/16, if roundings were independent and uniform: √(n/12) Δ a
        // unit. What is proved of that grid is worse, and nobody needs it here: the list is checked.
        let norm = outputs.iter().map(|v| v * v).sum::<f64>().sqrt();
        let grid = desk.plan.tau / 16.0 / ((n / 12.0).sqrt() * norm.max(1e-300));
        let (tau, bound) = (desk.plan.tau, desk.plan.bound);
        let first = net.layers()[0].weight.len() as u64;
        if !desk.may(16 * first) {
            return Ok(Vec::new());
        }
        let search = ExactTree { tau, bound, samples: self.samples, grid };
        let mut rng = desk.seed.stream("tree");
        let found = search.run(net, desk.ledger, &mut rng, &|flops| desk.may(flops))?;
        Ok(found.unwrap_or_default().into_iter().map(|term| term.support).collect())
    }
}

impl<A: ?Sized> Adviser<A> for Given {
    fn advise(&self, _: &A, _: &Desk<'_>) -> Result<Vec<Vec<usize>>> {
        Ok(self.0.clone())
    }
}
