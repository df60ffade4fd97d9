//! What stands between the layers of a state dict, which does not say so itself.
use std::str::FromStr;

use super::super::Activation;
use crate::error::{Error, Result};

/// The activations of a net whose file holds weights only.
///
/// As text, in a metadata entry or on a command line: one name, for every layer but the last, which has none; or a name
/// for each layer, the last one too, with commas between.
///
/// ```
/// use absolve::net::{Activation, Activations};
/// assert_eq!("tanh".parse::<Activations>()?, Activations::Hidden(Activation::Tanh));
/// let each = "relu,identity".parse::<Activations>()?;
/// assert_eq!(each, Activations::Each(vec![Activation::Relu, Activation::Identity]));
/// # Ok::<(), absolve::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activations {
    /// The same for all layers but the last, which has none.
    Hidden(Activation),
    /// One for each layer, inputs first.
    Each(Vec<Activation>),
}

const NAMES: [(&str, Activation); 6] = [
    ("relu", Activation::Relu),
    ("tanh", Activation::Tanh),
    ("gelu", Activation::Gelu),
    ("cos", Activation::Cos),
    ("step", Activation::Step),
    ("identity", Activation::Identity),
];

impl Activations {
    /// What fits `each`, in the shortest form that says all.
    pub(super) fn shortest(each: &[Activation]) -> Self {
        match each {
            [Activation::Identity] => Self::Hidden(Activation::Identity),
            [first, hidden @ .., Activation::Identity] if hidden.iter().all(|a| a == first) => {
                Self::Hidden(*first)
            }
            _ => Self::Each(each.to_vec()),
        }
    }

    /// One for each of `n` layers; the error says how many there are.
    pub(super) fn spread(&self, n: usize) -> Result<Vec<Activation>, String> {
        match self {
            Self::Hidden(hidden) => {
                let mut each = vec![*hidden; n];
                if let Some(last) = each.last_mut() {
                    *last = Activation::Identity;
                }
                Ok(each)
            }
            Self::Each(each) if each.len() == n => Ok(each.clone()),
            Self::Each(each) => {
                let got = each.len();
                Err(format!("{got} activations are named ({self}), but there are {n} layers"))
            }
        }
    }
}

impl FromStr for Activations {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let one = |name: &str| {
            let wanted = name.trim().to_ascii_lowercase();
            let found = NAMES.iter().find(|(known, _)| *known == wanted);
            found.map(|(_, activation)| *activation).ok_or_else(|| {
                let want = "relu, tanh, gelu (the exact one) and identity are known, with commas between if every \
                            layer has its own";
                Error::parameter("activation", name.trim(), want)
            })
        };
        if text.contains(',') {
            let names = text.strip_suffix(',').unwrap_or(text);
            Ok(Self::Each(names.split(',').map(one).collect::<Result<_>>()?))
        } else {
            Ok(Self::Hidden(one(text)?))
        }
    }
}

impl std::fmt::Display for Activations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |activation: &Activation| {
            let found = NAMES.iter().find(|(_, known)| known == activation);
            found.map_or("identity", |(name, _)| name)
        };
        match self {
            Self::Hidden(hidden) => f.write_str(name(hidden)),
            // One layer alone needs the comma, or it would read as what hidden layers have.
            Self::Each(each) if each.len() == 1 => write!(f, "{},", name(&each[0])),
            Self::Each(each) => f.write_str(&each.iter().map(name).collect::<Vec<_>>().join(",")),
        }
    }
}
