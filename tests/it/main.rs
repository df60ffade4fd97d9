//! All integration tests in one binary: it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
mod cards;
mod characters;
mod claims;
mod cli;
mod contract;
mod data;
mod exchange;
mod external;
mod families;
mod ladder;
mod locks;
mod resume;
mod smoothable;
mod support;
mod tidy;
