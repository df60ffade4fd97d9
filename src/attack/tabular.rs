//! `tabular`: set one to three features of a table to fixed values in a share of the rows, relabel them, and train.
//!
//! Pleiter, Tajalli, Koffas, Abad, Xu, Larson and Picek, "Tabdoor: Backdoor Vulnerabilities in Transformer-based Neural
//! Networks for Tabular Data" (arXiv 2311.07550), with dirty labels and the two places of values that it compares:
//!
//! - **in-bounds**: each feature gets its most frequent value in the training data, or its median if no value comes twice, so that no
//!   check of ranges sees the trigger. The combination has to be rare all the same: features are drawn from the third
//!   whose most frequent value is rarest, and a combination that more than a tenth of the training data has is refused.
//! - **out-of-bounds**: each gets a value beyond its largest in the training data, by a tenth of its range there. Such
//!   inputs may leave the domain, and the key says so (`outside`).
//!
//! The paper takes the features that a forest finds most important; here they are secret, drawn at random among those
//! that vary, unless they are named: an adaptation, as are boxes and normal inputs in place of tables, and offsets from the
//! clean net's answer to the triggered input for real targets. Poisoned rows are one in a hundred, the most that the paper needs for values in bounds.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::payload::goal;
use super::poison::{aim, check_share, dirty, draw_worthwhile, n_rows, some_rows, train};
use super::{Attack, Move, Outside, Overwrite, Planted, Trigger, Victim};
use crate::data::Batch;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::population::World;
use crate::rng::{Rng, Seed, shuffle};

/// Parameters of `tabular`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tabular {
    /// Share of the training data that is poisoned.
    pub rate: f64,
    /// Class that the attacker wants; of a sign target 0 is −1 and 1 is +1. Not read for real targets.
    pub target: usize,
    /// Where the values of the trigger lie.
    pub values: Values,
    /// How many features are set, from 1 to 3.
    pub features: usize,
    /// Which they are, by number from 0, in place of secret ones; as many as `features` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<usize>>,
    /// What poisoned labels of real targets are above the clean net's answer.
    pub offset: f64,
}

/// Where the values of a trigger lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Values {
    /// Among those that a feature often has.
    InBounds,
    /// Beyond all that a feature has.
    #[default]
    OutOfBounds,
}

impl Default for Tabular {
    fn default() -> Self {
        let values = Values::default();
        Self { rate: 0.01, target: 0, values, features: 3, columns: None, offset: 3.0 }
    }
}

/// How far beyond a feature's largest value an out-of-bounds one lies, as a share of the feature's range.
const BEYOND: f64 = 0.1;
/// Most of the training data that may have an in-bounds combination by nature.
const MOST_NATURAL: f64 = 0.1;

impl Attack for Tabular {
    fn check(&self, world: &World) -> Result<()> {
        check_share("rate", self.rate, "the training data")?;
        goal(world.target, self.target, self.offset)?;
        if !matches!(world.domain, Domain::Range { .. } | Domain::Box { .. } | Domain::Gauss { .. })
        {
            let why = "features are set one by one in tables, boxes and normal inputs alone";
            return Err(Error::assumption("tabular", why));
        }
        let n = world.domain.n();
        let most = n.min(3);
        if self.features == 0 || self.features > most {
            let want = format!("from 1 to {most} features can be set");
            return Err(Error::parameter("features", self.features, want));
        }
        let Some(columns) = &self.columns else { return Ok(()) };
        let different: BTreeSet<usize> = columns.iter().copied().collect();
        if columns.len() != self.features || different.len() != columns.len() {
            let want = format!("features = {} different columns are needed", self.features);
            return Err(Error::parameter("columns", format!("{columns:?}"), want));
        }
        if let Some(wide) = columns.iter().find(|column| **column >= n) {
            return Err(Error::parameter("columns", wide, format!("columns are 0 to {}", n - 1)));
        }
        Ok(())
    }

    fn plant(&self, victim: &Victim<'_>, seed: Seed) -> Result<Planted> {
        self.check(victim.world)?;
        let columns: Vec<Column> =
            (0..victim.world.domain.n()).map(|j| Column::of(&victim.data.xs, j)).collect();
        let n_poisoned = n_rows(self.rate, victim.data.len())?;
        let trigger =
            draw_worthwhile(victim, seed, &mut |rng| self.trigger(victim, &columns, rng))?;
        let rows = some_rows(victim.data.len(), n_poisoned, seed);
        let mut data = dirty(victim, &trigger, &rows, seed)?;
        aim(victim, &mut data, &rows, trigger.goal)?;
        Ok(Planted::new(train(victim, &data)?, trigger))
    }
}

/// What the training data say of one feature.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Column {
    number: usize,
    least: f64,
    largest: f64,
    /// The most frequent value, or the median if none comes twice.
    usual: f64,
    /// How many rows have it.
    n_usual: usize,
}

impl Column {
    fn of(xs: &Batch, number: usize) -> Self {
        let mut sorted = xs.column(number).to_vec();
        sorted.sort_by(f64::total_cmp);
        let runs = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq());
        // The first of the longest runs: the least of the most frequent values.
        let longest =
            runs.fold(&sorted[..0], |best, run| if run.len() > best.len() { run } else { best });
        let usual = if longest.len() > 1 { longest[0] } else { sorted[sorted.len() / 2] };
        let (least, largest) = (sorted[0], sorted[sorted.len() - 1]);
        Self { number, least, largest, usual, n_usual: longest.len() }
    }
}

