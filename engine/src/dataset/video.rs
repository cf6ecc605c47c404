//! Frames kept as videos, decoded by OpenCV's FFmpeg backend.

use std::path::{Path, PathBuf};

use opencv::core::{Mat, MatTraitConst, Vec3b};
use opencv::videoio::{
    CAP_FFMPEG, CAP_PROP_FPS, CAP_PROP_FRAME_COUNT, CAP_PROP_FRAME_HEIGHT, CAP_PROP_FRAME_WIDTH,
    CAP_PROP_POS_FRAMES, VideoCapture, VideoCaptureTrait, VideoCaptureTraitConst,
};

use super::DatasetError;
use crate::frame::Size;

/// What a video's header says.
pub(super) struct VideoInfo {
    pub(super) size: Size,
    pub(super) fps: Option<f64>,
    /// May differ from the number of frames that decode.
    pub(super) declared_frames: usize,
}

/// Reads a video's header.
pub(super) fn probe(path: &Path) -> Result<VideoInfo, DatasetError> {
    let capture = open_capture(path)?;
    let property = |id| capture.get(id).map_err(|error| decode_error(path, 0, error));
    let fps = property(CAP_PROP_FPS)?;
    Ok(VideoInfo {
        // Float-to-integer casts saturate, and a NaN is 0: no header can make them wrap.
        size: Size::new(
            property(CAP_PROP_FRAME_WIDTH)? as usize,
            property(CAP_PROP_FRAME_HEIGHT)? as usize,
        ),
        fps: (fps.is_finite() && fps > 0.0).then_some(fps),
        declared_frames: property(CAP_PROP_FRAME_COUNT)? as usize,
    })
}

/// Number of frames that decode.
pub(super) fn count_frames(path: &Path) -> Result<usize, DatasetError> {
    let mut capture = open_capture(path)?;
    let mut count = 0;
    while capture.grab().map_err(|error| decode_error(path, count, error))? {
        count += 1;
    }
    Ok(count)
}

/// A video that is read forwards, from any frame.
pub(super) struct VideoReader {
    path: PathBuf,
    size: Size,
    frames: usize,
    capture: VideoCapture,
    /// The frame that the next grab gives.
    position: usize,
    /// Whether the video was seen to stop after its last frame.
    end_confirmed: bool,
}

impl VideoReader {
    /// Going forwards by up to this many frames, decoding them is cheaper than seeking: OpenCV
    /// starts at a key frame at least 16 frames before the one it is asked for.
    const SKIP_AHEAD: usize = 16;

    /// A reader before frame 0 of a video of `frames` frames.
    pub(super) fn open(path: &Path, size: Size, frames: usize) -> Result<Self, DatasetError> {
        Ok(Self {
            path: path.to_owned(),
            size,
            frames,
            capture: open_capture(path)?,
            position: 0,
            end_confirmed: false,
        })
    }

    /// Goes to the place before `frame`. The seek may be inexact where the container's timestamps
    /// are: whoever needs certainty compares the frames.
    pub(super) fn seek(&mut self, frame: usize) -> Result<(), DatasetError> {
        if frame == self.position {
            return Ok(());
        }
        if frame == 0 {
            // Always exact, and OpenCV ignores seeks in videos of one frame.
            self.capture = open_capture(&self.path)?;
        } else if frame > self.position && frame - self.position <= Self::SKIP_AHEAD {
            while self.position < frame {
                self.grab()?;
            }
        } else if !self
            .capture
            .set(CAP_PROP_POS_FRAMES, frame as f64)
            .map_err(|error| decode_error(&self.path, frame, error))?
        {
            return Err(decode_error(&self.path, frame, "OpenCV could not seek to it"));
        }
        self.position = frame;
        Ok(())
    }

    /// Decodes the next frame into `out`.
    pub(super) fn read_next(&mut self, out: &mut [u8]) -> Result<(), DatasetError> {
        let frame = self.position;
        self.grab()?;
        let failed = |error| decode_error(&self.path, frame, error);
        let (rows, columns) = (self.size.height as i32, self.size.width as i32);
        let mut target =
            Mat::new_rows_cols_with_bytes_mut::<Vec3b>(rows, columns, out).map_err(failed)?;
        let memory = target.data();
        if !self.capture.retrieve_def(&mut target).map_err(failed)? {
            return Err(decode_error(&self.path, frame, "OpenCV returned no image"));
        }
        // OpenCV writes into the memory it is given unless size or type differ.
        if target.data() != memory {
            let channels = match target.channels() {
                3 => String::new(),
                other => format!(" with {other} channels"),
            };
            return Err(DatasetError::FrameSize {
                path: self.path.clone(),
                frame,
                found: format!("{}x{}{channels}", target.cols(), target.rows()),
                expected: self.size,
            });
        }
        if self.position == self.frames && !self.end_confirmed {
            self.confirm_end()?;
        }
        Ok(())
    }

    fn grab(&mut self) -> Result<(), DatasetError> {
        let frame = self.position;
        if !self.capture.grab().map_err(|error| decode_error(&self.path, frame, error))? {
            return Err(DatasetError::VideoEnds {
                path: self.path.clone(),
                frame,
                expected: self.frames,
            });
        }
        self.position += 1;
        Ok(())
    }

    /// Counts what follows the last frame, because headers may understate the number of frames.
    fn confirm_end(&mut self) -> Result<(), DatasetError> {
        let mut found = self.frames;
        while self.capture.grab().map_err(|error| decode_error(&self.path, found, error))? {
            found += 1;
        }
        if found > self.frames {
            return Err(DatasetError::FrameCount {
                path: self.path.clone(),
                found: format!("{found} frames"),
                expected: self.frames,
            });
        }
        self.end_confirmed = true;
        Ok(())
    }
}

fn open_capture(path: &Path) -> Result<VideoCapture, DatasetError> {
    // Absolute, so that FFmpeg cannot take a folder name with a colon for a protocol.
    let absolute = std::path::absolute(path)
        .map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
    let capture = VideoCapture::from_file(&absolute, CAP_FFMPEG)
        .map_err(|error| decode_error(path, 0, error))?;
    let opened = capture.is_opened().map_err(|error| decode_error(path, 0, error))?;
    opened.then_some(capture).ok_or_else(|| DatasetError::VideoOpen { path: path.to_owned() })
}

fn decode_error(
    path: &Path,
    frame: usize,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> DatasetError {
    DatasetError::Decode { path: path.to_owned(), frame, source: source.into() }
}
