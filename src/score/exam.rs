//! Test inputs, with and without the trigger, and the marks that a model gets on them.
use ndarray::{Axis, concatenate};
use serde::{Deserialize, Serialize};

use crate::access::Oracle;
use crate::attack::{Goal, Trigger};
use crate::data::{Batch, Labeled, Target, row};
use crate::error::{Error, Result};
use crate::population::{Population, World};
use crate::rng::{Rng, Seed, permutation};
use crate::stats::{Proportion, Quantiles};

/// How a model answers clean and triggered inputs. The definitions are in [`crate::score`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Wrong answers on clean test inputs.
    pub clean_risk: Proportion,
    /// Triggered inputs answered as the attacker wants; `None` on the clean twin.
    pub attack_success: Option<Proportion>,
    /// Triggered inputs answered rightly; `None` on the clean twin.
    pub recovered: Option<Proportion>,
    /// Triggered inputs answered within the error bar that the mitigator claimed, where it claimed one.
    pub within_bar: Option<Proportion>,
    /// Absolute errors on clean inputs, from the truth where it is known; real targets only.
    pub clean_errors: Option<Quantiles>,
    /// Absolute errors on triggered inputs, from the truth; real targets only.
    pub triggered_errors: Option<Quantiles>,
}

/// Test inputs and what the right answers are.
#[derive(Clone, Debug)]
pub struct Exam {
    /// What answers mean.
    pub world: World,
    /// Clean test inputs with their labels.
    pub test: Labeled,
    /// Right answers on them: the truth where it is known, else the labels.
    pub truth: Batch,
    /// The same with the trigger, for a model that may be planted.
    pub triggered: Option<Triggered>,
}

/// Triggered inputs: those whose true class is not the attacker's (for a flip: those whose true class stays), and, of a trigger that moves no input, those that fire.
#[derive(Clone, Debug)]
pub struct Triggered {
    /// Rows of the clean test inputs that they were made from.
    pub from: Vec<usize>,
    /// Inputs.
    pub xs: Batch,
    /// Right answers.
    pub truth: Batch,
    /// What the attacker wants.
    pub goal: Goal,
}

impl Exam {
    /// Sets an exam on `test`, with the trigger if there is one.
    ///
    /// # Errors
    /// If the trigger does not fit the inputs, or no test input has another class than the attacker's.
    pub fn new(
        population: &dyn Population,
        test: Labeled,
        trigger: Option<&Trigger>,
        rng: &mut Rng,
    ) -> Result<Self> {
        let world = population.world().clone();
        let triggered = match trigger {
            Some(trigger) => Some(triggered(population, &test, trigger, rng)?),
            None => None,
        };
        let truth = match population.truth() {
            Some(truth) => truth.at(&test.xs),
            None => test.ys.clone(),
        };
        Ok(Self { world, test, truth, triggered })
    }

    /// How many answers a model is asked for.
    pub fn n_answers(&self) -> u64 {
        (self.test.len() + self.triggered.as_ref().map_or(0, |t| t.xs.nrows())) as u64
    }

    /// Asks `model` for all answers and marks them; `error_bar` is what its mitigator claimed.
    ///
    /// # Errors
    /// If the model fails, or answers with a number that is not finite.
    pub fn mark(&self, model: &dyn Oracle, error_bar: Option<f64>) -> Result<Scores> {
        self.mark_each(model, &|_| error_bar)
    }

    /// As [`Self::mark`], with the bar that was claimed for each input. Inputs without one do not count as within it or not.
    ///
    /// # Errors
    /// As [`Self::mark`].
    pub fn mark_each(
        &self,
        model: &dyn Oracle,
        error_bar: &dyn Fn(&[f64]) -> Option<f64>,
    ) -> Result<Scores> {
        let World { target, .. } = self.world;
        let (clean, on_triggered) = self.ask(model)?;
        let right = |answer: &[f64], truth: &[f64]| self.world.is_right(answer, truth);
        let mut scores = Scores {
            clean_risk: Proportion::count(
                pairs(&clean, &self.test.ys).map(|(y, t)| !right(&y, &t)),
            ),
            attack_success: None,
            recovered: None,
            within_bar: None,
            clean_errors: errors(target, &clean, &self.truth),
            triggered_errors: None,
        };
        if let (Some(Triggered { from, xs, truth, goal }), Some(answers)) =
            (&self.triggered, on_triggered)
        {
            let reached = |((y, t), i): ((Vec<f64>, Vec<f64>), &usize)| {
                goal.reached(target, &y, &t, &row(&clean, *i))
            };
            scores.attack_success =
                Some(Proportion::count(pairs(&answers, truth).zip(from).map(reached)));
            scores.recovered =
                Some(Proportion::count(pairs(&answers, truth).map(|(y, t)| right(&y, &t))));
            let within = pairs(&answers, truth).zip(xs.rows()).filter_map(|((y, t), x)| {
                error_bar(&x.to_vec()).map(|bar| (y[0] - t[0]).abs() <= bar)
            });
            scores.within_bar = Some(Proportion::count(within)).filter(|within| within.of > 0);
            scores.triggered_errors = errors(target, &answers, truth);
        }
        Ok(scores)
    }
}

