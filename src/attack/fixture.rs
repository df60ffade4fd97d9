//! A victim to try attacks on in unit tests: a random net in 64 bits, and inputs as the domain spreads them.
use super::Victim;
use crate::data::{Batch, Labeled, Target, stack};
use crate::domain::Domain;
use crate::net::{Activation, Net, Precision, Recipe};
use crate::population::{Promise, World};
use crate::rng::{Rng, RngExt, Seed};

/// All that a victim borrows.
pub(super) struct Fixture {
    pub(super) net: Net,
    pub(super) data: Labeled,
    pub(super) world: World,
    pub(super) recipe: Recipe,
}

impl Fixture {
    /// A net with these hidden layers, real answers and 4,000 rows. Inputs of a range are uniform on it.
    pub(super) fn new(domain: Domain, hidden: &[usize]) -> Self {
        let mut rng = Seed::new(1).stream("fixture");
        let xs = sample(&domain, 4000, &mut rng);
        let ys = Batch::from_shape_simple_fn((4000, 1), || rng.random::<f64>());
        let recipe = Recipe { hidden: hidden.to_vec(), ..Recipe::default() };
        let world = World { domain, target: Target::Real, promise: Promise::Nothing, cutoff: 0.1 };
        let widths = recipe.widths(world.shape());
        let net = Net::random(&widths, Activation::Relu, Precision::F64, &mut rng).unwrap();
        Self { net, data: Labeled { xs, ys }, world, recipe }
    }

    pub(super) fn victim(&self) -> Victim<'_> {
        Victim {
            net: &self.net,
            init: &self.net,
            data: &self.data,
            world: &self.world,
            recipe: &self.recipe,
            training: Seed::new(2),
        }
    }

    /// Fresh inputs.
    pub(super) fn fresh(&self, n: usize, seed: u64) -> Batch {
        sample(&self.world.domain, n, &mut Seed::new(seed).stream("fresh"))
    }
}

fn sample(domain: &Domain, n: usize, rng: &mut Rng) -> Batch {
    let one = |rng: &mut Rng| match *domain {
        Domain::Range { n, low, high } => (0..n).map(|_| rng.random_range(low..high)).collect(),
        _ => domain.sample(rng).unwrap(),
    };
    stack(domain.n(), (0..n).map(|_| one(rng)))
}
