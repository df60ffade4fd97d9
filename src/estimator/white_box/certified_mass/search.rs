//! Branch and bound over boxes: which mass certainly is close to a reference, and which certainly is far.
//!
//! A box is *close* if every output's difference is bounded within ±δ, *far* if it lies in the domain and some output's is
//! bounded beyond ±δ, *outside* if it holds nothing of the domain, else *open*. Open boxes wait in a queue, the one with
//! the most mass first, of equals the one whose bounds pass δ by the least, of equals the older. It is cut into two halves
//! of equal mass across the coordinate with the largest max(|slope|, a tenth of the largest) × side: slopes are those of
//! the linear functions around the difference (the input branching of Bunel et al., "Branch and Bound for Piecewise Linear
//! Neural Network Verification", JMLR 2020, by slopes as in α,β-CROWN's; the tenth is this project's, so that every
//! coordinate is cut in the end). Where there are none, across the longest side. A vertex of the cube is no box any more:
//! both nets are asked.
//!
//! **Theorem.** After any number of steps, the mass of inputs where the computed answers differ by more than δ is at least
//! Σ mass(far) and at most the lesser of Σ mass(far) + Σ mass(open) and 1 − Σ mass(close boxes inside the domain). *Proof.*
//! The boxes of all kinds cover the domain, and meet in sets of mass 0 (on the cube: nowhere). Differences are enclosed
//! ([`Bounder`]) as real numbers, and rounding them to nearest passes neither δ nor a bound, which are numbers. A box at
//! depth d has 2⁻ᵈ of the first one's mass, exactly; counts by depth are summed with upward or downward rounding. ∎
//!
//! It converges to that mass if inputs on which the difference is within the nets' own rounding of ±δ have mass 0, since
//! bounds of ever smaller boxes come down to that rounding. Cost: [`Search::flops`] is never passed; each box costs both
//! nets' bounds and what is counted in [`Hunt::box_flops`].
use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::ground::{Ground, Place};
use super::{Certified, Search, Step};
use crate::data::stack;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::net::{Bounder, Bounding, Bounds, InputBox, Interval, Net};

/// Slopes below this share of the largest count as this share.
const LEAST_SHARE: f64 = 0.1;

/// Boxes of one kind, counted by depth.
#[derive(Clone, Debug, Default)]
struct Masses(Vec<u64>);

impl Masses {
    fn add(&mut self, depth: usize) {
        if self.0.len() <= depth {
            self.0.resize(depth + 1, 0);
        }
        self.0[depth] += 1;
    }

    fn remove(&mut self, depth: usize) {
        self.0[depth] -= 1;
    }

    /// Their mass, if the box that was first has mass 1: added smallest first, each sum rounded by `add`.
    fn sum(&self, add: fn(f64, f64) -> f64) -> f64 {
        let counted = self.0.iter().enumerate().rev().filter(|(_, count)| **count > 0);
        counted.fold(0.0, |sum, (depth, count)| {
            add(sum, *count as f64 * 2.0_f64.powi(-(depth as i32)))
        })
    }
}

/// `a + b` and what rounding left out, exactly (Knuth's sum of two).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let added = sum - a;
    (sum, (a - (sum - added)) + (b - added))
}

/// `a + b`, rounded up.
fn add_up(a: f64, b: f64) -> f64 {
    let (sum, rest) = two_sum(a, b);
    if rest > 0.0 { sum.next_up() } else { sum }
}

/// `a + b`, rounded down.
fn add_down(a: f64, b: f64) -> f64 {
    let (sum, rest) = two_sum(a, b);
    if rest < 0.0 { sum.next_down() } else { sum }
}

/// Boxes are not cut deeper than this.
const DEEPEST: usize = 1000;

