//! The table of mitigators.
use super::{MitigatorEntry, black_box, white_box};
use crate::data::Target;
use crate::domain::Domain;
use crate::mitigate::black_box::{
    AffineAverage, AffineContract, AffineGauss, AffineRay, FieldCorrect, FourierGlobal,
    PolynomialRay,
};
use crate::mitigate::white_box::{AffineExactRay, FinePrune};
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
        summary: "ignore the suspect and train a fresh net on the clean samples",
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
];

/// Whether labels are real, inputs uniform on a known body, and no curved truth is promised.
fn affine_on_a_body(world: &World) -> bool {
    world.target == Target::Real && world.domain.body().is_some() && !curved(world)
}

/// Whether the promised truth need not be affine.
fn curved(world: &World) -> bool {
    matches!(world.promise, Promise::Polynomial { degree, .. } if degree > 1)
}
