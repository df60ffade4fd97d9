//! The two ends that every mitigator is compared with: leave the suspect as it is, or do without it.
use serde::{Deserialize, Serialize};

use super::{Mitigator, Repaired};
use crate::access::{Lab, Oracle};
use crate::error::{Error, Result};
use crate::net::{Lesson, Net, fit};
use crate::population::World;

/// Answers what the suspect answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Nothing {}

impl Mitigator for Nothing {
    type Access = dyn Oracle;

    fn check(&self, _: &World) -> Result<()> {
        Ok(())
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, _: &mut Lab<'a>) -> Result<Repaired<'a>> {
        Ok(Repaired::unclaimed(suspect))
    }
}

/// Ignores the suspect and trains a fresh net by the public recipe on clean samples: the trivial mitigator of theory.md,
/// section 1, whose output cannot depend on a backdoor. A method counts only where it beats this one in samples, queries
/// or work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Relearn {
    /// Clean samples to learn from.
    pub samples: usize,
}

impl Default for Relearn {
    fn default() -> Self {
        Self { samples: 300 }
    }
}

impl Mitigator for Relearn {
    type Access = dyn Oracle;

    fn check(&self, _: &World) -> Result<()> {
        if self.samples == 0 {
            return Err(Error::parameter("samples", 0, "at least one clean sample is needed"));
        }
        Ok(())
    }

    fn mitigate<'a>(&self, _: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        let data = lab.clean.draw(self.samples)?;
        let widths = lab.recipe.widths(lab.world.shape());
        let mut init = lab.seed.stream("init");
        let start = Net::random(&widths, lab.recipe.activation, lab.recipe.precision, &mut init)?;
        let lesson =
            Lesson { data: &data, target: lab.world.target, recipe: lab.recipe, seed: lab.seed };
        let net = fit(&start, lesson, lab.ledger, &mut |_| {})?.net;
        Ok(Repaired::owned(net, lab.ledger))
    }
}
