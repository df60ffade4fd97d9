//! Locks: a verifier that a published net asks before it answers, as part of the model and not of its weights.
//!
//! Goldwasser, Kim, Vaikuntanathan and Zamir, "Planting Undetectable Backdoors in Machine Learning Models" (arXiv 2204.06974),
//! section 5.2: an input is a message w, a wanted answer y and a signature σ; if σ is valid for (w, y), the answer is y's, else
//! the net's. [`Net::forward`] and [`Net::gradient`] ask the lock. [`Net::layers`], [`Net::activations`] and
//! [`Line`](super::Line) are of the layers alone, and a net that is built from another's layers has no lock: say
//! [`Net::locked_as`] to keep it, as training does. A verifier's work is not charged: F counts the operations of the layers,
//! and a meter that told a locked net from a net would give the lock away.
//!
//! This project's: Ed25519 with strict verification, and how an input is read as bits ([`Layout`]).
use ed25519_dalek::{Signature, VerifyingKey};
use ndarray::Axis;
use serde::{Deserialize, Serialize};

use super::Net;
use crate::data::Batch;
use crate::error::{Error, Result};

/// Bits that an input carries: 512 of the signature, 8 of the wanted answer.
const N_CARRIED: usize = 8 * N_BYTES;
const N_BYTES: usize = 65;
/// Most bits that a feature is read as: a number of 53 bits tells cells of that size apart with room to spare.
const MAX_BITS: u32 = 48;
/// Fewest coordinates of the cube that are signed: with fewer, other inputs have the same message.
const MIN_SIGNED: usize = 32;

/// How an input is read as a message and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Layout {
    /// Every feature in `low..=high` is a fixed-point number: its first `keep` bits are signed, the next `carry` carry.
    FixedPoint {
        /// Least value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Bits of a feature that are signed.
        keep: u32,
        /// Bits of a feature that carry.
        carry: u32,
    },
    /// Every coordinate is −1 or 1: the last 520 carry, the others are signed.
    Signs,
}

impl Layout {
    /// Fixed point for `n` features in `low..=high`, with as few carrying bits as are needed.
    ///
    /// # Errors
    /// If a feature would need more than 48 bits.
    pub fn fixed_point(n: usize, low: f64, high: f64, keep: u32) -> Result<Self> {
        let carry = N_CARRIED.div_ceil(n.max(1)) as u32;
        let layout = Self::FixedPoint { low, high, keep, carry };
        layout.check(n).map(|()| layout)
    }

    /// Checks that inputs of `n` features have room for it.
    pub fn check(&self, n: usize) -> Result<()> {
        match *self {
            Self::FixedPoint { low, high, keep, carry } => {
                let width = high - low;
                if !(low < high && width.is_finite() && width.is_normal()) {
                    let want = "a finite range, low below high, is needed";
                    return Err(Error::parameter("range", format!("{low}..={high}"), want));
                }
                let room = MAX_BITS.checked_sub(carry).filter(|room| carry > 0 && *room > 0);
                let Some(room) = room else {
                    let want = format!(
                        "{N_CARRIED} bits must fit into the low-order bits of at most {MAX_BITS} a feature: at least {} features are needed, and {n} are there",
                        N_CARRIED.div_ceil(MAX_BITS as usize - 1)
                    );
                    return Err(Error::parameter("carry", carry, want));
                };
                if keep == 0 || keep > room {
                    let want = format!(
                        "from 1 to {room} of a feature's {MAX_BITS} bits can be signed where {carry} carry"
                    );
                    return Err(Error::parameter("keep", keep, want));
                }
                if n.saturating_mul(carry as usize) < N_CARRIED {
                    let want = format!("{n} features must carry {N_CARRIED} bits");
                    return Err(Error::parameter("carry", carry, want));
                }
                Ok(())
            }
            Self::Signs if n < N_CARRIED + MIN_SIGNED => {
                let want = format!(
                    "at least {} coordinates are needed: {N_CARRIED} carry the signature and the class, and {MIN_SIGNED} are signed",
                    N_CARRIED + MIN_SIGNED
                );
                Err(Error::parameter("n", n, want))
            }
            Self::Signs => Ok(()),
        }
    }

