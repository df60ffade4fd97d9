//! A user's own clean samples: inputs and labels in two tables, with nothing else known.
use super::{Cursor, Part, Population, Promise, Truth, World};
use crate::data::{Batch, Labeled, Target, row};
use crate::domain::Domain;
use crate::error::{Error, Result};

/// Clean samples as they were given, handed out in their order. It has nothing to train or test on.
#[derive(Debug)]
pub struct Table {
    world: World,
    clean: Labeled,
}

impl Table {
    /// Clean samples for a model with `outputs` outputs. What labels mean is `target`, if that is known; else with several
    /// outputs classes (one-hot rows or a column of class numbers), with one signs, if all are −1 or +1, else real numbers.
    /// A real answer then counts as wrong if it is more than 0.5 off.
    ///
    /// # Errors
    /// If the tables do not fit together, or an input lies outside the domain.
    pub fn new(
        xs: Batch,
        ys: Batch,
        domain: Domain,
        outputs: usize,
        target: Option<Target>,
    ) -> Result<Self> {
        domain.check()?;
        crate::data::check("clean inputs", &xs, domain.n())?;
        if xs.nrows() != ys.nrows() {
            let want = format!("{} labels are needed, one an input", xs.nrows());
            return Err(Error::parameter("labels", ys.nrows(), want));
        }
        if let Some(i) = (0..xs.nrows()).find(|&i| !domain.contains(&row(&xs, i))) {
            let want = format!("an input in the domain {domain:?} is needed");
            return Err(Error::parameter("clean input", format!("row {i}"), want));
        }
        let signs = ys.iter().all(|y| (y.abs() - 1.0).abs() < 1e-9);
        let target = match (target, outputs) {
            (Some(target), _) => target,
            (None, 1) if signs => Target::Sign,
            (None, 1) => Target::Real,
            (None, k) => Target::Classes(k),
        };
        if target == Target::Sign && !signs {
            return Err(Error::parameter(
                "labels",
                "other numbers",
                "this model's labels are −1 and +1",
            ));
        }
        let ys = match target {
            Target::Classes(k) if ys.ncols() == 1 => one_hot(&ys, k)?,
            _ => ys,
        };
        crate::data::check("labels", &ys, outputs)?;
        let world = World { domain, target, promise: Promise::Nothing, cutoff: 0.5 };
        Ok(Self { world, clean: Labeled { xs, ys } })
    }
}

fn one_hot(ys: &Batch, k: usize) -> Result<Batch> {
    let mut rows = Vec::with_capacity(ys.nrows());
    for (i, y) in ys.iter().enumerate() {
        let whole = *y >= 0.0 && *y < k as f64 && y.fract().abs() < 1e-9;
        if !whole {
            let want = format!("a class from 0 to {} is needed in row {i}", k - 1);
            return Err(Error::parameter("label", y, want));
        }
        rows.push(Target::Classes(k).label_of(*y as usize));
    }
    Ok(crate::data::stack(k, rows))
}

impl Population for Table {
    fn world(&self) -> &World {
        &self.world
    }

    fn draw(&self, part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled> {
        let left = self.available(part).unwrap_or(0).saturating_sub(cursor.drawn);
        if n > left {
            return Err(Error::Exhausted { part: part.name(), left, asked: n });
        }
        let rows: Vec<usize> = (cursor.drawn..cursor.drawn + n).collect();
        cursor.drawn += n;
        Ok(self.clean.select(&rows))
    }

    fn available(&self, part: Part) -> Option<usize> {
        match part {
            Part::Clean => Some(self.clean.len()),
            Part::Train | Part::Test => Some(0),
        }
    }

    fn truth(&self) -> Option<&Truth> {
        None
    }
}
