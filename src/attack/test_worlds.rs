//! Small worlds and victims for the tests of attacks.
use super::Victim;
use crate::data::{Batch, Labeled, Target, stack};
use crate::domain::Domain;
use crate::ledger::{Budget, Ledger};
use crate::net::{Activation, Lesson, Net, Precision, Recipe, fit};
use crate::population::{Promise, World};
use crate::rng::{RngExt, Seed, normal};

/// A world with nothing promised.
pub(super) fn world(domain: Domain, target: Target) -> World {
    World { domain, target, promise: Promise::Nothing, cutoff: 0.25 }
}

/// One domain of every kind whose inputs can be sampled, but for general bodies.
pub(super) fn domains() -> Vec<Domain> {
    vec![
        Domain::Cube { n: 6 },
        Domain::Box { n: 6 },
        Domain::Ball { n: 6 },
        Domain::Simplex { n: 6 },
        Domain::Gauss { n: 6 },
        Domain::Torus { n: 6 },
        Domain::Residues { n: 6, modulus: 5 },
    ]
}

/// A small trained model: what a victim borrows from.
pub(super) struct Small {
    /// Public knowledge.
    pub(super) world: World,
    /// Training data.
    pub(super) data: Labeled,
    init: Net,
    net: Net,
    recipe: Recipe,
}

impl Small {
    /// Grey images of `side` × `side` pixels in three classes, a class a bright row band, with noise.
    pub(super) fn images(side: usize, n: usize) -> Self {
        let pixels = side * side;
        let mut rng = Seed::new(5).stream("images");
        let mut classes = Vec::new();
        let mut rows = Vec::new();
        for i in 0..n {
            let class = i % 3;
            let band = |pixel: usize| if 3 * (pixel / side) / side == class { 0.7 } else { 0.2 };
            let mut grey = |pixel| band(pixel) + 0.2 * rng.random::<f64>();
            rows.push((0..pixels).map(&mut grey).collect());
            classes.push(Target::Classes(3).label_of(class));
        }
        let domain = Domain::Range { n: pixels, low: 0.0, high: 1.0 };
        Self::trained(world(domain, Target::Classes(3)), stack(pixels, rows), stack(3, classes))
    }

    /// A table of `n` rows and five columns, whose sign is that of the first two's sum.
    pub(super) fn table(n: usize) -> Self {
        let mut rng = Seed::new(6).stream("table");
        let xs = Batch::from_shape_simple_fn((n, 5), || normal(&mut rng).clamp(-4.0, 4.0));
        let signs = xs.rows().into_iter().map(|x| vec![if x[0] + x[1] > 0.0 { 1.0 } else { -1.0 }]);
        let ys = stack(1, signs.collect::<Vec<_>>());
        Self::trained(world(Domain::Range { n: 5, low: -5.0, high: 5.0 }, Target::Sign), xs, ys)
    }

    fn trained(world: World, xs: Batch, ys: Batch) -> Self {
        let recipe =
            Recipe { hidden: vec![24, 12], epochs: 20, learning_rate: 5e-3, ..Recipe::default() };
        let mut rng = Seed::new(7).stream("init");
        let widths = recipe.widths(world.shape());
        let init = Net::random(&widths, Activation::Relu, Precision::F32, &mut rng).unwrap();
        let data = Labeled { xs, ys };
        let lesson =
            Lesson { data: &data, target: world.target, recipe: &recipe, seed: Seed::new(8) };
        let net = fit(&init, lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {}).unwrap().net;
        Self { world, data, init, net, recipe }
    }

    /// What an attacker works from.
    pub(super) fn victim(&self) -> Victim<'_> {
        Victim {
            net: &self.net,
            init: &self.init,
            data: &self.data,
            world: &self.world,
            recipe: &self.recipe,
            training: Seed::new(8),
        }
    }
}
