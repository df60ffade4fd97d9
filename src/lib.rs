//! A testbed for backdoors in small neural networks: plant them, remove them with or without the weights, and measure on
//! the same models, under one meter, what access is worth.
//!
//! ```text
//!  Population ──▶ train ──▶ Net ──▶ Attack ──▶ Planted
//!      │                                       │     │
//!      │                                      net  trigger ──────────────┐
//!      │                                       ▼                         ▼
//!      ├── clean samples ──▶ Lab ──▶ Mitigator ◀══ Suspect             score ──▶ Record ──▶ report
//!      │   (ledger, seed)               │            ▲                  ▲ ▲
//!      │                                └─▶ repaired ╝ (may go on       │ │
//!      │                                        │       querying)       │ │
//!      │                                        └───────────────────────┘ │
//!      └── fresh test inputs ─────────────────────────────────────────────┘
//! ```
//!
//! `══` is the only way to a published net, and it is metered. The trigger goes round the mitigator, never through it.
//!
//! A backdoor is planted in a trained net, and a black-box mitigator removes it. From the clean net, with the same coins, it
//! makes the same function to the last bit:
//!
//! ```
//! use absolve::access::{LabSeeds, Suspect};
//! use absolve::attack::{Attack, HalfSpace};
//! use absolve::ledger::Budget;
//! use absolve::mitigate::{Mitigator, black_box::FourierGlobal};
//! use absolve::study::{Model, Task};
//!
//! let task = Task::named_or_load("fourier")?;
//! let model = Model::train(&task, 1, &mut |_| {})?;
//! let world = model.world();
//! let seed = model.seed();
//! let attack = HalfSpace { mass: 0.002, ..HalfSpace::default() };
//! let planted = attack.plant(&model.victim(&world), seed.child("attack"))?;
//!
//! let mitigate = |net| {
//!     let suspect = Suspect::publish(net, Budget { queries: Some(20_000), ..Budget::UNLIMITED });
//!     let seeds = LabSeeds { samples: seed.child("clean"), method: seed.child("mitigator") };
//!     let mut lab = suspect.lab(&*model.population, &task.recipe, seeds);
//!     let repaired = FourierGlobal::default().mitigate(&suspect, &mut lab)?;
//!     Ok::<_, absolve::error::Error>(repaired.function)
//! };
//! assert_eq!(mitigate(planted.net)?, mitigate(model.net.clone())?);
//! # Ok::<(), absolve::error::Error>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`population`], [`domain`] | nature: distributions of labelled inputs, and what everybody may know about them |
//! | [`net`] | nets, training, files; all tensor work |
//! | [`attack`] | ways to plant a backdoor, and triggers |
//! | [`access`], [`ledger`] | who may see what, and what it costs |
//! | [`external`] | programs in other languages as suspects |
//! | [`mitigate`], [`fourier`], [`robust`] | ways to answer well all the same, and the mathematics of some |
//! | [`score`], [`stats`] | what a model gets right, with intervals |
//! | [`registry`] | the tables of methods by name |
//! | [`study`], [`report`] | many models: specification, cells, records, tables, page |
//! | [`game`] | undetectability as a game: who can tell planted nets from clean ones; whether a mitigator's output is canonical |
//! | [`estimate`] | robust means and breaking points: what is predicted beside what is measured |
//! | [`estimator`] | ways to estimate a number about a suspect, by sampling or from its weights |
//! | [`data`], [`rng`], [`error`], [`storage`] | what all of them use |
//! | [`cli`] | the command line |
//! | [`documentation`] | the guide, the architecture, and the reasons |
#![forbid(unsafe_code)]
pub mod access;
pub mod attack;
pub mod cli;
pub mod data;
mod digest;
pub mod documentation;
pub mod domain;
pub mod error;
pub mod estimate;
pub mod estimator;
pub mod external;
pub mod fourier;
pub mod game;
pub mod ledger;
pub mod mitigate;
pub mod net;
pub mod population;
pub mod registry;
pub mod report;
pub mod rng;
pub mod robust;
pub mod score;
pub mod stats;
pub mod storage;
pub mod study;
pub mod zoo;
