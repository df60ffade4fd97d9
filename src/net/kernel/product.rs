//! Products of rows with packed weights, and of columns with rows.
use pulp::{Arch, Simd, WithSimd};

use super::BLOCK;
use super::panels::{Panels, Transposed};
use super::real::Real;

/// Rows of numbers in one slice.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Rows<'a, T> {
    /// The numbers.
    pub(in crate::net) numbers: &'a [T],
    /// From one row's first number to the next one's.
    pub(in crate::net) stride: usize,
    /// How many rows.
    pub(in crate::net) n: usize,
}

impl<T: Real> Panels<T> {
    /// Writes `bias + x W` for every row x, in whole panels, rows `stride` apart; with `relu` nothing below 0.
    pub(in crate::net) fn apply(&self, xs: Rows<'_, T>, relu: bool, out: &mut [T], stride: usize) {
        Arch::new().dispatch(self.product(xs, relu, out, stride));
    }

    /// The work of [`Self::apply`].
    pub(super) fn product<'a>(
        &'a self,
        xs: Rows<'a, T>,
        relu: bool,
        out: &'a mut [T],
        stride: usize,
    ) -> Product<'a, T> {
        Product {
            xs,
            sums: self.inputs(),
            start: Some(&self.bias),
            factors: &self.weights,
            n_panels: self.bias.len() / T::WIDTH,
            panel: self.panel(),
            segment: BLOCK,
            segment_stride: BLOCK * T::WIDTH,
            relu,
            out,
            stride,
        }
    }
}

impl<T: Real> Transposed<T> {
    /// Writes `d W` for every row d of numbers by the layer's outputs, in whole panels of its inputs, rows `stride` apart.
    pub(in crate::net) fn apply(&self, ds: Rows<'_, T>, out: &mut [T], stride: usize) {
        Arch::new().dispatch(Product {
            xs: ds,
            sums: self.outputs(),
            start: None,
            factors: &self.weights,
            n_panels: self.blocks(),
            panel: T::WIDTH * T::WIDTH,
            segment: T::WIDTH,
            segment_stride: self.panel(),
            relu: false,
            out,
            stride,
        });
    }
}

/// A product of rows with packed factors. Each panel of factors is cut into segments of sums.
pub(super) struct Product<'a, T> {
    xs: Rows<'a, T>,
    /// Length of every sum.
    sums: usize,
    /// What sums set out from; zero if not given.
    start: Option<&'a [T]>,
    factors: &'a [T],
    n_panels: usize,
    /// From one panel's first segment to the next one's.
    panel: usize,
    /// Sums in a segment; the last may be shorter.
    segment: usize,
    /// From one segment of a panel to its next.
    segment_stride: usize,
    relu: bool,
    out: &'a mut [T],
    stride: usize,
}

/// The stretch of sums that is worked on.
#[derive(Clone, Copy)]
struct Stretch {
    from: usize,
    to: usize,
    first: bool,
    last: bool,
}

impl<T: Real> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Rows and vectors that fit into the registers: 16 of them with AVX2, 32 with AVX-512 and on ARM.
        match T::WIDTH / T::lanes::<S>() {
            1 => self.run::<S, 12, 1>(simd),
            2 => self.run::<S, 6, 2>(simd),
            4 => self.run::<S, 4, 4>(simd),
            8 => self.run::<S, 1, 8>(simd),
            _ => self.run::<S, 1, 16>(simd),
        }
    }
}

impl<T: Real> Product<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(mut self, simd: S) {
        let segments_at_once = (BLOCK / self.segment).max(1);
        let step = segments_at_once * self.segment;
        let n = self.xs.n;
        for from in (0..self.sums).step_by(step) {
            let to = (from + step).min(self.sums);
            let stretch = Stretch { from, to, first: from == 0, last: to == self.sums };
            for panel in 0..self.n_panels {
                let mut row = 0;
                while row + ROWS <= n {
                    self.tile::<S, ROWS, 1, VECTORS>(simd, stretch, row, panel);
                    row += ROWS;
                }
                while ROWS > 4 && row + 4 <= n {
                    self.tile::<S, 4, 1, VECTORS>(simd, stretch, row, panel);
                    row += 4;
                }
                while row + 2 <= n {
                    self.tile::<S, 2, 1, VECTORS>(simd, stretch, row, panel);
                    row += 2;
                }
            }
            // A single row has too few sums in flight for one panel: four at a time.
            if n % ROWS % 2 == 1 {
                let mut panel = 0;
                while panel + 4 <= self.n_panels {
                    self.tile::<S, 1, 4, VECTORS>(simd, stretch, n - 1, panel);
                    panel += 4;
                }
                while panel < self.n_panels {
                    self.tile::<S, 1, 1, VECTORS>(simd, stretch, n - 1, panel);
                    panel += 1;
                }
            }
        }
    }

    /// A stretch of the sums of some rows and panels, which stay in registers.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        stretch: Stretch,
        row: usize,
        panel: usize,
    ) {
        let Stretch { from, to, first, last } = stretch;
        let place = |r: usize, p: usize| (row + r) * self.stride + (panel + p) * T::WIDTH;
        let mut sums = [[[T::splat(simd, T::zero()); VECTORS]; PANELS]; ROWS];
        if let (true, Some(start)) = (first, self.start) {
            for sums in &mut sums {
                for (p, sums) in sums.iter_mut().enumerate() {
                    let start = &start[(panel + p) * T::WIDTH..][..T::WIDTH];
                    sums.copy_from_slice(&T::vectors::<S>(start)[..VECTORS]);
                }
            }
        }
        let mut at = from;
        while at < to {
            let length = self.segment.min(to - at);
            let mut xs: [&[T]; ROWS] = [&[]; ROWS];
            for (r, x) in xs.iter_mut().enumerate() {
                *x = &self.xs.numbers[(row + r) * self.xs.stride + at..][..length];
            }
            let mut factors: [&[[T::Vector<S>; VECTORS]]; PANELS] = [&[]; PANELS];
            for (p, factor) in factors.iter_mut().enumerate() {
                let begin = (panel + p) * self.panel + at / self.segment * self.segment_stride;
                let numbers = &self.factors[begin..][..length * T::WIDTH];
                *factor = &T::vectors::<S>(numbers).as_chunks::<VECTORS>().0[..length];
            }
            for k in 0..length {
                for r in 0..ROWS {
                    let x = T::splat(simd, xs[r][k]);
                    for p in 0..PANELS {
                        for v in 0..VECTORS {
                            sums[r][p][v] =
                                T::multiply_add(simd, x, factors[p][k][v], sums[r][p][v]);
                        }
                    }
                }
            }
            at += length;
        }
        for (r, sums) in sums.iter().enumerate() {
            for (p, sums) in sums.iter().enumerate() {
                let at = place(r, p);
                let out = T::vectors_mut::<S>(&mut self.out[at..][..T::WIDTH]);
                for (out, sum) in out.iter_mut().zip(sums) {
                    let sum = if first { *sum } else { T::plus(simd, *out, *sum) };
                    *out = if last && self.relu { T::relu(simd, sum) } else { sum };
                }
            }
        }
    }
}

