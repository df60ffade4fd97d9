//! The families of populations, as specifications name them.
use serde::{Deserialize, Serialize};

use super::catalogue::{FASHION_MNIST, MNIST};
use super::{
    AffineFamily, CsvFamily, DecisionTreeFamily, DigitsFamily, FourierFamily,
    HeavyPolynomialFamily, IdxFamily, KnownFamily, LengthFamily, LowDegreeFamily, NpyFamily, Part,
    PolynomialFamily, Population, ResiduesFamily, TrigonometricFamily, World,
};
use crate::error::{Error, Result};
use crate::rng::Seed;

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
    /// A random decision tree on the cube.
    DecisionTree(DecisionTreeFamily),
    /// A random trigonometric polynomial on the torus.
    Trigonometric(TrigonometricFamily),
    /// A random sum of characters of `Z_m^n`.
    Residues(ResiduesFamily),
    /// Whether a normal input is long.
    Length(LengthFamily),
    /// A random sparse sum of products of orthonormal polynomials.
    HeavyPolynomial(HeavyPolynomialFamily),
    /// A random polynomial of low degree over a finite field.
    LowDegree(LowDegreeFamily),
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
            Self::DecisionTree(family) => family.build(seed),
            Self::Trigonometric(family) => family.build(seed),
            Self::Residues(family) => family.build(seed),
            Self::Length(family) => family.build(seed),
            Self::HeavyPolynomial(family) => family.build(seed),
            Self::LowDegree(family) => family.build(seed),
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
            Self::DecisionTree(family) => family.world(),
            Self::Trigonometric(family) => family.world(),
            Self::Residues(family) => family.world(),
            Self::Length(family) => family.world(),
            Self::HeavyPolynomial(family) => family.world(),
            Self::LowDegree(family) => family.world(),
        }
    }

    /// The families by name, each with its defaults.
    pub fn defaults() -> Vec<(&'static str, Self)> {
        vec![
            ("digits", Self::Digits(DigitsFamily::default())),
            ("affine", Self::Affine(AffineFamily::default())),
            ("polynomial", Self::Polynomial(PolynomialFamily::default())),
            ("fourier", Self::Fourier(FourierFamily::default())),
            ("decision-tree", Self::DecisionTree(DecisionTreeFamily::default())),
            ("trigonometric", Self::Trigonometric(TrigonometricFamily::default())),
            ("residues", Self::Residues(ResiduesFamily::default())),
            ("length", Self::Length(LengthFamily::default())),
            ("heavy-polynomial", Self::HeavyPolynomial(HeavyPolynomialFamily::default())),
            ("low-degree", Self::LowDegree(LowDegreeFamily::default())),
            ("fashion-mnist", Self::FashionMnist(KnownFamily::default())),
            ("mnist", Self::Mnist(KnownFamily::default())),
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
            Self::DecisionTree(_) => "a random decision tree on the cube {−1, +1}^n",
            Self::Trigonometric(_) => {
                "a random trigonometric polynomial on the torus [0, 1)^n, with bounded label noise"
            }
            Self::Length(_) => "whether a normal input is longer than the median",
            Self::Residues(_) => "a random sum of characters of Z_m^n, with bounded label noise",
            Self::HeavyPolynomial(_) => {
                "a random sparse sum of Legendre products on the box, or of Hermite products of normal inputs"
            }
            Self::LowDegree(_) => {
                "a random polynomial of low degree over a finite field: parities and their like"
            }
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
