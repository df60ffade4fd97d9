//! SHA-256 as people read it: 64 hexadecimal digits.
use sha2::{Digest, Sha256};

/// The digest of what was fed to `hash`.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize()
        .iter()
        .fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"))
}
