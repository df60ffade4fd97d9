//! How much one coordinate changes the answers, at most: sup |f(x) − f(x′)| over inputs that differ in it alone.
//!
//! On the cube this is sup |f(x) − f(xⁱ)|, and half of it bounds every Fourier coefficient whose set contains i:
//! |f̂(S)| ≤ E|Dᵢf| for i in S, with Dᵢf = (f(x) − f(xⁱ))/2.
//!
//! Two copies of the net run side by side, with the coordinate at either end of its side of the box and all others shared.
//! Each copy's sums are bounded as such. Their differences Δz start from the exact Δz = W (x − x′) of the first layer and
//! go on by intervals: Δz = W Δh + (misround of both), Δh between the lines of [`Pair`], which is what both copies'
//! intervals and slopes of the activation leave. With CROWN the Δh are also substituted back to the first Δz, which finds
//! what cancels between layers, and so do the linear functions around both copies, subtracted. All hold, so the tightest is
//! taken. Propagating differences is as in `ReluDiff` (Paulsen, Wang, Wang, ICSE 2020); the lines, the rounding and the two
//! copies of one net are this project's.
//!
//! Cost: of both copies' bounds, and of the differences' as of one more net whose first layer has one input.
use super::backward::{Reach, Stage, between, flops};
use super::forward::Affine;
use super::interval::{Interval, up};
use super::relax::{LINES, Pair};
use super::{Bounder, Bounding, InputBox, Trace, tighten, tighten_flops};
use crate::error::{Error, Result};
use crate::ledger::Ledger;

impl Bounder {
    /// Where f(x) − f(x′) lies, output by output, over inputs x and x′ of `over` that differ in coordinate `i` alone, which
    /// is at the upper end of its side in x and at the lower end in x′. Charges [`Self::flip_flops`], before anything is
    /// computed.
    ///
    /// ```
    /// use absolve::ledger::{Budget, Ledger};
    /// use absolve::net::{Activation, Bounder, Bounding, InputBox, Net, Precision};
    /// use absolve::rng::Seed;
    ///
    /// let net = Net::random(&[6, 16, 1], Activation::Relu, Precision::F64, &mut Seed::new(1).stream("net"))?;
    /// let ledger = Ledger::new(Budget::UNLIMITED);
    /// let cube = InputBox::cube(6, -1.0, 1.0)?;
    /// let flip = Bounder::new(&net, &ledger)?.flip(&cube, 2, Bounding::Crown, &ledger)?;
    /// let xs = ndarray::array![[1.0, -1.0, 1.0, 1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0, 1.0, -1.0]];
    /// let answers = net.forward(&xs, &ledger)?;
    /// assert!(flip[0].contains(answers[[0, 0]] - answers[[1, 0]]));
    /// # Ok::<(), absolve::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no coordinate `i`, the box does not fit the net, or the budget does not reach.
    pub fn flip(
        &self,
        over: &InputBox,
        i: usize,
        how: Bounding,
        ledger: &Ledger,
    ) -> Result<Vec<Interval>> {
        self.admit(over)?;
        if i >= over.n() {
            let want = format!("the net has coordinates 0 to {}", over.n() - 1);
            return Err(Error::parameter("coordinate", i, want));
        }
        ledger.flops(self.flip_flops(how))?;
        Ok(self.flip_of(over, i, how).unwrap_or_else(|| vec![Interval::ENTIRE; self.n_outputs()]))
    }

    /// Operations of [`Self::flip`], whichever the coordinate: both copies; the first layer's column (a weight, and its
    /// image with one input); the other layers' images; ten operations a unit for what both copies leave of a difference
    /// and their misround, the lines, and with CROWN the stages, the forms of each layer after the first, and those of both
    /// copies.
    pub fn flip_flops(&self, how: Bounding) -> u64 {
        let (n, outputs) = (self.widths[0] as u64, self.n_outputs() as u64);
        let units: u64 = self.widths[1..].iter().map(|d| *d as u64).sum();
        let column = self.widths[1] as u64;
        let images: u64 = self.layers[1..].iter().map(Affine::image_flops).sum();
        let differences = column + (6 + 30) * column + 13 + images + units * (10 + 2 * LINES);
        let crown = match how {
            Bounding::Interval => 0,
            Bounding::Crown => {
                let mut widths = self.widths.clone();
                widths[0] = 1;
                let backward = (1..self.layers.len()).map(|q| {
                    let rows = self.widths[q + 1] as u64;
                    flops(&widths[..q + 2]) + rows * tighten_flops(1)
                });
                let stages = widths.windows(2).map(|w| Stage::flops(w[0], w[1])).sum::<u64>();
                let copies = outputs * (5 * n + 23 + tighten_flops(self.widths[0]));
                stages + backward.sum::<u64>() + copies
            }
        };
        2 * self.flops(how) + differences + crown + outputs * 6 + (n + 1) * Reach::FLOPS
    }