/// A box that nothing is certain of yet.
struct Open {
    part: InputBox,
    depth: usize,
    /// By how much its bounds pass δ.
    excess: f64,
    /// Where to cut it.
    across: usize,
    age: u64,
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = other.depth.cmp(&self.depth).then(other.excess.total_cmp(&self.excess));
        key.then(other.age.cmp(&self.age))
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Open {}

/// What is found of a box.
enum Verdict {
    Close,
    Far,
    Open { excess: f64, across: usize },
}

/// A search under way.
struct Hunt<'a> {
    nets: [&'a Net; 2],
    bounders: [Bounder; 2],
    ground: Ground,
    search: Search,
    ledger: &'a Ledger,
    spent: u64,
    queue: BinaryHeap<Open>,
    close: Masses,
    far: Masses,
    open: Masses,
    boxes: u64,
}

impl Search {
    /// Searches `domain` for inputs where the two nets' answers differ by more than δ.
    ///
    /// # Errors
    /// If a net is locked, the nets do not fit each other or the domain, or the domain cannot be searched.
    pub fn run(self, nets: [&Net; 2], domain: &Domain, ledger: &Ledger) -> Result<Certified> {
        let ground = Ground::of(super::METHOD, domain)?;
        self.check()?;
        for net in nets {
            if net.shape() != nets[0].shape() || net.shape().inputs != domain.n() {
                let want = format!(
                    "inputs of width {} and outputs of width {}",
                    domain.n(),
                    nets[0].shape().outputs
                );
                return Err(Error::parameter("net", format!("widths {:?}", net.widths()), want));
            }
        }
        let prepare: u64 = nets.iter().map(|net| net.forward_flops() / 2).sum();
        let nothing = |flops: u64| {
            let course = vec![Step { flops, low: 0.0, high: 1.0 }];
            Certified { course, boxes: 0, open: 1 }
        };
        if self.flops < prepare {
            return Ok(nothing(0));
        }
        let bounders = [Bounder::new(nets[0], ledger)?, Bounder::new(nets[1], ledger)?];
        let mut hunt = Hunt {
            nets,
            bounders,
            ground,
            search: self,
            ledger,
            spent: prepare,
            queue: BinaryHeap::new(),
            close: Masses::default(),
            far: Masses::default(),
            open: Masses::default(),
            boxes: 0,
        };
        let start = hunt.ground.start.clone();
        if prepare + hunt.box_flops() > self.flops || hunt.look(start, 0).is_none() {
            return Ok(nothing(prepare));
        }
        Ok(hunt.finish())
    }
}

impl Hunt<'_> {
    /// Cuts until nothing is open or the work is done.
    fn finish(mut self) -> Certified {
        let mut course = vec![self.step()];
        let mut refused = false;
        while let Some(open) = self.queue.pop() {
            let halves = self.ground.halves(&open.part, open.across);
            let Some(halves) = halves.filter(|_| open.depth < DEEPEST) else {
                // It stays open for good: nothing is left to cut.
                continue;
            };
            if refused || self.spent + 2 * self.box_flops() > self.search.flops {
                break;
            }
            self.open.remove(open.depth);
            for half in halves {
                if self.look(half, open.depth + 1).is_none() {
                    // What was not looked at is open.
                    self.open.add(open.depth + 1);
                    refused = true;
                }
            }
            if self.boxes >> course.len().min(63) > 0 {
                course.push(self.step());
            }
        }
        course.push(self.step());
        Certified { course, boxes: self.boxes, open: self.open.0.iter().sum() }
    }

    /// What is certain now.
    fn step(&self) -> Step {
        let mut maybe = self.far.clone();
        maybe.0.resize(maybe.0.len().max(self.open.0.len()), 0);
        maybe.0.iter_mut().zip(&self.open.0).for_each(|(all, open)| *all += open);
        let (far, maybe) = (self.far.sum(add_down), maybe.sum(add_up));
        let close = self.close.sum(add_down);
        let (low, high) = match self.ground.scale {
            None => (far, maybe),
            Some((least, most)) => {
                let close = (close * least).next_down().max(0.0);
                let high = (maybe * most).next_up().min(add_up(1.0, -close));
                ((far * least).next_down().max(0.0), high)
            }
        };
        let high = high.clamp(0.0, 1.0);
        Step { flops: self.spent, low: low.min(high), high }
    }

    /// Operations of one box: the bounds of both nets, and [`Self::apart_flops`].
    fn box_flops(&self) -> u64 {
        self.bounders[0].flops(self.search.bounding)
            + self.bounders[1].flops(Bounding::Crown)
            + self.apart_flops()
    }