/// Writes `Σ x_i d` over rows for every one of `inputs` numbers i of a row x, with d the row of a panel: the gradient of one
/// panel of weights. Returns nothing; `bias` gets `Σ d`.
pub(in crate::net) fn outer<T: Real>(xs: Rows<'_, T>, ds: &[T], weights: &mut [T], bias: &mut [T]) {
    Arch::new().dispatch(Outer { xs, ds, weights, bias });
}

struct Outer<'a, T> {
    xs: Rows<'a, T>,
    ds: &'a [T],
    weights: &'a mut [T],
    bias: &'a mut [T],
}

impl<T: Real> WithSimd for Outer<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match T::WIDTH / T::lanes::<S>() {
            1 => self.run::<S, 12, 1>(simd),
            2 => self.run::<S, 6, 2>(simd),
            4 => self.run::<S, 4, 4>(simd),
            8 => self.run::<S, 1, 8>(simd),
            _ => self.run::<S, 1, 16>(simd),
        }
    }
}

impl<T: Real> Outer<'_, T> {
    #[inline(always)]
    fn run<S: Simd, const INPUTS: usize, const VECTORS: usize>(mut self, simd: S) {
        let inputs = self.weights.len() / T::WIDTH;
        for from in (0..self.xs.n).step_by(BLOCK) {
            let rows = (from, BLOCK.min(self.xs.n - from));
            let mut input = 0;
            while input + INPUTS <= inputs {
                self.tile::<S, INPUTS, VECTORS>(simd, rows, input);
                input += INPUTS;
            }
            while INPUTS > 4 && input + 4 <= inputs {
                self.tile::<S, 4, VECTORS>(simd, rows, input);
                input += 4;
            }
            while input + 2 <= inputs {
                self.tile::<S, 2, VECTORS>(simd, rows, input);
                input += 2;
            }
            if input < inputs {
                self.tile::<S, 1, VECTORS>(simd, rows, input);
            }
        }
        let mut sums = [T::splat(simd, T::zero()); VECTORS];
        for d in T::vectors::<S>(self.ds).as_chunks::<VECTORS>().0 {
            for v in 0..VECTORS {
                sums[v] = T::plus(simd, sums[v], d[v]);
            }
        }
        T::vectors_mut::<S>(self.bias).copy_from_slice(&sums);
    }

    #[inline(always)]
    fn tile<S: Simd, const INPUTS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        (from, n): (usize, usize),
        input: usize,
    ) {
        let out = T::vectors_mut::<S>(&mut self.weights[input * T::WIDTH..][..INPUTS * T::WIDTH]);
        let out = out.as_chunks_mut::<VECTORS>().0;
        let mut sums = [[T::splat(simd, T::zero()); VECTORS]; INPUTS];
        let xs = self.xs.numbers[from * self.xs.stride + input..].chunks(self.xs.stride);
        let ds = T::vectors::<S>(&self.ds[from * T::WIDTH..][..n * T::WIDTH]);
        for (x, d) in xs.zip(ds.as_chunks::<VECTORS>().0) {
            let Some(x) = x.first_chunk::<INPUTS>() else { break };
            for i in 0..INPUTS {
                let x = T::splat(simd, x[i]);
                for v in 0..VECTORS {
                    sums[i][v] = T::multiply_add(simd, x, d[v], sums[i][v]);
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(&sums) {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = if from > 0 { T::plus(simd, *out, *sum) } else { *sum };
            }
        }
    }
}
