//! A testbed for backdoors in neural networks.
#![forbid(unsafe_code)]
pub mod data;
pub mod error;
pub mod fourier;
pub mod ledger;
pub mod report;
pub mod rng;
pub mod stats;
pub mod study;
