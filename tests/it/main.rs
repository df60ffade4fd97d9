//! All integration tests in one binary: it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
mod claims;
mod cli;
mod contract;
mod families;
mod resume;
mod support;
mod tidy;
