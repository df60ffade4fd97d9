//! Finite data sets: parts that do not overlap, drawn by a seed, and rows that are made when they are asked for.
//!
//! A data set is read once and shared by all models of a study; a model's population holds row numbers only.
use std::sync::Arc;

use super::{Cursor, Part, Population, Truth, World};
use crate::data::{Labeled, check_size};
use crate::error::{Error, Result};
use crate::rng::{Rng, shuffle};

/// A table of labelled inputs whose rows can be had by number.
pub(super) trait Rows: std::fmt::Debug + Send + Sync {
    /// The rows numbered `rows`, in that order.
    fn take(&self, rows: &[usize]) -> Labeled;
}

impl Rows for Labeled {
    fn take(&self, rows: &[usize]) -> Labeled {
        self.select(rows)
    }
}

impl<R: Rows> Rows for &R {
    fn take(&self, rows: &[usize]) -> Labeled {
        (**self).take(rows)
    }
}

impl<R: Rows> Rows for Arc<R> {
    fn take(&self, rows: &[usize]) -> Labeled {
        (**self).take(rows)
    }
}

/// A data set with its split.
#[derive(Debug)]
pub(super) struct Finite<R> {
    /// What everybody may know about it.
    pub(super) world: World,
    /// All rows.
    pub(super) rows: R,
    /// Numbers of the rows to train on, to hand to mitigators, and to test on, each in the order of drawing.
    pub(super) parts: [Vec<usize>; 3],
}

impl<R: Rows> Population for Finite<R> {
    fn world(&self) -> &World {
        &self.world
    }

    fn draw(&self, part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled> {
        let all = &self.parts[part as usize];
        let left = all.get(cursor.drawn..).unwrap_or_default();
        let Some(rows) = left.get(..n) else {
            return Err(Error::Exhausted { part: part.name(), left: left.len(), asked: n });
        };
        check_size(part.name(), n, self.world.domain.n())?;
        cursor.drawn += n;
        Ok(self.rows.take(rows))
    }

    fn available(&self, part: Part) -> Option<usize> {
        Some(self.parts[part as usize].len())
    }

    fn truth(&self) -> Option<&Truth> {
        None
    }
}

/// Where test data come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Testing {
    /// From the same rows: what training and clean parts leave.
    Rest,
    /// From so many rows of their own.
    Apart(usize),
}

/// Sizes of the three parts of `rows` rows. What is not given is three rows in five to train on and half of what is left
/// for mitigators, and with test rows apart five in six to train on and all others for mitigators.
///
/// # Errors
/// If a part would be empty.
pub(super) fn sizes(
    rows: usize,
    train: Option<usize>,
    clean: Option<usize>,
    testing: Testing,
) -> Result<[usize; 3]> {
    let (default_train, n_apart) = match testing {
        Testing::Rest => (rows * 3 / 5, 1),
        Testing::Apart(_) => (rows * 5 / 6, 0),
    };
    if rows < 2 + n_apart {
        let want = format!("a split needs at least {} rows, one in every part", 2 + n_apart);
        return Err(Error::parameter("rows of data", rows, want));
    }
    // What training may take, and what is set aside for the other parts.
    let aside = clean.unwrap_or(1).saturating_add(n_apart);
    let room = rows.saturating_sub(aside);
    let want = format!("every part needs at least one of the {rows} rows");
    match (train, clean) {
        (_, Some(clean)) if clean == 0 || room == 0 => {
            return Err(Error::parameter("clean", clean, want));
        }
        (Some(train), _) if train == 0 || train > room => {
            return Err(Error::parameter("train", train, want));
        }
        _ => {}
    }
    let train = train.unwrap_or(default_train.clamp(1, room));
    let left = rows - train;
    let clean = clean.unwrap_or(if n_apart == 1 { (left / 2).max(1) } else { left });
    match testing {
        Testing::Rest => Ok([train, clean, left - clean]),
        Testing::Apart(0) => Err(Error::parameter("test rows", 0, "at least one is needed")),
        Testing::Apart(n) => Ok([train, clean, n]),
    }
}

