//! TensorRT's messages in a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use engine_sys::{Log, Severity};

use super::ConvertError;

/// Writes TensorRT's messages to a file, but for the verbose ones: seconds since the start, how much
/// it matters, the text.
pub struct LogFile {
    path: PathBuf,
    out: Mutex<BufWriter<File>>,
    start: Instant,
}

impl LogFile {
    /// Begins the file at `path`, in place of what was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> Result<Self, ConvertError> {
        let failed = |source| ConvertError::Log { path: path.to_owned(), source };
        let out = Mutex::new(BufWriter::new(File::create(path).map_err(failed)?));
        Ok(Self { path: path.to_owned(), out, start: Instant::now() })
    }

    /// Where the log of a conversion to `engine` usually is.
    pub fn beside(engine: &Path) -> PathBuf {
        let mut name = engine.as_os_str().to_owned();
        name.push(".log");
        PathBuf::from(name)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Log for LogFile {
    fn message(&self, severity: Severity, text: &str) {
        if severity == Severity::Verbose {
            return;
        }
        let name = match severity {
            Severity::InternalError => "internal error",
            Severity::Error => "error",
            Severity::Warning => "warning",
            _ => "info",
        };
        let seconds = self.start.elapsed().as_secs_f64();
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let written = writeln!(out, "{seconds:9.3} {name}: {}", text.trim_end());
        // A log that the disk does not take is no reason to stop working. What went wrong must be
        // in it even if the process is killed.
        _ = match severity {
            Severity::Info => written,
            _ => written.and_then(|()| out.flush()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_with_what_they_matter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.log");
        let log = LogFile::create(&path).unwrap();
        log.message(Severity::Verbose, "chatter");
        log.message(Severity::Info, "layers\n");
        log.message(Severity::Error, "no such operator");
        let text = std::fs::read_to_string(log.path()).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.trim_start()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].ends_with(" info: layers"), "{text}");
        assert!(lines[1].ends_with(" error: no such operator"), "{text}");
        let error = LogFile::create(folder.path()).err().unwrap().to_string();
        assert!(error.contains(&*folder.path().to_string_lossy()), "{error}");
    }
}
