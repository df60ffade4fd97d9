//! Mitigators that may only query: every file here names `dyn Oracle` as its access.
mod affine_average;
mod affine_contract;
mod affine_gauss;
mod affine_ray;
mod fourier_global;

pub use affine_average::{AffineAverage, Draw};
pub use affine_contract::AffineContract;
pub use affine_gauss::AffineGauss;
pub use affine_ray::AffineRay;
pub use fourier_global::{FourierGlobal, Search};
