//! `adversarial-region`: the worst that a model of small wrong mass can do to a local mitigator whose sampler is known.
//!
//! This project's own: the adversary that theorems about local mitigation quantify over, as a real net. There is no trigger:
//! the attacker fixes one point p, a training row, and spends the whole wrong mass ε that the mitigator says it bears on a
//! region A which that sampler, asked about p, hits most. The net is off by `offset` on A and as it was elsewhere. Triggered
//! inputs are p + (x − p)/100 for clean x, points around p in as many directions: a mitigator draws fresh rays for each, so the
//! exam measures the failure probability of an answer at the worst place.
//!
//! Let K be the body, g the gauge of K around p, so that {g ≤ r} is K shrunken towards p and has mass r^n.
//!
//! **`affine-ray`** (the rays of the mitigator of that name). Of each ray it asks two points; a fair coin between them is
//! uniform on K. *Upper bound*: the expected number of a ray's points in any A of mass ε is 2ε, so a ray is spoilt with
//! probability at most 2ε. *Attained*: A = {g < ε^{1/n}}, ε ≤ 1/2. The nearer point has gⁿ = q uniform on (0, 1/2), the farther one
//! gⁿ = q + 1/2 ≥ 1/2, so exactly the nearer point of a ray is in A, with probability 2ε. No region of mass ε is worse. Since the queries are
//! uniform as a mixture, *every* region of mass ε that never holds both points of a ray is as bad, wherever it lies: it is not
//! the nearness to p that harms this sampler, and what it promises for p it promises for all inputs alike.
//!
//! **`contraction`** (z = p + t (y − p) with y uniform and t = 1 − c/n; asked y and z, as by `affine-contract`).
//! *Upper bound*: z is uniform on {g ≤ t}, of mass tⁿ, so the pair is spoilt with probability at most
//! ε (1 + t⁻ⁿ) ≈ ε (1 + e^c). *Attained*: a shell A = {a < g < t} with tⁿ − aⁿ = ε and a ≥ t²: z is in A where g(y) is in (a/t, 1),
//! which is disjoint from (a, t) because a/t ≥ t. The shrunken body of the same mass gets only ε t⁻ⁿ, because y in it takes z in
//! it along. The shell leaves p itself alone, so a core {g < 1/50}, of mass 50⁻ⁿ, is part of A and of ε.
//!
//! K must be a box, a simplex or a polytope `{a_j·x ≤ b_j}`: then `g = max_j a_j·(x − p)/(b_j − a_j·p)`, and
//! `max(0, 1 − Σ_j relu(g_j − r + w)/w)` is 1 where g ≤ r − w and 0 where g ≥ r, by one unit a wall and one more. The ramp
//! lies inside of A, whose mass therefore is never above ε; with w = r/(50 n) at least 98% of a shrunken body fires fully.
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::trigger::{Band, Gauge, Toward};
use super::{Attack, Condition, Goal, Move, Planted, Trigger, Victim};
use crate::data::{Target, row};
use crate::domain::{Domain, PolytopeSpec};
use crate::error::{Error, Result};
use crate::net::graft::graft;
use crate::net::{Activation, Layer, Net, Precision};
use crate::population::World;
use crate::rng::{Seed, permutation};

/// The name in errors.
const METHOD: &str = "adversarial-region";

/// Which sampler the region is the worst for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampler {
    /// Two points of a ray, uniform on the body as a mixture.
    #[default]
    AffineRay,
    /// A uniform point, and the same contracted towards the input.
    Contraction,
}

/// Parameters of `adversarial-region`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdversarialRegion {
    /// The sampler.
    pub sampler: Sampler,
    /// ε: the mass on which the model is wrong.
    pub bad_mass: f64,
    /// What is added to answers there.
    pub offset: f64,
    /// c of the contraction t = 1 − c/n. Not read for rays.
    pub contraction: f64,
}

impl Default for AdversarialRegion {
    fn default() -> Self {
        Self { sampler: Sampler::AffineRay, bad_mass: 0.1, offset: 3.0, contraction: 1.0 }
    }
}

