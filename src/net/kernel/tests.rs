//! Products against the definition, and against themselves in other vectors.
use ndarray::{Array1, Array2};
use pulp::{Scalar, WithSimd};

use super::*;
use crate::rng::{Seed, normal};

fn numbers<T: Real>(n: usize, name: &str) -> Vec<T> {
    let mut rng = Seed::new(1).stream(name);
    (0..n).map(|_| T::of(normal(&mut rng))).collect()
}

fn layer<T: Real>(inputs: usize, outputs: usize) -> (Array2<f64>, Array1<f64>) {
    let wide = |name, n| numbers::<T>(n, name).into_iter().map(Real::wide).collect::<Vec<f64>>();
    let weight =
        Array2::from_shape_vec((outputs, inputs), wide("weight", inputs * outputs)).unwrap();
    (weight, wide("bias", outputs).into())
}

/// A sum of chains, one for each block of terms.
fn in_blocks<T: Real>(n: usize, start: T, link: impl Fn(T, usize) -> T) -> T {
    let chain = |from: usize, start| (from..(from + BLOCK).min(n)).fold(start, &link);
    (BLOCK..n).step_by(BLOCK).fold(chain(0, start), |sum, from| sum + chain(from, T::zero()))
}

/// Every remainder of rows, panels and stretches.
fn every_product_is_its_chain<T: Real + std::fmt::Debug>() {
    for (n, inputs, outputs) in [
        (1, 1, 1),
        (1, 300, 90),
        (2, 5, 17),
        (3, 16, 16),
        (5, 257, 33),
        (13, 40, 7),
        (600, 9, 5),
        (23, 513, 270),
    ] {
        let (weight, bias) = layer::<T>(inputs, outputs);
        let panels = Panels::<T>::new(&weight, &bias);
        assert_eq!(panels.unpack(), (weight.clone(), bias.clone()));
        let (from, to) = (stride::<T>(inputs), stride::<T>(outputs));
        let xs: Vec<T> = numbers(n * from, "xs");
        let mut out = vec![T::zero(); n * to];
        panels.apply(Rows { numbers: &xs, stride: from, n }, true, &mut out, to);
        let given: Vec<T> = numbers(n * outputs, "ds");
        let mut ds = vec![T::zero(); n * to];
        for row in 0..n {
            for o in 0..outputs {
                let x = |i: usize| xs[row * from + i];
                let chain = in_blocks(inputs, T::of(bias[o]), |sum, i| {
                    x(i).mul_add(T::of(weight[[o, i]]), sum)
                });
                assert_eq!(out[row * to + o], chain.max(T::zero()), "{n} {inputs} {outputs}");
                ds[row * to + o] = given[row * outputs + o];
            }
        }
        let back = Transposed::new(&panels);
        let mut pulled = vec![T::zero(); n * from];
        back.apply(Rows { numbers: &ds, stride: to, n }, &mut pulled, from);
        let panel: Vec<T> = (0..n).flat_map(|row| ds[row * to..][..T::WIDTH].to_vec()).collect();
        let mut gradient = vec![T::zero(); inputs * T::WIDTH];
        let mut sums = vec![T::zero(); T::WIDTH];
        outer(Rows { numbers: &xs, stride: from, n }, &panel, &mut gradient, &mut sums);
        for i in 0..inputs {
            for row in 0..n {
                let chain = in_blocks(outputs, T::zero(), |sum, o| {
                    ds[row * to + o].mul_add(T::of(weight[[o, i]]), sum)
                });
                assert_eq!(pulled[row * from + i], chain, "back: {n} {inputs} {outputs}");
            }
            for o in 0..outputs.min(T::WIDTH) {
                let chain = in_blocks(n, T::zero(), |sum, row| {
                    xs[row * from + i].mul_add(ds[row * to + o], sum)
                });
                assert_eq!(gradient[i * T::WIDTH + o], chain, "outer: {n} {inputs} {outputs}");
            }
        }
        for o in 0..outputs.min(T::WIDTH) {
            let sum = (0..n).fold(T::zero(), |sum, row| sum + ds[row * to + o]);
            assert_eq!(sums[o], sum);
        }
    }
}

#[test]
fn products_are_chains_in_32_bits() {
    every_product_is_its_chain::<f32>();
}

#[test]
fn products_are_chains_in_64_bits() {
    every_product_is_its_chain::<f64>();
}

#[test]
fn one_number_at_a_time_gives_the_same_bits_as_vectors() {
    let (weight, bias) = layer::<f32>(40, 33);
    let panels = Panels::<f32>::new(&weight, &bias);
    let xs: Vec<f32> = numbers(11 * 40, "xs");
    let rows = Rows { numbers: &xs, stride: 40, n: 11 };
    let stride = stride::<f32>(33);
    let (mut vectors, mut scalars) = (vec![0.0; 11 * stride], vec![0.0; 11 * stride]);
    panels.product(rows, true, &mut vectors, stride).with_simd(Scalar::new());
    panels.apply(rows, true, &mut scalars, stride);
    assert_eq!(vectors, scalars);
}
