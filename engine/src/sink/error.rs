//! What can go wrong on the way to the disk.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use super::video::VideoError;
use crate::file::FileError;
use crate::frame::Size;

/// Why frames could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The text names no sink.
    #[error(
        "\"{text}\" names no place for frames: expected null, png:DIR, jpg:DIR, video:FILE (.mp4, \
         .mov or .mkv), raw:FILE, or raw:- for standard output"
    )]
    UnknownTarget {
        /// What was given.
        text: String,
    },
    /// Frames of this size do not fit the image format.
    #[error("frames of {size} pixels cannot be {format} images: expected sides of 1 to {limit}")]
    UnsupportedSize {
        /// The frames' size.
        size: Size,
        /// `png` or `jpg`.
        format: &'static str,
        /// The longest side the format allows, in pixels.
        limit: usize,
    },
    /// The JPG quality is out of range.
    #[error("JPG quality {quality} is out of range: expected 1 to 100")]
    Quality {
        /// What was given.
        quality: u8,
    },
    /// Something that is not a folder is where the folder for images should be.
    #[error("{} is a file: expected a folder for images, or a path where one can be made", path.display())]
    NotAFolder {
        /// The folder that was asked for.
        path: PathBuf,
    },
    /// The folder for images could not be made.
    #[error("cannot make the folder {}", path.display())]
    CreateFolder {
        /// The folder that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be begun or put in place.
    #[error(transparent)]
    File(#[from] FileError),
    /// A pipe, a device or standard output could not be opened for writing.
    #[error("cannot create the file {}", path.display())]
    Open {
        /// What was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Writing stopped part of the way, for instance because the disk is full.
    #[error("cannot write {what} to {place}")]
    Write {
        /// `frame 12`, `the contact sheet`.
        what: String,
        /// The file under its final name, or `standard output`.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The program at the other end of a pipe went away.
    #[error("cannot write frame {index} to {place}: the program that read from it has stopped")]
    ReaderGone {
        /// The first frame that did not get through whole.
        index: u64,
        /// The pipe, or `standard output`.
        place: String,
    },
    /// A frame could not be encoded.
    #[error("cannot encode {what} as {format}")]
    Encode {
        /// `frame 12`, `the contact sheet`.
        what: String,
        /// `png` or `jpg`.
        format: &'static str,
        /// What the encoder said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A frame is not as large as the sink was opened for.
    #[error("frame {index} is {found} pixels: expected {expected}")]
    FrameSize {
        /// The frame's position in the output.
        index: u64,
        /// Its size.
        found: Size,
        /// The size given when the sink was opened.
        expected: Size,
    },
    /// A video.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The operating system refused a thread.
    #[error("cannot start a thread to save frames")]
    Thread {
        /// What the operating system said.
        source: io::Error,
    },
    /// The sink has failed, or was finished.
    #[error("the sink is closed: it failed or was finished before")]
    Closed,
}