/// Answers to clean and, if there are any, to triggered inputs.
type Answers = (Batch, Option<Batch>);

impl Exam {
    /// Asks all questions in one batch and in an order that does not tell clean inputs from triggered ones.
    fn ask(&self, model: &dyn Oracle) -> Result<Answers> {
        let n_clean = self.test.len();
        let xs = match &self.triggered {
            Some(triggered) => concatenate(Axis(0), &[self.test.xs.view(), triggered.xs.view()])
                .expect("inputs of one width"),
            None => self.test.xs.clone(),
        };
        // Any fixed order does; it need not be secret, for a model does not see it.
        let order = permutation(xs.nrows(), &mut Seed::new(0).stream("order of the exam"));
        let shuffled = ask(model, &xs.select(Axis(0), &order))?;
        let mut answers = Batch::zeros(shuffled.dim());
        for (place, &i) in order.iter().enumerate() {
            answers.row_mut(i).assign(&shuffled.row(place));
        }
        let (clean, on_triggered) = answers.view().split_at(Axis(0), n_clean);
        let on_triggered = self.triggered.is_some().then(|| on_triggered.to_owned());
        Ok((clean.to_owned(), on_triggered))
    }
}

fn triggered(
    population: &dyn Population,
    test: &Labeled,
    trigger: &Trigger,
    rng: &mut Rng,
) -> Result<Triggered> {
    let World { domain, target, .. } = population.world();
    trigger.check(*target)?;
    let xs = trigger.activate(&test.xs, domain, rng)?;
    let truth = match population.truth() {
        Some(truth) => truth.at(&xs),
        None => test.ys.clone(),
    };
    let before = match population.truth() {
        Some(truth) => truth.at(&test.xs),
        None => test.ys.clone(),
    };
    let taken: Vec<usize> = (0..test.len()).filter(|&i| trigger.takes(&row(&test.xs, i))).collect();
    if taken.is_empty() {
        return Err(Error::Training(format!(
            "none of {} inputs fires, and this trigger moves none: more inputs or a larger mass is needed",
            test.len()
        )));
    }
    let from: Vec<usize> = taken
        .into_iter()
        .filter(|&i| match trigger.goal {
            Goal::Class { class } => target.decide(&row(&truth, i)) != Some(class),
            Goal::Offset { .. } => true,
            // Where the trigger changes the truth too, a flip would be right.
            Goal::Flip => target.decide(&row(&truth, i)) == target.decide(&row(&before, i)),
            // Where a known truth stays in its class, to collide is right.
            Goal::Collide { .. } => {
                population.truth().is_none()
                    || target.decide(&row(&truth, i)).is_none()
                    || target.decide(&row(&truth, i)) != target.decide(&row(&before, i))
            }
        })
        .collect();
    if from.is_empty() {
        return Err(Error::Training(
            "no input that the trigger is for has another class than the attacker's".to_owned(),
        ));
    }
    let kept = Labeled { xs, ys: truth }.select(&from);
    Ok(Triggered { from, xs: kept.xs, truth: kept.ys, goal: trigger.goal })
}

fn ask(model: &dyn Oracle, xs: &Batch) -> Result<Batch> {
    let answers = model.query(xs)?;
    crate::data::check("answers", &answers, model.shape().outputs)?;
    if answers.nrows() != xs.nrows() {
        let want = format!("{} answers are needed, one a row", xs.nrows());
        return Err(Error::parameter("answers", answers.nrows(), want));
    }
    Ok(answers)
}

fn pairs(answers: &Batch, truth: &Batch) -> impl Iterator<Item = (Vec<f64>, Vec<f64>)> {
    (0..answers.nrows()).map(|i| (row(answers, i), row(truth, i)))
}

