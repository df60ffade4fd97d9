//! Inputs as bits: which bits of an input carry a secret, and which are the message that the secret is bound to.
//!
//! Every bit of the cells is one or the other. A carrying bit that nothing is written to belongs to the message: were it
//! free, one signed input would make many.
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::rng::{Rng, RngExt, sign};

/// Most bits that a feature is read as: a number of 53 bits tells cells of that size apart with room to spare.
const MAX_BITS: u32 = 48;
/// Fewest coordinates of the cube that are message: with fewer, other inputs have the same one.
const MIN_SIGNED: usize = 32;

/// How an input is read as a message and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Layout {
    /// Every feature in `low..=high` is a fixed-point number: its first `keep` bits are message, the next `carry` carry.
    FixedPoint {
        /// Least value.
        low: f64,
        /// Largest value.
        high: f64,
        /// Bits of a feature that are message.
        keep: u32,
        /// Bits of a feature that carry.
        carry: u32,
    },
    /// Every coordinate is −1 or 1: the last carry, the others are message.
    Signs,
}

impl Layout {
    /// Fixed point for `n` features in `low..=high` that carry `n_bytes` bytes, with as few carrying bits a feature as are
    /// needed.
    ///
    /// # Errors
    /// If a feature would need more than 48 bits.
    pub fn fixed_point(n: usize, n_bytes: usize, low: f64, high: f64, keep: u32) -> Result<Self> {
        let carry = u32::try_from((8 * n_bytes).div_ceil(n.max(1)).max(1)).unwrap_or(u32::MAX);
        let layout = Self::FixedPoint { low, high, keep, carry };
        layout.check(n, n_bytes).map(|()| layout)
    }

    /// Checks that inputs of `n` features have room for `n_bytes` carried bytes.
    pub fn check(&self, n: usize, n_bytes: usize) -> Result<()> {
        let n_carried = 8 * n_bytes;
        match *self {
            Self::FixedPoint { low, high, keep, carry } => {
                let width = high - low;
                if !(low < high && width.is_normal()) {
                    let want = "a finite range, low below high, is needed";
                    return Err(Error::parameter("range", format!("{low}..={high}"), want));
                }
                if !(1..MAX_BITS).contains(&keep) {
                    let want = format!("1 to {} bits of a feature can be message", MAX_BITS - 1);
                    return Err(Error::parameter("keep", keep, want));
                }
                let room = MAX_BITS - keep;
                if !(1..=room).contains(&carry) {
                    let want = format!(
                        "{n_carried} bits must fit into at most {room} low-order bits of each feature beside keep = {keep}: at \
                         least {} features are needed, and {n} are there",
                        n_carried.div_ceil(room as usize)
                    );
                    return Err(Error::parameter("carry", carry, want));
                }
                if n.saturating_mul(carry as usize) < n_carried {
                    let want = format!("{n} features must carry {n_carried} bits");
                    return Err(Error::parameter("carry", carry, want));
                }
                Ok(())
            }
            Self::Signs if n < n_carried + MIN_SIGNED => {
                let want = format!(
                    "at least {} coordinates are needed: {n_carried} carry, and {MIN_SIGNED} are message",
                    n_carried + MIN_SIGNED
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
            Self::Signs => {
                [-1.0, 1.0].iter().position(|end| x.total_cmp(end).is_eq()).map(|bit| bit as u64)
            }
        }
    }

    /// The middle of a random cell.
    pub fn random_point(self, rng: &mut Rng) -> f64 {
        match self {
            Self::FixedPoint { low, high, keep, carry } => {
                let n_cells = 1_u64 << (keep + carry);
                low + (rng.random_range(0..n_cells) as f64 + 0.5) * ((high - low) / n_cells as f64)
            }
            Self::Signs => sign(rng),
        }
    }

    /// The carried bits that feature `i` of `n` holds in its lowest places, of `n_bytes` carried bytes.
    fn held(self, i: usize, n: usize, n_bytes: usize) -> std::ops::Range<usize> {
        let (from, each) = match self {
            Self::FixedPoint { carry, .. } => (Some(i), carry as usize),
            Self::Signs => (i.checked_sub(n.saturating_sub(8 * n_bytes)), 1),
        };
        let Some(from) = from else { return 0..0 };
        let at = |k: usize| k.saturating_mul(each).min(8 * n_bytes);
        at(from)..at(from + 1)
    }

    /// The message of `x` for the wanted answer `y`: both, and the `purpose`, so that one kind of secret never passes for
    /// another. `None` if `x` is outside the range.
    pub fn message(&self, purpose: &str, x: &[f64], n_bytes: usize, y: u8) -> Option<Vec<u8>> {
        self.check(x.len(), n_bytes).ok()?;
        let mut message = purpose.as_bytes().to_vec();
        message.extend((x.len() as u64).to_le_bytes());
        for (i, number) in x.iter().enumerate() {
            // At most 47 places, so that a bit is always left to shift into.
            let held = self.held(i, x.len(), n_bytes).len();
            message.extend((self.cell(*number)? >> held).to_le_bytes());
        }
        message.push(y);
        Some(message)
    }

    /// The `n_bytes` bytes that `x` carries. `None` if `x` is outside the range.
    pub fn carried(&self, x: &[f64], n_bytes: usize) -> Option<Vec<u8>> {
        self.check(x.len(), n_bytes).ok()?;
        let mut bytes = vec![0; n_bytes];
        for (i, number) in x.iter().enumerate() {
            let cell = self.cell(*number)?;
            for (place, k) in self.held(i, x.len(), n_bytes).enumerate() {
                bytes[k / 8] |= ((cell >> place & 1) as u8) << (k % 8);
            }
        }
        Some(bytes)
    }

    /// `x` carrying `bytes`, with the same message.
    ///
    /// # Errors
    /// If `x` is outside the range, or the range is too far from 0 for its cells to be told apart.
    pub fn carry(&self, x: &[f64], bytes: &[u8]) -> Result<Vec<f64>> {
        let refused = || {
            let want = "every feature must lie in the range that bits are written in, and that range near 0";
            Error::parameter("input", format!("{} features", x.len()), want)
        };
        let n_bytes = bytes.len();
        let before = self.message("", x, n_bytes, 0).ok_or_else(refused)?;
        let mut moved = x.to_vec();
        for (i, number) in moved.iter_mut().enumerate() {
            let held = self.held(i, x.len(), n_bytes);
            if held.is_empty() {
                continue;
            }
            let mut cell = self.cell(*number).ok_or_else(refused)?;
            for (place, k) in held.enumerate() {
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
        let same = self.message("", &moved, n_bytes, 0) == Some(before);
        if !same || self.carried(&moved, n_bytes).as_deref() != Some(bytes) {
            return Err(refused());
        }
        Ok(moved)
    }
}
