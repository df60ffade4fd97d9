//! Who may see what: the ladder of access, as types.
//!
//! A method names its rung once, and the compiler holds it to that. This one says `dyn WhiteBox`, and reads the weights:
//!
//! ```
//! # use absolve::access::{Lab, Oracle, WhiteBox};
//! # use absolve::{error::Result, mitigate::{Mitigator, Repaired}, population::World};
//! struct Peek;
//!
//! impl Mitigator for Peek {
//!     type Access = dyn WhiteBox;
//!
//!     fn check(&self, _: &World) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     fn mitigate<'a>(&self, suspect: &'a Self::Access, _: &mut Lab<'a>) -> Result<Repaired<'a>> {
//!         let _ = suspect.net().layers();
//!         Ok(Repaired::unclaimed(suspect))
//!     }
//! }
//! ```
//!
//! The same text with `dyn Oracle` does not compile:
//!
//! ```compile_fail,E0599
//! # use absolve::access::{Lab, Oracle, WhiteBox};
//! # use absolve::{error::Result, mitigate::{Mitigator, Repaired}, population::World};
//! struct Peek;
//!
//! impl Mitigator for Peek {
//!     type Access = dyn Oracle;
//!
//!     fn check(&self, _: &World) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     fn mitigate<'a>(&self, suspect: &'a Self::Access, _: &mut Lab<'a>) -> Result<Repaired<'a>> {
//!         let _ = suspect.net().layers();
//!         Ok(Repaired::unclaimed(suspect))
//!     }
//! }
//! ```
//!
//! And a rung of one's own is none, because [`Access`] is sealed:
//!
//! ```compile_fail,E0277
//! # use absolve::access::{Access, Suspect};
//! struct Everything;
//!
//! impl Access for Everything {
//!     const NAME: &'static str = "everything";
//!
//!     fn of(_: &Suspect) -> absolve::error::Result<&Self> {
//!         Ok(&Everything)
//!     }
//! }
//! ```
mod owned;

pub use owned::Owned;

use crate::data::{Batch, Labeled, Shape};
use crate::error::{Error, Result};
use crate::external::External;
use crate::ledger::{Budget, Cost, Ledger};
use crate::net::{Lock, Net, Recipe};
use crate::population::{Cursor, Part, Population, World};
use crate::rng::Seed;

/// Black-box access: answers and nothing else.
pub trait Oracle: Send + Sync {
    /// Widths of its inputs and outputs.
    fn shape(&self) -> Shape;

    /// Answers every row of `xs`. A suspect charges one query and one forward pass a row.
    fn query(&self, xs: &Batch) -> Result<Batch>;
}

/// Gradient access: answers, and how they change with the input.
pub trait Gradients: Oracle {
    /// The gradient of `along · f(x)` by `x`, row by row. A suspect charges one gradient and two forward passes a row.
    fn gradient(&self, xs: &Batch, along: &Batch) -> Result<Batch>;

    /// The answers, and with them the gradient of `along · f(x)` by `x`, where `along` is told the answers and says which way.
    ///
    /// A gradient is pulled back through a pass that has computed the answer, so both together cost what a gradient does: a
    /// suspect charges one gradient, no query and two forward passes a row. The answers are those that a query gives.
    fn answers_and_gradient(
        &self,
        xs: &Batch,
        along: &mut dyn FnMut(&Batch) -> Batch,
    ) -> Result<(Batch, Batch)>;
}

/// White-box access: all of the above, and the net itself.
pub trait WhiteBox: Gradients {
    /// The net: its weights and layers.
    fn net(&self) -> &Net;

    /// The verifier that is asked before its layers, if it has one.
    fn lock(&self) -> Option<&Lock> {
        self.net().lock()
    }
}

/// A rung of the ladder. Sealed: `dyn Oracle`, `dyn Gradients` and `dyn WhiteBox` are all.
pub trait Access: sealed::Sealed + 'static {
    /// Its name in reports.
    const NAME: &'static str;

    /// This much of `suspect`.
    ///
    /// # Errors
    /// If `suspect` is a program: it answers, and has neither gradients nor weights to show.
    fn of(suspect: &Suspect) -> Result<&Self>;
}

