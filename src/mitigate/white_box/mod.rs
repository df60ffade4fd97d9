//! Mitigators that read the weights.
mod activation_filter;
mod affine_exact_ray;
mod affine_gradient;
mod anp;
mod average_weights;
mod clp;
mod consensus;
mod distil_from_weights;
mod exact_rays;
mod fine_prune;
mod fine_tune;
mod fourier_advised;
mod fourier_pruned;
mod ft_sam;
mod i_bau;
mod masks;
mod mm_bd;
mod monitor;
mod nad;
mod neural_cleanse;
mod noise_retrain;
mod ray_fit;
mod reinit_last;
mod rnp;
mod shift;
mod smoothed_gradient;
mod truncate_spectrum;

pub use activation_filter::{ActivationFilter, Signal};
pub use affine_exact_ray::AffineExactRay;
pub use affine_gradient::AffineGradient;
pub use anp::Anp;
pub use average_weights::AverageWeights;
pub use clp::{Clp, Rule, Statistic};
pub use consensus::Consensus;
pub use distil_from_weights::DistilFromWeights;
pub use fine_prune::FinePrune;
pub use fine_tune::FineTune;
pub use fourier_advised::{
    Adviser, AdviserName, Desk, ExactTreeAdviser, FirstLayer, Flips, FourierAdvised,
    FourierOuterProduct, Given,
};
pub use fourier_pruned::FourierPruned;
pub use ft_sam::FtSam;
pub use i_bau::IBau;
pub use mm_bd::MmBd;
pub use nad::Nad;
pub use neural_cleanse::NeuralCleanse;
pub use noise_retrain::NoiseRetrain;
pub use ray_fit::LineFit;
pub use reinit_last::ReinitLast;
pub use rnp::Rnp;
pub use smoothed_gradient::SmoothedGradient;
pub use truncate_spectrum::TruncateSpectrum;