    fn flip_of(&self, over: &InputBox, i: usize, how: Bounding) -> Option<Vec<Interval>> {
        let side = over.sides()[i];
        let at = |end: f64| {
            let copy = over.with(i, end, end);
            self.trace(&copy, how, &Reach::of(&copy, self.terms))
        };
        let (first, second) = (at(side.high())?, at(side.low())?);
        let (high, low) = (self.precision.round(side.high()), self.precision.round(side.low()));
        let step = Interval::point(high).minus(Interval::point(low));
        let outputs = self.difference(&first, &second, (i, step), how)?;
        let mut outputs: Vec<Interval> = outputs
            .into_iter()
            .zip(first.outputs.iter().zip(&second.outputs))
            .map(|(apart, (a, b))| apart.meet(a.minus(*b)))
            .collect();
        if let (Some(one), Some(other)) = (&first.forms, &second.forms) {
            let (a, b) = (side.high(), side.low());
            let upper = one.1.clone().at(i, a).plus(&other.0.negated().at(i, b));
            let lower = one.0.negated().at(i, a).plus(&other.1.clone().at(i, b)).negated();
            tighten(&mut outputs, (&lower, &upper), &Reach::of(over, self.terms));
        }
        Some(outputs)
    }

    /// The differences of two copies' answers whose input `i` differs by `step`.
    fn difference(
        &self,
        first: &Trace,
        second: &Trace,
        (i, step): (usize, Interval),
        how: Bounding,
    ) -> Option<Vec<Interval>> {
        let column = self.layers[0].column(i);
        let steps = InputBox::new(&[step.low()], &[step.high()]).ok()?;
        let reach = Reach::of(&steps, self.terms);
        let mut stages: Vec<Stage<'_>> = Vec::new();
        let mut inputs = vec![step];
        for (q, layer) in self.layers.iter().enumerate() {
            let affine = if q == 0 { &column } else { layer };
            let (one, other) = (&first.images[q], &second.images[q]);
            let misround: Vec<f64> =
                one.misround.iter().zip(&other.misround).map(|(a, b)| up(a + b)).collect();
            let mut image = affine.difference(&inputs, &misround)?;
            let all_same = inputs.iter().all(|input| *input == Interval::point(0.0));
            for j in 0..image.sums.len() {
                if all_same || (q == 0 && column.weight[[j, 0]].abs() <= 0.0) {
                    // The same numbers in the same order, but for 0 times the step: no rounding tells the copies apart.
                    image.sums[j] = Interval::point(0.0);
                    (image.sizes[j], image.misround[j]) = (0.0, 0.0);
                }
            }
            for (sum, (a, b)) in image.sums.iter_mut().zip(one.sums.iter().zip(&other.sums)) {
                *sum = sum.meet(a.minus(*b));
            }
            if how == Bounding::Crown {
                stages.push(Stage::new((&affine.weight, &[]), &image, &inputs, self.terms));
                if q > 0 {
                    let (low, high) = between(&stages, &[0.0], self.terms);
                    tighten(&mut image.sums, (&low, &high), &reach);
                }
            }
            let pairs = image.sums.iter().zip(one.sums.iter().zip(&other.sums));
            let (ranges, lines) = pairs
                .map(|(difference, (a, b))| {
                    let pair = Pair { first: *a, second: *b, difference: *difference };
                    pair.through(layer.activation, self.precision)
                })
                .unzip();
            inputs = ranges;
            if let Some(stage) = stages.last_mut() {
                stage.lines = lines;
            }
        }
        Some(inputs)
    }
}
