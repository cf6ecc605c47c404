//! Files that appear when they are complete.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The end of a file's name until it is complete.
const SUFFIX: &str = ".part";

/// Why a file could not be begun or put in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A device, a pipe or a dangling link is where the file should be.
    #[error("{} is no regular file, or a link to nothing: expected the path of a file to write", path.display())]
    NotRegular {
        /// The file that was asked for.
        path: PathBuf,
    },
    /// A folder is where the file should be.
    #[error("{} is a folder: expected the path of a file to write", path.display())]
    Folder {
        /// The file that was asked for.
        path: PathBuf,
    },
    /// A file could not be created or opened for writing.
    #[error("cannot create the file {}", path.display())]
    Create {
        /// The file, under its final name.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Writing stopped part of the way, for instance because the disk is full.
    #[error("cannot write the file {}", path.display())]
    Write {
        /// The file, under its final name.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A complete file could not be given its name.
    #[error("cannot put the finished file in place at {}", path.display())]
    PutInPlace {
        /// The file's final name.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A file that takes its name, replacing what was there, on [`commit`](Self::commit); dropped
/// before that, nothing of it stays.
///
/// Until then it lies under a hidden name in the same folder, because a rename is all or nothing
/// only within one file system.
#[derive(Debug)]
pub struct WholeFile {
    partial: NamedTempFile,
    path: PathBuf,
}

impl WholeFile {
    /// Begins the file `path` in a folder that exists. A link is followed; what is there and no
    /// regular file, such as a device, is not replaced.
    ///
    /// # Errors
    /// When something else is there, or the folder takes no files.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        let failed = |source| FileError::Create { path: path.to_owned(), source };
        let target = match path.symlink_metadata() {
            Err(_) => path.to_owned(),
            Ok(_) if path.is_file() => path.canonicalize().map_err(failed)?,
            Ok(_) if path.is_dir() => return Err(FileError::Folder { path: path.to_owned() }),
            Ok(_) => return Err(FileError::NotRegular { path: path.to_owned() }),
        };
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut prefix = OsString::from(".");
        prefix.push(target.file_name().unwrap_or_default());
        prefix.push(".");
        let partial = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(SUFFIX)
            // As any other new file: the umask takes away what it takes away.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(|error| failed(about_folder(folder, error)))?;
        Ok(Self { partial, path: target })
    }

    /// Writes a whole file at once: `bytes` at `path`, on the disk before the name is given.
    ///
    /// # Errors
    /// As [`create`](Self::create), and when the disk does not take it.
    pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let mut file = Self::create(path)?;
        file.fill(bytes)?;
        file.commit()
    }

    /// Appends `bytes` and makes sure that all is on the disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn fill(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let written = self.write_all(bytes).and_then(|()| self.partial.as_file().sync_all());
        written.map_err(|source| FileError::Write { path: self.path.clone(), source })
    }

    /// Removes what writers of `path`, and of files whose names continue its name, left half-written
    /// when they were killed. Only for who knows that there are no such writers now.
    pub(crate) fn remove_leftovers(path: &Path) {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
        let prefix = format!(".{}.", name.to_string_lossy());
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(&prefix) && name.ends_with(SUFFIX) {
                // One that cannot be removed harms nobody.
                _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Where it lies until then, for a program that writes it.
    pub fn partial_path(&self) -> &Path {
        self.partial.path()
    }

    /// Its name once it is complete.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the folder does not take it any more.
    pub fn commit(self) -> Result<(), FileError> {
        let Self { partial, path } = self;
        match partial.persist(&path) {
            Ok(_file) => Ok(()),
            Err(refused) => Err(FileError::PutInPlace { path, source: refused.error }),
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.partial.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.partial.as_file_mut().flush()
    }
}

/// `error` in making a file in `folder`; about the folder where that is none, since the system's words
/// name a file that nobody asked for.
fn about_folder(folder: &Path, error: io::Error) -> io::Error {
    let name = folder.display();
    match error.kind() {
        kind @ io::ErrorKind::NotFound => {
            io::Error::new(kind, format!("there is no folder {name}"))
        }
        kind @ io::ErrorKind::NotADirectory => io::Error::new(kind, format!("{name} is no folder")),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_takes_its_name_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        WholeFile::replace(&path, b"newer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        let mut dropped = WholeFile::create(&path).unwrap();
        dropped.write_all(b"newest").unwrap();
        drop(dropped);
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn what_killed_writers_left_can_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [".a.x1.part", ".a.json.x2.part", ".ab.x3.part", ".a.lock", "a", "a.part"] {
            fs::write(path(name), "").unwrap();
        }
        WholeFile::remove_leftovers(&path("a"));
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [".a.lock", ".ab.x3.part", "a", "a.part"]);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
        fs::write(path("file"), "old").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        let refused = |path: &Path| WholeFile::create(path).unwrap_err();
        assert!(matches!(refused(&path("dangling")), FileError::NotRegular { .. }));
        assert!(matches!(refused(Path::new("/dev/null")), FileError::NotRegular { .. }));
        assert!(matches!(refused(folder.path()), FileError::Folder { .. }));
        assert!(matches!(refused(&path("none/file")), FileError::Create { .. }));
        WholeFile::replace(&path("link"), b"new").unwrap();
        assert!(path("link").is_symlink());
        assert_eq!(fs::read(path("file")).unwrap(), b"new");
    }
}
