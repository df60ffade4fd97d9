//! Mitigators that may only query: every file here names `dyn Oracle` as its access.
mod affine_ray;
mod characters_global;
mod fourier_global;
mod low_degree_global;

pub use affine_ray::AffineRay;
pub use characters_global::{CharacterSearch, CharactersGlobal};
pub use fourier_global::{FourierGlobal, Search};
pub use low_degree_global::LowDegreeGlobal;
