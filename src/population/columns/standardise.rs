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
    /// `((value − origin) / unit − mean) / deviation`: an origin first, so that a large offset hides no change, and a unit,
    /// so that no square overflows.
    Numbers {
        /// The first training value.
        origin: f64,
        /// The largest distance from it.
        unit: f64,
        /// Mean in units.
        mean: f64,
        /// Deviation in units.
        deviation: f64,
    },
    /// Always 0: the same in every training row.
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
        match column {
            Column::Numbers(values) => {
                let there = || train.iter().map(|&i| values[i]).filter(|value| !value.is_nan());
                let n = there().count() as f64;
                let origin = there().next().unwrap_or(0.0);
                let unit = there().fold(0.0_f64, |most, value| most.max((value - origin).abs()));
                if unit <= 0.0 {
                    return Self::Constant;
                }
                let scaled = |value: f64| (value - origin) / unit;
                let mean = there().map(scaled).sum::<f64>() / n;
                let squares = there().map(|value| (scaled(value) - mean).powi(2)).sum::<f64>();
                Self::Numbers { origin, unit, mean, deviation: (squares / n).sqrt() }
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
                (Column::Numbers(values), Scale::Numbers { origin, unit, mean, deviation }) => {
                    for (x, &i) in xs.column_mut(start).iter_mut().zip(rows) {
                        // What is missing is the mean.
                        if !values[i].is_nan() {
                            let z = ((values[i] - origin) / unit - mean) / deviation;
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