/// All that a method is handed besides the suspect. Never the trigger, never the truth.
#[derive(Debug)]
pub struct Lab<'a> {
    /// Clean labelled samples, each charged.
    pub clean: Samples<'a>,
    /// Public knowledge of the domain and of the class of truths.
    pub world: World,
    /// The public recipe by which models of this task are built: what someone would relearn with.
    pub recipe: &'a Recipe,
    /// Where the method charges work of its own.
    pub ledger: &'a Ledger,
    /// Where all of the method's randomness comes from.
    pub seed: Seed,
}

/// A published model behind a meter: the only way to query one.
///
/// It is a net, or a program that answers as one. Of a program there are answers and nothing else, so it can be lent on the
/// lowest rung only. Each row asked of it is a query; what it computes inside is not known, and charged as 0 operations.
#[derive(Debug)]
pub struct Suspect {
    model: Model,
}

#[derive(Debug)]
enum Model {
    Net(Metered<Net>),
    Program(Metered<External>),
}

/// A model with its ledger: what methods are lent.
#[derive(Debug)]
struct Metered<M> {
    model: M,
    ledger: Ledger,
}

impl Suspect {
    /// Publishes `net` to a mitigator that may spend `budget` on preparing.
    pub fn publish(net: Net, budget: Budget) -> Self {
        Self { model: Model::Net(Metered { model: net, ledger: Ledger::new(budget) }) }
    }

    /// Publishes a running program in the same way. A question that it fails to answer stays charged: it was asked.
    pub fn publish_external(program: External, budget: Budget) -> Self {
        Self { model: Model::Program(Metered { model: program, ledger: Ledger::new(budget) }) }
    }

    /// Ends the questions. A program is told so by the end of its input.
    ///
    /// # Errors
    /// If it is a program that said more than it was asked.
    pub fn end(&self) -> Result<()> {
        match &self.model {
            Model::Net(_) => Ok(()),
            Model::Program(program) => program.model.end(),
        }
    }

    fn ledger(&self) -> &Ledger {
        match &self.model {
            Model::Net(net) => &net.ledger,
            Model::Program(program) => &program.ledger,
        }
    }

    /// Opens a lab for one method that studies this suspect.
    ///
    /// Clean samples come from their own stream of `samples`: methods that get the same seed there get the same samples.
    pub fn lab<'a>(
        &'a self,
        population: &'a dyn Population,
        recipe: &'a Recipe,
        seeds: LabSeeds,
    ) -> Lab<'a> {
        let cursor = Cursor::new(seeds.samples.stream("clean samples"));
        let ledger = self.ledger();
        let clean = Samples { population, ledger, cursor };
        let world = population.world().clone();
        Lab { clean, world, recipe, ledger, seed: seeds.method }
    }

    /// All that was spent on this suspect so far.
    pub fn spent(&self) -> Cost {
        self.ledger().spent()
    }

    /// Ends preparation: from here on `n` answers may be given, for `per_answer` each.
    pub fn allow_answers(&self, per_answer: Budget, n: u64) {
        let ledger = self.ledger();
        ledger.set_budget(per_answer.times(n).on_top_of(ledger.spent()));
    }

    /// The net, or why there is none.
    fn inside(&self, access: &'static str) -> Result<&Metered<Net>> {
        match &self.model {
            Model::Net(net) => Ok(net),
            Model::Program(_) => {
                let want = "the suspect is a program, which answers and shows nothing else; black-box methods apply";
                Err(Error::parameter("access", access, want))
            }
        }
    }
}

impl Oracle for Suspect {
    fn shape(&self) -> Shape {
        match &self.model {
            Model::Net(net) => net.shape(),
            Model::Program(program) => program.shape(),
        }
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        match &self.model {
            Model::Net(net) => net.query(xs),
            Model::Program(program) => program.query(xs),
        }
    }
}

impl Metered<Net> {
    fn admit(&self, xs: &Batch, cost_of_a_row: Cost) -> Result<()> {
        self.model.admit(xs)?;
        let n = xs.nrows() as u64;
        self.ledger.charge(Cost {
            queries: cost_of_a_row.queries * n,
            gradients: cost_of_a_row.gradients * n,
            flops: cost_of_a_row.flops * n,
            clean_labels: 0,
        })
    }

    /// Checks that `along` has a direction for each row of `xs`.
    fn check_along(&self, xs: &Batch, along: &Batch) -> Result<()> {
        crate::data::check("directions of a gradient", along, self.model.shape().outputs)?;
        if along.nrows() != xs.nrows() {
            let want = format!("one direction for each of the {} inputs is needed", xs.nrows());
            return Err(Error::parameter("along", format!("{} rows", along.nrows()), want));
        }
        Ok(())
    }
}

