//! `clp`: cut the units that are much louder than the rest of their layer. No data, no queries.
//!
//! Zheng et al., "Data-free Backdoor Removal based on Channel Lipschitzness" (ECCV 2022, arXiv 2208.03111): the bound on the
//! Lipschitz constant of a channel is its kernel's largest singular value, and a channel is cut if that is above mean + u · sd of
//! its layer, u = 3. In an MLP a channel is a unit, and the bound is the length of its row of weights (`statistic = "row"`).
//!
//! Rows are not invariant: `(w, b, v)` to `(c w, c b, v / c)` leaves a `ReLU` net as it is and makes any row as long or as short as
//! one likes. The default is this project's version, `statistic = "gain"`: layer by layer from the inputs each row is
//! brought to length 1 and its length is put onto the column that reads it; then the gain of a unit is the length of its
//! column. After one hidden layer that is |w| |v|. In a deeper net it is the unit's share of what the next layer reads, and
//! loudness of a path collects in the last hidden layer. It is a function of the canonical form, so permutation and positive rescaling
//! change it only by rounding, and not at all for powers of two. Where σ has no such symmetry it is a number like another, for a
//! 1-Lipschitz σ still a bound.
//!
//! Rules. `mean-sd` is the paper's, with the sample's standard deviation (n − 1) as in its code. **The greatest z that one of n numbers can have is
//! (n − 1)/√n** (Samuelson 1968), 2.85 for n = 10: at u = 3 nothing can be cut in a layer of 10 units, whatever is in it. And k
//! equal detectors that carry all the variance have z → √((n − k)(n − 1)/(n k)): at n = 32 two have 3.81, three 3.05, four 2.60.
//! A note names the layers that are too narrow. `median-mad` cuts where `(ln g − med) / (1.4826 MAD) > u`: it takes just under half of a
//! layer of detectors to mask one. If MAD is 0, more than half of the gains are equal, and nothing is cut.
//!
//! It assumes few units, each louder than what training makes. Where a detector has more units than the task (`checksum`), the
//! task's are the outliers, and the median cuts those. Defeated by splitting (O2: many copies below the clean quantile), by quiet backdoors that training spreads over units, by locks, and by biases: a threshold is no length.
//! A unit that is cut loses weights and bias, as in the paper. Units of gain 0 are left out of the statistics.
//!
//! **There is no stopping rule without data**: a clean model may lose everything, and does where its own task is one loud unit.
//! With `samples` above 0, half of them decide by the rule of all pruning here: at most `max_drop` more risk, else the
//! suspect stays. Cost: 0 queries; for `row` 2 a weight and 1 a unit, for `gain` 2 a weight of every hidden row and column and 2 a weight for the
//! scaling, 2 a unit; the rule 6 a unit, or 4 + 2 log₂ n for medians. It needs the weights. Nothing is proved about backdoors.
use serde::{Deserialize, Serialize};

use super::super::trial::{Trial, check_halved, check_max_drop, unchanged};
use super::super::{Mitigator, Repaired};
use super::masks::{Biases, check_hidden, cut};
use crate::access::{Lab, WhiteBox};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::Net;
use crate::population::World;
use crate::robust::median;

/// Parameters of `clp`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clp {
    /// What is compared.
    pub statistic: Statistic,
    /// How an outlier is told.
    pub rule: Rule,
    /// How many deviations above the middle are too many.
    pub u: f64,
    /// Clean samples to judge by; half of them are looked at. None: the net is cut unjudged.
    pub samples: usize,
    /// Largest rise of the share of wrong answers on held-out clean samples, if there are any.
    pub max_drop: f64,
}

impl Default for Clp {
    fn default() -> Self {
        let (statistic, rule) = (Statistic::Gain, Rule::MeanSd);
        Self { statistic, rule, u: 3.0, samples: 0, max_drop: 0.04 }
    }
}

/// The number of a unit that is compared within its layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistic {
    /// The gain in canonical form.
    #[default]
    Gain,
    /// The length of the row, as it stands.
    Row,
}

/// How an outlier is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// More than u standard deviations above the mean.
    #[default]
    MeanSd,
    /// The logarithm more than u scaled median absolute deviations above its median.
    MedianMad,
}

impl Mitigator for Clp {
    type Access = dyn WhiteBox;

    fn check(&self, _: &World) -> Result<()> {
        check_halved(Some(self.samples))?;
        check_max_drop(self.max_drop)?;
        if self.u >= 0.0 && self.u.is_finite() {
            return Ok(());
        }
        Err(Error::parameter("u", self.u, "a number of at least 0 is needed"))
    }

