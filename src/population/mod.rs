//! Nature: distributions of labelled inputs, some with a truth that only the scorer may see.
mod affine;
mod cache;
pub mod catalogue;
mod columns;
mod digits;
mod distance;
mod fourier;
mod idx;
mod images;
mod monomial;
mod noise;
mod npy;
mod polynomial;
mod regression;
mod split;
mod table;

use ndarray::Array1;
use serde::{Deserialize, Serialize};

pub use affine::AffineFamily;
pub use columns::{CsvFamily, Labelling, Missing};
pub use digits::DigitsFamily;
pub use distance::Distance;
pub use fourier::{FourierFamily, Truth as FourierTruth};
pub use images::{IdxFamily, KnownFamily};
pub use monomial::{Monomial, Polynomial};
pub use noise::Noise;
pub use npy::{NpyFamily, read_array};
pub use polynomial::PolynomialFamily;
pub use table::Table;

use self::catalogue::{FASHION_MNIST, MNIST};
use crate::data::{Batch, Labeled, Shape, Target};
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::fourier::FourierSum;
use crate::rng::{Rng, Seed};

/// A distribution of labelled inputs that can be sampled at will, or a finite data set split for it.
pub trait Population: Send + Sync {
    /// What everybody may know about it.
    fn world(&self) -> &World;

    /// Draws `n` labelled inputs from `part`.
    ///
    /// `cursor` remembers what was drawn before: a population that can be sampled at will draws fresh inputs from its
    /// stream, a finite one hands out its next rows, and fails when there are no more.
    fn draw(&self, part: Part, n: usize, cursor: &mut Cursor) -> Result<Labeled>;

    /// How many samples `part` holds, if that is finite.
    fn available(&self, part: Part) -> Option<usize>;

    /// The noise-free truth, where it is known. For scoring only: no mitigator is ever handed a population.
    fn truth(&self) -> Option<&Truth>;

    /// How far labels lie from the truth, exactly, and so how far the population is at most from the class of its truth.
    ///
    /// For scoring only, as the truth is. `None` where there is no known truth, or no exact figure.
    fn distance(&self) -> Option<Distance> {
        None
    }
}

/// What data are for. Parts of a finite data set do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To train models on.
    Train,
    /// Clean samples for mitigators.
    Clean,
    /// To score with.
    Test,
}

impl Part {
    /// What the part is called in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training data",
            Self::Clean => "clean samples",
            Self::Test => "test data",
        }
    }
}

/// How far into a part someone has drawn.
#[derive(Clone, Debug)]
pub struct Cursor {
    /// The stream that fresh inputs come from.
    pub rng: Rng,
    /// How many were drawn so far.
    pub drawn: usize,
}

impl Cursor {
    /// A cursor at the start.
    pub fn new(rng: Rng) -> Self {
        Self { rng, drawn: 0 }
    }
}

/// Public knowledge of a population: what an input looks like, what a label means, and what class nature promises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Where inputs live and how they are spread.
    pub domain: Domain,
    /// What labels mean.
    pub target: Target,
    /// What the class of truths promises.
    pub promise: Promise,
    /// Error of a real-valued answer beyond which it counts as wrong. Not used for classes and signs.
    pub cutoff: f64,
}

impl World {
    /// Whether `answer` is right where `truth` is: the same class, or a number within the cutoff.
    pub fn is_right(&self, answer: &[f64], truth: &[f64]) -> bool {
        match self.target {
            Target::Real => (answer[0] - truth[0]).abs() <= self.cutoff,
            Target::Classes(_) | Target::Sign => {
                self.target.decide(answer) == self.target.decide(truth)
            }
        }
    }

    /// Widths of inputs and outputs.
    pub fn shape(&self) -> Shape {
        Shape { inputs: self.domain.n(), outputs: self.target.outputs() }
    }
}

/// What nature promises about its truth and about honest models: the hypothesis of the theorems.
///
/// It names the class, never the member.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Promise {
    /// Nothing.
    Nothing,
    /// Every Fourier coefficient of the truth is 0 or at least `tau` in absolute value, and values lie in [−bound, bound].
    FourierHeavy {
        /// The least non-zero coefficient.
        tau: f64,
        /// The largest absolute value.
        bound: f64,
    },
    /// The truth is affine, and a model is within `delta` of it but for a small mass of inputs.
    Affine {
        /// Closeness on good inputs.
        delta: f64,
    },
    /// The truth is a polynomial of at most this degree, and a model is within `delta` of it but for a small mass of inputs.
    Polynomial {
        /// The largest degree.
        degree: u32,
        /// Closeness on good inputs.
        delta: f64,
    },
}

/// The noise-free truth of a population.
#[derive(Clone, Debug)]
pub enum Truth {
    /// `weights · x + offset`.
    Affine {
        /// Slope.
        weights: Array1<f64>,
        /// Value at 0.
        offset: f64,
    },
    /// A polynomial in the input's coordinates.
    Polynomial(Polynomial),
    /// A sum of characters on the cube.
    Fourier(FourierSum),
}

