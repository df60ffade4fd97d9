//! Where an adviser sits: what it is told, and what it may still spend.
use super::super::super::black_box::fourier_global::most_listed;
use crate::access::{Lab, Oracle};
use crate::data::{Batch, stack, wide};
use crate::error::Result;
use crate::fourier::{Bits, HeavySearch, vertex, walsh_hadamard};
use crate::ledger::Ledger;
use crate::rng::{Seed, sign};

/// Someone who names characters that the truth may have, likeliest first. It sees as much of the suspect as `A` shows, no clean sample,
/// and what it says is believed on evidence only. It may be wrong, and it may lie.
pub trait Adviser<A: ?Sized>: Send + Sync {
    /// Sets of coordinates. An error of an assumption or a parameter counts as no advice.
    fn advise(&self, suspect: &A, desk: &Desk<'_>) -> Result<Vec<Vec<usize>>>;
}

/// What an adviser is told, and what it may spend.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// The dimension, τ, B and failure probability of the search that is to be spared.
    pub plan: HeavySearch,
    /// Where its coins come from.
    pub seed: Seed,
    /// Where its work is charged.
    pub ledger: &'a Ledger,
    began: u64,
    allowed: u64,
    pass: u64,
}

impl<'a> Desk<'a> {
    /// A desk with so many forward passes to give. What a pass costs is learnt from one query.
    pub(super) fn open(
        plan: &HeavySearch,
        passes: f64,
        suspect: &dyn Oracle,
        lab: &Lab<'a>,
    ) -> Result<Self> {
        let ledger = lab.ledger;
        let began = ledger.spent().flops;
        let seed = lab.seed.child("adviser");
        let point = Bits::random(plan.n, &mut seed.stream("first")).signs(plan.n).collect();
        suspect.query(&wide(plan.n, point))?;
        let pass = ledger.spent().flops - began;
        let allowed = (passes * pass as f64) as u64;
        Ok(Self { plan: *plan, seed, ledger, began, allowed, pass })
    }

    /// Whether so many operations more stay within what the desk gives.
    pub fn may(&self, flops: u64) -> bool {
        (self.ledger.spent().flops - self.began).saturating_add(flops) <= self.allowed
    }

    /// Operations of so many queries.
    pub fn passes(&self, n: u64) -> u64 {
        n.saturating_mul(self.pass)
    }

    /// Whether more was spent than the desk had.
    pub(super) fn overdrawn(&self) -> bool {
        !self.may(0)
    }

    /// The coordinates before the widest gap in their scores, highest first; none if no score is above 0. Charges the sort.
    ///
    /// The gap is the largest ratio of neighbours; what is below a hundredth of the highest score counts as a hundredth of it.
    pub fn before_the_gap(&self, scores: &[f64]) -> Result<Vec<usize>> {
        let n = scores.len();
        self.ledger.flops((n as f64 * (n as f64).log2().max(1.0)).ceil() as u64 + 2 * n as u64)?;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| scores[j].total_cmp(&scores[i]));
        let highest = scores[order[0]];
        if highest.is_nan() || highest <= 0.0 {
            return Ok(Vec::new());
        }
        let floor = 0.01 * highest;
        let after = |v: usize| order.get(v).map_or(floor, |&i| scores[i].max(floor));
        let ratio = |v: usize| scores[order[v - 1]].max(floor) / after(v);
        let mut cut = 1;
        for v in 2..=n {
            if ratio(v) > ratio(cut) {
                cut = v;
            }
        }
        order.truncate(cut);
        Ok(order)
    }

    /// The sets among `coordinates` that look heavy if all the others are random: by one query a vertex of those, each with the others drawn afresh, and
    /// one transform. A coefficient is then off by a standard deviation of at most `B/2^{v/2}`, and by none if the answers do not
    /// depend on the others. Coordinates at the end are left out until the desk allows it.
    pub fn heavy_among(
        &self,
        mut coordinates: Vec<usize>,
        suspect: &dyn Oracle,
    ) -> Result<Vec<Vec<usize>>> {
        let HeavySearch { n, tau, .. } = self.plan;
        // A clip, a product and v additions a vertex.
        let cost = |v: usize| (1_u64 << v.min(62)).saturating_mul(self.pass + 4 + v as u64);
        while !coordinates.is_empty()
            && (coordinates.len() > 24 || !self.may(cost(coordinates.len())))
        {
            coordinates.pop();
        }
        coordinates.sort_unstable();
        let v = coordinates.len();
        if v == 0 {
            return Ok(Vec::new());
        }
        let mut rng = self.seed.stream("others");
        let rows = (0..1_usize << v).map(|index| {
            let mut x: Vec<f64> = (0..n).map(|_| sign(&mut rng)).collect();
            coordinates.iter().zip(vertex(index, v)).for_each(|(&i, bit)| x[i] = bit);
            x
        });
        let xs: Batch = stack(n, rows);
        self.ledger.flops((4 + v as u64) << v)?;
        let answers = suspect.query(&xs)?;
        let scale = 1.0 / (1_u64 << v) as f64;
        let mut values: Vec<f64> = answers.iter().map(|y| self.plan.clip(*y) * scale).collect();
        walsh_hadamard(&mut values);
        let mut heavy: Vec<usize> =
            (0..values.len()).filter(|&set| values[set].abs() >= tau / 2.0).collect();
        heavy.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
        heavy.truncate(most_listed(tau, self.plan.bound));
        let members =
            |set: usize| (0..v).filter(|i| set >> i & 1 == 1).map(|i| coordinates[i]).collect();
        Ok(heavy.into_iter().map(members).collect())
    }
}