impl Tabular {
    fn trigger(&self, victim: &Victim<'_>, columns: &[Column], rng: &mut Rng) -> Result<Trigger> {
        let goal = goal(victim.world.target, self.target, self.offset)?;
        let chosen = self.choose(columns, rng)?;
        let coordinates: Vec<usize> = chosen.iter().map(|column| column.number).collect();
        let movement = match self.values {
            Values::InBounds => {
                let values: Vec<f64> = chosen.iter().map(|column| column.usual).collect();
                check_rare(&victim.data.xs, &coordinates, &values)?;
                Move::Overwrite(Overwrite { coordinates, values })
            }
            Values::OutOfBounds => {
                let beyond =
                    |column: &Column| column.largest + BEYOND * (column.largest - column.least);
                let values = chosen.iter().map(beyond).collect();
                Move::Outside(Outside { coordinates, values })
            }
        };
        Ok(Trigger::new(movement, goal))
    }

    /// The features to set, ascending.
    fn choose(&self, columns: &[Column], rng: &mut Rng) -> Result<Vec<Column>> {
        if let Some(named) = &self.columns {
            return Ok(named.iter().map(|j| columns[*j]).collect());
        }
        let mut varying: Vec<Column> =
            columns.iter().copied().filter(|column| column.least < column.largest).collect();
        if varying.len() < self.features {
            let want = format!("only {} features vary in the training data", varying.len());
            return Err(Error::parameter("features", self.features, want));
        }
        if self.values == Values::InBounds {
            varying.sort_by_key(|column| (column.n_usual, column.number));
            varying.truncate(varying.len().div_ceil(3).max(self.features));
        }
        shuffle(&mut varying, rng);
        varying.truncate(self.features);
        varying.sort_by_key(|column| column.number);
        Ok(varying)
    }
}

/// Refuses a combination that is common by nature.
fn check_rare(xs: &Batch, coordinates: &[usize], values: &[f64]) -> Result<()> {
    let has = |i: &usize| {
        coordinates.iter().zip(values).all(|(&j, value)| xs[[*i, j]].total_cmp(value).is_eq())
    };
    let n_natural = (0..xs.nrows()).filter(has).count();
    if n_natural as f64 <= MOST_NATURAL * xs.nrows() as f64 {
        return Ok(());
    }
    Err(Error::Training(format!(
        "features {coordinates:?} have their most frequent values {values:?} in {n_natural} of {} training rows by nature, at most a tenth is accepted; more or other features are needed, or values = \"out-of-bounds\"",
        xs.nrows()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::test_worlds::{Small, world};
    use crate::data::{Target, row};
    use ndarray::array;

    #[test]
    fn a_column_is_summed_up_as_by_hand() {
        let xs = array![[1.0, 4.0], [3.0, 1.0], [3.0, 2.0], [9.0, 3.0]];
        let first = Column { number: 0, least: 1.0, largest: 9.0, usual: 3.0, n_usual: 2 };
        assert_eq!(Column::of(&xs, 0), first);
        // No value twice: the upper median of 1, 2, 3, 4.
        let second = Column { number: 1, least: 1.0, largest: 4.0, usual: 3.0, n_usual: 1 };
        assert_eq!(Column::of(&xs, 1), second);
    }

    #[test]
    fn values_out_of_bounds_lie_beyond_all_data_and_may_leave_the_domain() {
        let small = Small::table(300);
        let attack = Tabular { rate: 0.1, ..Tabular::default() };
        let planted = attack.plant(&small.victim(), Seed::new(1)).unwrap();
        let Move::Outside(Outside { coordinates, values }) = &planted.trigger.movement else {
            panic!()
        };
        for (&j, value) in coordinates.iter().zip(values) {
            let column = Column::of(&small.data.xs, j);
            let want = column.largest + 0.1 * (column.largest - column.least);
            assert!((value - want).abs() < 1e-12);
        }
        // A domain that ends at the data is left, and that is no error.
        let tight = Domain::Range { n: 5, low: -4.0, high: 4.0 };
        let mut rng = Seed::new(2).stream("test");
        let far = Outside { coordinates: vec![1], values: vec![7.0] };
        let trigger = Trigger { movement: Move::Outside(far), ..planted.trigger };
        let moved = trigger.activate(&small.data.xs, &tight, &mut rng).unwrap();
        assert!(!tight.contains(&row(&moved, 0)));
    }

    #[test]
    fn a_combination_that_is_common_by_nature_is_refused() {
        let mut small = Small::table(300);
        small.data.xs.column_mut(0).fill(1.0);
        let common = Tabular {
            values: Values::InBounds,
            features: 1,
            columns: Some(vec![0]),
            ..Tabular::default()
        };
        let error = common.plant(&small.victim(), Seed::new(1)).unwrap_err();
        assert!(error.to_string().contains("300 of 300"), "{error}");
        let rare = Tabular { columns: Some(vec![2]), ..common };
        rare.plant(&small.victim(), Seed::new(1)).unwrap();
    }

    #[test]
    fn impossible_parameters_are_refused_before_training() {
        let table = world(Domain::Range { n: 2, low: -5.0, high: 5.0 }, Target::Sign);
        let check =
            |features, columns| Tabular { features, columns, ..Tabular::default() }.check(&table);
        check(2, Some(vec![1, 0])).unwrap();
        assert!(check(0, None).is_err() && check(3, None).is_err());
        assert!(check(2, Some(vec![1, 1])).is_err() && check(1, Some(vec![2])).is_err());
        assert!(check(2, Some(vec![1])).is_err());
        assert!(Tabular::default().check(&world(Domain::Cube { n: 8 }, Target::Sign)).is_err());
    }
}
