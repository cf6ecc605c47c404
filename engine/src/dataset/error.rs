//! What can go wrong while a package is read.

use std::io;
use std::path::PathBuf;

use crate::frame::Size;

/// A package that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The operating system refused to read a file or folder.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },

    /// The folder holds neither form of a package.
    #[error(
        "{} is not an avatar package: {found}. A package holds full_body_video.mp4 and \
         {crops}_video.mp4, or unpacked full_body_img/0.jpg, 1.jpg, ... and cache/{crops}/0.jpg, \
         ...; in both forms cache/crop_rectangles.json and aud_ave.npy",
        root.display()
    )]
    NotAPackage {
        /// The folder that was given.
        root: PathBuf,
        /// What is there instead.
        found: String,
        /// Name of the crops that the network needs, such as `crops_328`.
        crops: String,
    },

    /// A file or folder that the package must have is not there.
    #[error("{} is missing: {needed}", path.display())]
    Missing {
        /// The file or folder.
        path: PathBuf,
        /// Why it is needed and what to do.
        needed: String,
    },

    /// A file does not contain JSON.
    #[error("{} is not valid JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped.
        #[source]
        source: serde_json::Error,
    },

    /// A field of a file has a value that cannot be used.
    #[error("{}: {field} is {found}; expected {expected}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, for example `frame 7 "rect"`.
        field: String,
        /// Its value.
        found: String,
        /// What it should have been.
        expected: String,
    },

    /// A track has fewer or more frames than there are rectangles.
    #[error(
        "{} has {found} but cache/crop_rectangles.json has {expected} rectangles; expected \
         one rectangle for each frame",
        path.display()
    )]
    FrameCount {
        /// The video or the folder of images.
        path: PathBuf,
        /// Number of frames, and which is missing where that is known: `3 frames (2.png is missing)`.
        found: String,
        /// Number of rectangles.
        expected: usize,
    },

    /// A frame is not as large as it must be.
    #[error("{}: frame {frame} is {found}; expected {expected}", path.display())]
    FrameSize {
        /// The video or image.
        path: PathBuf,
        /// Frame number, from 0.
        frame: usize,
        /// Size of the frame, and its channels where there are not three.
        found: String,
        /// Size that it must have.
        expected: Size,
    },

    /// An image or a video could not be decoded.
    #[error("cannot decode frame {frame} of {}", path.display())]
    Decode {
        /// The video or image.
        path: PathBuf,
        /// Frame number, from 0.
        frame: usize,
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A video stopped before its last frame.
    #[error(
        "{} ends at frame {frame}; expected {expected} frames. The file is cut short or damaged",
        path.display()
    )]
    VideoEnds {
        /// The video.
        path: PathBuf,
        /// First frame that could not be decoded, from 0.
        frame: usize,
        /// Number of frames it should have.
        expected: usize,
    },

    /// A file that should be a video could not be opened as one.
    #[error(
        "cannot open {} as a video; `ffmpeg -i` on the same file says more. The file may be cut \
         short or damaged",
        path.display()
    )]
    VideoOpen {
        /// The video.
        path: PathBuf,
    },

    /// Decoding a frame again gave other pixels than the first time.
    #[error(
        "frame {frame} of {} decoded to other pixels after seeking than when read in order: this \
         video cannot be played backwards while streaming. Use --frame-store ram, or unpack the \
         package into images",
        path.display()
    )]
    Reread {
        /// The video.
        path: PathBuf,
        /// Frame number, from 0.
        frame: usize,
    },

    /// Videos need a build with OpenCV.
    #[error(
        "cannot read {}: built without OpenCV; unpack the package into images or build with \
         --features opencv",
        path.display()
    )]
    NoOpenCv {
        /// The video.
        path: PathBuf,
    },

    /// The audio features are of a kind or shape that is not supported.
    #[error("{}: {problem}", path.display())]
    Features {
        /// The .npy file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },

    /// Frames were to be held in RAM but exceed the budget.
    #[error(
        "the decoded frames of {} need {} MiB but the budget is {} MiB: raise --ram-budget, or use \
         --frame-store stream",
        root.display(),
        needed.div_ceil(1 << 20),
        budget >> 20
    )]
    OverBudget {
        /// The package.
        root: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        budget: u64,
    },

    /// The system has not the memory that the frames need, although the budget allows it.
    #[error(
        "the decoded frames of {} need {} MiB, which cannot be allocated: use --frame-store stream",
        root.display(),
        needed.div_ceil(1 << 20)
    )]
    Memory {
        /// The package.
        root: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// What the allocator said.
        source: std::collections::TryReserveError,
    },

    /// The system has not the memory for a stream's buffers.
    #[error(transparent)]
    Buffers(#[from] crate::frame::OutOfMemory),

    /// A setting was given a name that does not exist.
    #[error("unknown {setting} {found:?}; expected {expected}")]
    UnknownName {
        /// The setting.
        setting: &'static str,
        /// The name given.
        found: String,
        /// The names there are.
        expected: &'static str,
    },

    /// A decoder thread could not be started.
    #[error("cannot start a decoder thread")]
    Thread {
        /// The system's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A decoder thread ended without saying why.
    #[error("the decoder thread of {} panicked", root.display())]
    DecoderPanicked {
        /// The package.
        root: PathBuf,
    },
}