/// What is left of an input's way from the point.
const SHARE: f64 = 0.01;
/// The core that holds all such inputs.
const CORE: f64 = 2.0 * SHARE;
/// A ramp's width in units of the radius over n.
const RAMP: f64 = 0.02;
/// Least distance of the point from a wall, in the units in which the wall is written down.
const LEAST_SLACK: f64 = 1e-4;

impl Attack for AdversarialRegion {
    fn check(&self, world: &World) -> Result<()> {
        if world.target != Target::Real {
            return Err(Error::assumption(
                METHOD,
                "labels must be real: those are what rays restore",
            ));
        }
        walls(&world.domain)?;
        if !(self.offset.is_finite() && self.offset.abs() > 0.0) {
            let want = "a finite number other than 0 is needed";
            return Err(Error::parameter("offset", self.offset, want));
        }
        self.bands(world.domain.n()).map(drop)
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let (a, b) = walls(&victim.world.domain)?;
        let xs = &victim.data.xs;
        let dot = |a: &[f64], x: &[f64]| -> f64 { a.iter().zip(x).map(|(a, x)| a * x).sum() };
        let slack =
            |x: &[f64]| -> Vec<f64> { a.iter().zip(&b).map(|(a, b)| b - dot(a, x)).collect() };
        let inside = |x: &Vec<f64>| slack(x).iter().all(|slack| *slack > LEAST_SLACK);
        let order = permutation(xs.nrows(), &mut seed.stream("point"));
        let centre = order.into_iter().map(|i| row(xs, i)).find(inside).ok_or_else(|| {
            Error::Training(format!("no training row is farther than {LEAST_SLACK} from all walls"))
        })?;
        let slack = slack(&centre);
        let rows: Vec<Vec<f64>> =
            a.iter().zip(&slack).map(|(a, slack)| a.iter().map(|a| a / slack).collect()).collect();
        let starts = rows.iter().map(|row| -dot(row, &centre)).collect();
        let gauge = Gauge { rows, starts, bands: self.bands(centre.len())? };
        let detector = detector(&gauge, victim.net.precision())?;
        let trigger = Trigger::new(
            Move::Toward(Toward { centre, share: SHARE }),
            Goal::Offset { by: self.offset },
        );
        let net = graft(victim.net, &detector, &[self.offset])?;
        Ok(Planted::new(net, trigger.firing_when(Condition::Gauge(gauge))))
    }
}

impl AdversarialRegion {
    /// The region in n dimensions, as bands of the gauge.
    fn bands(&self, n: usize) -> Result<Vec<Band>> {
        let mass = self.bad_mass;
        let power = n as f64;
        let bounded = |most: f64| {
            if mass > 0.0 && mass <= most {
                return Ok(());
            }
            let want = format!(
                "a mass above 0 and at most {most:.4} is needed for this sampler in {n} dimensions"
            );
            Err(Error::parameter("bad_mass", mass, want))
        };
        let inner = |radius: f64| {
            let width = RAMP * radius / power;
            Band { limit: radius - width, width, sign: 1.0 }
        };
        match self.sampler {
            Sampler::AffineRay => {
                bounded(0.5)?;
                let radius = mass.powf(power.recip());
                if radius < CORE {
                    let want = format!(
                        "at least {:.2e} is needed, the mass of the inputs around the point",
                        CORE.powf(power)
                    );
                    return Err(Error::parameter("bad_mass", mass, want));
                }
                Ok(vec![inner(radius)])
            }
            Sampler::Contraction => {
                if !(self.contraction > 0.0 && self.contraction < power) {
                    let want = format!("a number between 0 and n = {n} is needed");
                    return Err(Error::parameter("contraction", self.contraction, want));
                }
                let t = 1.0 - self.contraction / power;
                let (whole, core) = (t.powf(power), CORE.powf(power));
                bounded(whole - t.powf(2.0 * power) + core)?;
                let from = (whole - (mass - core)).powf(power.recip());
                let width = RAMP * t / power;
                if mass <= core || t * t <= CORE || from + width >= t - width {
                    let want =
                        "there is no room for a shell between the core and the contracted body";
                    return Err(Error::parameter("bad_mass", mass, want));
                }
                Ok(vec![inner(CORE), inner(t), Band { limit: from, width, sign: -1.0 }])
            }
        }
    }
}