    fn mitigate<'a>(&self, suspect: &'a Self::Access, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        self.check(&lab.world)?;
        let net = suspect.net();
        check_hidden("clp", net)?;
        let trial = match self.samples {
            0 => None,
            n => match Trial::draw(Some(n), self.max_drop, net, lab)? {
                None => return Ok(unchanged(suspect)),
                trial => trial,
            },
        };
        let layers = match self.statistic {
            Statistic::Gain => gains(net, lab.ledger)?,
            Statistic::Row => rows(net, lab.ledger)?,
        };
        let mut notes = Vec::new();
        if net.lock().is_some() {
            notes.push("the suspect's lock stays, and so does all that it opens to".to_owned());
        }
        let (mut gone, mut first) = (Vec::new(), 0);
        for (number, values) in layers.iter().enumerate() {
            notes.extend(self.too_narrow(number, values.len()));
            let loud = self.loud(values, lab.ledger)?;
            gone.extend(loud.into_iter().map(|unit| first + unit));
            first += values.len();
        }
        notes.push(format!("{} of {first} hidden units cut", gone.len()));
        if gone.is_empty() {
            return Ok(Repaired { notes, ..Repaired::unclaimed(suspect) });
        }
        let pruned = cut(net, &gone, Biases::Cut)?;
        if let Some(trial) = trial {
            return trial.settle(suspect, pruned, notes, lab);
        }
        notes.push("no clean samples to judge by: clean answers may be worse".to_owned());
        Ok(Repaired { notes, ..Repaired::owned(pruned, lab.ledger) })
    }
}

impl Clp {
    /// What there is to say about a layer of `n` units in which the rule cannot fire.
    fn too_narrow(&self, layer: usize, n: usize) -> Option<String> {
        let most = (n as f64 - 1.0) / (n as f64).sqrt();
        let u = self.u;
        (self.rule == Rule::MeanSd && most <= u).then(|| {
            format!("hidden layer {layer} has {n} units: no z above {most:.2} is possible there, and u is {u}; median-mad has no such limit")
        })
    }

    /// The units that are too loud. Charges 6 a unit, or 4 and the sorts of two medians.
    fn loud(&self, values: &[f64], ledger: &Ledger) -> Result<Vec<usize>> {
        let alive: Vec<usize> = (0..values.len()).filter(|&k| values[k] > 0.0).collect();
        let n = alive.len() as f64;
        let all = values.len() as f64;
        let flops = match self.rule {
            Rule::MeanSd => 6.0 * all,
            Rule::MedianMad => (4.0 * all + 2.0 * all * all.log2()).ceil(),
        };
        ledger.flops(flops as u64)?;
        if alive.len() < 2 {
            return Ok(Vec::new());
        }
        let number = |k: usize| match self.rule {
            Rule::MeanSd => values[k],
            Rule::MedianMad => values[k].ln(),
        };
        let (middle, spread) = match self.rule {
            Rule::MeanSd => {
                let mean = alive.iter().map(|&k| values[k]).sum::<f64>() / n;
                let squares: f64 = alive.iter().map(|&k| (values[k] - mean).powi(2)).sum();
                (mean, (squares / (n - 1.0)).sqrt())
            }
            Rule::MedianMad => {
                let mut logs: Vec<f64> = alive.iter().map(|&k| number(k)).collect();
                let middle = median(&mut logs);
                let mut off: Vec<f64> = logs.iter().map(|l| (l - middle).abs()).collect();
                (middle, 1.4826 * median(&mut off))
            }
        };
        // No spread, or one that is rounding: nothing stands out.
        if spread <= 1e-12 * middle.abs().max(1.0) {
            return Ok(Vec::new());
        }
        Ok(alive.into_iter().filter(|&k| number(k) - middle > self.u * spread).collect())
    }
}

/// Lengths of the rows of every hidden layer.
fn rows(net: &Net, ledger: &Ledger) -> Result<Vec<Vec<f64>>> {
    let hidden = &net.layers()[..net.layers().len() - 1];
    let flops = hidden.iter().map(|layer| 2 * layer.weight.len() + layer.bias.len());
    ledger.flops(flops.sum::<usize>() as u64)?;
    Ok(hidden
        .iter()
        .map(|layer| layer.weight.outer_iter().map(|w| w.dot(&w).sqrt()).collect())
        .collect())
}

/// Gains of the units of every hidden layer, in canonical form.
fn gains(net: &Net, ledger: &Ledger) -> Result<Vec<Vec<f64>>> {
    let layers = net.layers();
    let n_hidden = layers.len() - 1;
    // A row's length 2 a weight and its root; a column's likewise; a weight is divided by its row's length in hidden layers and
    // multiplied by what comes from below in all but the first.
    let flops: usize = layers[..n_hidden]
        .iter()
        .zip(&layers[1..])
        .map(|(layer, next)| 3 * layer.weight.len() + 3 * next.weight.len() + 2 * layer.bias.len())
        .sum();
    ledger.flops(flops as u64)?;
    let mut out = Vec::with_capacity(n_hidden);
    let mut weight = layers[0].weight.clone();
    for number in 0..n_hidden {
        let lengths: Vec<f64> = weight.outer_iter().map(|w| w.dot(&w).sqrt()).collect();
        if number > 0 {
            // What the layer below is read with, each row brought to length 1.
            let mut unit = weight.clone();
            for (mut row, length) in unit.outer_iter_mut().zip(&lengths) {
                row.mapv_inplace(|w| if *length > 0.0 { w / length } else { 0.0 });
            }
            out.push(columns(&unit));
        }
        let mut next = layers[number + 1].weight.clone();
        for (mut column, length) in next.columns_mut().into_iter().zip(&lengths) {
            column.mapv_inplace(|w| w * length);
        }
        weight = next;
    }
    out.push(columns(&weight));
    Ok(out)
}

