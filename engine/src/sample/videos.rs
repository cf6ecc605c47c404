//! Frames as one video of each kind.

use std::path::{Path, PathBuf};

use opencv::core::{Mat, MatTraitConst, Size as CvSize};
use opencv::prelude::{
    VideoCaptureTrait, VideoCaptureTraitConst, VideoWriterTrait, VideoWriterTraitConst,
};
use opencv::videoio::{CAP_ANY, CAP_PROP_FRAME_COUNT, VideoCapture, VideoWriter};

use super::package::{FrameSet, Kind};
use super::{FPS, SampleError};

/// Writes the videos of a package, MPEG-4 in mp4.
pub(super) struct VideoSetWriter {
    videos: Vec<Video>,
    frames: usize,
}

struct Video {
    path: PathBuf,
    rows: i32,
    writer: VideoWriter,
}

impl VideoSetWriter {
    pub(super) fn create(root: &Path, kinds: &[Kind; 4]) -> Result<Self, SampleError> {
        let videos = kinds.iter().map(|kind| Video::create(root, kind));
        Ok(Self { videos: videos.collect::<Result<_, _>>()?, frames: 0 })
    }

    /// Appends frames.
    pub(super) fn write(&mut self, sets: &[FrameSet]) -> Result<(), SampleError> {
        for set in sets {
            for (video, pixels) in self.videos.iter_mut().zip(set.images()) {
                video.write(pixels).map_err(SampleError::write(&video.path))?;
            }
        }
        self.frames += sets.len();
        Ok(())
    }

    /// Completes the files and checks that they hold every frame: OpenCV does not report a disk
    /// that fills up.
    pub(super) fn finish(self) -> Result<(), SampleError> {
        for Video { path, mut writer, .. } in self.videos {
            let stored = writer.release().and_then(|()| count_frames(&path));
            let stored = stored.map_err(SampleError::write(&path))?;
            if stored != self.frames {
                let problem = format!("{stored} of {} frames were stored", self.frames);
                return Err(SampleError::write(path)(problem));
            }
        }
        Ok(())
    }
}

impl Video {
    fn create(root: &Path, kind: &Kind) -> Result<Self, SampleError> {
        let path = root.join(&kind.video);
        let open = || {
            let size = CvSize::new(kind.size.width as i32, kind.size.height as i32);
            let codec = VideoWriter::fourcc('m', 'p', '4', 'v')?;
            let writer = VideoWriter::new(&path, codec, FPS, size, true)?;
            if !writer.is_opened()? {
                return Err("OpenCV could not open the file, or lacks the MPEG-4 encoder".into());
            }
            Ok(writer)
        };
        match open() {
            Ok(writer) => Ok(Self { path, rows: kind.size.height as i32, writer }),
            Err(source) => Err(SampleError::Write { path, source }),
        }
    }

    fn write(&mut self, pixels: &[u8]) -> opencv::Result<()> {
        let bytes = Mat::from_slice(pixels)?;
        self.writer.write(&bytes.reshape(3, self.rows)?)
    }
}

fn count_frames(path: &Path) -> opencv::Result<usize> {
    let mut video = VideoCapture::from_file(path, CAP_ANY)?;
    let frames = video.get(CAP_PROP_FRAME_COUNT)?;
    video.release()?;
    Ok(frames as usize)
}
