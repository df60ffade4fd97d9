//! All integration tests in one binary: it links once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
mod bounds;
mod canonical;
mod cards;
mod characters;
mod claims;
mod cli;
mod contract;
mod data;
mod estimate;
mod estimators;
mod exchange;
mod external;
mod families;
mod fields;
mod heavy;
mod ladder;
mod local_bars;
mod local_plans;
mod locks;
mod polynomials;
mod practical;
mod resume;
mod smoothable;
mod smoothing;
mod support;
mod tidy;
