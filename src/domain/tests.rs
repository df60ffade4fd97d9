//! Samplers against closed forms, exits and farthest points against the definitions.
use ndarray::Array2;
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::linear::{cholesky, inverse, times};
use super::*;
use crate::rng::direction;

const N: usize = 5;
const DRAWS: usize = 20_000;

/// Undoes the map that made a body of the cube (0, 1)^n or of the ball: a point's cell among cells of equal volume.
type Cell = Box<dyn Fn(&[f64]) -> usize>;

/// A body whose mean and covariance have closed forms.
struct Case {
    name: &'static str,
    body: Box<dyn ConvexBody>,
    mean: Vec<f64>,
    covariance: Array2<f64>,
    cell: Cell,
    n_cells: usize,
}

/// The cell of a point of (0, 1)^n in a grid of three a side, over at most five sides.
fn of_grid(u: &[f64]) -> usize {
    u.iter().take(5).fold(0, |cell, u| 3 * cell + ((3.0 * u) as usize).min(2))
}

/// The cell of a point of the unit ball: its orthant and one of eight shells of equal volume.
fn of_ball(u: &[f64]) -> usize {
    let radius = u.iter().map(|u| u * u).sum::<f64>().sqrt();
    let shell = ((8.0 * radius.powi(u.len() as i32)) as usize).min(7);
    u.iter().fold(shell, |cell, u| 2 * cell + usize::from(*u > 0.0))
}

/// The cell of a point of the corner simplex: given those before it, each coordinate has a share of what is left whose
/// distribution is a beta law with a power for its distribution function.
fn of_simplex(x: &[f64]) -> usize {
    let mut left = 1.0;
    let uniform = x.iter().enumerate().map(|(i, x)| {
        let share = (x / left).clamp(0.0, 1.0);
        left -= x;
        1.0 - (1.0 - share).powi((N - i) as i32)
    });
    of_grid(&uniform.collect::<Vec<_>>())
}

/// An affine image of the box [−1, 1]^n as a polytope.
fn parallelepiped(name: &'static str, map: &Array2<f64>, centre: Vec<f64>) -> Case {
    let n = centre.len();
    let back = inverse(map).unwrap();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for row in back.rows() {
        let height: f64 = row.iter().zip(&centre).map(|(r, c)| r * c).sum();
        a.push(row.to_vec());
        b.push(1.0 + height);
        a.push(row.iter().map(|x| -x).collect());
        b.push(1.0 - height);
    }
    let body = Box::new(Polytope::new(PolytopeSpec { a, b }).unwrap());
    let middle = centre.clone();
    let cell = move |x: &[f64]| {
        let from: Vec<f64> = x.iter().zip(&middle).map(|(x, c)| x - c).collect();
        of_grid(&times(&back, &from).iter().map(|u| f64::midpoint(*u, 1.0)).collect::<Vec<_>>())
    };
    let covariance = map.dot(&map.t()) / 3.0;
    let n_cells = 3_usize.pow(n.min(5) as u32);
    Case { name, body, mean: centre, covariance, cell: Box::new(cell), n_cells }
}

