//! What a user can name as the place for frames.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::background::BackgroundSink;
use super::images::ImageSaver;
use super::inline::InlineSink;
use super::null::NullSink;
use super::raw::RawSaver;
use super::saver::Saver;
use super::video::{Identity, Start, VideoJob, VideoOptions};
use super::{SaveObserver, Sink, SinkError};
use crate::frame::Size;

/// The place for frames. As text: `null`, `png:DIR`, `jpg:DIR`, `video:FILE`, `raw:FILE`, or `raw:-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkTarget {
    /// Frames are dropped.
    Null,
    /// One image file a frame: `frame_00000.png` and so on, the number five digits wide or as wide
    /// as the last one.
    Images {
        /// The folder, made if missing. Files of the same names are replaced, others are left.
        dir: PathBuf,
        /// The kind of image.
        format: ImageFormat,
    },
    /// A video file: .mp4, .mov or .mkv. What an earlier attempt left beside it is thrown away; a
    /// [`VideoJob`] can continue it instead.
    Video(PathBuf),
    /// All frames in one file, as packed BGR rows. The file appears when it is complete; a named
    /// pipe or a device is written to directly.
    Raw(PathBuf),
    /// All frames to standard output, as packed BGR rows.
    RawStdout,
}

/// The kinds of image files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// Lossless.
    Png,
    /// Lossy, chroma halved in both directions (4:2:0).
    Jpg,
}

impl ImageFormat {
    /// The end of the files' names: `png` or `jpg`.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpg => "jpg",
        }
    }
}

/// What a sink needs to know before the first frame.
#[derive(Clone)]
pub struct SinkOptions {
    /// Size of every frame.
    pub frame: Size,
    /// How many frames are expected; decides the width of the numbers in image names.
    pub frames: u64,
    /// Threads that save frames, see [`SinkTarget::encoder_threads`]. With 0, `write` saves the
    /// frame before it returns. Raw output has one thread at most, since the order matters.
    pub encoders: usize,
    /// Frames that can wait for an encoder before `write` does. A sink holds up to `queue` +
    /// `encoders` frames, and with them their buffers.
    pub queue: usize,
    /// Hears about every saved frame. The null sink saves none.
    pub observer: Option<Arc<dyn SaveObserver>>,
    /// 1 to 100.
    pub jpeg_quality: u8,
    /// What kind of video; `None` takes the usual settings and the ffmpeg on PATH.
    pub video: Option<VideoOptions>,
}

impl SinkOptions {
    /// The JPG quality where none is given, which is OpenCV's.
    pub const JPEG_QUALITY: u8 = 95;

    /// Options for `frames` frames of `frame` pixels: one encoder, four frames waiting, no
    /// observer, [`Self::JPEG_QUALITY`].
    pub const fn new(frame: Size, frames: u64) -> Self {
        let jpeg_quality = Self::JPEG_QUALITY;
        let (encoders, queue) = (1, 4);
        Self { frame, frames, encoders, queue, observer: None, jpeg_quality, video: None }
    }
}

impl SinkTarget {
    /// Opens the place and starts the threads. Folders and files are tried here, so that most
    /// mistakes show before the first frame.
    ///
    /// # Errors
    /// A folder or file that cannot be made, or options that the format does not allow.
    pub fn open(&self, options: SinkOptions) -> Result<Box<dyn Sink>, SinkError> {
        match self {
            Self::Null => Ok(Box::new(NullSink)),
            Self::Images { dir, format } => {
                start(ImageSaver::open(dir, *format, &options)?, options)
            }
            Self::Video(path) => {
                let SinkOptions { frame, frames, queue, observer, video, .. } = options;
                let video = video.map_or_else(VideoOptions::usual, Ok)?;
                let identity = Identity::default();
                VideoJob::begin(path, frame, frames, video, identity, Start::Restart)?
                    .open(queue, observer)
            }
            Self::Raw(path) => start(vec![RawSaver::create(path, options.frame)?], options),
            Self::RawStdout => start(vec![RawSaver::stdout(options.frame)?], options),
        }
    }

    /// How many threads should save frames on a machine of `cores` cores.
    pub fn encoder_threads(&self, cores: usize) -> usize {
        match self {
            Self::Null => 0,
            // Half the cores: inference and compositing want the rest.
            Self::Images { .. } => cores.div_ceil(2).clamp(1, 8),
            Self::Video(_) | Self::Raw(_) | Self::RawStdout => 1,
        }
    }
}

/// Whether a file is named like a video that can be written.
pub fn is_video(path: &Path) -> bool {
    matches!(lower_extension(path).as_deref(), Some("mkv" | "mov" | "mp4"))
}

/// What a file's name ends in, whatever its case.
pub(super) fn lower_extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

fn start<S: Saver>(savers: Vec<S>, options: SinkOptions) -> Result<Box<dyn Sink>, SinkError> {
    if options.encoders == 0 {
        let saver = savers.into_iter().next().ok_or(SinkError::Closed)?;
        Ok(Box::new(InlineSink::new(saver, options.observer)))
    } else {
        Ok(Box::new(BackgroundSink::new(savers, options.queue, options.observer)?))
    }
}

impl FromStr for SinkTarget {
    type Err = SinkError;

    fn from_str(text: &str) -> Result<Self, SinkError> {
        let images = |dir: &str, format| Self::Images { dir: dir.into(), format };
        match text.split_once(':') {
            None if text == "null" => Ok(Self::Null),
            Some(("raw", "-")) => Ok(Self::RawStdout),
            Some(("raw", file)) if !file.is_empty() => Ok(Self::Raw(file.into())),
            Some(("video", file)) if is_video(Path::new(file)) => Ok(Self::Video(file.into())),
            Some(("png", dir)) if !dir.is_empty() => Ok(images(dir, ImageFormat::Png)),
            Some(("jpg", dir)) if !dir.is_empty() => Ok(images(dir, ImageFormat::Jpg)),
            _ => Err(SinkError::UnknownTarget { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for SinkTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Images { dir, format } => write!(f, "{}:{}", format.extension(), dir.display()),
            Self::Video(path) => write!(f, "video:{}", path.display()),
            Self::Raw(path) => write!(f, "raw:{}", path.display()),
            Self::RawStdout => f.write_str("raw:-"),
        }
    }
}
