//! What rounding does at n = 50, degree 8, and what is refused for it.
use std::sync::Mutex;

use super::super::super::univariate::double::Double;
use super::*;
use crate::data::{Batch, Shape, Target, column, row, stack};
use crate::domain::Domain;
use crate::ledger::{Budget, Ledger};
use crate::rng::{RngExt, Seed};

fn world(domain: Domain, degree: u32, delta: f64) -> World {
    let promise = Promise::Polynomial { degree, delta };
    World { domain, target: Target::Real, promise, cutoff: 0.1 }
}

/// A sum of powers of linear forms, of degree 8 in 50 variables, of size about 1 on the box.
struct Powers {
    forms: Vec<Vec<f64>>,
    evaluate: fn(&Self, &[f64]) -> f64,
    /// The largest absolute value that was answered.
    largest: Mutex<f64>,
}

impl Powers {
    fn new(evaluate: fn(&Self, &[f64]) -> f64) -> Self {
        let mut rng = Seed::new(8).stream("forms");
        let form = |_| (0..50).map(|_| rng.random_range(-0.25..=0.25)).collect();
        Self { forms: (0..4).map(form).collect(), evaluate, largest: Mutex::new(0.0) }
    }

    /// Σ (1/2 + w · x)^8 / 4 in plain `f64`.
    fn plain(&self, x: &[f64]) -> f64 {
        let form = |w: &Vec<f64>| w.iter().zip(x).fold(0.5, |sum, (w, x)| sum + w * x);
        self.forms.iter().map(|w| 0.25 * form(w).powi(8)).sum()
    }

    /// The same to the last bit of its `f64`, or nearly.
    fn exact(&self, x: &[f64]) -> f64 {
        let mut sum = Double::ZERO;
        for w in &self.forms {
            let form = w
                .iter()
                .zip(x)
                .fold(Double::from(0.5), |sum, (w, x)| sum + Double::from(*w) * Double::from(*x));
            sum = sum + (0..8).fold(Double::from(0.25), |power, _| power * form);
        }
        sum.round()
    }

    fn single(&self, x: &[f64]) -> f64 {
        f64::from(self.exact(x) as f32)
    }
}

impl Oracle for Powers {
    fn shape(&self) -> Shape {
        Shape { inputs: 50, outputs: 1 }
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let values: Vec<f64> =
            (0..xs.nrows()).map(|i| (self.evaluate)(self, &row(xs, i))).collect();
        let mut largest = self.largest.lock().unwrap();
        *largest = values.iter().fold(*largest, |most, value| most.max(value.abs()));
        Ok(column(values))
    }
}

/// The largest error of the answers at 20 inputs, and the largest absolute value of what the suspect said.
fn errors(ray: PolynomialRay, evaluate: fn(&Powers, &[f64]) -> f64) -> Result<(f64, f64)> {
    let suspect = Powers::new(evaluate);
    let world = world(Domain::Box { n: 50 }, 8, 1e-15);
    let body = body_of(METHOD, &world)?;
    let lattice = match ray.points {
        Points::Lattice => Some(Lattice::of(METHOD, &*body, 50)?),
        Points::Rounded => None,
    };
    let ledger = Ledger::new(Budget::UNLIMITED);
    let mut rng = Seed::new(9).stream("inputs");
    let xs = stack(50, (0..20).map(|_| body.sample(&mut rng)));
    let (setup, precision, seed) = (ray.setup(&world)?, ray.precision, Seed::new(10));
    let local = Local {
        suspect: &suspect,
        body,
        lattice,
        setup,
        precision,
        smudge: None,
        seed,
        ledger: &ledger,
    };
    let answers = local.query(&xs)?;
    let errors = (0..20).map(|i| (answers[[i, 0]] - suspect.exact(&row(&xs, i))).abs());
    let largest = *suspect.largest.lock().unwrap();
    Ok((errors.fold(0.0, f64::max), largest))
}

#[test]
fn degree_eight_in_fifty_dimensions_is_carried_and_the_shares_of_the_error_are_what_is_said() {
    // No bad mass, so one ray of 9 queries: a claim that cannot fail.
    let of = |points| PolynomialRay {
        bad_mass: 0.0,
        points,
        rounding: Some(10.0),
        ..PolynomialRay::default()
    };
    let setup = of(Points::Rounded).setup(&world(Domain::Box { n: 50 }, 8, 1e-15)).unwrap();
    assert_eq!((setup.queries(), setup.nodes.len()), (9, 9));
    // The suspect's share alone: answers that are exact but for their last bit, on points that are exact.
    let (lattice, largest) = errors(of(Points::Lattice), Powers::exact).unwrap();
    let share = 1.001 * setup.amplification * F64 * largest;
    assert!(lattice <= share, "{lattice:e} over {share:e}");
    // Rounded points add more than that, within the estimate of d 2^−53 a value.
    let (rounded, largest) = errors(of(Points::Rounded), Powers::exact).unwrap();
    assert!(
        rounded > lattice && rounded <= 9.0 * setup.amplification * F64 * largest,
        "{rounded:e}"
    );
    // A suspect that computes in plain f64 is off by several last bits, and nothing here can take that back.
    let (plain, _) = errors(of(Points::Lattice), Powers::plain).unwrap();
    assert!(plain > 3.0 * lattice, "{plain:e}");
}

