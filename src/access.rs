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
//!     fn of(_: &Suspect) -> &Self {
//!         &Everything
//!     }
//! }
//! ```
use crate::data::{Batch, Labeled, Shape};
use crate::error::{Error, Result};
use crate::ledger::{Budget, Cost, Ledger};
use crate::net::{Net, Recipe};
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
}

/// White-box access: all of the above, and the net itself.
pub trait WhiteBox: Gradients {
    /// The net: its weights and layers.
    fn net(&self) -> &Net;
}

/// A rung of the ladder. Sealed: `dyn Oracle`, `dyn Gradients` and `dyn WhiteBox` are all.
pub trait Access: sealed::Sealed + 'static {
    /// Its name in reports.
    const NAME: &'static str;

    /// This much of `suspect`.
    fn of(suspect: &Suspect) -> &Self;
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

/// A published net behind a meter: the only way to query one.
#[derive(Debug)]
pub struct Suspect {
    net: Net,
    ledger: Ledger,
}

impl Suspect {
    /// Publishes `net` to a mitigator that may spend `budget` on preparing.
    pub fn publish(net: Net, budget: Budget) -> Self {
        Self { net, ledger: Ledger::new(budget) }
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
        let clean = Samples { population, ledger: &self.ledger, cursor };
        let world = population.world().clone();
        Lab { clean, world, recipe, ledger: &self.ledger, seed: seeds.method }
    }

    /// All that was spent on this suspect so far.
    pub fn spent(&self) -> Cost {
        self.ledger.spent()
    }

    /// Ends preparation: from here on `n` answers may be given, for `per_answer` each.
    pub fn allow_answers(&self, per_answer: Budget, n: u64) {
        self.ledger.set_budget(per_answer.times(n).on_top_of(self.ledger.spent()));
    }

    fn admit(&self, xs: &Batch, cost_of_a_row: Cost) -> Result<()> {
        self.net.admit(xs)?;
        let n = xs.nrows() as u64;
        self.ledger.charge(Cost {
            queries: cost_of_a_row.queries * n,
            gradients: cost_of_a_row.gradients * n,
            flops: cost_of_a_row.flops * n,
            clean_labels: 0,
        })
    }
}

impl Oracle for Suspect {
    fn shape(&self) -> Shape {
        self.net.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        let flops = self.net.forward_flops();
        self.admit(xs, Cost { queries: 1, flops, ..Cost::default() })?;
        Ok(self.net.forward_unmetered(xs))
    }
}

impl Gradients for Suspect {
    fn gradient(&self, xs: &Batch, along: &Batch) -> Result<Batch> {
        let flops = 2 * self.net.forward_flops();
        crate::data::check("directions of a gradient", along, self.net.shape().outputs)?;
        if along.nrows() != xs.nrows() {
            let want = format!("one direction for each of the {} inputs is needed", xs.nrows());
            return Err(Error::parameter("along", format!("{} rows", along.nrows()), want));
        }
        self.admit(xs, Cost { gradients: 1, flops, ..Cost::default() })?;
        Ok(self.net.gradient_unmetered(xs, along))
    }
}

impl WhiteBox for Suspect {
    fn net(&self) -> &Net {
        &self.net
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

/// A net of the mitigator's own: its arithmetic is charged, but no query is.
#[derive(Debug)]
pub struct Owned<'a> {
    /// The net.
    pub net: Net,
    /// Where its arithmetic is charged.
    pub ledger: &'a Ledger,
}

impl Oracle for Owned<'_> {
    fn shape(&self) -> Shape {
        self.net.shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        self.net.forward(xs, self.ledger)
    }
}

impl<O: Oracle + ?Sized> Oracle for &O {
    fn shape(&self) -> Shape {
        (**self).shape()
    }

    fn query(&self, xs: &Batch) -> Result<Batch> {
        (**self).query(xs)
    }
}

mod sealed {
    /// Nobody outside this file can name this trait, so nobody can add a rung.
    pub trait Sealed {}
}

macro_rules! rungs {
    ($($rung:ident => $name:literal),+ $(,)?) => {$(
        impl sealed::Sealed for dyn $rung {}
        impl Access for dyn $rung {
            const NAME: &'static str = $name;

            fn of(suspect: &Suspect) -> &Self {
                suspect
            }
        }
    )+};
}

rungs! { Oracle => "black box", Gradients => "gradients", WhiteBox => "white box" }
