//! Answers from exact rays within a number of forward passes: how many rays, what each costs, and what is done when one is too long.
use super::super::black_box::Rays;
use super::super::local::{Estimate, Sampler};
use super::super::rays::random_ray;
use super::LineFit;
use crate::access::{Lab, Oracle, WhiteBox};
use crate::data::{Batch, Shape, row};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::{Limits, Line, Net, sort_flops};
use crate::rng::{Rng, Seed};
use crate::robust::median;

/// Rays that are tried in preparation, and how much more than the worst of them is allowed for.
const N_PILOTS: usize = 9;
const MARGIN: f64 = 1.25;
/// Most rays of an answer.
const MOST_RAYS: f64 = 1e6;

/// An oracle that answers with the median over rays.
pub(super) struct ExactRays<'a> {
    pub(super) suspect: &'a dyn WhiteBox,
    /// The two-point rule, for rays that are too long.
    pub(super) two_points: Rays,
    pub(super) fit: LineFit,
    pub(super) tolerance: f64,
    /// Most operations of an answer.
    pub(super) allowance: u64,
    /// Most pieces of a ray.
    pub(super) most_pieces: usize,
    pub(super) course: Course,
    pub(super) seed: Seed,
    pub(super) ledger: &'a Ledger,
}

/// What is done at every answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Course {
    /// Odd.
    pub(super) n_rays: usize,
    /// Whether rays are restricted exactly, or all answered by the two-point rule.
    pub(super) exact: bool,
    /// Whether the worst ray fits, so that nothing has to be kept back for the two-point rule.
    certain: bool,
}