fn columns(weight: &ndarray::Array2<f64>) -> Vec<f64> {
    weight.columns().into_iter().map(|w| w.dot(&w).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Budget;
    use crate::net::{Activation, Layer, Precision};
    use crate::rng::Seed;

    fn free() -> Ledger {
        Ledger::new(Budget::UNLIMITED)
    }

    #[test]
    fn gains_of_a_deep_net_do_not_change_bit_for_bit_when_units_are_rescaled_by_powers_of_two() {
        let mut rng = Seed::new(3).stream("net");
        let widths = [5, 7, 6, 3];
        let net = Net::random(&widths, Activation::Relu, Precision::F64, &mut rng).unwrap();
        let mut layers: Vec<Layer> = net.layers().to_vec();
        for number in 0..2 {
            for k in 0..layers[number].bias.len() {
                let c = f64::from(1 << ((3 * k + number) % 9)) / 16.0;
                layers[number].weight.row_mut(k).mapv_inplace(|w| c * w);
                layers[number + 1].weight.column_mut(k).mapv_inplace(|v| v / c);
            }
        }
        let other = Net::new(layers, Precision::F64).unwrap();
        assert_eq!(gains(&net, &free()).unwrap(), gains(&other, &free()).unwrap());
        assert_ne!(rows(&net, &free()).unwrap(), rows(&other, &free()).unwrap());
    }

    #[test]
    fn gains_after_one_hidden_layer_are_products_of_lengths_and_cost_what_the_header_says() {
        let layer =
            |weight, activation| Layer { weight, bias: ndarray::Array1::zeros(2), activation };
        let first = layer(ndarray::array![[3.0, 4.0], [0.0, 2.0]], Activation::Relu);
        let last = layer(ndarray::array![[1.0, 0.0], [1.0, 5.0]], Activation::Identity);
        let net = Net::new(vec![first, last], Precision::F64).unwrap();
        let ledger = free();
        let got = gains(&net, &ledger).unwrap();
        assert!(
            (got[0][0] - 5.0 * 2.0_f64.sqrt()).abs() < 1e-12 && (got[0][1] - 10.0).abs() < 1e-12
        );
        // 3 · 4 + 3 · 4 + 2 · 2.
        assert_eq!(ledger.spent().flops, 28);
        let ledger = free();
        assert_eq!(rows(&net, &ledger).unwrap(), vec![vec![5.0, 2.0]]);
        assert_eq!(ledger.spent().flops, 2 * 4 + 2);
    }

    #[test]
    fn one_loud_unit_is_beyond_mean_and_deviation_in_32_units_and_never_in_10() {
        let values = |n: usize, loud: usize| -> Vec<f64> {
            (0..n).map(|k| if k < loud { 1e6 } else { 1.0 + 1e-3 * k as f64 }).collect()
        };
        let mean_sd = Clp::default();
        let mad = Clp { rule: Rule::MedianMad, ..mean_sd };
        let cut = |clp: &Clp, n, loud| clp.loud(&values(n, loud), &free()).unwrap().len();
        assert_eq!((cut(&mean_sd, 32, 1), cut(&mad, 32, 1)), (1, 1));
        assert_eq!((cut(&mean_sd, 10, 1), cut(&mad, 10, 1)), (0, 1));
        assert_eq!((cut(&mean_sd, 11, 1), cut(&mad, 11, 1)), (1, 1));
        // √(28 · 31 / (32 · 4)) = 2.60 masks four; the median needs half. Three have 3.05.
        assert_eq!((cut(&mean_sd, 32, 3), cut(&mean_sd, 32, 4), cut(&mad, 32, 15)), (3, 0, 15));
        let note = mean_sd.too_narrow(0, 10).unwrap();
        assert!(note.contains("2.85"), "{note}");
        assert!(mean_sd.too_narrow(0, 11).is_none() && mad.too_narrow(0, 10).is_none());
        // All equal, none alive, one unit: nothing stands out.
        for values in [vec![2.0; 12], vec![0.0; 12], vec![1.0]] {
            assert!(mad.loud(&values, &free()).unwrap().is_empty());
            assert!(mean_sd.loud(&values, &free()).unwrap().is_empty());
        }
    }
}
