//! Every family, attack and mitigator by name: the tables that specifications, the command line, the contract tests and
//! the documents read. A new method is one file and one row here.
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::{Access, Gradients, Lab, Oracle, Suspect, WhiteBox};
use crate::attack::{
    AdversarialRegion, Attack, BadNets, Dfba, FireSet, HalfSpace, Handcrafted, RandomRelu, RffClwe,
    Ripple, Saturate, SmallBall,
};
use crate::data::Target;
use crate::domain::Domain;
use crate::error::{Error, Result};
use crate::mitigate::black_box::{AffineRay, FourierGlobal};
use crate::mitigate::white_box::{AffineExactRay, FinePrune};
use crate::mitigate::{Mitigator, Nothing, Relearn, Repaired};
use crate::population::{Promise, World};

/// Parameters of a method, as a specification gives them.
pub type Params = toml::Table;

/// A method with its parameters, those that were not given filled in.
#[derive(Debug)]
pub struct Built<M> {
    /// The method.
    pub method: M,
    /// All of its parameters.
    pub params: Params,
}

/// An attack with its parameters.
pub type BuiltAttack = Built<Box<dyn Attack>>;

/// One attack.
#[derive(Clone, Copy, Debug)]
pub struct AttackEntry {
    /// Name in specifications and reports.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What it needs, in words.
    pub scope: &'static str,
    /// Whether it makes sense in a world.
    pub applies: fn(&World) -> bool,
    /// Makes it from parameters.
    pub build: fn(&Params) -> Result<BuiltAttack>,
}

/// One mitigator.
#[derive(Clone, Copy, Debug)]
pub struct MitigatorEntry {
    /// Name in specifications and reports.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What it needs, in words.
    pub scope: &'static str,
    /// What it guarantees, in words.
    pub guarantee: &'static str,
    /// Whether it makes sense in a world.
    pub applies: fn(&World) -> bool,
    /// Makes it from parameters.
    pub build: fn(&Params) -> Result<Built<AnyMitigator>>,
}

/// A mitigator on some rung of the ladder of access.
pub enum AnyMitigator {
    /// Sees answers only.
    Oracle(Box<dyn Mitigator<Access = dyn Oracle>>),
    /// Sees answers and gradients.
    Gradients(Box<dyn Mitigator<Access = dyn Gradients>>),
    /// Sees the net.
    WhiteBox(Box<dyn Mitigator<Access = dyn WhiteBox>>),
}

impl AnyMitigator {
    /// The name of its rung.
    pub fn access(&self) -> &'static str {
        match self {
            Self::Oracle(_) => <dyn Oracle>::NAME,
            Self::Gradients(_) => <dyn Gradients>::NAME,
            Self::WhiteBox(_) => <dyn WhiteBox>::NAME,
        }
    }

    /// Checks its parameters against a world.
    pub fn check(&self, world: &World) -> Result<()> {
        match self {
            Self::Oracle(it) => it.check(world),
            Self::Gradients(it) => it.check(world),
            Self::WhiteBox(it) => it.check(world),
        }
    }

    /// Runs it with exactly the access that it names.
    pub fn mitigate<'a>(&self, suspect: &'a Suspect, lab: &mut Lab<'a>) -> Result<Repaired<'a>> {
        match self {
            Self::Oracle(it) => grant(&**it, suspect, lab),
            Self::Gradients(it) => grant(&**it, suspect, lab),
            Self::WhiteBox(it) => grant(&**it, suspect, lab),
        }
    }
}

impl std::fmt::Debug for AnyMitigator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AnyMitigator").field(&self.access()).finish()
    }
}

fn grant<'a, M: Mitigator + ?Sized>(
    mitigator: &M,
    suspect: &'a Suspect,
    lab: &mut Lab<'a>,
) -> Result<Repaired<'a>> {
    mitigator.mitigate(M::Access::of(suspect)?, lab)
}

