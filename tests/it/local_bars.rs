//! The bars of local mitigators against adversaries made for their samplers, over every body and under normal inputs.
//!
//! Each test says how often it would fail if the claim were true. An adversary spends its whole wrong mass ε where the sampler
//! looks most, and everywhere else it is off by nearly δ, with the signs that push an estimate to the end of its bar.
use absolve::access::{LabSeeds, Oracle, Suspect};
use absolve::data::Batch;
use absolve::domain::{ConvexBody, Domain};
use absolve::ledger::Budget;
use absolve::mitigate::black_box::{AffineAverage, AffineContract, AffineGauss, AffineRay, Draw};
use absolve::mitigate::{Claim, Mitigator};
use absolve::net::Recipe;
use absolve::population::{AffineFamily, Family};
use absolve::rng::{Rng, Seed, direction};
use absolve::stats::binomial_tail;
use absolve::study::Model;
use statrs::distribution::{ContinuousCDF, Normal};

use crate::support::{Function, seed, task};

/// A black-box method.
type Method<'a> = &'a dyn Mitigator<Access = dyn Oracle>;

/// The closeness of all adversaries here.
const DELTA: f64 = 0.01;
/// What an adversary adds where it is wrong.
const WRONG: f64 = 1e6;
/// Errors off the bad mass, a little less than δ so that rounding does not decide.
const NEARLY: f64 = 0.999 * DELTA;

/// A world to answer in. A lab needs a suspect and a population; neither is asked anything here.
struct Setting {
    model: Model,
    unasked: Suspect,
}

impl Setting {
    fn new(domain: &Domain) -> Self {
        let mut task = task("affine");
        let family = AffineFamily { domain: domain.clone(), ..AffineFamily::default() };
        task.population = Family::Affine(family);
        (task.train, task.recipe.hidden) = (1, vec![1]);
        let model = Model::untrained(&task, 1).unwrap();
        let unasked = Suspect::publish(model.net.clone(), Budget::UNLIMITED);
        Self { model, unasked }
    }

    /// One answer on an oracle that is no net, and what is claimed of it.
    fn answer(
        &self,
        method: Method<'_>,
        oracle: &(dyn Oracle + 'static),
        coins: Seed,
        star: &[f64],
    ) -> (f64, Claim) {
        let recipe = Recipe::default();
        let seeds = LabSeeds { samples: seed(0), method: coins };
        let mut lab = self.unasked.lab(&*self.model.population, &recipe, seeds);
        let repaired = method.mitigate(oracle, &mut lab).unwrap();
        let xs = Batch::from_shape_vec((1, star.len()), star.to_vec()).unwrap();
        (repaired.oracle.query(&xs).unwrap()[[0, 0]], repaired.claim_at(star).unwrap())
    }
}

fn bodies() -> Vec<Domain> {
    let read = |text: &str| {
        let table: toml::Table = toml::from_str(&format!("domain = {text}")).unwrap();
        table["domain"].clone().try_into().unwrap()
    };
    vec![
        Domain::Box { n: 8 },
        Domain::Ball { n: 6 },
        Domain::Simplex { n: 5 },
        read("{ shape = 'ellipsoid', axes = [1, 9, 2, 0.1], centre = [3, 0, 0, 1] }"),
        read(
            "{ shape = 'polytope', a = [[-1, 0, 0], [0, -1, 0], [0, 0, -1], [1, 2, 1]], b = [-3, -4, 0, 30] }",
        ),
    ]
}

/// Where an adversary is wrong, in the gauge of the body around the input that is asked: above `from` and at most `to`. Its
/// error is positive up to `cut` and negative beyond.
#[derive(Clone, Copy)]
struct Shell {
    from: f64,
    to: f64,
    cut: f64,
}

impl Shell {
    /// The body shrunken to mass ε, which holds the near point of a ray or neither; near points lie in the inner half.
    fn for_rays(bad_mass: f64, n: usize) -> Self {
        let radius = |mass: f64| mass.powf(1.0 / n as f64);
        Self { from: -1.0, to: radius(bad_mass), cut: radius(0.5) }
    }

    /// The shell of mass ε inside of the contracted body.
    fn for_contraction(bad_mass: f64, n: usize) -> Self {
        let t = 1.0 - 1.0 / n as f64;
        let from = (t.powi(n as i32) - bad_mass).powf(1.0 / n as f64);
        assert!(from >= t * t, "the shell takes one of a pair at a time");
        Self { from, to: t, cut: from }
    }

