//! From typed columns to rows of numbers, with what the training rows say and nothing else.
use std::sync::Arc;

use super::read::{Column, Columns, NO_LEVEL};
use crate::data::{Batch, Labeled};
use crate::population::split::Rows;

/// A table with the scales of its training rows.
#[derive(Debug)]
pub(super) struct Standardised {
    columns: Arc<Columns>,
    scales: Vec<Scale>,
    clip: f64,
}

/// What the training rows say about a column.
#[derive(Debug, PartialEq)]
enum Scale {
    /// `(value / unit − mean) / deviation`: a unit first, so that no square overflows.
    Numbers {
        /// The largest absolute value.
        unit: f64,
        /// Mean in units.
        mean: f64,
        /// Deviation in units.
        deviation: f64,
    },
    /// Always 0: the same in every training row, up to rounding.
    Constant,
    /// Categories.
    Levels {
        /// Whether a level is in the training rows.
        seen: Vec<bool>,
        /// The most frequent, the first of equals; for missing ones.
        usual: u32,
    },
}

impl Standardised {
    pub(super) fn new(columns: Arc<Columns>, train: &[usize], clip: f64) -> Self {
        let scales = columns.inputs.iter().map(|column| Scale::of(column, train)).collect();
        Self { columns, scales, clip }
    }
}

impl Scale {
    fn of(column: &Column, train: &[usize]) -> Self {
        /// Deviations in units below this are rounding: some thousand roundings of numbers of size 1.
        const ROUNDING: f64 = 1e-12;
        match column {
            Column::Numbers(values) => {
                let there = || train.iter().map(|&i| values[i]).filter(|value| !value.is_nan());
                let n = there().count() as f64;
                let unit = there().fold(0.0_f64, |most, value| most.max(value.abs()));
                if unit <= 0.0 {
                    return Self::Constant;
                }
                let mean = there().map(|value| value / unit).sum::<f64>() / n;
                let squares = there().map(|value| (value / unit - mean).powi(2)).sum::<f64>();
                let deviation = (squares / n).sqrt();
                if deviation > ROUNDING {
                    Self::Numbers { unit, mean, deviation }
                } else {
                    Self::Constant
                }
            }
            Column::Levels { codes, n_levels } => {
                let mut counts = vec![0_usize; *n_levels];
                for code in train.iter().map(|&i| codes[i]).filter(|code| *code != NO_LEVEL) {
                    counts[code as usize] += 1;
                }
                let most = counts.iter().copied().max().unwrap_or(0);
                let usual = counts.iter().position(|count| *count == most).unwrap_or(0) as u32;
                Self::Levels { seen: counts.iter().map(|count| *count > 0).collect(), usual }
            }
        }
    }
}

impl Rows for Standardised {
    fn take(&self, rows: &[usize]) -> Labeled {
        let width = self.columns.width();
        let mut xs = Batch::zeros((rows.len(), width));
        let mut start = 0;
        for (column, scale) in self.columns.inputs.iter().zip(&self.scales) {
            match (column, scale) {
                (Column::Numbers(values), Scale::Numbers { unit, mean, deviation }) => {
                    for (x, &i) in xs.column_mut(start).iter_mut().zip(rows) {
                        // What is missing is the mean.
                        if !values[i].is_nan() {
                            let z = (values[i] / unit - mean) / deviation;
                            *x = z.clamp(-self.clip, self.clip);
                        }
                    }
                }
                (Column::Levels { codes, .. }, Scale::Levels { seen, usual }) => {
                    for (place, &i) in rows.iter().enumerate() {
                        let code = if codes[i] == NO_LEVEL { *usual } else { codes[i] } as usize;
                        if seen[code] {
                            xs[[place, start + code]] = 1.0;
                        }
                    }
                }
                _ => {}
            }
            start += column.width();
        }
        let ys = rows.iter().map(|&i| self.columns.labels.row(i));
        let ys = crate::data::stack(self.columns.labels.target().outputs(), ys);
        Labeled { xs, ys }
    }
}