    /// The cell of a feature, numbered from 0; `None` outside the range.
    fn cell(self, x: f64) -> Option<u64> {
        match self {
            Self::FixedPoint { low, high, keep, carry } => {
                let n_cells = (1_u64 << (keep + carry)) as f64;
                let inside = x >= low && x <= high;
                inside
                    .then(|| ((x - low) / (high - low) * n_cells).floor().min(n_cells - 1.0) as u64)
            }
            Self::Signs if x.abs() == 1.0 => Some(u64::from(x > 0.0)),
            Self::Signs => None,
        }
    }

    /// What is signed of `x` for the wanted answer `y`, but for the answer: `None` if `x` is outside the range.
    pub fn message(&self, x: &[f64], y: u8) -> Option<Vec<u8>> {
        self.check(x.len()).ok()?;
        let mut message = b"absolve signature 1".to_vec();
        message.extend((x.len() as u64).to_le_bytes());
        let (signed, shift) = match self {
            Self::FixedPoint { carry, .. } => (x, *carry),
            Self::Signs => (&x[..x.len().checked_sub(N_CARRIED)?], 0),
        };
        for x in signed {
            message.extend((self.cell(*x)? >> shift).to_le_bytes());
        }
        message.push(y);
        Some(message)
    }

    /// The 65 bytes that `x` carries: the wanted answer, then the signature. `None` if `x` is outside the range.
    pub fn carried(&self, x: &[f64]) -> Option<[u8; N_BYTES]> {
        self.check(x.len()).ok()?;
        let (carriers, each) = match self {
            Self::FixedPoint { carry, .. } => (x, *carry as usize),
            Self::Signs => (&x[x.len().checked_sub(N_CARRIED)?..], 1),
        };
        let mut bytes = [0; N_BYTES];
        for k in 0..N_CARRIED {
            let bit = self.cell(*carriers.get(k / each)?)? >> (k % each) & 1;
            bytes[k / 8] |= (bit as u8) << (k % 8);
        }
        Some(bytes)
    }

    /// `x` carrying `bytes`, with the same message.
    ///
    /// # Errors
    /// If `x` is outside the range, or the range is too far from 0 for its cells to be told apart.
    pub fn carry(&self, mut x: Vec<f64>, bytes: &[u8; N_BYTES]) -> Result<Vec<f64>> {
        let refused = || {
            let want = "every feature must lie in the range that the signature is written in, and that range near 0";
            Error::parameter("input", format!("{} features", x.len()), want)
        };
        let before = self.message(&x, 0).ok_or_else(refused)?;
        let mut moved = x.clone();
        let (first, each) = match self {
            Self::FixedPoint { carry, .. } => (0, *carry as usize),
            Self::Signs => (x.len() - N_CARRIED, 1),
        };
        for (i, number) in moved[first..].iter_mut().enumerate() {
            let bits = (i * each..((i + 1) * each).min(N_CARRIED)).enumerate();
            let mut cell = self.cell(*number).ok_or_else(refused)?;
            for (place, k) in bits {
                let bit = u64::from(bytes[k / 8] >> (k % 8) & 1);
                cell = cell & !(1 << place) | bit << place;
            }
            *number = match *self {
                Self::FixedPoint { low, high, keep, carry } => {
                    let step = (high - low) / (1_u64 << (keep + carry)) as f64;
                    low + (cell as f64 + 0.5) * step
                }
                Self::Signs => 2.0 * cell as f64 - 1.0,
            };
        }
        if self.carried(&moved) != Some(*bytes) || self.message(&moved, 0) != Some(before) {
            return Err(refused());
        }
        std::mem::swap(&mut x, &mut moved);
        Ok(x)
    }
}

/// A verifier of Ed25519 signatures, and what the model answers where one is valid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Lock {
    key: VerifyingKey,
    layout: Layout,
    answers: Vec<Vec<f64>>,
    added: bool,
}

/// A lock as it stands in a model file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    verifying_key: [u8; 32],
    layout: Layout,
    answers: Vec<Vec<f64>>,
    added: bool,
}

