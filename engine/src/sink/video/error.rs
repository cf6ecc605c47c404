//! Why there is no video.

use std::io;
use std::path::PathBuf;

use crate::file::{FileError, LockError};

/// A video could not be begun, encoded or finished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VideoError {
    /// There is no such program.
    #[error(
        "{}: no such program; video needs ffmpeg: install it (apt-get install ffmpeg), or name it \
         with --ffmpeg",
        program.display()
    )]
    NoFfmpeg {
        /// What was to be run.
        program: PathBuf,
    },
    /// The program cannot be run.
    #[error("{}: cannot be run as ffmpeg: {problem}", program.display())]
    BadFfmpeg {
        /// What was to be run.
        program: PathBuf,
        /// What the system or the program said.
        problem: String,
    },
    /// The encoder's settings.
    #[error("the video codec \"{name}\" {problem}")]
    Codec {
        /// As ffmpeg calls it.
        name: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// Frames that no video can have.
    #[error(
        "frames of {width}x{height} cannot be video in 4:2:0: expected sides that are even, of at \
         most 16384"
    )]
    Size {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
    /// ffmpeg ended before it should, or said that it failed.
    #[error("ffmpeg {ended} {while_doing}: {said}")]
    Ffmpeg {
        /// `failed`, `was killed by signal 9`.
        ended: String,
        /// `encoding frame 12`, `joining the segments`.
        while_doing: String,
        /// The last of what it said.
        said: String,
    },
    /// The joined video has other frames than were encoded.
    #[error("{}: ffmpeg joined {found} frames; expected {expected}", path.display())]
    Frames {
        /// The video.
        path: PathBuf,
        /// What ffmpeg counted.
        found: u64,
        /// What was encoded.
        expected: u64,
    },
    /// A render was interrupted before, and nobody said what to do about it.
    #[error(
        "{}: an unfinished render lies there ({done} of {frames} frames); --resume continues it, \
         --restart begins again",
        folder.display()
    )]
    Unfinished {
        /// The folder of segments.
        folder: PathBuf,
        /// Frames in whole segments.
        done: u64,
        /// Frames that it was to have.
        frames: u64,
    },
    /// A render cannot go on, because it would not be the same video.
    #[error(
        "{}: cannot be resumed, since {}; --restart begins again",
        folder.display(),
        changes.join(", and ")
    )]
    Changed {
        /// The folder of segments.
        folder: PathBuf,
        /// What was one thing and is another.
        changes: Vec<String>,
    },
    /// Something else lies where the segments go.
    #[error("{}: {problem}; move it away, or name another output", path.display())]
    NotSegments {
        /// What lies there.
        path: PathBuf,
        /// What it is.
        problem: String,
    },
    /// A file or folder of segments.
    #[error("cannot {attempt} {}", path.display())]
    Io {
        /// `read`, `make the folder`.
        attempt: &'static str,
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another render to the same file is under way.
    #[error(transparent)]
    Lock(#[from] LockError),
}
