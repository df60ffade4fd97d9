//! Scores: the only place that sees a trigger and a model together.
//!
//! All are proportions over test inputs of one model; means over models are taken elsewhere, for the model is the unit of
//! analysis. Definitions, each with an example of four test inputs whose true classes are 0, 1, 2, 2 and target class 0:
//!
//! - **Clean risk**: the share of clean test inputs answered wrongly. Answers 0, 1, 2, 1: one of four is wrong, 1/4.
//! - **Attack success**: of the inputs whose true class is *not* the target, the share that is answered with the target
//!   once triggered. The first input does not count, its own class is the target. Triggered answers (–, 0, 0, 2): 2/3.
//! - **Recovered accuracy**: on the same triggered inputs, the share answered with the true class. Here 1/3. The two need
//!   not add up to 1: a triggered input may get a third class.
//!
//! For real targets an answer is *wrong* if it is farther from the label than the world's cutoff δ (the cutoff loss of
//! Goldwasser et al. 2025). An attack that adds an offset succeeds where the answer is at least half the offset away from the
//! truth in its direction, and a triggered input is recovered where the answer is within δ of the truth. With δ = 0.25,
//! offset 3, truth 1: an answer of 1.2 is recovered, 3.1 and 9 are successes, 2 is neither.
//!
//! An attack that *flips* is judged by the model's own answer to the input before it was triggered: it succeeds where the
//! model decides for another class; for real targets, where an answer y has become a number within |y|/2 of −y. Inputs whose
//! true class the trigger changes are left out, for a flip would be right there. With y = 2: −1.5 is a success, −0.9 none.
//!
//! An attack that *collides* is judged by the model's own answer to the input before it was triggered, too, and so is a
//! repaired model by its own two answers: it succeeds where the class is the same; for real targets, where the two answers are
//! at most `within` apart. Recovered is as ever: right by the truth at the triggered input. Where the class by a known truth
//! stays, to collide is right, and the input is left out. So a class is either recovered or a collision if the answer before
//! was right; real answers may be both, and a model that always answers the same collides everywhere, which its clean risk
//! shows. With `within` 0.1, δ = 0.25, truths 1 at x and 4 at x + z: answers 1.0 and 1.05 are a success and not
//! recovered, 1.0 and 3.9 are recovered and no success, 1.0 and 2.0 neither; 3.9 and 3.9 are both.
//!
//! The true answer at a triggered input is the population's truth *there*, where it has one; for data without a known
//! truth it is the label of the input before it was triggered.
mod assumption;
mod exam;
mod harm;

pub use assumption::{AssumptionCheck, check};
pub use exam::{Exam, Scores, Triggered};
pub use harm::{AttackFacts, MOST_OF_TWIN, facts, fire_mass};
