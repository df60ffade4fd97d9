//! What local mitigators have in common: independent estimates of the truth at an input, each a weighted sum of the suspect's
//! answers at a few random points, and their median or mean of medians.
//!
//! A method says how one estimate is drawn; asking, charging, aggregating and smudging are here. Points are written into one
//! batch that is kept from call to call, so that nothing is allocated for a query or an estimate. Coins come from the stream of
//! the input, so an answer depends on neither the inputs beside it nor on how they are cut into calls.
use super::repeat::Repetition;
use super::{Assumption, Guarantee, Plan, smudge};
use crate::access::Oracle;
use crate::data::{Batch, Shape};
use crate::error::Result;
use crate::ledger::Ledger;
use crate::rng::{Rng, Seed};

/// Inputs that are answered with one call to the suspect, and the most numbers that such a call may hold.
const BLOCK: usize = 64;
const MOST_NUMBERS: usize = 1 << 22;

/// How one estimate is drawn.
pub(super) trait Sampler: Send + Sync {
    /// Queries an estimate.
    fn queries(&self) -> usize;

    /// Operations of drawing an estimate and of its weighted sum, in `n` dimensions.
    fn flops(&self, n: usize) -> u64;

    /// Checks that the truth at an input can be estimated.
    fn admit(&self, star: &[f64], row: usize) -> Result<()>;

    /// Draws the points and the weights of one estimate at `star`.
    fn draw(&self, star: &[f64], rng: &mut Rng, to: Estimate<'_>);
}

/// Where an estimate `Σ weights[i] f(pointᵢ) / divisor` is written.
pub(super) struct Estimate<'a> {
    /// The points, one after another.
    pub(super) points: &'a mut [f64],
    /// A weight a point.
    pub(super) weights: &'a mut [f64],
    /// What the sum is divided by.
    pub(super) divisor: &'a mut f64,
    /// Space for bodies.
    pub(super) room: &'a mut Vec<f64>,
}

impl Sampler for Box<dyn Sampler> {
    fn queries(&self) -> usize {
        (**self).queries()
    }

    fn flops(&self, n: usize) -> u64 {
        (**self).flops(n)
    }

    fn admit(&self, star: &[f64], row: usize) -> Result<()> {
        (**self).admit(star, row)
    }

    fn draw(&self, star: &[f64], rng: &mut Rng, to: Estimate<'_>) {
        (**self).draw(star, rng, to);
    }
}

/// A mitigated model that asks the suspect at every answer.
pub(super) struct Local<'a, S> {
    pub(super) suspect: &'a dyn Oracle,
    pub(super) sampler: S,
    pub(super) repetition: Repetition,
    /// Half-width of the noise on answers, if there is any.
    pub(super) smudge: Option<f64>,
    pub(super) seed: Seed,
    pub(super) ledger: &'a Ledger,
}

/// What the bars of a method over a body rest on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Premise {
    /// Closeness δ of good answers, if it is known.
    pub(super) delta: Option<f64>,
    /// Mass of the others.
    pub(super) bad_mass: f64,
    /// Half-width of the noise, if there is any.
    pub(super) smudge: Option<f64>,
    /// Where the proof is.
    pub(super) file: &'static str,
}

impl Premise {
    /// What a plan claims, in words: nothing without a closeness.
    pub(super) fn guarantee(&self, plan: &Plan) -> Option<Guarantee> {
        let (delta, bar) = (self.delta?, plan.error_bar?);
        let statement = format!(
            "each answer is within {bar:.3} = {:.2} δ{} of the truth (δ = {delta}), if the suspect is within δ of an affine \
             truth but for a mass of at most {} of inputs (proof: mitigate/black_box/{}){}",
            plan.amplification?,
            smudge::addend(self.smudge),
            self.bad_mass,
            self.file,
            smudge::statement(plan)
        );
        let failure_probability = plan.failure_probability?;
        Some(Guarantee { statement, error_bar: Some(bar), failure_probability })
    }

    /// What it assumes of a suspect: nothing where nothing is claimed.
    pub(super) fn assumption(&self) -> Option<Assumption> {
        let mass = self.bad_mass;
        self.delta.map(|delta| Assumption::CloseBeyondCutoff { delta, mass })
    }

