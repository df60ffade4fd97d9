//! The table of mitigators.
use super::{MitigatorEntry, black_box, white_box};
use crate::data::Target;
use crate::domain::Domain;
use crate::mitigate::black_box::{
    AffineAverage, AffineContract, AffineGauss, AffineRay, CharactersGlobal, Distil, FieldCorrect,
    FourierGlobal, LowDegreeGlobal, LowDensityFilter, PolynomialRay, ScaleUp, Smooth, Strip,
};
use crate::mitigate::white_box::{ActivationFilter, AffineExactRay, FinePrune};
use crate::mitigate::{Mitigator, Nothing, Relearn};
use crate::population::{Promise, World};

/// All mitigators, in the order of reports.
pub const MITIGATORS: &[MitigatorEntry] = &[
    MitigatorEntry {
        name: "nothing",
        summary: "answer what the suspect answers",
        source: "baseline",
        scope: "everything",
        guarantee: "none",
        applies: |_| true,
        build: |params| black_box::<Nothing>("nothing", params),
    },
    MitigatorEntry {
        name: "relearn",
        summary: "ignore the suspect and learn afresh from the clean samples",
        source: "baseline; the trivial mitigator of Goldwasser, Shafer, Vafa, Vaikuntanathan 2025",
        scope: "everything",
        guarantee: "the output does not depend on the suspect",
        applies: |_| true,
        build: |params| black_box::<Relearn>("relearn", params),
    },
    MitigatorEntry {
        name: "fourier-global",
        summary: "find the heavy characters by queries, take their values from clean samples only",
        source: "after Goldwasser, Shafer, Vafa, Vaikuntanathan 2025 (arXiv 2411.03279); proof in its header",
        scope: "a Fourier-heavy truth on the cube",
        guarantee: "exact support; an output whose law does not depend on the suspect",
        applies: |world| {
            matches!(world.domain, Domain::Cube { .. })
                && !matches!(world.target, Target::Classes(_))
                && !over_a_field(world)
        },
        build: |params| black_box::<FourierGlobal>("fourier-global", params),
    },
    MitigatorEntry {
        name: "affine-ray",
        summary: "extrapolate from two queries on each of a few random rays, take the median",
        source: "this project; proof in its header",
        scope: "a real-valued, nearly affine truth, uniform on a known convex body",
        guarantee: "an error bar and a failure probability for every answer",
        applies: affine_on_a_body,
        build: |params| black_box::<AffineRay>("affine-ray", params),
    },
    MitigatorEntry {
        name: "fine-prune",
        summary: "cut units that clean inputs leave asleep, then fine-tune",
        source: "Liu, Dolan-Gavitt, Garg 2018 (RAID)",
        scope: "nets with a hidden layer",
        guarantee: "none",
        applies: |_| true,
        build: |params| white_box::<FinePrune>("fine-prune", params),
    },
    MitigatorEntry {
        name: "affine-exact-ray",
        summary: "the exact restriction to each of a few random rays, consensus intercept, median",
        source: "this project; after Sotoudeh, Thakur 2019 (NeurIPS)",
        scope: "as affine-ray, for one hidden ReLU layer",
        guarantee: "none",
        applies: affine_on_a_body,
        build: |params| white_box::<AffineExactRay>("affine-exact-ray", params),
    },
    MitigatorEntry {
        name: "affine-contract",
        summary: "extrapolate from pairs of a random point and the same drawn towards the input, take the median",
        source: "after Goldwasser, Shafer, Vafa, Vaikuntanathan 2025 (arXiv 2411.03279); proof in its header",
        scope: "a real-valued, nearly affine truth, uniform on a known convex body",
        guarantee: "an error bar and a failure probability for every answer",
        applies: affine_on_a_body,
        build: |params| black_box::<AffineContract>("affine-contract", params),
    },
    MitigatorEntry {
        name: "affine-average",
        summary: "the mean of medians of such estimates, which averages random errors",
        source: "after Goldwasser, Shafer, Vafa, Vaikuntanathan 2025 (arXiv 2411.03279); proof in its header",
        scope: "a real-valued, nearly affine truth, uniform on a known convex body",
        guarantee: "an error bar and a failure probability for every answer, and a narrower bar if errors are symmetric",
        applies: affine_on_a_body,
        build: |params| black_box::<AffineAverage>("affine-average", params),
    },
    MitigatorEntry {
        name: "affine-gauss",
        summary: "combine three queries around each of a few normal points, take the median",
        source: "this project; proof in its header",
        scope: "a real-valued, nearly affine truth, normal inputs",
        guarantee: "an error bar that grows with the input's length and a failure probability for every answer",
        applies: |world| {
            world.target == Target::Real
                && matches!(world.domain, Domain::Gauss { .. })
                && !curved(world)
        },
        build: |params| black_box::<AffineGauss>("affine-gauss", params),
    },
    MitigatorEntry {
        name: "distil",
        summary: "train a fresh net on the suspect's answers to clean inputs",
        source: "Hinton, Vinyals, Dean 2015; Papernot et al. 2017",
        scope: "everything",
        guarantee: "none",
        applies: |_| true,
        build: |params| black_box::<Distil>("distil", params),
    },
    MitigatorEntry {
        name: "smooth",
        summary: "the most frequent or middle answer to noisy copies of an input",
        source: "Cohen, Rosenfeld, Kolter 2019; Lee et al. 2019; Chiang et al. 2020",
        scope: "everything but residues",
        guarantee: "a radius within which the smoothed answer does not change, not that it is right",
        applies: |world| !matches!(world.domain, Domain::Residues { .. }),
        build: |params| black_box::<Smooth>("smooth", params),
    },
    MitigatorEntry {
        name: "strip",
        summary: "reject inputs whose answer survives overlays, answer those by a fallback",
        source: "Gao et al. 2019 (ACSAC)",
        scope: "everything",
        guarantee: "the rate of clean inputs that are rejected",
        applies: |_| true,
        build: |params| black_box::<Strip>("strip", params),
    },
    MitigatorEntry {
        name: "scale-up",
        summary: "reject inputs whose class survives multiplied pixels, answer those by a fallback",
        source: "Guo et al. 2023 (ICLR)",
        scope: "classes, inputs in a box or in a range from 0",
        guarantee: "the rate of clean inputs that are rejected",
        applies: |world| {
            world.target != Target::Real
                && match world.domain {
                    Domain::Range { low, .. } => low >= 0.0,
                    ref other => matches!(other, Domain::Box { .. }),
                }
        },
        build: |params| black_box::<ScaleUp>("scale-up", params),
    },
    MitigatorEntry {
        name: "low-density-filter",
        summary: "reject inputs unlike the clean samples, answer those by a fallback",
        source: "this project; scores of Ledoit, Wolf 2004 and Ramaswamy et al. 2000",
        scope: "everything but the torus and residues",
        guarantee: "the rate of clean inputs that are rejected",
        applies: |world| !matches!(world.domain, Domain::Torus { .. } | Domain::Residues { .. }),
        build: |params| black_box::<LowDensityFilter>("low-density-filter", params),
    },
    MitigatorEntry {
        name: "characters-global",
        summary: "as fourier-global, for characters of the torus and of Z_m^n",
        source: "this project, after Goldwasser, Shafer, Vafa, Vaikuntanathan 2025; proof in its header",
        scope: "a heavy sum of characters on the torus or on Z_m^n",
        guarantee: "exact support; an output whose law does not depend on the suspect",
        applies: |world| {
            matches!(world.domain, Domain::Torus { .. } | Domain::Residues { .. })
                && !matches!(world.target, Target::Classes(_))
                && !over_a_field(world)
        },
        build: |params| black_box::<CharactersGlobal>("characters-global", params),
    },
    MitigatorEntry {
        name: "low-degree-global",
        summary: "as fourier-global, for products of Legendre's or Hermite's polynomials of low degree",
        source: "this project, after Goldwasser, Shafer, Vafa, Vaikuntanathan 2025; proof in its header",
        scope: "a heavy polynomial of low degree on the box or under normal inputs",
        guarantee: "exact support; an output whose law does not depend on the suspect",
        applies: |world| {
            matches!(world.domain, Domain::Box { .. } | Domain::Gauss { .. })
                && matches!(world.promise, Promise::Characters { .. })
        },
        build: |params| black_box::<LowDegreeGlobal>("low-degree-global", params),
    },
    MitigatorEntry {
        name: "polynomial-ray",
        summary: "extrapolate a polynomial from a few queries on each of some random rays, take the median",
        source: "this project; after Goldwasser, Shafer, Vafa, Vaikuntanathan 2025; proof in its header",
        scope: "a real-valued truth near a polynomial of known degree, uniform on a known convex body",
        guarantee: "an error bar and a failure probability for every answer",
        applies: |world| PolynomialRay::default().check(world).is_ok(),
        build: |params| black_box::<PolynomialRay>("polynomial-ray", params),
    },
    MitigatorEntry {
        name: "field-correct",
        summary: "the value of a low-degree table from uniform queries on random lines or subspaces, majority",
        source: "Blum, Luby, Rubinfeld 1993; Lipton 1991; Alon et al. 2005; Gemmell, Sudan 1992",
        scope: "a polynomial of low degree over the residues modulo a prime, or over two elements on the cube",
        guarantee: "every answer exact, with a failure probability",
        applies: |world| FieldCorrect::default().check(world).is_ok(),
        build: |params| black_box::<FieldCorrect>("field-correct", params),
    },
    MitigatorEntry {
        name: "activation-filter",
        summary: "reject inputs that move the net unlike the clean samples do, answer those by a fallback",
        source: "scores after Lee et al. 2018, Ma et al. 2023, Liu et al. 2018 and of this project",
        scope: "everything; most scores need a hidden layer",
        guarantee: "the rate of clean inputs that are rejected",
        applies: |_| true,
        build: |params| white_box::<ActivationFilter>("activation-filter", params),
    },
];

/// Whether labels are real, inputs uniform on a known body, and no other truth than an affine one is promised.
fn affine_on_a_body(world: &World) -> bool {
    world.target == Target::Real && world.domain.body().is_some() && !curved(world)
}

/// Whether a polynomial over a finite field is promised, of which no least coefficient is.
fn over_a_field(world: &World) -> bool {
    matches!(world.promise, Promise::LowDegree { .. })
}

/// Whether the promised truth need not be affine.
fn curved(world: &World) -> bool {
    match world.promise {
        Promise::Polynomial { degree, .. } => degree > 1,
        Promise::Characters { .. } => true,
        _ => false,
    }
}
