//! Mitigators that may only query: every file here names `dyn Oracle` as its access.
mod affine_average;
mod affine_contract;
mod affine_gauss;
mod affine_ray;
mod characters_global;
mod distil;
mod fourier_global;
mod low_degree_global;
mod low_density_filter;
mod scale_up;
mod smooth;
mod strip;

pub use affine_average::{AffineAverage, Draw};
pub use affine_contract::AffineContract;
pub use affine_gauss::AffineGauss;
pub use affine_ray::AffineRay;
pub use characters_global::{CharacterSearch, CharactersGlobal};
pub use distil::{Distil, Labels};
pub use fourier_global::{FourierGlobal, Search};
pub use low_degree_global::LowDegreeGlobal;
pub use low_density_filter::{LowDensityFilter, Score};
pub use scale_up::ScaleUp;
pub use smooth::{Certificate, Certified, Smooth, Smoothed};
pub use strip::{Overlay, Strip};
