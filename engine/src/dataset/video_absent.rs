//! Stands for the video reader in a build without OpenCV: opening a video says so.

use std::convert::Infallible;
use std::path::Path;

use super::DatasetError;
use crate::frame::Size;

/// What a video's header says.
pub(super) struct VideoInfo {
    pub(super) size: Size,
    pub(super) fps: Option<f64>,
    pub(super) declared_frames: usize,
}

pub(super) fn probe(path: &Path) -> Result<VideoInfo, DatasetError> {
    Err(no_opencv(path))
}

pub(super) fn count_frames(path: &Path) -> Result<usize, DatasetError> {
    Err(no_opencv(path))
}

/// A reader that cannot exist.
pub(super) struct VideoReader(Infallible);

impl VideoReader {
    pub(super) fn open(path: &Path, _size: Size, _frames: usize) -> Result<Self, DatasetError> {
        Err(no_opencv(path))
    }

    pub(super) fn seek(&mut self, _frame: usize) -> Result<(), DatasetError> {
        match self.0 {}
    }

    pub(super) fn read_next(&mut self, _out: &mut [u8]) -> Result<(), DatasetError> {
        match self.0 {}
    }
}

fn no_opencv(path: &Path) -> DatasetError {
    DatasetError::NoOpenCv { path: path.to_owned() }
}
