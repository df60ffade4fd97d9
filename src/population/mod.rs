//! Nature: distributions of labelled inputs, some with a truth that only the scorer may see.
mod affine;
mod cache;
pub mod catalogue;
mod columns;
mod decision_tree;
mod digits;
mod distance;
mod family;
mod field_polynomial;
mod flips;
mod fourier;
mod heavy_polynomial;
mod idx;
mod images;
mod length;
mod low_degree;
mod monomial;
mod noise;
mod npy;
mod polynomial;
mod regression;
mod signs;
mod split;
mod table;
mod trigonometric;

use std::borrow::Cow;

use ndarray::{Array1, ArrayView1};
use serde::{Deserialize, Serialize};

pub use affine::AffineFamily;
pub use columns::{CsvFamily, Labelling, Missing};
pub use decision_tree::DecisionTreeFamily;
pub use digits::DigitsFamily;
pub use distance::Distance;
pub use family::Family;
pub use field_polynomial::{FieldPolynomial, Powers};
pub use flips::{Around, Flips};
pub use fourier::{FourierFamily, Truth as FourierTruth};
pub use heavy_polynomial::HeavyPolynomialFamily;
pub use images::{IdxFamily, KnownFamily};
pub use length::LengthFamily;
pub use low_degree::LowDegreeFamily;
pub use monomial::{Monomial, Polynomial};
pub use noise::Noise;
pub use npy::{NpyFamily, read_array};
pub use polynomial::PolynomialFamily;
pub use table::Table;
pub use trigonometric::{ResiduesFamily, TrigonometricFamily};

use crate::data::{Batch, Labeled, Shape, Target, column};
use crate::domain::Domain;
use crate::error::Result;
use crate::fourier::{DecisionTree, FourierSum, Function, Polynomials, ProductSum, TrigSum};
use crate::rng::Rng;

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
    /// The truth is heavy in the basis that belongs to its domain: a real sum of characters of the torus or of `Z_m^n`, or a sum of
    /// products of Legendre's polynomials on the box or of Hermite's under normal inputs.
    Characters {
        /// Every frequency k has `Σ |k_i|` of at most this; on `Z_m^n` an entry counts the shorter way round. Of products: their
        /// largest degree in all.
        degree: u32,
        /// Every coefficient, complex or of a product, is 0 or at least this in absolute value.
        tau: f64,
        /// The largest absolute value of the truth; of a sum of products, which may have none, its largest root mean square.
        bound: f64,
    },
    /// The truth is a polynomial of at most this degree over the field of residues modulo a prime, and a model is right but for
    /// a small mass of inputs. On the cube the field has two elements, and −1 stands for 1.
    LowDegree {
        /// The largest degree.
        degree: u32,
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
    /// A decision tree on the cube.
    Tree(DecisionTree),
    /// A sum of characters of the torus or of `Z_m^n`.
    Trigonometric(TrigSum),
    /// +1 where the squared length of the input is above a number, else −1.
    Length {
        /// The number.
        square: f64,
    },
    /// A polynomial over a finite field.
    Field(FieldPolynomial),
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
            Self::Tree(tree) => tree.at_all(xs),
            Self::Trigonometric(sum) => sum.at_all(xs),
            Self::Length { square } => {
                let long = |x: ArrayView1<'_, f64>| if x.dot(&x) > *square { 1.0 } else { -1.0 };
                column(xs.rows().into_iter().map(long).collect())
            }
            Self::Field(polynomial) => polynomial.at_all(xs),
        }
    }

    /// It as a sum of characters on the cube, where it is one and small enough to be written out.
    pub fn spectrum(&self) -> Option<Cow<'_, FourierSum>> {
        match self {
            Self::Fourier(sum) => Some(Cow::Borrowed(sum)),
            Self::Tree(tree) => tree.spectrum().ok().map(Cow::Owned),
            Self::Field(polynomial) => polynomial.spectrum().map(Cow::Owned),
            Self::Affine { .. }
            | Self::Polynomial(_)
            | Self::Trigonometric(_)
            | Self::Length { .. } => None,
        }
    }

    /// It written out in the basis that belongs to `domain`, where it has one and is small enough: characters on the cube, waves
    /// on the torus and on `Z_m^n`, products of Legendre's polynomials on the box and of Hermite's under normal inputs.
    pub fn function(&self, domain: &Domain) -> Option<Function> {
        let basis = match domain {
            Domain::Gauss { .. } => Some(Polynomials::Hermite),
            Domain::Box { .. } => Some(Polynomials::Legendre),
            _ => None,
        };
        match self {
            Self::Fourier(_) | Self::Tree(_) | Self::Field(_) => {
                Some(self.spectrum()?.into_owned().into())
            }
            Self::Trigonometric(sum) => Some(sum.clone().into()),
            Self::Polynomial(polynomial) if polynomial.origin().iter().all(|x| x.abs() <= 0.0) => {
                let terms = polynomial.terms().iter();
                let terms = terms.map(|term| (term.powers.as_slice(), term.value));
                Some(ProductSum::of_monomials(basis?, terms).into())
            }
            Self::Polynomial(_) | Self::Length { .. } => None,
            Self::Affine { weights, offset } => {
                let powers: Vec<[(usize, u32); 1]> = (0..weights.len()).map(|i| [(i, 1)]).collect();
                let slopes = powers.iter().zip(weights).map(|(power, w)| (power.as_slice(), *w));
                let all = slopes.chain([([].as_slice(), *offset)]);
                Some(ProductSum::of_monomials(basis?, all).into())
            }
        }
    }
}