    fn adversary(
        self,
        domain: &Domain,
        star: &[f64],
        slope: &[f64],
    ) -> Function<impl Fn(&[f64]) -> f64 + use<>> {
        let (body, centre, slope) = (domain.body().unwrap(), star.to_vec(), slope.to_vec());
        Function {
            n: star.len(),
            at: move |x: &[f64]| {
                let way: Vec<f64> = x.iter().zip(&centre).map(|(x, c)| x - c).collect();
                let still = way.iter().all(|d| d.abs() <= 0.0);
                let gauge = if still { 0.0 } else { body.exit(&centre, &way).recip() };
                let wrong = gauge > self.from && gauge <= self.to;
                let error = if gauge <= self.cut { NEARLY } else { -NEARLY };
                dot(x, &slope) + if wrong { WRONG } else { error }
            },
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Inputs at the ends of a body and inside it, in turn.
fn star(k: u64, body: &dyn ConvexBody, rng: &mut Rng) -> Vec<f64> {
    let inside = body.sample(rng);
    if k.is_multiple_of(2) { body.farthest(&direction(inside.len(), rng)) } else { inside }
}

/// The claim, and how many of `of` answers were farther from the truth than it says.
fn misses(method: Method<'_>, shell: Shell, domain: &Domain, of: u64) -> (u64, Claim) {
    let (setting, body) = (Setting::new(domain), domain.body().unwrap());
    let mut rng = seed(21).stream("adversary");
    let slope = direction(domain.n(), &mut rng);
    let mut last = None;
    let missed = (0..of).filter(|&k| {
        let star = star(k, &*body, &mut rng);
        let adversary = shell.adversary(domain, &star, &slope);
        let (answer, claim) = setting.answer(method, &adversary, seed(k), &star);
        last = Some(claim);
        (answer - dot(&star, &slope)).abs() > claim.error_bar
    });
    (missed.count() as u64, last.unwrap())
}

/// Fails with probability at most 1e-6 if misses have probability at most `claimed`, and as much if at least `attained`.
fn check(name: &str, (missed, claim): (u64, Claim), of: u64, attained: f64) {
    let claimed = claim.failure_probability;
    assert!(attained <= claimed + 1e-12 && claimed < 0.3, "{name}: {attained} {claimed}");
    assert!(
        binomial_tail(of, claimed, missed) > 1e-6,
        "{name}: {missed} of {of}, {claimed:.3} claimed"
    );
    let fewer = 1.0 - binomial_tail(of, attained, missed + 1);
    assert!(fewer > 1e-6, "{name}: {missed} of {of} only, the adversary attains {attained:.3}");
}

fn majority(size: u64, spoilt: f64) -> f64 {
    binomial_tail(size, spoilt, size.div_ceil(2))
}

#[test]
fn contraction_keeps_its_bar_over_every_body_with_the_worst_shell_around_every_input() {
    // Seven pairs, so that misses are frequent enough to count. The shell takes z with probability ε t⁻ⁿ, which pulls an estimate
    // up; with ε it takes y, which pulls it down. So at least the first alone is attained.
    let (bad_mass, of) = (0.07, 500);
    for domain in bodies() {
        let n = domain.n();
        let shell = Shell::for_contraction(bad_mass, n);
        let method = AffineContract {
            bad_mass,
            queries: Some(14),
            delta: Some(DELTA),
            ..AffineContract::default()
        };
        let ratio = shell.to.powi(-(n as i32));
        let found = misses(&method, shell, &domain, of);
        assert!(
            (found.1.failure_probability - majority(7, bad_mass * (1.0 + ratio))).abs() < 1e-12
        );
        let bar = (2.0 * n as f64 - 1.0) * DELTA;
        assert!((found.1.error_bar - bar).abs() < 1e-12, "{domain:?}");
        // Where pairs pulled down cancel pairs pulled up, a majority up is still a miss.
        check(&format!("{domain:?}"), found, of, majority(7, bad_mass * ratio));
    }
}

#[test]
fn rays_keep_their_bar_over_every_body_and_the_failure_probability_is_attained() {
    let (bad_mass, of) = (0.12, 500);
    for domain in bodies() {
        let shell = Shell::for_rays(bad_mass, domain.n());
        let method =
            AffineRay { bad_mass, queries: Some(10), delta: Some(DELTA), ..AffineRay::default() };
        let found = misses(&method, shell, &domain, of);
        // Two in five rays of mass 2ε at the most: the claim is exact for this adversary.
        check(&format!("{domain:?}"), found, of, majority(5, 2.0 * bad_mass));
    }
}

#[test]
fn averages_keep_the_bar_of_one_estimate_over_every_body() {
    let of = 300;
    for domain in bodies() {
        let n = domain.n();
        for draw in [Draw::Ray, Draw::Contract] {
            let bad_mass = if draw == Draw::Ray { 0.04 } else { 0.02 };
            let shell = match draw {
                Draw::Ray => Shell::for_rays(bad_mass, n),
                Draw::Contract => Shell::for_contraction(bad_mass, n),
            };
            let method = AffineAverage {
                draw,
                bad_mass,
                groups: 9,
                queries: Some(2 * 9 * 3),
                delta: Some(DELTA),
                ..AffineAverage::default()
            };
            let found = misses(&method, shell, &domain, of);
            let one = match draw {
                Draw::Ray => 2.0 * bad_mass,
                Draw::Contract => bad_mass * shell.to.powi(-(n as i32)),
            };
            // Any of nine medians of three: one that is WRONG away takes the mean with it.
            let attained = 1.0 - (1.0 - majority(3, one)).powi(9);
            check(&format!("{draw:?} {domain:?}"), found, of, attained);
        }
    }
}

/// +1 or −1 by the bits of a point: independent and fair for distinct points, as far as anything here can see.
fn coin(x: &[f64]) -> f64 {
    let mixed = x.iter().fold(7_u64, |sum, x| {
        let sum = (sum ^ x.to_bits()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (sum ^ (sum >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ (sum >> 32)
    });
    if (mixed ^ (mixed >> 31)).count_ones() % 2 == 0 { 1.0 } else { -1.0 }
}

#[test]
fn under_symmetric_errors_averages_keep_the_narrower_bar_and_are_narrower_than_a_median() {
    // Errors ±δ by a coin of the point, and the worst mass around the input. Claimed: η₁ + η ≤ 0.1. False alarm 1e-6.
    let (domain, bad_mass, of) = (Domain::Box { n: 8 }, 0.01, 200);
    let method = AffineAverage {
        bad_mass,
        groups: 201,
        failure: 0.05,
        delta: Some(DELTA),
        ..AffineAverage::default()
    };
    let setting = Setting::new(&domain);
    let plan = method.plan(setting.model.population.world()).unwrap().unwrap();
    let (bar, narrow) = (plan.error_bar.unwrap(), plan.if_symmetric.unwrap());
    assert!(narrow.error_bar < 0.3 * bar && narrow.failure_probability <= 0.1, "{plan:?}");
    let radius = bad_mass.powf(1.0 / 8.0);
    let body = domain.body().unwrap();
    let mut rng = seed(22).stream("adversary");
    let slope = direction(8, &mut rng);
    let mut errors = Vec::new();
    for k in 0..of {
        let star = star(k, &*body, &mut rng);
        let (inner, centre, h) = (domain.body().unwrap(), star.clone(), slope.clone());
        let at = move |x: &[f64]| {
            let way: Vec<f64> = x.iter().zip(&centre).map(|(x, c)| x - c).collect();
            let wrong = inner.exit(&centre, &way) * radius >= 1.0;
            dot(x, &h) + if wrong { WRONG } else { DELTA * coin(x) }
        };
        let (answer, _) = setting.answer(&method, &Function { n: 8, at }, seed(k), &star);
        let error = (answer - dot(&star, &slope)).abs();
        errors.push(error);
    }
    let missed = errors.iter().filter(|error| **error > narrow.error_bar).count() as u64;
    assert!(binomial_tail(of, narrow.failure_probability, missed) > 1e-6, "{missed} misses");
    // Three in four are inside half of the narrower bar: Hoeffding's inequality is not tight, and a failure is rare.
    errors.sort_by(f64::total_cmp);
    assert!(errors[150] < 0.5 * narrow.error_bar, "{} of {}", errors[150], narrow.error_bar);
}

#[test]
fn normal_inputs_keep_a_bar_that_grows_with_their_length() {
    // The half-space of mass ε across the input holds g + v and v − g with probability Φ(Φ⁻¹(ε) + |v|) each, and never both.
    let (n, bad_mass, shift, of) = (16, 0.03, 0.5, 600);
    let domain = Domain::Gauss { n };
    let setting = Setting::new(&domain);
    let normal = Normal::standard();
    let cut = normal.inverse_cdf(1.0 - bad_mass);
    let method = AffineGauss {
        bad_mass,
        shift,
        queries: Some(21),
        delta: Some(DELTA),
        ..AffineGauss::default()
    };
    for length in [0.25, 4.0, 40.0] {
        let mut rng = seed(23).stream("adversary");
        let slope = direction(n, &mut rng);
        let (mut missed, mut last) = (0, None);
        for k in 0..of {
            let u = direction(n, &mut rng);
            let star: Vec<f64> = u.iter().map(|u| length * u).collect();
            let h = slope.clone();
            let at = move |x: &[f64]| {
                dot(x, &h) + if dot(x, &u) > cut { WRONG } else { NEARLY * coin(x) }
            };
            let (answer, claim) = setting.answer(&method, &Function { n, at }, seed(k), &star);
            missed += u64::from((answer - dot(&star, &slope)).abs() > claim.error_bar);
            last = Some(claim);
        }
        let claim = last.unwrap();
        let moved = shift.min(length);
        let one = normal.cdf(normal.inverse_cdf(bad_mass) + moved);
        assert!((claim.error_bar - DELTA * (length / shift).max(1.0)).abs() < 1e-9);
        assert!((claim.failure_probability - majority(7, 3.0 * one)).abs() < 1e-9);
        check(&format!("length {length}"), (missed, claim), of, majority(7, 2.0 * one));
    }
}

#[test]
fn smudged_answers_on_two_suspects_are_no_farther_apart_in_law_than_claimed() {
    // Two suspects at the two ends of the bar: +δ within the contracted body and −δ beyond, and the other way round. With c = 1
    // a pair has its point beyond with probability 1 − tⁿ = 0.66, so most answers lie at the ends themselves.
    let (domain, of) = (Domain::Box { n: 8 }, 4000_u64);
    let setting = Setting::new(&domain);
    let star = vec![0.25; 8];
    let base = AffineContract {
        bad_mass: 0.02,
        failure: 1e-4,
        delta: Some(DELTA),
        ..AffineContract::default()
    };
    let bar = 15.0 * DELTA;
    let suspect = |sign: f64| {
        let (body, centre) = (domain.body().unwrap(), star.clone());
        let at = move |x: &[f64]| {
            let way: Vec<f64> = x.iter().zip(&centre).map(|(x, c)| x - c).collect();
            let inner = body.exit(&centre, &way) * 0.875 >= 1.0;
            sign * if inner { NEARLY } else { -NEARLY }
        };
        Function { n: 8, at }
    };
    let (above, below) = (suspect(1.0), suspect(-1.0));
    for smudge in [None, Some(2.0 * bar), Some(5.0 * bar)] {
        let method = AffineContract { smudge, ..base };
        let plan = method.plan(setting.model.population.world()).unwrap().unwrap();
        let failure = plan.failure_probability.unwrap();
        if let Some(width) = smudge {
            let want = failure + (1.0 - failure) * bar / width;
            // The grid of the noise adds about a millionth of its width to either.
            assert!((plan.total_variation.unwrap() - want).abs() < 2e-6);
            assert!((plan.error_bar.unwrap() - bar - width).abs() < 1e-6 * width);
        }
        let answers = |oracle: &(dyn Oracle + 'static), from: u64| -> Vec<f64> {
            (from..from + of).map(|k| setting.answer(&method, oracle, seed(k), &star).0).collect()
        };
        let (up, down) = (answers(&above, 0), answers(&below, of));
        let got = advantage(&up, &down, bar + smudge.unwrap_or(0.0));
        // Two proportions of 2,000: Hoeffding, one-sided, 5e-7 each.
        let slack = 2.0 * ((2e6_f64).ln() / of as f64).sqrt();
        let bound = plan.total_variation.unwrap_or(1.0);
        assert!(got <= bound + slack, "{smudge:?}: {got} over {bound}");
        // The pair is the worst there is, so a distinguisher that sees nothing would be broken.
        assert!(got >= 0.8 * bound - slack, "{smudge:?}: {got} far below {bound}");
    }
}

/// The advantage of the likelier of two suspects by a histogram: learnt on the first halves, measured on the others.
fn advantage(up: &[f64], down: &[f64], reach: f64) -> f64 {
    const BINS: usize = 40;
    let bin = |y: &f64| {
        ((f64::midpoint(y / reach, 1.0) * BINS as f64).clamp(0.0, BINS as f64 - 1.0)) as usize
    };
    let half = up.len() / 2;
    let mut score = [0_i64; BINS];
    up[..half].iter().for_each(|y| score[bin(y)] += 1);
    down[..half].iter().for_each(|y| score[bin(y)] -= 1);
    let share =
        |of: &[f64]| of[half..].iter().filter(|y| score[bin(y)] > 0).count() as f64 / half as f64;
    share(up) - share(down)
}