#[test]
fn a_thousandth_of_bad_mass_leaves_degree_eight_in_fifty_dimensions_within_a_thousandth() {
    // The limit is the cutoff of 0.1, the answers reach beyond 1, and all of 20 are right to 1e-3. The claim is at most 1e-3 a
    // failure, and there is no bad mass here at all.
    let ray =
        PolynomialRay { bad_mass: 0.001, points: Points::Lattice, ..PolynomialRay::default() };
    let (error, largest) = errors(ray, Powers::exact).unwrap();
    assert!(error < 1e-3 && largest > 1.0, "{error:e} of {largest}");
}

#[test]
fn precision_that_cannot_carry_a_degree_is_refused_with_the_reason() {
    let world = world(Domain::Box { n: 50 }, 8, 0.01);
    let few = PolynomialRay { strata: Some(9), bad_mass: 0.01, ..PolynomialRay::default() };
    let said = few.check(&world).unwrap_err().to_string();
    // Λ 2^−53 = 6.95e16 · 1.11e-16.
    for part in
        ["floats cannot carry degree 8", "6.95e16 times", "7.71e0", "rounding, is 0.1", "lattice"]
    {
        assert!(said.contains(part), "{said}; wanted: {part}");
    }
    // Rounded points are refused where exact ones are carried.
    let points = |points| PolynomialRay {
        strata: Some(25),
        bad_mass: 0.01,
        points,
        ..PolynomialRay::default()
    };
    assert!(points(Points::Rounded).check(&world).unwrap_err().to_string().contains("floats"));
    points(Points::Lattice).check(&world).unwrap();
    // f32, said beforehand or seen in the answers.
    let single = PolynomialRay {
        bad_mass: 0.001,
        points: Points::Lattice,
        precision: Answers::Single,
        ..few
    };
    assert!(PolynomialRay { strata: None, ..single }.check(&world).is_err());
    let unsaid = PolynomialRay { strata: None, precision: Answers::Auto, ..single };
    let said = errors(unsaid, Powers::single).unwrap_err().to_string();
    assert!(said.contains("answers in 24 bits"), "{said}");
    let insisted = PolynomialRay { precision: Answers::Double, ..unsaid };
    assert!(errors(insisted, Powers::single).is_ok());
}

#[test]
fn parameters_are_refused_by_name() {
    let world = world(Domain::Box { n: 6 }, 2, 0.01);
    let good = PolynomialRay::default();
    let robust = PolynomialRay { fit: RayFit::Consensus, ..good };
    for (bad, want) in [
        (PolynomialRay { degree: Some(0), ..good }, "degree = 0, but"),
        (PolynomialRay { degree: Some(17), ..good }, "degree = 17, but"),
        (PolynomialRay { degree: Some(1), ..good }, "those of degree 2 are promised"),
        (PolynomialRay { bad_mass: f64::NAN, ..good }, "bad_mass = NaN"),
        (
            PolynomialRay { bad_mass: 0.17, ..good },
            "bad_mass = 0.17, but with the method's other parameters an estimate",
        ),
        (PolynomialRay { failure: 0.0, ..good }, "failure = 0, but"),
        (PolynomialRay { queries: Some(2), ..good }, "queries = 2, but"),
        (PolynomialRay { delta: Some(-1.0), ..good }, "delta = -1, but"),
        (PolynomialRay { strata: Some(2), ..good }, "strata = 2, but degree 2 needs from 3"),
        (PolynomialRay { strata: Some(5000), ..good }, "strata = 5000"),
        (PolynomialRay { strata: Some(3), ..robust }, "strata = 3, but degree 2 needs from 4"),
        (PolynomialRay { strata: Some(100), ..robust }, "161700 polynomials"),
        (PolynomialRay { outliers: Some(1), ..good }, "outliers = 1, but"),
        (PolynomialRay { outliers: Some(4), ..robust }, "at most 3 are borne"),
        (PolynomialRay { rounding: Some(0.0), ..good }, "rounding = 0, but"),
        (PolynomialRay { smudge: Some(0.0), ..good }, "smudge = 0, but"),
    ] {
        let said = bad.check(&world).unwrap_err().to_string();
        assert!(said.contains(want), "{said}; wanted: {want}");
    }
    let cube = World { domain: Domain::Cube { n: 4 }, ..world.clone() };
    assert!(good.check(&cube).unwrap_err().to_string().contains("convex body"));
    let unsaid = World { promise: Promise::Nothing, ..world };
    assert!(good.check(&unsaid).unwrap_err().to_string().contains("degree = not given"));
    PolynomialRay { degree: Some(3), ..good }.check(&unsaid).unwrap();
}
