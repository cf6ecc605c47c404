//! Compiled kernels that are kept: by what they were compiled from, and for what.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

use super::super::nvrtc::options;
use crate::file::{FileHash, WholeFile, cache_folder, regular};

/// What is kept of `source` for devices of this compute capability, if anything is.
pub(super) fn load(source: &str, device: (u32, u32)) -> Option<CString> {
    load_from(&cache_folder()?, source, device)
}

/// Keeps `ptx`. Where that fails, it is compiled again next time.
pub(super) fn save(source: &str, device: (u32, u32), ptx: &CStr) {
    if let Some(folder) = cache_folder() {
        _ = save_in(&folder, source, device, ptx);
    }
}

fn load_from(folder: &Path, source: &str, device: (u32, u32)) -> Option<CString> {
    let bytes = regular::read(&path(folder, source, device)).ok()?;
    CString::new(bytes).ok()
}

fn save_in(
    folder: &Path,
    source: &str,
    device: (u32, u32),
    ptx: &CStr,
) -> Result<(), Box<dyn std::error::Error>> {
    let path = path(folder, source, device);
    std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
    Ok(WholeFile::replace(&path, ptx.to_bytes())?)
}

/// The source's hash includes what it is compiled with.
fn path(folder: &Path, source: &str, (major, minor): (u32, u32)) -> PathBuf {
    let text = format!("{}{}", options(10 * major + minor).join(" "), source);
    let hash = FileHash::of(text.as_bytes()).sha256;
    folder.join("kernels").join(format!("{}-sm_{major}{minor}.ptx", &hash[..32]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_for_one_source_and_device() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(load_from(folder, "source", (9, 0)), None);
        save_in(folder, "source", (9, 0), c"ptx").unwrap();
        assert_eq!(load_from(folder, "source", (9, 0)).as_deref(), Some(c"ptx"));
        for (source, device) in [("Source", (9, 0)), ("source", (8, 0)), ("source", (0, 9))] {
            assert_eq!(load_from(folder, source, device), None);
        }
        save_in(folder, "source", (9, 0), c"other").unwrap();
        assert_eq!(load_from(folder, "source", (9, 0)).as_deref(), Some(c"other"));
    }
}
