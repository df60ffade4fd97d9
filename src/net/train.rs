//! Training: epochs, shuffles, schedules and early stop around one optimiser step.
use serde::{Deserialize, Serialize};

use super::candle::Autodiff;
use super::fused::Fused;
use super::learner::Learner;
use super::{Net, Precision, Recipe, Trainer};
use crate::data::{Labeled, Target};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::rng::{Seed, permutation};

/// What there is to learn, and how.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// Training data.
    pub data: &'a Labeled,
    /// What its labels mean.
    pub target: Target,
    /// How to train. Its hidden widths are not read: the net to set out from has its own.
    pub recipe: &'a Recipe,
    /// Where shuffles and the held-out part come from.
    pub seed: Seed,
}

/// A trained net and how it got there.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The net: the last, or with early stop the best on the held-out part.
    pub net: Net,
    /// The learning curve, an entry an epoch.
    pub curve: Vec<Epoch>,
}

/// One pass over the training data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number, from 1.
    pub number: usize,
    /// Mean loss over its steps.
    pub loss: f64,
    /// Loss on the held-out part after it, if there is one.
    pub held_out: Option<f64>,
}

/// Trains, setting out from `start`.
///
/// Charges 3F a row and step, the optimiser's work a step, and F a held-out row and epoch, each epoch before it runs.
/// `watch` is called after every epoch. The result is a function of the arguments alone: threads and clocks do not matter.
///
/// # Errors
/// If a parameter is impossible, the data do not fit the net, the budget does not reach, or the loss is no longer finite.
pub fn fit(
    start: &Net,
    lesson: Lesson<'_>,
    ledger: &Ledger,
    watch: &mut dyn FnMut(&Epoch),
) -> Result<Fit> {
    let Lesson { data, target, recipe, seed } = lesson;
    recipe.check()?;
    crate::data::check("training inputs", &data.xs, start.shape().inputs)?;
    crate::data::check("training labels", &data.ys, start.shape().outputs)?;
    let (data, held_out) = match recipe.early_stop {
        Some(stop) => {
            let order = permutation(data.len(), &mut seed.stream("held-out"));
            let n = ((data.len() as f64 * stop.held_out).ceil() as usize).max(1);
            data.select(&order).split_last(n)
        }
        None => data.split_last(0),
    };
    if data.is_empty() {
        return Err(Error::parameter(
            "rows",
            data.len(),
            "training needs at least one row beside the held-out ones",
        ));
    }
    let mut learner: Box<dyn Learner> = match (recipe.trainer, start.precision()) {
        (Trainer::Candle, _) => Box::new(Autodiff::new(start, &data, target, recipe)?),
        (Trainer::Fused, Precision::F32) => {
            Box::new(Fused::<f32>::new(start, &data, target, recipe)?)
        }
        (Trainer::Fused, Precision::F64) => {
            Box::new(Fused::<f64>::new(start, &data, target, recipe)?)
        }
    };
    let mut shuffles = seed.stream("shuffle");
    let steps_per_epoch = data.len().div_ceil(recipe.batch);
    let total = steps_per_epoch * recipe.epochs;
    let flops_per_epoch = 3 * start.forward_flops() * data.len() as u64
        + recipe.optimizer.flops_per_parameter() * (start.n_parameters() * steps_per_epoch) as u64
        + start.forward_flops() * held_out.len() as u64;
    let mut curve = Vec::with_capacity(recipe.epochs);
    let mut best: Option<(f64, Net)> = None;
    let mut since_best = 0;
    for number in 1..=recipe.epochs {
        ledger.flops(flops_per_epoch)?;
        let order: Vec<u32> =
            permutation(data.len(), &mut shuffles).into_iter().map(|i| i as u32).collect();
        let mut sum = 0.0;
        for (step, rows) in order.chunks(recipe.batch).enumerate() {
            let rate = recipe.rate((number - 1) * steps_per_epoch + step, total);
            let loss = learner.step(rows, rate)?;
            if !loss.is_finite() {
                return Err(Error::Training(format!(
                    "the loss became {loss} in epoch {number}; a smaller learning_rate than {} may help",
                    recipe.learning_rate
                )));
            }
            sum += loss;
        }
        let mut epoch = Epoch { number, loss: sum / steps_per_epoch as f64, held_out: None };
        if recipe.early_stop.is_some() {
            epoch.held_out = Some(learner.loss_on(&held_out)?);
        }
        watch(&epoch);
        curve.push(epoch);
        if let (Some(stop), Some(loss)) = (recipe.early_stop, epoch.held_out) {
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, learner.net()?));
                since_best = 0;
            } else {
                since_best += 1;
                if since_best >= stop.patience {
                    break;
                }
            }
        }
    }
    let net = match best {
        Some((_, net)) => net,
        None => learner.net()?,
    };
    Ok(Fit { net: net.locked_as(start)?, curve })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::data::Batch;
    use crate::ledger::Budget;
    use crate::net::{Activation, EarlyStop, Loss, Optimizer, Precision, Schedule};
    use crate::rng::normal;

    fn line(n: usize) -> Labeled {
        let mut rng = Seed::new(1).stream("xs");
        let xs = Batch::from_shape_simple_fn((n, 2), || normal(&mut rng));
        let ys = xs.dot(&array![[2.0], [-3.0]]) + 0.5;
        Labeled { xs, ys }
    }

    fn linear_start() -> Net {
        Net::random(&[2, 1], Activation::Relu, Precision::F64, &mut Seed::new(2).stream("init"))
            .unwrap()
    }

    fn train(recipe: &Recipe, data: &Labeled, target: Target, start: &Net) -> Fit {
        let lesson = Lesson { data, target, recipe, seed: Seed::new(3) };
        fit(start, lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {}).unwrap()
    }

    #[test]
    fn both_optimisers_find_the_least_squares_solution() {
        for optimizer in [Optimizer::Adam, Optimizer::Sgd { momentum: 0.9 }] {
            let recipe = Recipe {
                optimizer,
                learning_rate: 0.05,
                epochs: 60,
                batch: 16,
                ..Recipe::default()
            };
            let fit = train(&recipe, &line(256), Target::Real, &linear_start());
            let layer = &fit.net.layers()[0];
            let off = [layer.weight[[0, 0]] - 2.0, layer.weight[[0, 1]] + 3.0, layer.bias[0] - 0.5];
            assert!(off.iter().all(|d| d.abs() < 1e-4), "{optimizer:?}: {off:?}");
        }
    }

    #[test]
    fn one_step_of_sgd_is_what_the_hand_computes() {
        // One row x = 1, y = 1, net w x + b with w = 2, b = 0: loss (2 − 1)² = 1, gradients 2 and 2. With decay 0.1 the
        // pulls are 2.2 and 2, step size 0.1: w = 1.78, b = −0.2.
        let layer = crate::net::Layer {
            weight: array![[2.0]],
            bias: array![0.0],
            activation: Activation::Identity,
        };
        let start = Net::new(vec![layer], Precision::F64).unwrap();
        let data = Labeled { xs: array![[1.0]], ys: array![[1.0]] };
        let recipe = Recipe {
            optimizer: Optimizer::Sgd { momentum: 0.9 },
            schedule: Schedule::Constant,
            learning_rate: 0.1,
            weight_decay: 0.1,
            epochs: 1,
            ..Recipe::default()
        };
        let fit = train(&recipe, &data, Target::Real, &start);
        assert!((fit.net.layers()[0].weight[[0, 0]] - 1.78).abs() < 1e-12);
        assert!((fit.net.layers()[0].bias[0] + 0.2).abs() < 1e-12);
        assert!((fit.curve[0].loss - 1.0).abs() < 1e-12);
    }

    #[test]
    fn cross_entropy_starts_at_its_closed_form() {
        // Zero weights answer 0: the softmax loss is ln k, the logistic loss ln 2.
        let zero = |outputs| {
            let layer = crate::net::Layer {
                weight: Batch::zeros((outputs, 2)),
                bias: ndarray::Array1::zeros(outputs),
                activation: Activation::Identity,
            };
            Net::new(vec![layer], Precision::F64).unwrap()
        };
        let recipe =
            Recipe { loss: Some(Loss::CrossEntropy), epochs: 1, batch: 4, ..Recipe::default() };
        let xs = line(4).xs;
        let classes = Labeled {
            xs: xs.clone(),
            ys: array![[1., 0., 0.], [0., 1., 0.], [0., 0., 1.], [1., 0., 0.]],
        };
        let fit = train(&recipe, &classes, Target::Classes(3), &zero(3));
        assert!((fit.curve[0].loss - 3.0_f64.ln()).abs() < 1e-12);
        let signs = Labeled { xs, ys: array![[1.0], [-1.0], [1.0], [1.0]] };
        let fit = train(&recipe, &signs, Target::Sign, &zero(1));
        assert!((fit.curve[0].loss - 2.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn early_stop_keeps_the_best_weights_and_charges_what_it_used() {
        let recipe = Recipe {
            early_stop: Some(EarlyStop { held_out: 0.25, patience: 2 }),
            learning_rate: 0.5,
            schedule: Schedule::Constant,
            epochs: 200,
            batch: 12,
            ..Recipe::default()
        };
        let data = line(64);
        let ledger = Ledger::new(Budget::UNLIMITED);
        let lesson =
            Lesson { data: &data, target: Target::Real, recipe: &recipe, seed: Seed::new(3) };
        let start = linear_start();
        let fit = fit(&start, lesson, &ledger, &mut |_| {}).unwrap();
        assert!(fit.curve.len() < 200);
        let losses: Vec<f64> = fit.curve.iter().map(|e| e.held_out.unwrap()).collect();
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(
            (losses[losses.len() - 3] - best).abs() < 1e-15,
            "stopped two epochs past the best"
        );
        // 48 training rows in 4 steps, 16 held out, F = 4, 3 parameters, 15 operations each for Adam.
        let per_epoch = 3 * 4 * 48 + 15 * 3 * 4 + 4 * 16;
        assert_eq!(ledger.spent().flops, per_epoch * fit.curve.len() as u64);
    }

    #[test]
    fn same_seed_same_bytes_at_any_number_of_threads() {
        let data = line(300);
        let recipe = Recipe { epochs: 3, batch: 32, ..Recipe::default() };
        let start = Net::random(
            &[2, 40, 1],
            Activation::Gelu,
            Precision::F32,
            &mut Seed::new(5).stream("init"),
        )
        .unwrap();
        let nets: Vec<Net> = [1, 3]
            .into_iter()
            .map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| train(&recipe, &data, Target::Real, &start).net)
            })
            .collect();
        assert_eq!(nets[0], nets[1]);
        assert_ne!(nets[0], start);
    }

    #[test]
    fn a_loss_that_blows_up_is_an_error() {
        let recipe = Recipe {
            optimizer: Optimizer::Sgd { momentum: 0.0 },
            learning_rate: 1e30,
            ..Recipe::default()
        };
        let data = line(64);
        let lesson =
            Lesson { data: &data, target: Target::Real, recipe: &recipe, seed: Seed::new(3) };
        let error = fit(&linear_start(), lesson, &Ledger::new(Budget::UNLIMITED), &mut |_| {});
        assert!(matches!(error, Err(Error::Training(_))), "{error:?}");
    }
}
