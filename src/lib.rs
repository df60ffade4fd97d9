//! A testbed for backdoors in neural networks.
#![forbid(unsafe_code)]
pub mod access;
pub mod attack;
pub mod cli;
pub mod data;
mod digest;
pub mod domain;
pub mod error;
pub mod fourier;
pub mod ledger;
pub mod mitigate;
pub mod net;
pub mod population;
pub mod registry;
pub mod report;
pub mod rng;
pub mod score;
pub mod stats;
pub mod storage;
pub mod study;
