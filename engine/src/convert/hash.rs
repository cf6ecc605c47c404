//! What identifies a file.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What identifies a file, wherever it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHash {
    /// SHA-256 of its bytes in hexadecimal, as `sha256sum` prints it.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: u64,
}

impl FileHash {
    /// That of a file with these bytes.
    pub fn of(data: &[u8]) -> Self {
        let mut sha256 = String::with_capacity(64);
        for byte in Sha256::digest(data) {
            // Writing to a string cannot fail.
            _ = write!(sha256, "{byte:02x}");
        }
        Self { sha256, bytes: data.len() as u64 }
    }

    /// The first 16 digits: enough to tell files of one folder apart.
    pub fn short(&self) -> &str {
        self.sha256.get(..16).unwrap_or(&self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256sum() {
        let hash = FileHash::of(b"abc");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((hash.sha256.as_str(), hash.bytes), (expected, 3));
        assert_eq!(hash.short(), "ba7816bf8f01cfea");
    }
}