impl ExactRays<'_> {
    fn net(&self) -> &Net {
        self.suspect.net()
    }

    fn n(&self) -> usize {
        self.net().shape().inputs
    }

    /// A direction (n) and its exit (3n, and more on some bodies).
    fn direction_flops(&self) -> u64 {
        4 * self.n() as u64 + self.two_points.body.extra_flops()
    }

    fn two_point_flops(&self) -> u64 {
        2 * self.net().forward_flops() + self.two_points.flops(self.n())
    }

    /// Fixes the number of rays: with one hidden layer from the worst ray there can be, else from pilots.
    ///
    /// # Errors
    /// If `passes` do not reach for one ray.
    pub(super) fn plan(&self, passes: f64, lab: &Lab<'_>) -> Result<Course> {
        let net = self.net();
        // Fails here, and not at the first answer, if the net is not of the kind that lines are exact for.
        let start = Line::from(net, &vec![0.0; self.n()], lab.ledger)?.flops();
        let n_units = net.layers()[0].bias.len();
        if net.layers().len() == 2 && n_units < self.most_pieces {
            let ray = start
                + 5 * n_units as u64
                + sort_flops(n_units)
                + 8 * n_units as u64
                + self.fit.flops(n_units + 1)
                + self.direction_flops();
            let n_rays = self.affordable(passes, start, ray, start + ray)?;
            return Ok(Course { n_rays, exact: true, certain: true });
        }
        let (mut worst, mut too_long) = (0, 0);
        let mut rng = self.seed.stream("pilot rays");
        for _ in 0..N_PILOTS {
            let star = self.two_points.body.sample(&mut rng);
            let line = Line::from(net, &star, lab.ledger)?;
            let mut left = self.allowance;
            let made = self.exact(&line, &star, &mut left, 0, &mut rng)?;
            too_long += usize::from(made.is_none());
            worst = worst.max(self.allowance - left);
        }
        let least = start + self.direction_flops() + self.two_point_flops();
        if too_long > N_PILOTS / 2 {
            let n_rays =
                self.affordable(passes, 0, self.two_point_flops(), self.two_point_flops())?;
            return Ok(Course { n_rays, exact: false, certain: false });
        }
        let ray = (MARGIN * worst as f64).ceil() as u64;
        let n_rays = self.affordable(passes, start, ray, least)?;
        Ok(Course { n_rays, exact: true, certain: false })
    }

    /// The largest odd number of rays that `passes` pay for, with the sort of their median.
    fn affordable(&self, passes: f64, start: u64, ray: u64, least: u64) -> Result<usize> {
        let forward = self.net().forward_flops() as f64;
        let most = passes * forward;
        let most_rays = (most - start as f64) / ray as f64;
        if most < least as f64 || most_rays > MOST_RAYS {
            let want = format!(
                "one ray of this net takes {:.2} passes, and a million rays are the most",
                least as f64 / forward
            );
            return Err(Error::parameter("passes", passes, want));
        }
        let cost = |m: usize| start as f64 + m as f64 * ray as f64 + sort_flops(m) as f64;
        let mut rays = (most_rays.floor().max(1.0) as usize - 1) | 1;
        while rays > 1 && cost(rays) > most {
            rays -= 2;
        }
        Ok(rays)
    }

    /// One exact ray, with `reserve` of what is left kept back; `None` if it is too long or too dear.
    fn exact(
        &self,
        line: &Line<'_>,
        star: &[f64],
        left: &mut u64,
        reserve: u64,
        rng: &mut Rng,
    ) -> Result<Option<f64>> {
        if !pay(left, reserve, self.direction_flops(), self.ledger)? {
            return Ok(None);
        }
        let (direction, exit) = random_ray(&*self.two_points.body, star, rng);
        let mut limits = Limits { pieces: self.most_pieces, flops: left.saturating_sub(reserve) };
        let before = limits.flops;
        let ray = line.along_within(&direction, exit, &mut limits, self.ledger)?;
        *left -= before - limits.flops;
        let Some(ray) = ray else { return Ok(None) };
        if !pay(left, reserve, self.fit.flops(ray.n_pieces()), self.ledger)? {
            return Ok(None);
        }
        Ok(Some(self.fit.of(&ray, star.len(), self.tolerance)))
    }

    /// The two-point rule on a fresh ray; `None` if that is too dear.
    fn two_points(&self, star: &[f64], left: &mut u64, rng: &mut Rng) -> Result<Option<f64>> {
        let n = star.len();
        let asked = 2 * self.net().forward_flops();
        if *left < self.two_point_flops() {
            return Ok(None);
        }
        pay(left, 0, self.two_points.flops(n), self.ledger)?;
        *left -= asked;
        let (mut points, mut weights, mut divisor) = (Batch::zeros((2, n)), [0.0; 2], 1.0);
        let to = Estimate {
            points: points.as_slice_mut().expect("a batch in one piece"),
            weights: &mut weights,
            divisor: &mut divisor,
            room: &mut Vec::new(),
        };
        self.two_points.draw(star, rng, to);
        let values = self.suspect.query(&points)?;
        Ok(Some((weights[0] * values[[0, 0]] + weights[1] * values[[1, 0]]) / divisor))
    }

    fn answer(&self, star: &[f64]) -> Result<f64> {
        let mut rng = self.seed.stream_for_row(star);
        let Course { n_rays, exact, certain } = self.course;
        let line = if exact { Some(Line::from(self.net(), star, self.ledger)?) } else { None };
        let spent = line.as_ref().map_or(0, Line::flops) + sort_flops(n_rays);
        let mut left = self.allowance.saturating_sub(spent);
        let mut estimates = Vec::with_capacity(n_rays);
        while estimates.len() < n_rays {
            // The first estimate is certain: what the two-point rule takes is kept for it.
            let first = estimates.is_empty() && !certain;
            let reserve = if first { self.two_point_flops() } else { 0 };
            let mut made = None;
            if let Some(line) = &line {
                made = self.exact(line, star, &mut left, reserve, &mut rng)?;
            }
            if made.is_none() {
                made = self.two_points(star, &mut left, &mut rng)?;
            }
            let Some(made) = made else { break };
            estimates.push(made);
        }
        // A median of an even number stands no more than that of one fewer.
        if estimates.len() > 1 && estimates.len() % 2 == 0 {
            estimates.pop();
        }
        self.ledger.flops(sort_flops(estimates.len()))?;
        Ok(median(&mut estimates))
    }
}

/// Charges `flops` if more than `reserve` is left of an allowance after it.
fn pay(left: &mut u64, reserve: u64, flops: u64, ledger: &Ledger) -> Result<bool> {
    if *left < reserve.saturating_add(flops) {
        return Ok(false);
    }
    ledger.flops(flops)?;
    *left -= flops;
    Ok(true)
}

impl Oracle for ExactRays<'_> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        crate::data::check("inputs", xs, self.shape().inputs)?;
        let rows: Vec<Vec<f64>> = (0..xs.nrows()).map(|i| row(xs, i)).collect();
        for (i, star) in rows.iter().enumerate() {
            self.two_points.admit(star, i)?;
        }
        // In order, and not on several threads: where a budget runs out must not depend on who was faster.
        let answers: Vec<f64> = rows.iter().map(|star| self.answer(star)).collect::<Result<_>>()?;
        Ok(crate::data::column(answers))
    }
}
