//! Every family, attack and mitigator by name: the tables that specifications, the command line, the contract tests and
//! the documents read. A new method is one file and one row here.
mod attacks;
mod estimators;
mod mitigators;
mod obfuscation;
mod scopes;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use attacks::ATTACKS;
pub use estimators::{AnyEstimator, ESTIMATORS, EstimatorEntry, estimator_named};
pub use mitigators::MITIGATORS;
pub use obfuscation::{BuiltObfuscation, OBFUSCATIONS, ObfuscationEntry, obfuscation_named};

use crate::access::{Access, Gradients, Lab, Oracle, Suspect, WhiteBox};
use crate::attack::Attack;
use crate::error::{Error, Result};
use crate::mitigate::{Mitigator, Plan, Repaired};
use crate::population::World;

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

    /// What it will do in a world, where that is known beforehand.
    pub fn plan(&self, world: &World) -> Result<Option<Plan>> {
        match self {
            Self::Oracle(it) => it.plan(world),
            Self::Gradients(it) => it.plan(world),
            Self::WhiteBox(it) => it.plan(world),
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

fn gradients<M>(name: &str, params: &Params) -> Result<Built<AnyMitigator>>
where
    M: Mitigator<Access = dyn Gradients> + DeserializeOwned + Serialize + 'static,
{
    let (method, params) = from_params::<M>(name, params)?;
    Ok(Built { method: AnyMitigator::Gradients(Box::new(method)), params })
}

fn white_box<M>(name: &str, params: &Params) -> Result<Built<AnyMitigator>>
where
    M: Mitigator<Access = dyn WhiteBox> + DeserializeOwned + Serialize + 'static,
{
    let (method, params) = from_params::<M>(name, params)?;
    Ok(Built { method: AnyMitigator::WhiteBox(Box::new(method)), params })
}
