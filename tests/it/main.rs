//! All integration tests in one binary: it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
mod characters;
mod claims;
mod cli;
mod contract;
mod resume;
mod support;
mod tidy;
