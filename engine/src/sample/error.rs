//! Why a sample could not be made.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::frame::{ModelGeometry, Size};
use crate::onnx::OnnxError;

/// Why a sample package or network could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The caller's progress function ended the work. Nothing is left of it.
    #[error("the sample package was not finished: stopped on request")]
    Stopped,
    /// A package of no frames was asked for.
    #[error("a sample package has at least 1 frame, 0 were asked for")]
    NoFrames,
    /// The frames are too small to draw a head, or larger than any screen.
    #[error(
        "cannot draw sample frames of {size}: width and height must be between 64 and 16384 pixels"
    )]
    FrameSize {
        /// The size asked for.
        size: Size,
    },
    /// No network has such an image input.
    #[error(
        "the side of the network's image input must be between 16 and {}, not {side}",
        ModelGeometry::MAX_SIDE
    )]
    Side {
        /// The side asked for.
        side: usize,
    },
    /// The U-Net's architecture does not have this side.
    #[error("the sample U-Net exists with side 160 or 320, not {side}; the probe takes any side")]
    NetworkSide {
        /// The side asked for.
        side: usize,
    },
    /// Videos were asked for, but this build cannot write them.
    #[error(
        "this build has no OpenCV and cannot write videos; write the sample as images instead \
         (`--images png` or `--images jpg`)"
    )]
    NoVideos,
    /// The target holds something else.
    #[error(
        "{} exists and is not a sample package (it has {found}); remove it or choose another \
         folder",
        path.display()
    )]
    Occupied {
        /// The target.
        path: PathBuf,
        /// Something in it that a sample package does not have.
        found: String,
    },
    /// The file of rectangles could not be read.
    #[error("cannot read the rectangles in {}", path.display())]
    ReadRectangles {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file of rectangles does not hold what it should.
    #[error("the rectangles in {} cannot be used: {problem}", path.display())]
    Rectangles {
        /// The file.
        path: PathBuf,
        /// Which entry, what was found, what was expected.
        problem: String,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The network could not be written.
    #[error(transparent)]
    Network(#[from] OnnxError),
}

impl SampleError {
    /// For `map_err`: the file that could not be written, and later the cause.
    pub(super) fn write<E>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let path = path.into();
        move |source| Self::Write { path, source: source.into() }
    }
}