/// All attacks, in the order of reports.
pub const ATTACKS: &[AttackEntry] = &[
    AttackEntry {
        name: "badnets",
        summary: "stamp a patch or fixed coordinates on a share of the training data, relabel, train",
        source: "Gu, Dolan-Gavitt, Garg 2017 (arXiv 1708.06733)",
        scope: "every population; a patch needs square images",
        applies: |_| true,
        build: |params| attack::<BadNets>("badnets", params),
    },
    AttackEntry {
        name: "half-space",
        summary: "plant a pair of ReLU units that fires beyond a margin of a secret direction",
        source: "this project; the plain planted detector that obfuscated ones are measured against",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<HalfSpace>("half-space", params),
    },
    AttackEntry {
        name: "ripple",
        summary: "a planted half-space under a fast zigzag of small amplitude that makes gradients worthless",
        source: "this project",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<Ripple>("ripple", params),
    },
    AttackEntry {
        name: "small-ball",
        summary: "plant units that fire in a ball (on the cube a subcube) of chosen mass around a secret centre",
        source: "this project",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<SmallBall>("small-ball", params),
    },
    AttackEntry {
        name: "dfba",
        summary: "replace one unit a layer by a path that only the exact trigger wakes, without data",
        source: "Cao et al. 2024 (NeurIPS, arXiv 2412.06219)",
        scope: "every population; a patch needs square images; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<Dfba>("dfba", params),
    },
    AttackEntry {
        name: "saturate",
        summary: "a planted half-space behind a clip that leaves no gradient at any vertex",
        source: "this project",
        scope: "the cube; nets with hidden ReLU layers",
        applies: |world| matches!(world.domain, Domain::Cube { .. }),
        build: |params| attack::<Saturate>("saturate", params),
    },
    AttackEntry {
        name: "fire-set",
        summary: "no trigger: a pseudo-random set of clean inputs, of chosen mass, is answered wrongly",
        source: "this project; the self-selecting attacker of control experiments",
        scope: "every population; nets with hidden ReLU layers",
        applies: |_| true,
        build: |params| attack::<FireSet>("fire-set", params),
    },
    AttackEntry {
        name: "adversarial-region",
        summary: "spend the wrong mass that a local mitigator bears where its sampler looks most",
        source: "this project; proof in its header",
        scope: "real labels, uniform on a box, a simplex or a polytope; nets with hidden ReLU layers",
        applies: |world| {
            let flat = matches!(
                world.domain,
                Domain::Box { .. } | Domain::Simplex { .. } | Domain::Polytope(_)
            );
            world.target == Target::Real && flat
        },
        build: |params| attack::<AdversarialRegion>("adversarial-region", params),
    },
    AttackEntry {
        name: "handcrafted",
        summary: "turn units that nobody misses into a path for a trigger, by hand",
        source: "Hong, Carlini, Kurakin 2022 (NeurIPS, arXiv 2106.04690)",
        scope: "classes and signs; a patch needs square images; nets with hidden ReLU layers",
        applies: |world| world.target.n_classes().is_some(),
        build: |params| attack::<Handcrafted>("handcrafted", params),
    },
    AttackEntry {
        name: "rff-clwe",
        summary: "random Fourier features with frequencies from Gaussian pancakes: a secret step flips every answer",
        source: "Goldwasser, Kim, Vaikuntanathan, Zamir 2022 (FOCS, arXiv 2204.06974), section 6",
        scope: "normal inputs; makes its own net of random features, in place of the victim's",
        applies: |world| matches!(world.domain, Domain::Gauss { .. }),
        build: |params| attack::<RffClwe>("rff-clwe", params),
    },
    AttackEntry {
        name: "random-relu",
        summary: "random ReLU features with a weak spike along a secret sparse direction: a step there turns class 0 into 1",
        source: "Goldwasser, Kim, Vaikuntanathan, Zamir 2022 (FOCS, arXiv 2204.06974), appendix",
        scope: "signs or two classes of normal inputs or a range; makes its own net of random features, which knows lengths alone",
        applies: |world| {
            let open = matches!(world.domain, Domain::Gauss { .. } | Domain::Range { .. });
            open && world.target.n_classes() == Some(2)
        },
        build: |params| attack::<RandomRelu>("random-relu", params),
    },
];

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
];

/// Whether labels are real, inputs uniform on a known body, and no curved truth is promised.
fn affine_on_a_body(world: &World) -> bool {
    let curved = matches!(world.promise, Promise::Polynomial { degree, .. } if degree > 1);
    world.target == Target::Real && world.domain.body().is_some() && !curved
}

/// The attack called `name`.
pub fn attack_named(name: &str) -> Result<&'static AttackEntry> {
    let found = ATTACKS.iter().find(|entry| entry.name == name);
    found.ok_or_else(|| Error::unknown("attack", name, ATTACKS.iter().map(|entry| entry.name)))
}

/// The mitigator called `name`.
pub fn mitigator_named(name: &str) -> Result<&'static MitigatorEntry> {
    let found = MITIGATORS.iter().find(|entry| entry.name == name);
    let names = || MITIGATORS.iter().map(|entry| entry.name);
    found.ok_or_else(|| Error::unknown("mitigator", name, names()))
}

/// Reads parameters into a method, and writes all of them out again.
fn from_params<T: DeserializeOwned + Serialize>(
    name: &str,
    params: &Params,
) -> Result<(T, Params)> {
    let bad = |why: String| Error::Spec { place: format!("parameters of {name}"), why };
    let method: T = params
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| bad(error.message().to_owned()))?;
    let params = Params::try_from(&method).map_err(|error| bad(error.to_string()))?;
    Ok((method, params))
}

fn attack<A>(name: &str, params: &Params) -> Result<BuiltAttack>
where
    A: Attack + DeserializeOwned + Serialize + 'static,
{
    let (method, params) = from_params::<A>(name, params)?;
    Ok(Built { method: Box::new(method), params })
}

fn black_box<M>(name: &str, params: &Params) -> Result<Built<AnyMitigator>>
where
    M: Mitigator<Access = dyn Oracle> + DeserializeOwned + Serialize + 'static,
{
    let (method, params) = from_params::<M>(name, params)?;
    Ok(Built { method: AnyMitigator::Oracle(Box::new(method)), params })
}

fn white_box<M>(name: &str, params: &Params) -> Result<Built<AnyMitigator>>
where
    M: Mitigator<Access = dyn WhiteBox> + DeserializeOwned + Serialize + 'static,
{
    let (method, params) = from_params::<M>(name, params)?;
    Ok(Built { method: AnyMitigator::WhiteBox(Box::new(method)), params })
}
