//! Interval propagation (IBP): a layer's sums from intervals of its inputs.
//!
//! Gowal et al., "On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust Models" (arXiv
//! 1810.12715), section 3: with centre c and radius r of the inputs, the sums lie within |W| r of W c + b. This project
//! adds what rounding does, twice. With m ≥ |h| for all inputs h and M = |W| m + |b|:
//!
//! * what the net computes differs from W h + b by at most `γ_{d+1}` M + (d + 1) η in *its* arithmetic, whatever its order
//!   of summing ([`interval`](super::interval)): the *misround*;
//! * W c + b, |W| r and M themselves are computed here in 64 bits, and are off by the same rule with its constants.
//!
//! If M may pass half the largest number of the net's precision, sums may overflow, and nothing is said: no image.
use ndarray::{Array1, Array2, Axis};

use super::super::{Activation, Layer};
use super::interval::{Arithmetic, Interval, WIDE, at_least, down, up};

/// A layer, ready to be bounded.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub(super) weight: Array2<f64>,
    absolute: Array2<f64>,
    pub(super) bias: Vec<f64>,
    pub(super) activation: Activation,
}

/// What is known of a layer's sums.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Where they lie, as the net computes them.
    pub(super) sums: Vec<Interval>,
    /// M: at least the sum of the absolute values of all terms of each.
    pub(super) sizes: Vec<f64>,
    /// How far what the net computes may be from the exact sum of the inputs that it has.
    pub(super) misround: Vec<f64>,
}

impl Affine {
    /// Charged one operation a weight, by whoever calls.
    pub(super) fn new(layer: &Layer) -> Self {
        Self {
            absolute: layer.weight.mapv(f64::abs),
            weight: layer.weight.clone(),
            bias: layer.bias.to_vec(),
            activation: layer.activation,
        }
    }

    /// The layer as a function of its input `i` alone, without the bias. One operation a weight.
    pub(super) fn column(&self, i: usize) -> Self {
        let column = Axis(1);
        let weight = self.weight.select(column, &[i]);
        let absolute = self.absolute.select(column, &[i]);
        Self { weight, absolute, bias: vec![], activation: self.activation }
    }

    /// Operations of [`Self::image`]: three products with the weights; for an input its ball (8), magnitude (3) and two
    /// checks; for an output the size (6), the two errors (8), and the ends (16).
    pub(super) fn image_flops(&self) -> u64 {
        let (outputs, inputs) = self.weight.dim();
        3 * 2 * (outputs * inputs) as u64 + 13 * inputs as u64 + 30 * outputs as u64
    }

    /// Where the sums lie if the inputs lie in `inputs` and the net computes in `arithmetic`; none if they may overflow.
    pub(super) fn image(&self, inputs: &[Interval], arithmetic: Arithmetic) -> Option<Image> {
        self.image_of(inputs, &self.bias, |_, size| arithmetic.error(inputs.len() + 1, size))
            .filter(|image| image.sizes.iter().all(|size| *size <= arithmetic.most))
    }

    /// The same for differences of two inputs, which a bias does not touch; sum j of the two together misrounds by
    /// `misround[j]`.
    pub(super) fn difference(&self, inputs: &[Interval], misround: &[f64]) -> Option<Image> {
        self.image_of(inputs, &[], |j, _| misround[j])
    }

    fn image_of(
        &self,
        inputs: &[Interval],
        bias: &[f64],
        misround: impl Fn(usize, f64) -> f64,
    ) -> Option<Image> {
        if inputs.iter().any(|input| !input.is_bounded()) {
            return None;
        }
        let n = inputs.len();
        let (centre, radius): (Vec<f64>, Vec<f64>) = inputs.iter().map(|h| h.ball()).unzip();
        let magnitude: Array1<f64> = inputs.iter().map(|h| h.magnitude()).collect();
        let centres = self.weight.dot(&Array1::from(centre));
        let radii = self.absolute.dot(&Array1::from(radius));
        let sizes = self.absolute.dot(&magnitude);
        let mut image = Image { sums: vec![], sizes: vec![], misround: vec![] };
        for j in 0..self.weight.nrows() {
            let b = bias.get(j).copied().unwrap_or(0.0);
            // The centre may be as far out as a magnitude, rounded: a bit more than m.
            let size = at_least(n + 1, sizes[j] + b.abs());
            let off = misround(j, size);
            let own = WIDE.error(n + 2, size);
            let reach = up(at_least(n, radii[j]) + up(off + own));
            let middle = centres[j] + b;
            let ends = (down(middle - reach), up(middle + reach));
            if !(size <= WIDE.most && ends.0.is_finite() && ends.1.is_finite()) {
                return None;
            }
            image.sums.push(Interval::new(ends.0, ends.1));
            image.sizes.push(size);
            image.misround.push(off);
        }
        Some(image)
    }
}
