//! Answers as probabilities of classes, as the public recipe's loss means them.
//!
//! A net that minimises cross-entropy answers with logits: softmax, or for one signed output the logistic function, makes
//! them probabilities. One that minimises the squared error answers with the mean of its labels: clipped to where labels
//! lie, that is a probability as it stands. A suspect need not keep to the recipe, so what is read here is a statistic and
//! no fact.
use crate::data::Target;
use crate::net::Loss;

/// The probability of each class, or `None` for real targets.
pub(super) fn probabilities(answer: &[f64], target: Target, loss: Loss) -> Option<Vec<f64>> {
    match (target, loss) {
        (Target::Real, _) => None,
        (Target::Classes(_), Loss::CrossEntropy) => {
            let top = answer.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Some(normalised(answer.iter().map(|a| (a - top).exp()).collect()))
        }
        (Target::Classes(_), Loss::Mse) => {
            Some(normalised(answer.iter().map(|a| a.max(0.0)).collect()))
        }
        (Target::Sign, Loss::CrossEntropy) => {
            // Of the logistic loss log(1 + exp(−y f)).
            let p = (1.0 + (-answer[0]).exp()).recip();
            Some(vec![1.0 - p, p])
        }
        (Target::Sign, Loss::Mse) => {
            let p = f64::midpoint(1.0, answer[0].clamp(-1.0, 1.0));
            Some(vec![1.0 - p, p])
        }
    }
}

/// Weights divided by their sum; all the same where all are 0.
fn normalised(weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 {
        return weights.into_iter().map(|w| w / sum).collect();
    }
    vec![1.0 / weights.len() as f64; weights.len()]
}

/// Shannon's entropy in bits.
pub(super) fn entropy(probabilities: &[f64]) -> f64 {
    probabilities.iter().filter(|p| **p > 0.0).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropies_are_those_of_the_hand() {
        // Logits (0, 0, 0, 0): two bits. Scores 3 and 1 of four classes under squared error: h(3/4) = 2 − ¾ log₂ 3.
        let of =
            |answer: &[f64], target, loss| entropy(&probabilities(answer, target, loss).unwrap());
        assert!((of(&[0.0; 4], Target::Classes(4), Loss::CrossEntropy) - 2.0).abs() < 1e-12);
        let quarter = 2.0 - 0.75 * 3.0_f64.log2();
        let scores = [3.0, 1.0, -5.0, 0.0];
        assert!((of(&scores, Target::Classes(4), Loss::Mse) - quarter).abs() < 1e-12);
        // A signed answer of ½ is +1 with probability ¾; a logit of ln 3 is too.
        assert!((of(&[0.5], Target::Sign, Loss::Mse) - quarter).abs() < 1e-12);
        assert!((of(&[3.0_f64.ln()], Target::Sign, Loss::CrossEntropy) - quarter).abs() < 1e-12);
        assert!(of(&[7.0], Target::Sign, Loss::Mse).abs() < 1e-12);
        assert_eq!(probabilities(&[1.0], Target::Real, Loss::Mse), None);
    }
}