/// A rotation, from Gram and Schmidt.
fn rotation(n: usize) -> Array2<f64> {
    let mut rng = Seed::new(6).stream("rotation");
    let mut rows: Vec<Vec<f64>> = Vec::new();
    while rows.len() < n {
        let mut row = direction(n, &mut rng);
        for other in &rows {
            let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
            row.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        rows.push(row.into_iter().map(|x| x / norm).collect());
    }
    Array2::from_shape_fn((n, n), |(i, j)| rows[i][j])
}

/// Sides from 1 to 10,000 along skewed directions.
fn thin(n: usize) -> Array2<f64> {
    let mut map = rotation(n);
    for (j, mut column) in map.columns_mut().into_iter().enumerate() {
        column *= 10_f64.powf(4.0 * j as f64 / (n - 1) as f64);
    }
    let skew = Array2::from_shape_fn((n, n), |(i, j)| if i == j { 1.0 } else { 0.3 });
    map.dot(&skew)
}

/// The corner simplex as a polytope.
fn simplex_walls(n: usize) -> Polytope {
    let unit = |i: usize| (0..n).map(|j| if i == j { -1.0 } else { 0.0 }).collect();
    let mut a: Vec<Vec<f64>> = (0..n).map(unit).collect();
    a.push(vec![1.0; n]);
    let mut b = vec![0.0; n];
    b.push(1.0);
    Polytope::new(PolytopeSpec { a, b }).unwrap()
}

/// The covariance of Dirichlet's law with n + 1 parts of weight 1.
fn simplex_covariance(n: usize) -> Array2<f64> {
    let parts = n as f64 + 1.0;
    Array2::from_shape_fn((n, n), |(i, j)| {
        (if i == j { parts - 1.0 } else { -1.0 }) / (parts * parts * (parts + 1.0))
    })
}

fn cases() -> Vec<Case> {
    let n = N as f64;
    let eye = Array2::eye(N);
    let body = |domain: Domain| domain.body().unwrap();
    let (zero, centre) = (vec![0.0; N], vec![3.0, -1.0, 0.5, 20.0, 0.0]);
    let simplex = |name, body| Case {
        name,
        body,
        mean: vec![(n + 1.0).recip(); N],
        covariance: simplex_covariance(N),
        cell: Box::new(of_simplex),
        n_cells: 243,
    };
    let map = thin(N);
    let back = inverse(&map).unwrap();
    let spec = EllipsoidSpec {
        map: Some(map.rows().into_iter().map(|row| row.to_vec()).collect()),
        centre: Some(centre.clone()),
        axes: None,
    };
    let middle = centre.clone();
    let of_ellipsoid = move |x: &[f64]| {
        let from: Vec<f64> = x.iter().zip(&middle).map(|(x, c)| x - c).collect();
        of_ball(&times(&back, &from))
    };
    vec![
        Case {
            name: "box",
            body: body(Domain::Box { n: N }),
            mean: zero.clone(),
            covariance: &eye / 3.0,
            cell: Box::new(|x| {
                of_grid(&x.iter().map(|x| f64::midpoint(*x, 1.0)).collect::<Vec<_>>())
            }),
            n_cells: 243,
        },
        Case {
            name: "ball",
            body: body(Domain::Ball { n: N }),
            mean: zero.clone(),
            covariance: &eye / (n + 2.0),
            cell: Box::new(of_ball),
            n_cells: 256,
        },
        simplex("simplex", body(Domain::Simplex { n: N })),
        Case {
            name: "ellipsoid",
            body: Box::new(Ellipsoid::new(spec).unwrap()),
            mean: centre.clone(),
            covariance: map.dot(&map.t()) / (n + 2.0),
            cell: Box::new(of_ellipsoid),
            n_cells: 256,
        },
        simplex("simplex as a polytope", Box::new(simplex_walls(N))),
        parallelepiped("rotated box", &rotation(N), zero),
        parallelepiped("long thin parallelepiped", &thin(N), centre),
    ]
}

/// Checks mean and covariance in coordinates in which they should be 0 and the identity, so that the thinnest direction of a
/// body counts as much as the longest.
fn check_moments(case: &Case, draws: usize) {
    let n = case.mean.len();
    let white = inverse(&cholesky(&case.covariance).unwrap()).unwrap();
    let mut rng = Seed::new(1).stream(case.name);
    let draws: Vec<Vec<f64>> = (0..draws)
        .map(|_| {
            let x = case.body.sample(&mut rng);
            assert!(case.body.excess(&x) <= 1e-9, "{} leaves the body", case.name);
            times(&white, &x.iter().zip(&case.mean).map(|(x, m)| x - m).collect::<Vec<_>>())
        })
        .collect();
    let mean =
        |of: &dyn Fn(&Vec<f64>) -> f64| draws.iter().map(of).sum::<f64>() / draws.len() as f64;
    // Six standard errors. Fourth moments of a linear form over a convex body are at most 9 times the squared variance (that
    // of an exponential), so a product of two has a variance of at most 9. False alarm below 1e-8 each.
    let error = 6.0 / (draws.len() as f64).sqrt();
    for i in 0..n {
        assert!(mean(&|x| x[i]).abs() < error, "{}: mean {i}: {}", case.name, mean(&|x| x[i]));
        for j in 0..=i {
            let want = if i == j { 1.0 } else { 0.0 };
            let got = mean(&|x| x[i] * x[j]);
            assert!((got - want).abs() < 3.0 * error, "{}: covariance {i}, {j}: {got}", case.name);
        }
    }
}

#[test]
fn samples_lie_inside_and_have_the_closed_form_means_and_covariances() {
    cases().iter().for_each(|case| check_moments(case, DRAWS));
}

#[test]
fn hit_and_run_keeps_its_budget_in_twenty_dimensions() {
    let n = 20;
    let simplex = Case {
        name: "simplex of twenty dimensions as a polytope",
        body: Box::new(simplex_walls(n)),
        mean: vec![1.0 / (n as f64 + 1.0); n],
        covariance: simplex_covariance(n),
        cell: Box::new(of_grid),
        n_cells: 243,
    };
    check_moments(&simplex, 2000);
    check_moments(&parallelepiped("thin in twenty dimensions", &thin(n), vec![1.0; n]), 2000);
}

#[test]
fn cells_of_equal_volume_get_equally_many_samples() {
    // Pearson's test of the joint distribution; its quantile is set for a false alarm of 1e-6 a body.
    for case in cases() {
        let mut rng = Seed::new(5).stream(case.name);
        let mut counts = vec![0.0; case.n_cells];
        (0..DRAWS).for_each(|_| counts[(case.cell)(&case.body.sample(&mut rng))] += 1.0);
        let expected = DRAWS as f64 / case.n_cells as f64;
        let statistic: f64 = counts.iter().map(|c: &f64| (c - expected).powi(2) / expected).sum();
        let limit = ChiSquared::new(case.n_cells as f64 - 1.0).unwrap().inverse_cdf(1.0 - 1e-6);
        assert!(statistic < limit, "{}: {statistic} over {limit}", case.name);
    }
}

#[test]
fn an_exit_is_the_last_point_inside() {
    for Case { name, body, .. } in cases() {
        let mut rng = Seed::new(2).stream(name);
        for _ in 0..200 {
            let x = body.sample(&mut rng);
            let d = direction(N, &mut rng);
            let b = body.exit(&x, &d);
            let at = |t: f64| -> Vec<f64> { x.iter().zip(&d).map(|(x, d)| x + t * d).collect() };
            assert!(body.excess(&at(b)) <= 1e-9, "{name}: the exit itself is outside");
            assert!(body.excess(&at(b + 1e-6)) > 0.0, "{name}: still inside past the exit");
        }
    }
}

#[test]
fn no_sample_is_farther_than_the_farthest_point() {
    for Case { name, body, .. } in cases() {
        let mut rng = Seed::new(3).stream(name);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        for _ in 0..20 {
            let d = direction(N, &mut rng);
            let best = body.farthest(&d);
            assert!(body.excess(&best) <= 1e-9, "{name}");
            let farther = |_| dot(&body.sample(&mut rng), &d) > dot(&best, &d) + 1e-12;
            assert!(!(0..200).any(farther), "{name}");
        }
    }
}

#[test]
fn the_farthest_point_of_a_polytope_has_the_closed_form_height() {
    // Of c + M [−1, 1]^n along d: c·d + Σ |Mᵀ d|. Of the corner simplex: the largest coordinate of d, or 0.
    let (map, centre) = (thin(N), vec![3.0, -1.0, 0.5, 20.0, 0.0]);
    let case = parallelepiped("farthest", &map, centre.clone());
    let simplex = simplex_walls(N);
    let mut rng = Seed::new(7).stream("farthest");
    for _ in 0..50 {
        let d = direction(N, &mut rng);
        let height = |x: &[f64]| x.iter().zip(&d).map(|(x, d)| x * d).sum::<f64>();
        let reach: f64 = linear::times_transposed(&map, &d).iter().map(|x| x.abs()).sum();
        let want = height(&centre) + reach;
        assert!((height(&case.body.farthest(&d)) - want).abs() < 1e-6 * reach, "{want}");
        let want = d.iter().copied().fold(0.0, f64::max);
        assert!((height(&simplex.farthest(&d)) - want).abs() < 1e-6);
    }
}

#[test]
fn the_radius_from_any_point_along_a_random_ray_is_uniform_in_volume() {
    // The lemma under the ray mitigator: for u uniform in K and any fixed x*, (|u − x*| / exit)^n is uniform on (0, 1). The
    // largest gap between its empirical distribution function and the true one exceeds √(ln(2/α) / 2N) with a probability of
    // at most α (Dvoretzky, Kiefer, Wolfowitz; Massart 1990); α = 1e-6.
    for Case { name, body, .. } in cases() {
        let mut rng = Seed::new(4).stream(name);
        for star in [body.farthest(&[1.0, -2.0, 0.5, 3.0, 1.0]), body.sample(&mut rng)] {
            let mut shares: Vec<f64> = (0..DRAWS / 2)
                .map(|_| {
                    let u = body.sample(&mut rng);
                    let d: Vec<f64> = u.iter().zip(&star).map(|(u, s)| u - s).collect();
                    body.exit(&star, &d).recip().powf(N as f64)
                })
                .collect();
            shares.sort_by(f64::total_cmp);
            let count = shares.len() as f64;
            let gap = |(i, share): (usize, &f64)| {
                (share - i as f64 / count).abs().max((share - (i + 1) as f64 / count).abs())
            };
            let worst = shares.iter().enumerate().map(gap).fold(0.0, f64::max);
            assert!(worst < ((2.0e6_f64).ln() / (2.0 * count)).sqrt(), "{name}: {worst}");
        }
    }
}

#[test]
fn a_sample_of_a_polytope_depends_on_its_stream_alone() {
    let used = simplex_walls(3);
    (0..10).for_each(|i| drop(used.sample(&mut Seed::new(i).stream("before"))));
    let draw = |body: &Polytope| body.sample(&mut Seed::new(9).stream("sample"));
    assert_eq!(draw(&used), draw(&simplex_walls(3)));
}

#[test]
fn shapes_that_are_no_bodies_are_refused_with_a_reason() {
    let read = |text: &str| toml::from_str::<Domain>(text).unwrap_err().to_string();
    let polytope = |a: &str, b: &str| read(&format!("shape = \"polytope\"\na = {a}\nb = {b}"));
    for (said, want) in [
        (polytope("[[1.0], [-1.0]]", "[1.0, -2.0]"), "empty set"),
        (polytope("[[1.0], [-1.0]]", "[1.0, -1.0]"), "flat set"),
        (polytope("[[1.0], [1.0]]", "[1.0, 2.0]"), "unbounded"),
        (polytope("[[1, 0], [-1, 0], [1, 0]]", "[1, 1, 2]"), "unbounded"),
        (polytope("[[-1, 0], [0, -1], [-1, -1]]", "[0, 0, 2]"), "unbounded"),
        (polytope("[[0, -1], [0, 1], [-1, 0], [-1, 1]]", "[1, 1, 2, 1]"), "unbounded"),
        (polytope("[[1.0], [nan]]", "[1.0, 2.0]"), "row 1 needs numbers"),
        (polytope("[[1.0], [-1.0]]", "[1.0, inf]"), "wall 1 may be at most"),
        (polytope("[[1.0], [0.0]]", "[1.0, 1.0]"), "a number other than 0"),
        (polytope("[[1.0, 1.0], [0.0], [1.0, 2.0]]", "[1.0, 1.0, 1.0]"), "row 1 of width 1"),
        (polytope("[[1.0], [-1.0]]", "[1.0]"), "2 rows need as many"),
        (polytope("[]", "[]"), "at least one dimension"),
        (polytope(&format!("[{}]", "[1],".repeat(2000)), "[1]"), "to 1024 rows"),
        (polytope(&format!("[[{}]]", "1,".repeat(200)), "[1]"), "at most 128"),
        (read("shape = \"ellipsoid\"\naxes = [1.0, 0.0]"), "positive lengths"),
        (read("shape = \"ellipsoid\"\naxes = [1.0, nan]"), "at most 1e9"),
        (read("shape = \"ellipsoid\"\nmap = [[1, 2], [2, 4]]"), "invertible"),
        (read("shape = \"ellipsoid\"\nmap = [[1, 2], [2]]"), "as many columns as rows"),
        (read("shape = \"ellipsoid\"\naxes = [1.0]\ncentre = [1, 2]"), "and the centre"),
        (read("shape = \"ellipsoid\""), "either axes or map"),
        (read("shape = \"ellipsoid\"\naxes = []"), "at least one dimension"),
    ] {
        assert!(said.contains(want), "{said}; wanted: {want}");
    }
    assert!(Domain::Gauss { n: 0 }.check().is_err());
}

#[test]
fn shapes_come_back_from_toml_and_json() {
    for text in [
        "shape = \"polytope\"\na = [[1, 0], [0, 1], [-1, -1]]\nb = [1, 1, 1]",
        "shape = \"ellipsoid\"\naxes = [1, 2.5]\ncentre = [0, 3]",
        "shape = \"ellipsoid\"\nmap = [[1, 1], [0, 2]]",
        "shape = \"gauss\"\nn = 4",
    ] {
        let domain: Domain = toml::from_str(text).unwrap();
        let json = serde_json::to_string(&domain).unwrap();
        assert_eq!(serde_json::from_str::<Domain>(&json).unwrap(), domain);
        let written = toml::to_string(&domain).unwrap();
        assert_eq!(toml::from_str::<Domain>(&written).unwrap(), domain);
        let x = domain.sample(&mut Seed::new(1).stream("x")).unwrap();
        assert!(domain.contains(&x) && x.len() == domain.n());
        assert!(!domain.contains(&vec![f64::NAN; domain.n()]), "{text}");
    }
}