    /// What a reader should know if there is no closeness.
    pub(super) fn note(&self) -> Option<String> {
        let note = "no closeness delta is promised or given, so answers carry no error bar";
        self.delta.is_none().then(|| note.to_owned())
    }
}

/// What is kept from call to call.
struct Work {
    star: Vec<f64>,
    points: Batch,
    weights: Vec<f64>,
    divisors: Vec<f64>,
    room: Vec<f64>,
    /// Estimates of the answer under way.
    estimates: Vec<f64>,
    /// Noise of the answers that end in this call.
    noises: Vec<smudge::Noise>,
}

impl<S: Sampler> Local<'_, S> {
    /// Estimates a call: those of whole answers, or as many of one answer as fit.
    fn estimates_a_call(&self, n: usize) -> usize {
        let each = self.repetition.estimates();
        let fit = (MOST_NUMBERS / (self.sampler.queries() * n)).max(1);
        if fit >= each { (fit / each).min(BLOCK) * each } else { fit }
    }

    /// Charges what is done off the suspect for `count` estimates that end `ended` answers.
    fn charge(&self, n: usize, count: usize, ended: usize) -> Result<()> {
        let last = self.repetition.flops() + self.smudge.map_or(0, |_| smudge::FLOPS);
        self.ledger.flops(count as u64 * self.sampler.flops(n) + ended as u64 * last)
    }

    /// Draws the estimates number `first` to `first + count` of all that the inputs take.
    fn draw(
        &self,
        xs: &Batch,
        first: usize,
        count: usize,
        work: &mut Work,
        coins: &mut Option<Rng>,
    ) {
        let (n, q, each) = (xs.ncols(), self.sampler.queries(), self.repetition.estimates());
        let Work { star, points, weights, divisors, room, noises, .. } = work;
        let rows = points.as_slice_mut().expect("a batch in one piece").chunks_exact_mut(q * n);
        let places = rows.zip(weights.chunks_exact_mut(q)).zip(divisors);
        for (i, ((points, weights), divisor)) in (first..first + count).zip(places) {
            if i % each == 0 {
                star.iter_mut().zip(xs.row(i / each)).for_each(|(to, x)| *to = *x);
                *coins = Some(self.seed.stream_for_row(star));
            }
            let rng = coins.as_mut().expect("an answer begins with its stream");
            self.sampler.draw(star, rng, Estimate { points, weights, divisor, room });
            if let (true, Some(width)) = ((i + 1) % each == 0, self.smudge) {
                noises.push(smudge::Noise::draw(width, rng));
            }
        }
    }
}

impl<S: Sampler> Oracle for Local<'_, S> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let n = self.shape().inputs;
        crate::data::check("inputs", xs, n)?;
        let (q, each, call) =
            (self.sampler.queries(), self.repetition.estimates(), self.estimates_a_call(n));
        let mut work = Work {
            star: vec![0.0; n],
            points: Batch::zeros((0, n)),
            weights: vec![0.0; call * q],
            divisors: vec![1.0; call],
            room: Vec::new(),
            estimates: Vec::with_capacity(each),
            noises: Vec::new(),
        };
        for (i, x) in xs.rows().into_iter().enumerate() {
            work.star.iter_mut().zip(x).for_each(|(to, x)| *to = *x);
            self.sampler.admit(&work.star, i)?;
        }
        let mut answers = Vec::with_capacity(xs.nrows());
        let mut coins = None;
        let all = xs.nrows() * each;
        for first in (0..all).step_by(call) {
            let count = call.min(all - first);
            if work.points.nrows() != count * q {
                work.points = Batch::zeros((count * q, n));
            }
            self.charge(n, count, (first + count) / each - first / each)?;
            work.noises.clear();
            self.draw(xs, first, count, &mut work, &mut coins);
            let values = self.suspect.query(&work.points)?;
            let mut noises = work.noises.iter();
            for k in 0..count {
                let weights = &work.weights[k * q..(k + 1) * q];
                let terms = weights.iter().enumerate().map(|(j, w)| w * values[[k * q + j, 0]]);
                work.estimates.push(terms.sum::<f64>() / work.divisors[k]);
                if work.estimates.len() == each {
                    let answer = self.repetition.answer(&mut work.estimates);
                    answers.push(noises.next().map_or(answer, |noise| noise.added_to(answer)));
                    work.estimates.clear();
                }
            }
        }
        Ok(crate::data::column(answers))
    }
}
