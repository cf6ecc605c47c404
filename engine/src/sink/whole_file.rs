//! Files that appear when they are complete.

use std::ffi::OsString;
use std::fmt;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::SinkError;

/// A file that takes its name, replacing what was there, on [`commit`](Self::commit); dropped
/// before that, nothing of it stays.
///
/// Until then it lies under a hidden name in the same folder, because a rename is all or nothing
/// only within one file system.
pub(super) struct WholeFile {
    partial: NamedTempFile,
    path: PathBuf,
}

impl WholeFile {
    /// Begins the file `path` in a folder that exists. A link is followed; what is there and no
    /// regular file, such as a device, is not replaced.
    pub(super) fn create(path: &Path) -> Result<Self, SinkError> {
        let failed = |source| SinkError::CreateFile { path: path.to_owned(), source };
        let target = match path.symlink_metadata() {
            Err(_) => path.to_owned(),
            Ok(_) if path.is_file() => path.canonicalize().map_err(failed)?,
            Ok(_) if path.is_dir() => return Err(SinkError::NotAFile { path: path.to_owned() }),
            Ok(_) => return Err(SinkError::NotRegular { path: path.to_owned() }),
        };
        let path = target.as_path();
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".part")
            // As any other new file: the umask takes away what it takes away.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map(|partial| Self { partial, path: path.to_owned() })
            .map_err(|source| SinkError::CreateFile { path: path.to_owned(), source })
    }

    /// Appends `bytes`; `what` is what a message calls them.
    pub(super) fn write(
        &mut self,
        what: fmt::Arguments<'_>,
        bytes: &[u8],
    ) -> Result<(), SinkError> {
        self.partial.as_file_mut().write_all(bytes).map_err(|source| SinkError::Write {
            what: what.to_string(),
            place: self.path.display().to_string(),
            source,
        })
    }

    /// Gives the file its name.
    pub(super) fn commit(self) -> Result<(), SinkError> {
        let Self { partial, path } = self;
        match partial.persist(&path) {
            Ok(_file) => Ok(()),
            Err(refused) => Err(SinkError::PutInPlace { path, source: refused.error }),
        }
    }
}
