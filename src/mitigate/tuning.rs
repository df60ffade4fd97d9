//! Training on from a net's own weights: what every method shares that tunes on clean samples.
//!
//! The defaults are those of fine-tuning in `BackdoorBench` (Wu et al. 2022): all layers, SGD with step size 0.01, momentum 0.9, decay
//! 5e-4, a cosine, 100 epochs. It has batches of 256 on 2,500 clean images, which are ten steps an epoch and a thousand in all; on
//! the hundred or two that there are here, 256 would be one step. So the number of steps is what is kept: a batch is a tenth of
//! the data, at most 256. Loss, precision and trainer are those of the model's recipe.
//!
//! [`Tuning::tune`] minimises the recipe's loss with the project's trainer. [`Tuning::descend`] takes the same steps in the same order
//! along slopes of the method's own. A training that diverges says `Error::Training`, which a trial takes as a refusal.
//!
//! Cost: 3F a row and epoch for the loss ([`slopes`] as `tune`), and the optimiser's 6 (SGD) or 15 (Adam) a weight and step.
use serde::{Deserialize, Serialize};

use crate::access::Lab;
use crate::data::Labeled;
use crate::error::{Error, Result};
use crate::net::{
    Lesson, Net, Optimizer, Recipe, Schedule, Slopes, Stepper, Tape, fit, loss_gradient,
};
use crate::rng::{Seed, permutation};

/// The slopes of a method's own loss by all weights of a net, on the rows that are numbered.
type SlopesAt<'s> = dyn FnMut(&Net, &[usize]) -> Result<Vec<f64>> + 's;

/// How a net is trained on, on clean samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tuning {
    /// Passes over the clean samples; 0 does nothing.
    pub epochs: usize,
    /// How weights move.
    pub optimizer: Optimizer,
    /// Step size at the start; it falls to 0 along half a cosine.
    pub learning_rate: f64,
    /// Decay of weights, as in the recipe.
    pub weight_decay: f64,
    /// Rows a step. Not given: a tenth of the data, at most 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            epochs: 100,
            optimizer: Optimizer::Sgd { momentum: 0.9 },
            learning_rate: 0.01,
            weight_decay: 5e-4,
            batch: None,
        }
    }
}

impl Tuning {
    /// Checks every parameter.
    pub(super) fn check(&self) -> Result<()> {
        self.recipe(&Recipe::default(), 1).check()
    }

    /// The recipe by which a model of `of_model` is trained on, on `rows` rows.
    pub(super) fn recipe(&self, of_model: &Recipe, rows: usize) -> Recipe {
        Recipe {
            epochs: self.epochs,
            optimizer: self.optimizer,
            learning_rate: self.learning_rate,
            schedule: Schedule::Cosine,
            weight_decay: self.weight_decay,
            batch: self.batch.unwrap_or(rows.div_ceil(10).clamp(1, 256)),
            early_stop: None,
            ..of_model.clone()
        }
    }

    /// `net` after training on `data` by the recipe's loss; its lock stays. Shuffles come from `seed`.
    pub(super) fn tune(&self, net: &Net, data: &Labeled, seed: Seed, lab: &Lab<'_>) -> Result<Net> {
        if self.epochs == 0 {
            return Ok(net.clone());
        }
        let recipe = self.recipe(lab.recipe, data.len());
        let lesson = Lesson { data, target: lab.world.target, recipe: &recipe, seed };
        Ok(fit(net, lesson, lab.ledger, &mut |_| {})?.net)
    }

    /// `net` after the steps that [`Self::tune`] would take on `data`, along slopes of the method's own, which is asked for
    /// those at a net and some rows. It charges for them; this charges the optimiser.
    pub(super) fn descend(
        &self,
        net: &Net,
        data: &Labeled,
        lab: &Lab<'_>,
        slopes: &mut SlopesAt<'_>,
    ) -> Result<Net> {
        let recipe = self.recipe(lab.recipe, data.len());
        let mut stepper = Stepper::new(recipe.optimizer, recipe.weight_decay, net.n_parameters());
        let (mut net, mut numbers) = (net.clone(), net.flat());
        let mut shuffles = lab.seed.stream("shuffle");
        let per_epoch = data.len().div_ceil(recipe.batch);
        for epoch in 0..recipe.epochs {
            let order = permutation(data.len(), &mut shuffles);
            for (step, rows) in order.chunks(recipe.batch).enumerate() {
                let rate = recipe.rate(epoch * per_epoch + step, per_epoch * recipe.epochs);
                stepper.step(&mut numbers, &slopes(&net, rows)?, rate, lab.ledger)?;
                net = moved(&net, &numbers)?;
            }
        }
        Ok(net)
    }
}

/// `net` with other numbers, or that training diverged.
pub(super) fn moved(net: &Net, numbers: &[f64]) -> Result<Net> {
    net.with_flat(numbers)
        .map_err(|why| Error::Training(format!("{why}; a smaller learning_rate may help")))
}

/// The slopes of the recipe's mean loss on `data` by the weights of `net`. Charges 3F a row.
pub(super) fn slopes(net: &Net, data: &Labeled, lab: &Lab<'_>) -> Result<Slopes> {
    let tape = Tape::record(net, &data.xs, lab.ledger)?;
    let loss = lab.recipe.loss_for(lab.world.target)?;
    let (_, by_answers) = loss_gradient(loss, lab.world.target, tape.answers(), &data.ys)?;
    tape.pull_answers(by_answers, lab.ledger)
}

/// Checks a ladder of candidates: some, strongest first, each a positive number of at most `most`.
pub(super) fn check_ladder(name: &'static str, rungs: &[f64], most: f64) -> Result<()> {
    let fine = |x: &f64| *x > 0.0 && *x <= most && x.is_finite();
    if !rungs.is_empty() && rungs.iter().all(fine) && rungs.windows(2).all(|w| w[0] > w[1]) {
        return Ok(());
    }
    let want = if most.is_finite() {
        format!("falling numbers above 0 and at most {most}, at least one, are needed")
    } else {
        "falling positive numbers, at least one, are needed".to_owned()
    };
    Err(Error::parameter(name, format!("{rungs:?}"), want))
}

/// Checks that a net has a hidden layer.
pub(super) fn check_hidden(method: &'static str, net: &Net) -> Result<()> {
    if net.layers().len() > 1 {
        return Ok(());
    }
    Err(Error::assumption(method, "the net has no hidden layer"))
}
