//! Domains as boxes: how inputs are spread over a box, what of a box belongs to the domain, and how a box is cut in two
//! halves of equal mass.
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::net::InputBox;

/// A domain that boxes can be cut out of.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// The box that all of it lies in.
    pub(super) start: InputBox,
    kind: Kind,
    /// The mass of that box, if the domain's is 1: at least and at most. `None` if it is the domain.
    pub(super) scale: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The whole box.
    Whole,
    /// Its vertices alone: a half fixes a coordinate.
    Vertices,
    /// The unit ball.
    Ball,
    /// The corner simplex.
    Simplex,
}

/// How a box lies to a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// No input of the domain is in it, but for a set of mass 0.
    Outside,
    /// Some may be.
    Across,
    /// All of it is domain.
    Inside,
}

/// A side shorter than this is not cut: up to there the middle of a dyadic side of [−1, 1] is exact, and so are the halves'
/// masses.
const SHORTEST: f64 = 9.094_947_017_729_282e-13;

impl Ground {
    /// How `domain` is covered.
    ///
    /// # Errors
    /// If it is not: where the spread is not known, or is not uniform on something that boxes measure.
    pub(super) fn of(method: &'static str, domain: &Domain) -> Result<Self> {
        let (low, high, kind, scale) = match *domain {
            Domain::Cube { .. } => (-1.0, 1.0, Kind::Vertices, None),
            Domain::Box { .. } => (-1.0, 1.0, Kind::Whole, None),
            Domain::Torus { .. } => (0.0, 1.0, Kind::Whole, None),
            Domain::Ball { n } => (-1.0, 1.0, Kind::Ball, Some(cube_over_ball(n))),
            Domain::Simplex { n } => (0.0, 1.0, Kind::Simplex, Some(factorial(n))),
            Domain::Ellipsoid(_)
            | Domain::Polytope(_)
            | Domain::Gauss { .. }
            | Domain::Range { .. }
            | Domain::Residues { .. } => {
                let why = "it measures boxes, so inputs must be uniform on the cube's vertices, the box, the torus, the ball or the \
                           simplex";
                return Err(Error::assumption(method, why));
            }
        };
        Ok(Self { start: InputBox::cube(domain.n(), low, high)?, kind, scale })
    }

    /// How `part` lies to the domain. Rounded so that [`Place::Across`] is said where it cannot be told.
    pub(super) fn place(&self, part: &InputBox) -> Place {
        let sides = part.sides().iter();
        let (near, far): (f64, f64) = match self.kind {
            Kind::Whole | Kind::Vertices => return Place::Inside,
            Kind::Ball => (
                sides.clone().fold(0.0, |sum: f64, side| {
                    let near = side.low().max(-side.high()).max(0.0);
                    (sum + (near * near).next_down().max(0.0)).next_down()
                }),
                sides.fold(0.0, |sum: f64, side| {
                    let far = side.magnitude();
                    (sum + (far * far).next_up()).next_up()
                }),
            ),
            Kind::Simplex => (
                sides.clone().fold(0.0, |sum: f64, side| (sum + side.low()).next_down()),
                sides.fold(0.0, |sum: f64, side| (sum + side.high()).next_up()),
            ),
        };
        if near >= 1.0 {
            Place::Outside
        } else if far <= 1.0 {
            Place::Inside
        } else {
            Place::Across
        }
    }

    /// Operations of [`Self::place`].
    pub(super) fn place_flops(&self) -> u64 {
        let n = self.start.n() as u64;
        match self.kind {
            Kind::Whole | Kind::Vertices => 0,
            Kind::Ball => 14 * n + 2,
            Kind::Simplex => 4 * n + 2,
        }
    }

    /// The two halves of `part` across coordinate `i`, each with half of the mass; `None` if it cannot be cut there.
    pub(super) fn halves(&self, part: &InputBox, i: usize) -> Option<[InputBox; 2]> {
        let (low, high) = (part.sides()[i].low(), part.sides()[i].high());
        if high - low < SHORTEST {
            return None;
        }
        let (left, right) = match self.kind {
            Kind::Vertices => (low, high),
            Kind::Whole | Kind::Ball | Kind::Simplex => {
                let middle = 0.5 * low + 0.5 * high;
                (middle, middle)
            }
        };
        Some([part.with(i, low, left), part.with(i, right, high)])
    }
}

/// 2^n over the volume of the unit ball, from V₀ = 1, V₁ = 2, Vₙ = Vₙ₋₂ 2π/n.
fn cube_over_ball(n: usize) -> (f64, f64) {
    use std::f64::consts::TAU;
    let (mut least, mut most): (f64, f64) =
        if n.is_multiple_of(2) { (1.0, 1.0) } else { (2.0, 2.0) };
    let mut k = 2 + n % 2;
    while k <= n {
        // τ itself is between its neighbours.
        least = (least * (TAU.next_down() / k as f64).next_down()).next_down();
        most = (most * (TAU.next_up() / k as f64).next_up()).next_up();
        k += 2;
    }
    let cube = 2.0_f64.powi(n as i32);
    ((cube / most).next_down(), (cube / least.max(0.0)).next_up())
}

/// n!: the unit cube over the corner simplex.
fn factorial(n: usize) -> (f64, f64) {
    (1..=n).fold((1.0, 1.0), |(least, most): (f64, f64), k| {
        ((least * k as f64).next_down(), (most * k as f64).next_up())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_the_closed_forms() {
        // V₂ = π, V₃ = 4π/3, V₄ = π²/2.
        use std::f64::consts::PI;
        for (n, want) in [(2, 4.0 / PI), (3, 6.0 / PI), (4, 32.0 / (PI * PI))] {
            let (least, most) = cube_over_ball(n);
            assert!(least < want && want < most && most - least < 1e-13, "{n}");
        }
        let (least, most) = factorial(5);
        assert!(least <= 120.0 && 120.0 <= most && most - least < 1e-12);
    }

    #[test]
    fn boxes_are_placed_by_their_corners() {
        let ball = Ground::of("test", &Domain::Ball { n: 2 }).unwrap();
        let place = |low: f64, high: f64| ball.place(&InputBox::cube(2, low, high).unwrap());
        assert_eq!(place(-1.0, 1.0), Place::Across);
        assert_eq!(place(0.0, 0.7), Place::Inside);
        assert_eq!(place(0.71, 1.0), Place::Outside);
        let simplex = Ground::of("test", &Domain::Simplex { n: 2 }).unwrap();
        let place = |low: f64, high: f64| simplex.place(&InputBox::cube(2, low, high).unwrap());
        assert_eq!((place(0.0, 1.0), place(0.0, 0.49)), (Place::Across, Place::Inside));
        assert_eq!(place(0.51, 1.0), Place::Outside);
        let whole = Ground::of("test", &Domain::Box { n: 1 }).unwrap();
        let halves = whole.halves(&whole.start, 0).unwrap();
        assert_eq!(
            halves,
            [InputBox::cube(1, -1.0, 0.0).unwrap(), InputBox::cube(1, 0.0, 1.0).unwrap()]
        );
        let cube = Ground::of("test", &Domain::Cube { n: 1 }).unwrap();
        let [first, _] = cube.halves(&cube.start, 0).unwrap();
        assert_eq!((first.point(), cube.halves(&first, 0)), (Some(vec![-1.0]), None));
    }

    #[test]
    fn what_boxes_do_not_measure_is_refused() {
        let gauss = Ground::of("certified-mass", &Domain::Gauss { n: 2 }).unwrap_err().to_string();
        assert!(gauss.contains("uniform on"), "{gauss}");
    }
}
