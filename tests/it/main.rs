//! All integration tests in one binary: it links once.
mod claims;
mod cli;
mod contract;
mod resume;
mod support;
mod tidy;
