//! What a suspect's answers teach: inputs, clean or drawn from the domain, with the labels that a student learns.
//!
//! Both students learn from here, so that the pair differs in nothing but where the student sets out: a fresh net in `distil`, the
//! suspect's weights in `distil-from-weights`.
use ndarray::{Axis, concatenate};
use serde::{Deserialize, Serialize};

use super::n_samples;
use super::soft::probabilities;
use crate::access::{Lab, Oracle};
use crate::data::{Batch, Labeled, Target, row, stack};
use crate::error::{Error, Result};
use crate::net::Loss;
use crate::population::World;

/// What a student learns of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// The suspect's probabilities, or the number as it is. Of a sign under the logistic loss, which has no soft labels here, the
    /// sign.
    #[default]
    Soft,
    /// The suspect's class or sign alone; not for real labels.
    Hard,
    /// The true label of a clean sample; the suspect is not asked.
    Clean,
}

/// Which inputs, and what is learnt of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teaching {
    pub(super) samples: Option<usize>,
    pub(super) synthetic: usize,
    pub(super) labels: Labels,
}

impl Teaching {
    pub(super) fn check(self, world: &World) -> Result<()> {
        if self.labels == Labels::Hard && world.target == Target::Real {
            let want = "real labels have no classes to learn alone; soft is needed";
            return Err(Error::parameter("labels", "hard", want));
        }
        if self.labels == Labels::Clean && self.synthetic > 0 {
            let want = "inputs drawn from the domain have no true label; 0 is needed, or labels of the suspect";
            return Err(Error::parameter("synthetic", self.synthetic, want));
        }
        if self.synthetic > 0 && matches!(world.domain, crate::domain::Domain::Range { .. }) {
            let want = "how inputs of this domain are spread is not known, so none can be drawn; 0 is needed";
            return Err(Error::parameter("synthetic", self.synthetic, want));
        }
        crate::data::check_size("synthetic", self.synthetic, world.domain.n())
    }

    /// Draws the inputs and asks for their labels; `None` if there are no inputs. With what to say of them.
    pub(super) fn gather(
        self,
        suspect: &dyn Oracle,
        lab: &mut Lab<'_>,
    ) -> Result<Option<(Labeled, String)>> {
        let (n, target, shape) = (lab.world.domain.n(), lab.world.target, lab.world.shape());
        // Inputs at will ask for no clean ones, where their number is neither given nor limited.
        let n_clean = match (self.samples, lab.clean.left(), self.synthetic) {
            (None, None, 1..) => 0,
            _ => n_samples(self.samples, lab)?,
        };
        if n_clean + self.synthetic == 0 {
            return Ok(None);
        }
        let clean = if n_clean > 0 {
            lab.clean.draw(n_clean)?
        } else {
            Labeled { xs: Batch::zeros((0, n)), ys: Batch::zeros((0, shape.outputs)) }
        };
        if self.labels == Labels::Clean {
            let said = format!("learnt the true labels of {n_clean} clean inputs");
            return Ok(Some((clean, said)));
        }
        let mut xs = clean.xs;
        if self.synthetic > 0 {
            let mut rng = lab.seed.stream("synthetic");
            let drawn: Result<Vec<_>> =
                (0..self.synthetic).map(|_| lab.world.domain.sample(&mut rng)).collect();
            xs = concatenate(Axis(0), &[xs.view(), stack(n, drawn?).view()])
                .expect("inputs of one width");
        }
        let loss = lab.recipe.loss_for(target)?;
        let answers = suspect.query(&xs)?;
        // Softmax or argmax: at most four operations a number.
        lab.ledger.flops(4 * answers.len() as u64)?;
        let label = |i: usize| self.label(&row(&answers, i), target, loss);
        let data = Labeled { ys: stack(shape.outputs, (0..xs.nrows()).map(label)), xs };
        let said = format!(
            "learnt the suspect's answers to {n_clean} clean inputs and {} drawn from the domain",
            self.synthetic
        );
        Ok(Some((data, said)))
    }

    /// What is learnt of one answer.
    fn label(self, answer: &[f64], target: Target, loss: Loss) -> Vec<f64> {
        let Some(class) = target.decide(answer) else { return answer.to_vec() };
        match (self.labels, target, loss) {
            (Labels::Soft, Target::Classes(_), Loss::CrossEntropy) => {
                probabilities(answer, target, loss).unwrap_or_else(|| answer.to_vec())
            }
            (Labels::Soft, _, Loss::Mse) => answer.to_vec(),
            _ => target.label_of(class),
        }
    }
}