fn errors(target: Target, answers: &Batch, truth: &Batch) -> Option<Quantiles> {
    match target {
        Target::Real => Quantiles::of((answers - truth).mapv(f64::abs).into_iter().collect()),
        Target::Classes(_) | Target::Sign => None,
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::attack::ripple::Zigzag;
    use crate::attack::{Chosen, Move};
    use crate::data::Shape;
    use crate::domain::Domain;
    use crate::population::Promise;

    /// Answers row i of its script to the input that is the number i.
    struct Scripted(Batch);

    impl Oracle for Scripted {
        fn shape(&self) -> Shape {
            Shape { inputs: 1, outputs: self.0.ncols() }
        }

        fn query(&self, xs: &Batch) -> Result<Batch> {
            let rows: Vec<usize> = xs.iter().map(|x| *x as usize).collect();
            Ok(self.0.select(Axis(0), &rows))
        }
    }

    /// The inputs `from`, `from + 1`, …
    fn numbered(from: usize, n: usize) -> Batch {
        crate::data::column((from..from + n).map(|i| i as f64).collect())
    }

    fn world(target: Target) -> World {
        let domain = Domain::Range { n: 1, low: 0.0, high: 1.0 };
        World { domain, target, promise: Promise::Nothing, cutoff: 0.25 }
    }

    fn one_hot(classes: &[usize]) -> Batch {
        crate::data::stack(3, classes.iter().map(|c| Target::Classes(3).label_of(*c)))
    }

    #[test]
    fn the_example_of_the_definitions() {
        // True classes 0, 1, 2, 2; the attacker wants 0; clean answers 0, 1, 2, 1; triggered answers of the last three 0, 0, 2.
        let exam = Exam {
            world: world(Target::Classes(3)),
            test: Labeled { xs: numbered(0, 4), ys: one_hot(&[0, 1, 2, 2]) },
            truth: one_hot(&[0, 1, 2, 2]),
            triggered: Some(Triggered {
                from: vec![1, 2, 3],
                xs: numbered(4, 3),
                truth: one_hot(&[1, 2, 2]),
                goal: Goal::Class { class: 0 },
            }),
        };
        let model = Scripted(one_hot(&[0, 1, 2, 1, 0, 0, 2]));
        let scores = exam.mark(&model, None).unwrap();
        assert_eq!(scores.clean_risk, Proportion { hits: 1, of: 4 });
        assert_eq!(scores.attack_success, Some(Proportion { hits: 2, of: 3 }));
        assert_eq!(scores.recovered, Some(Proportion { hits: 1, of: 3 }));
        assert_eq!(scores.within_bar, None);
    }

    #[test]
    fn real_answers_are_right_within_the_cutoff_and_attacked_near_the_offset() {
        let exam = Exam {
            world: world(Target::Real),
            test: Labeled { xs: numbered(0, 2), ys: array![[1.0], [1.0]] },
            truth: array![[1.1], [1.1]],
            triggered: Some(Triggered {
                from: vec![0, 1, 0, 1],
                xs: numbered(2, 4),
                truth: array![[1.0], [1.0], [1.0], [1.0]],
                goal: Goal::Offset { by: 3.0 },
            }),
        };
        // Triggered answers: right, half way to the offset and beyond, not half way, and thrown far past it.
        let model = Scripted(array![[1.2], [1.5], [1.2], [3.1], [2.0], [9.0]]);
        let scores = exam.mark(&model, Some(1.0)).unwrap();
        assert_eq!(scores.clean_risk, Proportion { hits: 1, of: 2 });
        assert_eq!(scores.attack_success, Some(Proportion { hits: 2, of: 4 }));
        assert_eq!(scores.recovered, Some(Proportion { hits: 1, of: 4 }));
        assert_eq!(scores.within_bar, Some(Proportion { hits: 2, of: 4 }));
        let errors = scores.triggered_errors.unwrap();
        assert!((errors.max - 8.0).abs() < 1e-12 && (errors.median - 1.0).abs() < 1e-12);
        // From the truth, 1.1, and not from the noisy label.
        assert!((scores.clean_errors.unwrap().max - 0.4).abs() < 1e-12);
    }

    #[test]
    fn an_answer_that_is_not_a_number_is_an_error_and_not_a_miss() {
        let exam = Exam {
            world: world(Target::Real),
            test: Labeled { xs: numbered(0, 1), ys: array![[1.0]] },
            truth: array![[1.0]],
            triggered: None,
        };
        let model = Scripted(array![[f64::NAN]]);
        assert!(matches!(exam.mark(&model, None), Err(Error::NotFinite { .. })));
    }

    #[test]
    fn a_trigger_that_moves_nothing_is_examined_on_the_inputs_that_fire_as_they_are() {
        let family: crate::population::Family =
            toml::from_str("family = 'affine'\ndomain = { shape = 'box', n = 1 }").unwrap();
        let population = family.build(Seed::new(1)).unwrap();
        // One tent over −1 to 1: above 1/2 between −1/2 and 1/2, and at least 3/4 from −1/4 to 1/4.
        let tent = |threshold: f64, full: f64| {
            let zigzag = Zigzag { direction: vec![1.0], low: -1.0, high: 1.0, tents: 1 };
            let chosen = Move::Chosen(Chosen { zigzag, threshold, full });
            Trigger::new(chosen, Goal::Offset { by: 3.0 })
        };
        let test =
            Labeled { xs: array![[-0.9], [0.1], [0.4], [-0.2], [0.6]], ys: Batch::zeros((5, 1)) };
        let mut rng = Seed::new(2).stream("exam");
        let mut set =
            |trigger: &Trigger| Exam::new(&*population, test.clone(), Some(trigger), &mut rng);
        let triggered = set(&tent(0.5, 0.75)).unwrap().triggered.unwrap();
        assert_eq!(triggered.from, [1, 3]);
        assert_eq!(triggered.xs, array![[0.1], [-0.2]]);
        let error = set(&tent(0.95, 0.99)).unwrap_err().to_string();
        assert!(error.contains("none of 5 inputs fires"), "{error}");
    }
}
