//! Answers of `polynomial-ray`: rays, queries, fits and the median, and a look at the precision of what came back.
use super::super::super::rays::{check_inside, random_ray};
use super::super::super::smudge;
use super::super::super::univariate::{Fit, Lattice, n_subsets, robust};
use super::{Answers, F32, F64, METHOD, Setup};
use crate::access::Oracle;
use crate::data::{Batch, Shape, column, row, stack};
use crate::domain::ConvexBody;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::rng::{Rng, RngExt, Seed};
use crate::robust::median;

/// Inputs that are answered with one call to the suspect, and the most numbers that such a call may hold.
const BLOCK: usize = 64;
const MOST_NUMBERS: usize = 1 << 22;
/// Draws of one ray on a lattice before it is said that there is none.
const MOST_DRAWS: usize = 1000;
/// Operations of one step of a weight, a sum and two products of wide numbers, counted by hand.
const WIDE: u64 = 50;

pub(super) struct Local<'a> {
    pub(super) suspect: &'a dyn Oracle,
    pub(super) body: Box<dyn ConvexBody>,
    /// What points are multiples of; `None` to round them.
    pub(super) lattice: Option<Lattice>,
    pub(super) setup: Setup,
    pub(super) precision: Answers,
    /// Half-width of the noise on answers.
    pub(super) smudge: Option<f64>,
    pub(super) seed: Seed,
    pub(super) ledger: &'a Ledger,
}

impl Local<'_> {
    /// One ray: its places, as its points are computed from them, and the points.
    fn ray(&self, star: &[f64], rng: &mut Rng, points: &mut Vec<Vec<f64>>) -> Result<Vec<f64>> {
        let at = |base: &[f64], step: &[f64], t: f64| -> Vec<f64> {
            base.iter().zip(step).map(|(x, s)| x + t * s).collect()
        };
        let nodes = &self.setup.nodes;
        let Some(lattice) = &self.lattice else {
            let (direction, exit) = random_ray(&*self.body, star, rng);
            let places: Vec<f64> = nodes.places(rng.random()).map(|t| exit * t).collect();
            points.extend(places.iter().map(|t| at(star, &direction, *t)));
            return Ok(places);
        };
        for _ in 0..MOST_DRAWS {
            let (direction, exit) = random_ray(&*self.body, star, rng);
            let Some(line) = lattice.line(&*self.body, star, &direction, exit) else { continue };
            let places: Vec<f64> =
                nodes.places(rng.random()).map(|t| (line.exit * t).floor()).collect();
            points.extend(places.iter().map(|k| at(&line.base, &line.step, *k)));
            return Ok(places);
        }
        let why = format!("none of {MOST_DRAWS} rays from an input is long enough for a lattice");
        Err(Error::assumption(METHOD, why))
    }

    fn fit(&self, places: &[f64], values: &[f64]) -> Fit {
        match self.setup.score {
            None => Fit::interpolate(places, values),
            Some(score) => robust(places, values, self.setup.degree, score),
        }
    }

    /// The median of the fits, unless rounding may have made too much of it.
    fn answer(&self, places: &[Vec<f64>], values: &[f64], row: usize) -> Result<f64> {
        let m = self.setup.nodes.len();
        let fits =
            places.iter().zip(values.chunks(m)).map(|(places, values)| self.fit(places, values));
        let (mut estimates, mut moments): (Vec<f64>, Vec<f64>) =
            fits.map(|fit| (fit.at_zero, fit.moment)).unzip();
        let is_single = |value: &&f64| f64::from(**value as f32).to_bits() == value.to_bits();
        let single = match self.precision {
            Answers::Single => true,
            Answers::Double => false,
            Answers::Auto => 2 * values.iter().filter(is_single).count() > values.len(),
        };
        let (unit, bits) = if single { (F32, 24) } else { (F64, 53) };
        // A median of rays, for values of a bad one may have any size.
        let moment = median(&mut moments);
        let points = if self.lattice.is_some() { 0.0 } else { F64 * self.setup.degree as f64 };
        let share = moment * (unit + points);
        if share <= self.setup.limit {
            return Ok(self.setup.repetition.answer(&mut estimates));
        }
        let why = format!(
            "floats cannot carry the answer to input {row}: the suspect answers in {bits} bits, which moves it by up to \
             {:.2e}, and the rounding of query points by about {:.2e}; the limit, rounding, is {}",
            moment * unit,
            moment * points,
            self.setup.limit
        );
        Err(Error::assumption(METHOD, why))
    }

    /// Operations of one ray: its direction and exit (4n, and more on some bodies), its points (2n each; 5n more on a
    /// lattice), the weights of a fit, and for a robust one 2m for each of m^d… divided differences and m (d + 2) residuals.
    fn flops(&self) -> u64 {
        let (n, m) = (self.suspect.shape().inputs as u64, self.setup.nodes.len() as u64);
        let terms = self.setup.degree as u64 + 1;
        let exact = if self.lattice.is_some() { 5 * n + self.body.extra_flops() } else { 0 };
        let search = match self.setup.score {
            None => 0,
            Some(_) => n_subsets(m as usize, self.setup.degree) * m * (2 * terms + 4),
        };
        4 * n + 2 * n * m + self.body.extra_flops() + exact + WIDE * terms * terms + search
    }
}

impl Oracle for Local<'_> {
    fn shape(&self) -> Shape {
        self.suspect.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let n = self.shape().inputs;
        crate::data::check("inputs", xs, n)?;
        let (n_rays, queries) = (self.setup.repetition.size, self.setup.queries());
        let mut answers = Vec::with_capacity(xs.nrows());
        let block = (MOST_NUMBERS / (queries * n)).clamp(1, BLOCK);
        for first in (0..xs.nrows()).step_by(block) {
            let rows = first..(first + block).min(xs.nrows());
            let mut points = Vec::with_capacity(queries * rows.len());
            let mut places = Vec::with_capacity(n_rays * rows.len());
            let mut noises = Vec::with_capacity(rows.len());
            for i in rows.clone() {
                let star = row(xs, i);
                check_inside(METHOD, &*self.body, &star, i)?;
                let mut rng = self.seed.stream_for_row(&star);
                for _ in 0..n_rays {
                    places.push(self.ray(&star, &mut rng, &mut points)?);
                }
                noises.push(self.smudge.map(|width| smudge::Noise::draw(width, &mut rng)));
            }
            // The medians of the estimates and of what rounding makes: two sorts.
            let each = n_rays as u64 * self.flops()
                + 2 * self.setup.repetition.flops()
                + self.smudge.map_or(0, |_| smudge::FLOPS);
            self.ledger.flops(each * rows.len() as u64)?;
            let values = self.suspect.query(&stack(n, points))?;
            let values: Vec<f64> = values.into_iter().collect();
            let rays = places.chunks(n_rays).zip(values.chunks(queries));
            for ((i, noise), (places, values)) in rows.zip(noises).zip(rays) {
                let answer = self.answer(places, values, i)?;
                answers.push(noise.map_or(answer, |noise| noise.added_to(answer)));
            }
        }
        Ok(column(answers))
    }
}