impl Oracle for Metered<Net> {
    fn shape(&self) -> Shape {
        self.model.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let flops = self.model.forward_flops();
        self.admit(xs, Cost { queries: 1, flops, ..Cost::default() })?;
        Ok(self.model.forward_unmetered(xs))
    }
}

impl Gradients for Metered<Net> {
    fn gradient(&self, xs: &Batch, along: &Batch) -> Result<Batch> {
        self.check_along(xs, along)?;
        let flops = 2 * self.model.forward_flops();
        self.admit(xs, Cost { gradients: 1, flops, ..Cost::default() })?;
        Ok(self.model.gradient_unmetered(xs, along))
    }

    fn answers_and_gradient(
        &self,
        xs: &Batch,
        along: &mut dyn FnMut(&Batch) -> Batch,
    ) -> Result<(Batch, Batch)> {
        let flops = 2 * self.model.forward_flops();
        self.admit(xs, Cost { gradients: 1, flops, ..Cost::default() })?;
        let answers = self.model.forward_unmetered(xs);
        let along = along(&answers);
        self.check_along(xs, &along)?;
        let gradient = self.model.gradient_unmetered(xs, &along);
        Ok((answers, gradient))
    }
}

impl WhiteBox for Metered<Net> {
    fn net(&self) -> &Net {
        &self.model
    }
}

impl Oracle for Metered<External> {
    fn shape(&self) -> Shape {
        self.model.program().shape
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        crate::data::check("inputs", xs, self.shape().inputs)?;
        self.ledger.charge(Cost { queries: xs.nrows() as u64, ..Cost::default() })?;
        self.model.ask(xs)
    }
}

/// Where the randomness of one mitigation comes from.
#[derive(Clone, Copy, Debug)]
pub struct LabSeeds {
    /// Of the clean samples.
    pub samples: Seed,
    /// Of the method itself.
    pub method: Seed,
}

/// Clean labelled samples at a price.
pub struct Samples<'a> {
    population: &'a dyn Population,
    ledger: &'a Ledger,
    cursor: Cursor,
}

impl Samples<'_> {
    /// How many more can be drawn within the data and the budget; `None` if neither is limited.
    pub fn left(&self) -> Option<usize> {
        let in_data = self.population.available(Part::Clean).map(|all| all - self.cursor.drawn);
        let in_budget = self.ledger.clean_labels_left();
        match (in_data, in_budget) {
            (Some(data), Some(budget)) => Some(data.min(budget)),
            (left, None) | (None, left) => left,
        }
    }

    /// Draws the next `n` clean labelled samples and charges for them.
    pub fn draw(&mut self, n: usize) -> Result<Labeled> {
        if let Some(all) = self.population.available(Part::Clean)
            && n > all - self.cursor.drawn
        {
            let left = all - self.cursor.drawn;
            return Err(Error::Exhausted { part: Part::Clean.name(), left, asked: n });
        }
        crate::data::check_size("samples", n, self.population.world().domain.n())?;
        self.ledger.charge(Cost { clean_labels: n as u64, ..Cost::default() })?;
        self.population.draw(Part::Clean, n, &mut self.cursor)
    }
}

impl std::fmt::Debug for Samples<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Samples").field("drawn", &self.cursor.drawn).finish_non_exhaustive()
    }
}

mod sealed {
    /// Nobody outside this file can name this trait, so nobody can add a rung.
    pub trait Sealed {}
}

impl sealed::Sealed for dyn Oracle {}
impl Access for dyn Oracle {
    const NAME: &'static str = "black box";

    fn of(suspect: &Suspect) -> Result<&Self> {
        Ok(suspect)
    }
}

impl sealed::Sealed for dyn Gradients {}
impl Access for dyn Gradients {
    const NAME: &'static str = "gradients";

    fn of(suspect: &Suspect) -> Result<&Self> {
        Ok(suspect.inside(Self::NAME)?)
    }
}

impl sealed::Sealed for dyn WhiteBox {}
impl Access for dyn WhiteBox {
    const NAME: &'static str = "white box";

    fn of(suspect: &Suspect) -> Result<&Self> {
        Ok(suspect.inside(Self::NAME)?)
    }
}
