//! One writer at a time for each output.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::{WholeFile, resolved};

/// How often somebody who waits looks whether the lock is free or the wait was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else has it.
    #[error("{}: process {owner} is writing this; wait for it, or name another file", output.display())]
    Busy {
        /// The output.
        output: PathBuf,
        /// The process that has the lock, as far as it said so.
        owner: String,
    },
    /// There is no such folder.
    #[error("{}: there is no such folder to write {} into", folder.display(), output.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
        /// The output.
        output: PathBuf,
    },
    /// The file of the lock cannot be made or locked.
    #[error("cannot write beside {}, where a lock keeps two writers of one file apart", path.display())]
    File {
        /// The lock's file, hidden beside the output.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody asked to stop waiting.
    #[error("the wait for another process was cancelled")]
    Cancelled,
}

/// Whoever has it writes the output at one path. The system takes it back when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    output: PathBuf,
}

impl Lock {
    /// Takes the lock for the output at `output`.
    ///
    /// # Errors
    /// [`LockError::Busy`] when somebody has it, and when the folder takes no files.
    pub fn take(output: &Path) -> Result<Self, LockError> {
        let target = resolved(output);
        let folder = target.parent().unwrap_or(Path::new("/"));
        if !folder.is_dir() {
            let (folder, output) = (folder.to_owned(), output.to_owned());
            return Err(LockError::NoFolder { folder, output });
        }
        let path = path_of(&target);
        let failed = |source| LockError::File { path: path.clone(), source };
        loop {
            let mut file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    // Whose it is only helps the message.
                    _ = (&mut file).take(32).read_to_string(&mut owner);
                    let output = output.to_owned();
                    return Err(LockError::Busy { output, owner: owner.trim().to_owned() });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Somebody who was done may have removed the file between the two calls.
            if is_at(&file, &path) {
                // Whose it is only helps others' messages.
                _ = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| write!(file, "{}", std::process::id()));
                // Whoever had it before may have been killed.
                WholeFile::remove_leftovers(&target);
                return Ok(Self { file, path, output: output.to_owned() });
            }
        }
    }

    /// Takes the lock as soon as it is free. `waiting` is called once where it is not, with the
    /// process that has it.
    ///
    /// # Errors
    /// [`LockError::Cancelled`] once `cancelled`, and when the folder takes no files.
    pub fn wait(
        output: &Path,
        waiting: impl FnOnce(&str),
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, LockError> {
        let mut waiting = Some(waiting);
        loop {
            match Self::take(output) {
                Err(LockError::Busy { owner, .. }) => {
                    if let Some(waiting) = waiting.take() {
                        waiting(&owner);
                    }
                    if cancelled() {
                        return Err(LockError::Cancelled);
                    }
                    sleep(LOOK_EVERY);
                }
                taken => return taken,
            }
        }
    }

    /// The output that it is for.
    pub fn output(&self) -> &Path {
        &self.output
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is locked nobody else can have taken it, so it is ours to remove.
        _ = fs::remove_file(&self.path);
        _ = self.file.unlock();
    }
}

fn path_of(output: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(".lock");
    output.with_file_name(name)
}

/// Whether the open file is the one that has the name.
fn is_at(file: &File, path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let (open, named) = (file.metadata()?, fs::metadata(path)?);
        Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
    };
    same().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("m.engine");
        let lock = Lock::take(&output).unwrap();
        let error = Lock::take(&output).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, LockError::Busy { .. }), "{text}");
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        let cancelled = Lock::wait(&output, |_| (), &|| true);
        assert!(matches!(cancelled, Err(LockError::Cancelled)));
        drop(lock);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(Lock::take(&output).unwrap());
    }

    #[test]
    fn who_waits_gets_it_next() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("m.engine");
        let lock = Lock::take(&output).unwrap();
        let (told, tell) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                Lock::wait(&output, |owner| told.send(owner.to_owned()).unwrap(), &|| false)
            });
            // It has found the lock taken before it is free.
            assert_eq!(tell.recv().unwrap(), std::process::id().to_string());
            drop(lock);
            waiter.join().unwrap().unwrap();
        });
        let error = Lock::take(&folder.path().join("none/m.engine")).unwrap_err();
        assert!(matches!(error, LockError::NoFolder { .. }), "{error}");
    }
}
