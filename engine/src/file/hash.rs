//! What identifies a file.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::regular;

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
        Self::with(&Sha256::digest(data), data.len() as u64)
    }

    fn with(digest: &[u8], bytes: u64) -> Self {
        let mut sha256 = String::with_capacity(2 * digest.len());
        for byte in digest {
            // Writing to a string cannot fail.
            _ = write!(sha256, "{byte:02x}");
        }
        Self { sha256, bytes }
    }

    /// That of the file at `path`, which is read in parts.
    ///
    /// # Errors
    /// When it is no regular file, or cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = regular::open(path)?;
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        let mut part = vec![0; 1 << 20];
        loop {
            match file.read(&mut part)? {
                0 => return Ok(Self::with(&digest.finalize(), bytes)),
                read => {
                    digest.update(&part[..read]);
                    bytes += read as u64;
                }
            }
        }
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
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        assert_eq!(FileHash::of_file(file.path()).unwrap(), hash);
        let long = vec![7; (2 << 20) + 3];
        std::fs::write(file.path(), &long).unwrap();
        assert_eq!(FileHash::of_file(file.path()).unwrap(), FileHash::of(&long));
        assert!(FileHash::of_file(Path::new("/dev/zero")).is_err());
    }
}