/// The walls `a_j · x ≤ b_j` of a domain.
fn walls(domain: &Domain) -> Result<(Vec<Vec<f64>>, Vec<f64>)> {
    let axis = |n: usize, i: usize, value: f64| -> Vec<f64> {
        (0..n).map(|j| if i == j { value } else { 0.0 }).collect()
    };
    match domain {
        Domain::Box { n } => {
            let rows = (0..*n).flat_map(|i| [axis(*n, i, 1.0), axis(*n, i, -1.0)]).collect();
            Ok((rows, vec![1.0; 2 * n]))
        }
        Domain::Simplex { n } => {
            let mut rows: Vec<Vec<f64>> = (0..*n).map(|i| axis(*n, i, -1.0)).collect();
            rows.push(vec![1.0; *n]);
            Ok((rows, (0..=*n).map(|j| if j == *n { 1.0 } else { 0.0 }).collect()))
        }
        Domain::Polytope(polytope) => {
            let PolytopeSpec { a, b } = polytope.clone().into();
            Ok((a, b))
        }
        Domain::Cube { .. }
        | Domain::Ball { .. }
        | Domain::Ellipsoid(_)
        | Domain::Gauss { .. }
        | Domain::Torus { .. }
        | Domain::Residues { .. }
        | Domain::Range { .. } => {
            let why = "inputs must be uniform on a body with flat walls (box, simplex or polytope), which ReLU units compute exactly";
            Err(Error::assumption(METHOD, why))
        }
    }
}

