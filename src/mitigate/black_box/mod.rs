//! Mitigators that may only query: every file here names `dyn Oracle` as its access.
mod affine_ray;
mod fourier_global;

pub use affine_ray::AffineRay;
pub use fourier_global::{FourierGlobal, Search};