    /// Of a box beside the bounds of both nets: their difference and its slopes, where the box lies, two comparisons with
    /// ±δ an output and two for the excess, three a coordinate to choose where to cut, and twice the depth of the queue.
    fn apart_flops(&self) -> u64 {
        let shape = self.nets[0].shape();
        let (n, outputs) = (shape.inputs, shape.outputs);
        let queue = 64 - (self.queue.len() as u64 + 1).leading_zeros();
        Bounds::minus_flops(n, outputs)
            + Bounds::steepness_flops(n, outputs)
            + self.ground.place_flops()
            + 4 * outputs as u64
            + 3 * n as u64
            + 2 * u64::from(queue)
    }

    /// Looks at one box, and puts it where it belongs; `None` if the ledger refuses. Nothing else can fail once the nets
    /// fit the domain.
    fn look(&mut self, part: InputBox, depth: usize) -> Option<()> {
        let (verdict, cost) = if let Some(x) = part.point() {
            let own = 2 * self.nets[0].shape().outputs as u64;
            self.ledger.flops(own).ok()?;
            let passes: u64 = self.nets.iter().map(|net| net.forward_flops()).sum();
            (self.ask(x).ok()?, own + passes)
        } else {
            self.ledger.flops(self.apart_flops()).ok()?;
            (self.bound(&part).ok()?, self.box_flops())
        };
        self.spent += cost;
        self.boxes += 1;
        let (excess, across) = match (self.ground.place(&part), verdict) {
            (Place::Outside, _) | (Place::Across, Verdict::Close) => return Some(()),
            (Place::Inside, Verdict::Close) => {
                self.close.add(depth);
                return Some(());
            }
            (Place::Inside, Verdict::Far) => {
                self.far.add(depth);
                return Some(());
            }
            // All of it that is domain is far: only where the domain ends is still to be found.
            (Place::Across, Verdict::Far) => (f64::INFINITY, longest(&part)),
            (_, Verdict::Open { excess, across }) => (excess, across),
        };
        self.open.add(depth);
        self.queue.push(Open { part, depth, excess, across, age: self.boxes });
        Some(())
    }

    /// A point: both nets answer.
    fn ask(&self, x: Vec<f64>) -> Result<Verdict> {
        let xs = stack(x.len(), [x]);
        let apart =
            self.nets[0].forward(&xs, self.ledger)? - self.nets[1].forward(&xs, self.ledger)?;
        let is_far = apart.iter().any(|y| y.is_nan() || y.abs() > self.search.delta);
        Ok(if is_far { Verdict::Far } else { Verdict::Close })
    }

    fn bound(&self, part: &InputBox) -> Result<Verdict> {
        let [first, second] = &self.bounders;
        let bounds = first.over(part, self.search.bounding, self.ledger)?;
        let reference = second.over(part, Bounding::Crown, self.ledger)?;
        let apart = bounds.minus(&reference);
        let delta = self.search.delta;
        let excess = |y: &Interval| (y.high() - delta).max(-delta - y.low());
        let worst = apart.iter().map(excess).fold(f64::NEG_INFINITY, f64::max);
        if apart.iter().all(|y| -delta <= y.low() && y.high() <= delta) {
            return Ok(Verdict::Close);
        }
        if apart.iter().any(|y| y.low() > delta || y.high() < -delta) {
            return Ok(Verdict::Far);
        }
        let slopes = bounds.steepness(&reference).filter(|s| s.iter().all(|s| s.is_finite()));
        let across = match slopes {
            Some(slopes) => {
                let least = LEAST_SHARE * slopes.iter().copied().fold(0.0, f64::max);
                let scores = part.sides().iter().zip(&slopes);
                // Where nothing has a slope, sides decide.
                let score = |slope: f64| if least > 0.0 { slope.max(least) } else { 1.0 };
                first_largest(
                    scores.map(|(side, slope)| score(*slope) * (side.high() - side.low())),
                )
            }
            None => longest(part),
        };
        Ok(Verdict::Open { excess: worst, across })
    }
}

fn longest(part: &InputBox) -> usize {
    first_largest(part.sides().iter().map(|side| side.high() - side.low()))
}

fn first_largest(scores: impl Iterator<Item = f64>) -> usize {
    let best = |best: (usize, f64), (i, score)| if score > best.1 { (i, score) } else { best };
    scores.enumerate().fold((0, f64::NEG_INFINITY), best).0
}
