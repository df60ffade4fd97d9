//! Mitigators that may only query: every file here names `dyn Oracle` as its access.
mod affine_average;
mod affine_contract;
mod affine_gauss;
mod affine_ray;
mod field_correct;
mod fourier_global;
mod polynomial_ray;

pub use affine_average::{AffineAverage, Draw};
pub use affine_contract::AffineContract;
pub use affine_gauss::AffineGauss;
pub use affine_ray::AffineRay;
pub use field_correct::{FieldCorrect, Origin};
pub use fourier_global::{FourierGlobal, Search};
pub use polynomial_ray::{Answers, Points, PolynomialRay, RayFit};
