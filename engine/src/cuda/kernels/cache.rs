//! Compiled kernels that are kept: by what they were compiled from, and for what.

use std::ffi::{CStr, CString};
use std::path::Path;

use super::super::nvrtc::options;
use crate::file::{FileError, FileHash, WholeFile, regular};

/// What is kept at `path`, if anything is.
pub(super) fn load(path: &Path) -> Option<CString> {
    CString::new(regular::read(path).ok()?).ok()
}

/// Keeps `ptx` at `path`.
pub(super) fn save(path: &Path, ptx: &CStr) -> Result<(), FileError> {
    if let Some(folder) = path.parent() {
        // Where it cannot be made, the file cannot either, and says so.
        _ = std::fs::create_dir_all(folder);
    }
    WholeFile::replace(path, ptx.to_bytes())
}

/// A name that holds the hash of the source and of what it is compiled with.
pub(super) fn name(source: &str, (major, minor): (u32, u32)) -> String {
    let text = format!("{}{}", options(10 * major + minor).join(" "), source);
    let hash = FileHash::of(text.as_bytes()).sha256;
    format!("{}-sm_{major}{minor}.ptx", &hash[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_for_one_source_and_device() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernels").join(name("source", (9, 0)));
        assert_eq!(load(&path), None);
        for ptx in [c"ptx", c"other"] {
            save(&path, ptx).unwrap();
            assert_eq!(load(&path).as_deref(), Some(ptx));
        }
        for (source, device) in [("Source", (9, 0)), ("source", (8, 0)), ("source", (0, 9))] {
            assert_ne!(name(source, device), name("source", (9, 0)));
        }
        std::fs::write(&path, b"a\0b").unwrap();
        assert_eq!(load(&path), None);
    }
}
