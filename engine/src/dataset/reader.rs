//! One track of a package, read frame by frame.

use std::path::PathBuf;

use super::DatasetError;
use super::images::{ImageFolder, image_path};
use super::tracks::Track;
use super::video::VideoReader;
use crate::frame::Size;

/// Where a track's frames are, and how large each of them is.
#[derive(Clone, Debug)]
pub(super) struct TrackSource {
    pub(super) track: Track,
    pub(super) size: Size,
    pub(super) files: TrackFiles,
}

/// The files of a track.
#[derive(Clone, Debug)]
pub(super) enum TrackFiles {
    Video(PathBuf),
    /// Files `{folder}/{frame}{suffix}`, for example `7_masked.png`.
    Images {
        folder: PathBuf,
        suffix: String,
    },
}

/// A decoder that stands before one frame of a track.
pub(super) enum Reader {
    Images(ImageFolder),
    Video(VideoReader),
}

impl Reader {
    /// A reader before frame 0 of a track of `frames` frames.
    pub(super) fn open(source: &TrackSource, frames: usize) -> Result<Self, DatasetError> {
        Ok(match &source.files {
            TrackFiles::Video(path) => Reader::Video(VideoReader::open(path, source.size, frames)?),
            TrackFiles::Images { folder, suffix } => {
                Reader::Images(ImageFolder::new(folder, suffix, source.size))
            }
        })
    }

    /// Goes to the place before `frame`.
    pub(super) fn seek(&mut self, frame: usize) -> Result<(), DatasetError> {
        match self {
            Reader::Images(images) => {
                images.seek(frame);
                Ok(())
            }
            Reader::Video(video) => video.seek(frame),
        }
    }

    /// Decodes the next frame into `out`, packed BGR rows of the source's size.
    pub(super) fn read_next(&mut self, out: &mut [u8]) -> Result<(), DatasetError> {
        match self {
            Reader::Images(images) => images.read_next(out),
            Reader::Video(video) => video.read_next(out),
        }
    }
}

impl TrackSource {
    /// The file that frame 0 is in.
    pub(super) fn first_file(&self) -> PathBuf {
        match &self.files {
            TrackFiles::Video(path) => path.clone(),
            TrackFiles::Images { folder, suffix } => image_path(folder, 0, suffix),
        }
    }
}
