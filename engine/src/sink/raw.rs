//! Packed BGR frames, one after another.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;

use super::SinkError;
use super::saver::{Saver, check_size, write};
use crate::file::{FileError, WholeFile};
use crate::frame::{OutputFrame, Size};

/// Appends the bytes of each frame to a file, a pipe or a device.
pub(super) struct RawSaver {
    out: Output,
    /// How messages call it.
    place: String,
    size: Size,
}

enum Output {
    /// A regular file; `None` once it is in place.
    Whole(Option<WholeFile>),
    /// A pipe or a device, which cannot be renamed.
    Direct(File),
}

impl RawSaver {
    /// For frames of `size` pixels into the file `path`. A named pipe waits for its reader here.
    pub(super) fn create(path: &Path, size: Size) -> Result<Self, SinkError> {
        let failed = |source| SinkError::Open { path: path.to_owned(), source };
        let out = match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(FileError::Folder { path: path.to_owned() }.into());
            }
            // The file behind a link is replaced, not the link: /dev/stdout is one.
            Ok(found) if found.is_file() => {
                let path = path.canonicalize().map_err(failed)?;
                Output::Whole(Some(WholeFile::create(&path)?))
            }
            Ok(_) => Output::Direct(File::options().write(true).open(path).map_err(failed)?),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Output::Whole(Some(WholeFile::create(path)?))
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { out, place: path.display().to_string(), size })
    }

    /// For frames of `size` pixels to standard output.
    pub(super) fn stdout(size: Size) -> Result<Self, SinkError> {
        // Not through `Stdout`, which looks for line ends and copies what follows the last one.
        let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let file =
            file.map_err(|source| SinkError::Open { path: "standard output".into(), source })?;
        Ok(Self { out: Output::Direct(file), place: "standard output".to_owned(), size })
    }
}

impl Saver for RawSaver {
    fn save(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        check_size(&frame, self.size)?;
        let index = frame.index;
        match &mut self.out {
            Output::Whole(Some(whole)) => {
                write(whole, format_args!("frame {index}"), &frame.pixels)
            }
            Output::Whole(None) => Err(SinkError::Closed),
            Output::Direct(file) => file.write_all(&frame.pixels).map_err(|source| {
                let place = self.place.clone();
                match source.kind() {
                    ErrorKind::BrokenPipe => SinkError::ReaderGone { index, place },
                    _ => SinkError::Write { what: format!("frame {index}"), place, source },
                }
            }),
        }
    }

    fn complete(&mut self) -> Result<(), SinkError> {
        match &mut self.out {
            Output::Whole(whole) => Ok(whole.take().ok_or(SinkError::Closed)?.commit()?),
            Output::Direct(_) => Ok(()),
        }
    }
}