/// Cuts `order` into parts of the given sizes.
pub(super) fn cut(order: &[usize], sizes: [usize; 3]) -> [Vec<usize>; 3] {
    let (train, rest) = order.split_at(sizes[0]);
    let (clean, rest) = rest.split_at(sizes[1]);
    [train, clean, &rest[..sizes[2].min(rest.len())]].map(<[usize]>::to_vec)
}

/// An order in which every stretch holds the `k` classes in nearly equal shares: classes are shuffled within, then rows are
/// sorted by how far through their own class they come.
pub(super) fn stratified_order(
    classes: impl Iterator<Item = usize>,
    k: usize,
    rng: &mut Rng,
) -> Vec<usize> {
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); k];
    for (i, class) in classes.enumerate() {
        by_class[class].push(i);
    }
    let mut placed: Vec<(f64, usize)> = Vec::with_capacity(by_class.iter().map(Vec::len).sum());
    for members in &mut by_class {
        shuffle(members, rng);
        let n = members.len() as f64;
        placed.extend(members.iter().enumerate().map(|(j, &i)| ((j as f64 + 0.5) / n, i)));
    }
    placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut order: Vec<usize> = placed.into_iter().map(|(_, i)| i).collect();
    // Within a stretch the classes now come in a fixed rhythm; shuffling short stretches takes it out again and keeps
    // the shares.
    for stretch in order.chunks_mut(10 * k) {
        shuffle(stretch, rng);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn sizes_not_given_fill_every_part() {
        for rows in 3..200 {
            let parts = sizes(rows, None, None, Testing::Rest).unwrap();
            assert!(parts.iter().all(|n| *n > 0), "{rows}: {parts:?}");
            assert_eq!(parts.iter().sum::<usize>(), rows);
        }
        assert_eq!(sizes(1000, None, None, Testing::Rest).unwrap(), [600, 200, 200]);
        assert_eq!(
            sizes(60_000, None, None, Testing::Apart(10_000)).unwrap(),
            [50_000, 10_000, 10_000]
        );
        assert_eq!(sizes(100, None, Some(90), Testing::Rest).unwrap(), [9, 90, 1]);
        assert_eq!(sizes(100, Some(90), None, Testing::Rest).unwrap(), [90, 5, 5]);
    }

    #[test]
    fn a_split_with_an_empty_part_is_refused() {
        for (rows, train, clean) in [
            (2, None, None),
            (10, Some(5), Some(5)),
            (10, Some(10), None),
            (10, Some(0), Some(1)),
            (10, Some(1), Some(0)),
            (10, Some(usize::MAX), Some(usize::MAX)),
        ] {
            let split = sizes(rows, train, clean, Testing::Rest);
            assert!(split.is_err(), "{rows} {train:?} {clean:?}: {split:?}");
        }
        assert!(sizes(10, Some(5), Some(5), Testing::Apart(3)).is_ok());
        assert!(sizes(10, Some(5), Some(6), Testing::Apart(3)).is_err());
        assert!(sizes(10, Some(5), Some(5), Testing::Apart(0)).is_err());
    }

    #[test]
    fn a_stratified_order_is_a_permutation_that_keeps_shares_of_unequal_classes() {
        // One row in ten is of class 1: a stretch of 20 rows holds two, give or take the rounding at its ends.
        let class = |i: usize| usize::from(i.is_multiple_of(10));
        let order = stratified_order((0..1000).map(class), 2, &mut Seed::new(1).stream("split"));
        for stretch in order.chunks(20) {
            let rare = stretch.iter().filter(|&&i| class(i) == 1).count();
            assert!((1..=3).contains(&rare), "{rare}");
        }
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(sorted, order);
    }
}
