//! One independently trained model: its population, its data, and the net before any attack.
use super::spec::Task;
use crate::attack::Victim;
use crate::data::Labeled;
use crate::error::{Error, Result};
use crate::ledger::{Budget, Ledger};
use crate::net::{Epoch, Lesson, ModelFile, Net, Provenance, compile, fit};
use crate::population::{Cursor, Part, Population, Truth, World};
use crate::rng::Seed;

/// A clean net with all that went into it. The same task and seed number give the same bytes.
pub struct Model {
    /// The task.
    pub task: Task,
    /// The number of its seed.
    pub number: u64,
    /// Its population: its own truth, or its own split of the data.
    pub population: Box<dyn Population>,
    /// Its training data.
    pub data: Labeled,
    /// The net that training set out from.
    pub init: Net,
    /// The trained net.
    pub net: Net,
    /// The learning curve.
    pub curve: Vec<Epoch>,
}

impl Model {
    /// Draws the population, the data and the initial weights of seed `number`, and trains.
    pub fn train(task: &Task, number: u64, watch: &mut dyn FnMut(&Epoch)) -> Result<Self> {
        let mut model = Self::untrained(task, number)?;
        let lesson = Lesson {
            data: &model.data,
            target: model.world().target,
            recipe: &task.recipe,
            seed: training_seed(number),
        };
        // Nature's training is nobody's cost.
        let trained = fit(&model.init, lesson, &Ledger::new(Budget::UNLIMITED), watch)?;
        (model.net, model.curve) = (trained.net, trained.curve);
        Ok(model)
    }

    /// The same with a net that is the population's truth itself, not one that was trained: see [`compile`].
    ///
    /// # Errors
    /// If the truth is not known, no net of linear pieces is it, or that net would be too large.
    pub fn compiled(task: &Task, number: u64) -> Result<Self> {
        let mut model = Self::untrained(task, number)?;
        let refuse = |why: &str| Err(Error::assumption("compile", why));
        model.net = match model.population.truth() {
            Some(Truth::Affine { weights, offset }) => {
                compile::affine(&weights.to_vec(), *offset, task.recipe.hidden.len())?
            }
            Some(Truth::Fourier(sum)) => compile::characters(sum, model.world().domain.n())?,
            Some(Truth::Tree(tree)) => compile::decision_tree(tree)?,
            Some(Truth::Polynomial(_)) => {
                return refuse("a polynomial is not piecewise linear, so no ReLU net is it");
            }
            Some(Truth::Trigonometric(_)) => {
                return refuse("a sum of waves is not piecewise linear, so no ReLU net is it");
            }
            Some(Truth::Length { .. }) => {
                return refuse("a ball's inside is not piecewise linear, so no ReLU net is it");
            }
            Some(truth @ Truth::Field(_)) => match truth.spectrum() {
                Some(sum) => compile::characters(&sum, model.world().domain.n())?,
                None => {
                    return refuse(
                        "of polynomials over a field parities alone are written as nets",
                    );
                }
            },
            None => return refuse("the truth of this population is not known"),
        };
        Ok(model)
    }

    /// The same without the training: its net is the one that training sets out from.
    pub fn untrained(task: &Task, number: u64) -> Result<Self> {
        task.check()?;
        let seed = Seed::new(number);
        let population = task.population.build(seed.child("population"))?;
        let mut cursor = Cursor::new(seed.stream("training data"));
        let data = population.draw(Part::Train, task.train, &mut cursor)?;
        let widths = task.recipe.widths(population.world().shape());
        let (activation, precision) = (task.recipe.activation, task.recipe.precision);
        let init = Net::random(&widths, activation, precision, &mut seed.stream("init"))?;
        let (net, curve) = (init.clone(), Vec::new());
        Ok(Self { task: task.clone(), number, population, data, init, net, curve })
    }

    /// The root of everything else that is random about this model.
    pub fn seed(&self) -> Seed {
        Seed::new(self.number)
    }

    /// Public knowledge of its population.
    pub fn world(&self) -> World {
        self.population.world().clone()
    }

    /// What an attacker works from.
    pub fn victim<'a>(&'a self, world: &'a World) -> Victim<'a> {
        Victim {
            net: &self.net,
            init: &self.init,
            data: &self.data,
            world,
            recipe: &self.task.recipe,
            training: training_seed(self.number),
        }
    }

    /// Test inputs with labels; the same whatever is tested.
    pub fn test(&self) -> Result<Labeled> {
        let mut cursor = Cursor::new(self.seed().stream("test data"));
        self.population.draw(Part::Test, self.task.test, &mut cursor)
    }

    /// A model file for `net`, which is this model's or one made from it.
    pub fn file(&self, net: Net) -> ModelFile {
        let world = self.world();
        ModelFile {
            net,
            domain: Some(world.domain),
            target: Some(world.target),
            provenance: Provenance {
                task: serde_json::to_value(&self.task).unwrap_or_default(),
                seed: Some(self.number),
                crate_version: env!("CARGO_PKG_VERSION").to_owned(),
            },
        }
    }
}

fn training_seed(number: u64) -> Seed {
    Seed::new(number).child("training")
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("task", &self.task.name)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
