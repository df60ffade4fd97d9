//! The documents of the repository, so that they can be read here and their code is tested.
#![expect(clippy::doc_markdown, reason = "prose for people: ReLU is a word there")]

#[doc = include_str!("../README.md")]
pub mod readme {}

#[doc = include_str!("../GUIDE.md")]
pub mod guide {}

#[doc = include_str!("../ARCHITECTURE.md")]
pub mod architecture {}

#[doc = include_str!("../DESIGN.md")]
pub mod design {}