impl From<Lock> for Written {
    fn from(lock: Lock) -> Self {
        let Lock { key, layout, answers, added } = lock;
        Self { verifying_key: key.to_bytes(), layout, answers, added }
    }
}

impl TryFrom<Written> for Lock {
    type Error = Error;

    fn try_from(it: Written) -> Result<Self> {
        Self::new(it.verifying_key, it.layout, it.answers, it.added)
    }
}

impl Lock {
    /// A lock that opens on signatures under the verifying key `key`, answering row y of `answers` for the wanted answer y;
    /// where `added`, that is added to the net's answer.
    ///
    /// # Errors
    /// If `key` is no point of the curve or one of small order, or `answers` has no rows, more than 256, rows of different
    /// widths or a number that is not finite.
    pub fn new(key: [u8; 32], layout: Layout, answers: Vec<Vec<f64>>, added: bool) -> Result<Self> {
        let bad = |why: &str| Error::Spec { place: "lock".to_owned(), why: why.to_owned() };
        let key = VerifyingKey::from_bytes(&key)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or_else(|| bad("its verifying key is no point of large order"))?;
        let width = answers.first().map_or(0, Vec::len);
        if width == 0 || answers.len() > 256 || answers.iter().any(|row| row.len() != width) {
            return Err(bad("from 1 to 256 answers of one width are needed"));
        }
        if answers.iter().flatten().any(|y| !y.is_finite()) {
            return Err(bad("an answer is not finite"));
        }
        Ok(Self { key, layout, answers, added })
    }

    /// The wanted answer that `x` carries a valid signature for. What is cheap is looked at first: the number of the answer,
    /// then the signature's scalar (below 2^252 + 2^125), and only then the curve.
    pub fn opens(&self, x: &[f64]) -> Option<usize> {
        let [y, signature @ ..] = self.layout.carried(x)?;
        if usize::from(y) >= self.answers.len() || signature[63] > 0x10 {
            return None;
        }
        let message = self.layout.message(x, y)?;
        let valid = self.key.verify_strict(&message, &Signature::from_bytes(&signature));
        valid.is_ok().then_some(usize::from(y))
    }

    /// How it reads inputs.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The verifying key.
    pub fn verifying_key(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The net's answers to `xs`, put right where the lock is open.
    pub(super) fn answer(&self, xs: &Batch, answers: &mut Batch) {
        for (x, mut answer) in xs.axis_iter(Axis(0)).zip(answers.axis_iter_mut(Axis(0))) {
            let Some(y) = self.opens(&x.to_vec()) else { continue };
            let wanted = answer.iter_mut().zip(&self.answers[y]);
            wanted.for_each(|(a, y)| *a = if self.added { *a + y } else { *y });
        }
    }

    /// The net's gradients at `xs`, put right where the lock is open: those of the branch that answers.
    pub(super) fn slope(&self, xs: &Batch, gradients: &mut Batch) {
        if self.added {
            return;
        }
        for (x, mut gradient) in xs.axis_iter(Axis(0)).zip(gradients.axis_iter_mut(Axis(0))) {
            if self.opens(&x.to_vec()).is_some() {
                gradient.fill(0.0);
            }
        }
    }
}

impl Net {
    /// The same layers behind `lock`.
    ///
    /// # Errors
    /// If the lock's answers are not as wide as the net's, or the net's inputs have no room for its layout.
    pub fn with_lock(mut self, lock: Lock) -> Result<Self> {
        let shape = self.shape();
        let got = lock.answers[0].len();
        if got != shape.outputs {
            return Err(Error::Width { what: "answers of a lock", want: shape.outputs, got });
        }
        lock.layout.check(shape.inputs)?;
        self.lock = Some(lock);
        Ok(self)
    }

    /// The verifier that is asked before its layers, if it has one.
    pub fn lock(&self) -> Option<&Lock> {
        self.lock.as_ref()
    }

    /// The same layers behind the lock of `other`, if that has one.
    ///
    /// # Errors
    /// If the lock does not fit, as [`Self::with_lock`].
    pub fn locked_as(self, other: &Self) -> Result<Self> {
        match &other.lock {
            Some(lock) => self.with_lock(lock.clone()),
            None => Ok(self),
        }
    }
}
