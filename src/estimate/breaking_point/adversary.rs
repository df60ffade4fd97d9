//! The suspect of one model at one value of the sweep: an exact net of the truth with an exact adversary on it.
use super::spec::Adversary;
use crate::data::Batch;
use crate::error::{Error, Result};
use crate::fourier::{FourierSum, Term};
use crate::net::{Net, compile};
use crate::population::Truth;
use crate::registry::attack_named;
use crate::rng::permutation;
use crate::study::Model;

/// A suspect, and where its adversary wants to be asked.
pub(super) struct Placed {
    pub net: Net,
    /// For local mitigators; an adversary that spoils no input in particular names none.
    pub inputs: Option<Batch>,
}

/// Puts the adversary on the model's net, which is the truth.
pub(super) fn place(adversary: &Adversary, value: f64, model: &Model) -> Result<Placed> {
    let world = model.world();
    match adversary {
        Adversary::Attack { attack, sweep } => {
            let mut params = attack.params.clone();
            params.insert(sweep.clone(), toml::Value::Float(value));
            let method = (attack_named(&attack.method)?.build)(&params)?.method;
            let seed = model.seed().child("attack").child(attack.label());
            let planted = method.plant(&model.victim(&world), seed)?;
            let mut rng = model.seed().stream("trigger");
            let inputs = planted.trigger.activate(&model.test()?.xs, &world.domain, &mut rng)?;
            Ok(Placed { net: planted.net, inputs: Some(inputs) })
        }
        Adversary::Character { degree } => {
            let truth = model.population.truth().and_then(Truth::spectrum);
            let truth = truth.ok_or_else(|| {
                Error::assumption("character", "the truth must be a sum of characters on a cube")
            })?;
            let n = world.domain.n();
            if *degree > n {
                let want = format!("inputs have {n} coordinates");
                return Err(Error::parameter("degree", degree, want));
            }
            let support = new_support(&truth, *degree, (n, model))?;
            let mut terms = truth.terms().to_vec();
            terms.push(Term { support, value });
            Ok(Placed { net: compile::characters(&FourierSum::new(terms), n)?, inputs: None })
        }
    }
}

/// A random set of coordinates that is no character of the truth.
fn new_support(
    truth: &FourierSum,
    degree: usize,
    (n, model): (usize, &Model),
) -> Result<Vec<usize>> {
    /// A truth that has nearly all characters of a degree is none that anything here is for.
    const TRIES: usize = 1000;
    let mut rng = model.seed().stream("character");
    for _ in 0..TRIES {
        let mut support: Vec<usize> = permutation(n, &mut rng).into_iter().take(degree).collect();
        support.sort_unstable();
        if !truth.supports().contains(&support.as_slice()) {
            return Ok(support);
        }
    }
    let want = "the truth has nearly all characters of this degree; use another";
    Err(Error::parameter("degree", degree, want))
}