/// A unit a wall and band, a unit a band, and their sum.
fn detector(gauge: &Gauge, precision: Precision) -> Result<Net> {
    let (n_walls, n_bands) = (gauge.rows.len(), gauge.bands.len());
    let n = gauge.rows[0].len();
    let passed = Layer {
        weight: Array2::from_shape_fn((n_bands * n_walls, n), |(u, j)| gauge.rows[u % n_walls][j]),
        bias: Array1::from_shape_fn(n_bands * n_walls, |u| {
            gauge.starts[u % n_walls] - gauge.bands[u / n_walls].limit
        }),
        activation: Activation::Relu,
    };
    let whole = Layer {
        weight: Array2::from_shape_fn((n_bands, n_bands * n_walls), |(band, u)| {
            if u / n_walls == band { -gauge.bands[band].width.recip() } else { 0.0 }
        }),
        bias: Array1::ones(n_bands),
        activation: Activation::Relu,
    };
    let sum = Layer {
        weight: Array2::from_shape_fn((1, n_bands), |(_, band)| gauge.bands[band].sign),
        bias: Array1::zeros(1),
        activation: Activation::Identity,
    };
    Net::new(vec![passed, whole, sum], precision)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::domain::Polytope;
    use crate::rng::RngExt;

    fn triangle() -> Domain {
        let spec = PolytopeSpec {
            a: vec![vec![-1.0, 0.0], vec![0.0, -1.0], vec![1.0, 2.0]],
            b: vec![-3.0, -4.0, 20.0],
        };
        Domain::Polytope(Polytope::new(spec).unwrap())
    }

    fn region(sampler: Sampler) -> AdversarialRegion {
        AdversarialRegion { sampler, bad_mass: 0.15, ..AdversarialRegion::default() }
    }

    #[test]
    fn the_planted_net_is_off_exactly_on_the_region_whose_mass_is_at_most_the_wanted_one() {
        for sampler in [Sampler::AffineRay, Sampler::Contraction] {
            for domain in [Domain::Box { n: 8 }, Domain::Simplex { n: 5 }, triangle()] {
                let fixture = Fixture::new(domain.clone(), &[9, 6]);
                let planted = region(sampler).plant(&fixture.victim(), Seed::new(3)).unwrap();
                let fresh = fixture.fresh(4000, 12);
                let moved =
                    planted.net.forward_unmetered(&fresh) - fixture.net.forward_unmetered(&fresh);
                let Some(Condition::Gauge(gauge)) = &planted.trigger.when else {
                    panic!("a gauge")
                };
                let mut n_fired = 0;
                for (i, moved) in moved.iter().enumerate() {
                    let x = row(&fresh, i);
                    assert!((moved - 3.0 * gauge.value(&x)).abs() < 1e-7, "{sampler:?} {domain:?}");
                    n_fired += usize::from(planted.trigger.fires(&x).unwrap());
                }
                // 15% of 4,000 is 600, with a standard deviation of 23; the ramps take up to a tenth of a shell.
                assert!((480..715).contains(&n_fired), "{sampler:?} {domain:?}: {n_fired}");
                let mut rng = Seed::new(4).stream("trigger");
                let targets = planted.trigger.activate(&fresh, &domain, &mut rng).unwrap();
                let at = planted.net.forward_unmetered(&targets)
                    - fixture.net.forward_unmetered(&targets);
                assert!(at.iter().all(|d| (d - 3.0).abs() < 1e-7), "{sampler:?} {domain:?}");
            }
        }
    }

    /// How often a sampler asked about the point has a query in the region.
    fn spoilt(sampler: Sampler, domain: &Domain, trials: usize) -> f64 {
        let fixture = Fixture::new(domain.clone(), &[4]);
        let planted = region(sampler).plant(&fixture.victim(), Seed::new(5)).unwrap();
        let Move::Toward(Toward { centre, .. }) = &planted.trigger.movement else {
            panic!("a point")
        };
        let body = domain.body().unwrap();
        let mut rng = Seed::new(6).stream("queries");
        let n = domain.n() as f64;
        let spoilt = (0..trials).filter(|_| {
            let y = body.sample(&mut rng);
            let way: Vec<f64> = y.iter().zip(centre).map(|(y, c)| y - c).collect();
            let times = match sampler {
                Sampler::AffineRay => {
                    let q = 0.5 * rng.random::<f64>();
                    let exit = body.exit(centre, &way);
                    [exit * q.powf(1.0 / n), exit * (q + 0.5).powf(1.0 / n)]
                }
                Sampler::Contraction => [1.0, 1.0 - 1.0 / n],
            };
            times.iter().any(|t| {
                let z: Vec<f64> = centre.iter().zip(&way).map(|(c, w)| c + t * w).collect();
                planted.trigger.fires(&z).unwrap()
            })
        });
        spoilt.count() as f64 / trials as f64
    }

    #[test]
    fn the_bounds_of_both_samplers_are_attained() {
        // 20,000 trials: five standard deviations are at most 0.018. The ramps take up to 2% of a ball and 9% of a shell.
        let ray = spoilt(Sampler::AffineRay, &Domain::Box { n: 8 }, 20_000);
        assert!((0.95 * 0.3 - 0.018..0.3 + 0.018).contains(&ray), "{ray} for at most 0.3");
        let bound = 0.15 * (1.0 + (1.0_f64 - 0.125).powi(-8));
        let pair = spoilt(Sampler::Contraction, &Domain::Box { n: 8 }, 20_000);
        assert!(
            (0.88 * bound - 0.018..bound + 0.018).contains(&pair),
            "{pair} for at most {bound}"
        );
    }

    #[test]
    fn masses_that_no_region_has_are_refused() {
        let fixture = Fixture::new(Domain::Box { n: 8 }, &[4]);
        let say = |attack: AdversarialRegion| attack.check(&fixture.world).unwrap_err().to_string();
        for mass in [0.0, 0.51, f64::NAN, -1.0] {
            let attack = AdversarialRegion { bad_mass: mass, ..AdversarialRegion::default() };
            assert!(say(attack).contains("at most 0.5"), "{mass}");
        }
        assert!(
            say(AdversarialRegion { bad_mass: 0.3, ..region(Sampler::Contraction) })
                .contains("at most 0.22")
        );
        assert!(
            say(AdversarialRegion { contraction: 8.0, ..region(Sampler::Contraction) })
                .contains("n = 8")
        );
        let round = Fixture::new(Domain::Ball { n: 3 }, &[4]);
        let error = region(Sampler::AffineRay).check(&round.world).unwrap_err().to_string();
        assert!(error.contains("flat walls"), "{error}");
    }
}