impl Truth {
    /// Its value at every row, as a column.
    pub fn at(&self, xs: &Batch) -> Batch {
        match self {
            Self::Affine { weights, offset } => {
                (xs.dot(weights) + *offset).insert_axis(ndarray::Axis(1))
            }
            Self::Polynomial(polynomial) => polynomial.at_all(xs),
            Self::Fourier(sum) => sum.at_all(xs),
        }
    }
}

/// A family of populations with its parameters, as a specification names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case")]
pub enum Family {
    /// Real images of handwritten digits.
    Digits(DigitsFamily),
    /// A random affine function over a convex body or normal inputs.
    Affine(AffineFamily),
    /// A random polynomial over a convex body or normal inputs.
    Polynomial(PolynomialFamily),
    /// A Fourier-heavy function on the cube.
    Fourier(FourierFamily),
    /// Images from a folder of idx files.
    Idx(IdxFamily),
    /// Images of clothes, from the place where they are found.
    FashionMnist(KnownFamily),
    /// The original images of handwritten digits, from the place where they are found.
    Mnist(KnownFamily),
    /// A table in a CSV file.
    Csv(CsvFamily),
    /// Inputs and labels in two arrays.
    Npy(NpyFamily),
}

impl Family {
    /// Draws a population of the family: its truth, or its split of the data.
    pub fn build(&self, seed: Seed) -> Result<Box<dyn Population>> {
        match self {
            Self::Digits(family) => family.build(seed),
            Self::Affine(family) => family.build(seed),
            Self::Polynomial(family) => family.build(seed),
            Self::Fourier(family) => family.build(seed),
            Self::Idx(family) => family.source()?.build(seed),
            Self::FashionMnist(family) => family.source(&FASHION_MNIST)?.build(seed),
            Self::Mnist(family) => family.source(&MNIST)?.build(seed),
            Self::Csv(family) => family.source()?.build(seed),
            Self::Npy(family) => family.source()?.build(seed),
        }
    }

    /// What everybody may know about every population of the family. Data files are read for it, once a process.
    pub fn world(&self) -> Result<World> {
        match self {
            Self::Digits(family) => Ok(family.world()),
            Self::Affine(family) => family.world(),
            Self::Polynomial(family) => family.world(),
            Self::Fourier(family) => family.world(),
            Self::Idx(family) => family.source()?.world(),
            Self::FashionMnist(family) => family.source(&FASHION_MNIST)?.world(),
            Self::Mnist(family) => family.source(&MNIST)?.world(),
            Self::Csv(family) => family.source()?.world(),
            Self::Npy(family) => family.source()?.world(),
        }
    }

    /// The families by name, each with its defaults.
    pub fn defaults() -> Vec<(&'static str, Self)> {
        vec![
            ("digits", Self::Digits(DigitsFamily::default())),
            ("affine", Self::Affine(AffineFamily::default())),
            ("polynomial", Self::Polynomial(PolynomialFamily::default())),
            ("fourier", Self::Fourier(FourierFamily::default())),
        ]
    }

    /// One line for lists.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Digits(_) => "1,797 real images of handwritten digits, 8×8 pixels, ten classes",
            Self::Affine(_) => {
                "a random affine function over a convex body or normal inputs, with label noise"
            }
            Self::Polynomial(_) => {
                "a random polynomial over a convex body or normal inputs, with label noise"
            }
            Self::Fourier(_) => "a Fourier-heavy sign function on the cube {−1, +1}^n",
            Self::Idx(_) => "images from a folder of idx files",
            Self::FashionMnist(_) => FASHION_MNIST.summary,
            Self::Mnist(_) => MNIST.summary,
            Self::Csv(_) => "a table of numbers and categories in a CSV file",
            Self::Npy(_) => "inputs and labels in two arrays, .npy or .npz",
        }
    }

    /// SHA-256 of the content of the files that the family reads; `None` for one that reads none.
    pub fn fingerprint(&self) -> Result<Option<String>> {
        match self {
            Self::Idx(family) => Ok(Some(family.source()?.fingerprint())),
            Self::FashionMnist(family) => Ok(Some(family.source(&FASHION_MNIST)?.fingerprint())),
            Self::Mnist(family) => Ok(Some(family.source(&MNIST)?.fingerprint())),
            Self::Csv(family) => Ok(Some(family.source()?.fingerprint())),
            Self::Npy(family) => Ok(Some(family.source()?.fingerprint())),
            _ => Ok(None),
        }
    }

    /// What people should know about how the data were read, such as columns that were left out.
    pub fn notes(&self) -> Result<Vec<String>> {
        match self {
            Self::Csv(family) => Ok(family.source()?.notes()),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether `n` samples can be drawn from `part` of a population of the family.
    pub fn check_available(&self, part: Part, n: usize) -> Result<()> {
        let left = match self {
            Self::Digits(family) => Some(family.available(part)),
            Self::Idx(family) => Some(family.source()?.available(part)?),
            Self::FashionMnist(family) => Some(family.source(&FASHION_MNIST)?.available(part)?),
            Self::Mnist(family) => Some(family.source(&MNIST)?.available(part)?),
            Self::Csv(family) => Some(family.source()?.available(part)?),
            Self::Npy(family) => Some(family.source()?.available(part)?),
            _ => None,
        };
        match left {
            Some(left) if left < n => Err(Error::Exhausted { part: part.name(), left, asked: n }),
            _ => Ok(()),
        }
    }
}
