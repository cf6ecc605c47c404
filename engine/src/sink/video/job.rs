//! One video to be made, from its first frame or from where an earlier attempt ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cuts::Cuts;
use super::encoder::Encoder;
use super::join::join;
use super::manifest::Manifest;
use super::saver::VideoSaver;
use super::segments::Segments;
use super::{Identity, VideoError, VideoOptions};
use crate::file::{FileError, Lock};
use crate::frame::Size;
use crate::sink::background::BackgroundSink;
use crate::sink::{SaveObserver, Sink, SinkError};

/// What to do with the segments of an earlier attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Refuse to touch them.
    #[default]
    New,
    /// Continue with the first that is missing.
    Resume,
    /// Throw them away.
    Restart,
}

/// One video to be made. While it lives, nobody else writes the same file.
pub struct VideoJob {
    output: PathBuf,
    size: Size,
    cuts: Cuts,
    first: u64,
    options: VideoOptions,
    segments: Segments,
    /// Whether the segments are this job's; not before it has begun.
    begun: bool,
    _lock: Lock,
}

impl VideoJob {
    /// Begins a video of `frames` frames of `size` pixels at `output`. `identity` holds everything
    /// outside of `options` that decides its bytes, by names for people.
    ///
    /// # Errors
    /// When the frames cannot be video, the place takes no file, somebody else writes there, or an
    /// earlier attempt is in the way of `start`.
    pub fn begin(
        output: &Path,
        size: Size,
        frames: u64,
        options: VideoOptions,
        mut identity: Identity,
        start: Start,
    ) -> Result<Self, VideoError> {
        let Size { width, height } = size;
        let even = width.is_multiple_of(2) && height.is_multiple_of(2);
        if !even || width.max(height) > 16384 || width.min(height) == 0 {
            return Err(VideoError::Size { width, height });
        }
        if output.is_dir() {
            return Err(FileError::Folder { path: output.to_owned() }.into());
        }
        if let Some(sound) = &options.sound {
            options.ffmpeg.check_sound(&sound.file)?;
        }
        let lock = Lock::take(output)?;
        identity.set("frame size", size);
        identity.set("frame rate", options.rate);
        identity.set("video codec", options.codec.describe());
        identity.set("number of encoder threads", options.threads);
        identity.set("version of ffmpeg", options.ffmpeg.version());
        let manifest = Manifest::new(frames, options.segment, identity);

        let segments = Segments::beside(output);
        let cuts = Cuts::new(frames, options.segment);
        let output = output.to_owned();
        let mut job =
            Self { output, size, cuts, first: 0, options, segments, begun: false, _lock: lock };
        match (job.segments.manifest()?, start) {
            (None, _) | (Some(_), Start::Restart) => job.segments.begin(&manifest)?,
            (Some(before), Start::New) => {
                let cuts = Cuts::new(before.frames, before.segment);
                let done = cuts.frames_in(job.segments.count()?.min(cuts.count()));
                if done > 0 {
                    let folder = job.segments.folder().to_owned();
                    return Err(VideoError::Unfinished { folder, done, frames: before.frames });
                }
                // There is nothing to lose.
                job.segments.begin(&manifest)?;
            }
            (Some(before), Start::Resume) => {
                let changes = manifest.changes_since(&before);
                if !changes.is_empty() {
                    let folder = job.segments.folder().to_owned();
                    return Err(VideoError::Changed { folder, changes });
                }
                let say = &job.options.say;
                let damaged = |path: &Path| {
                    say(&format!("warning: {} was damaged and is made again", path.display()));
                };
                job.first = cuts.frames_in(job.segments.keep_whole(damaged)?.min(cuts.count()));
            }
        }
        job.begun = true;
        Ok(job)
    }

    /// Whether there are segments of an unfinished video at `output`.
    pub fn is_begun(output: &Path) -> bool {
        Segments::beside(output).folder().exists()
    }

    /// Removes the folder of segments where none of them is whole, so that there is nothing to
    /// continue with.
    fn tidy(&self) -> Result<(), VideoError> {
        match self.segments.count()? {
            0 => self.segments.remove_all(),
            _ => Ok(()),
        }
    }

    /// The first frame that is still to be rendered.
    pub fn first_frame(&self) -> u64 {
        self.first
    }

    /// The folder with the segments until they are joined.
    pub fn folder(&self) -> &Path {
        self.segments.folder()
    }

    /// The sink for the frames from [`first_frame`](Self::first_frame) on. Up to `queue` frames wait
    /// for the encoder before `write` does.
    ///
    /// Finished early, it leaves the segments that are whole, and no video.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn open(
        self,
        queue: usize,
        observer: Option<Arc<dyn SaveObserver>>,
    ) -> Result<Box<dyn Sink>, SinkError> {
        Ok(Box::new(BackgroundSink::new(vec![VideoSaver::new(self)], queue, observer)?))
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn cuts(&self) -> Cuts {
        self.cuts
    }

    /// Starts to encode the segment that begins with frame `first`.
    pub(super) fn start_segment(&self, first: u64) -> Result<Encoder, VideoError> {
        let path = self.segments.path(self.cuts.segment_of(first));
        Encoder::start(&self.options, self.size, &path)
    }

    /// Makes the video of its segments, and removes those.
    pub(super) fn finish(&self) -> Result<(), VideoError> {
        (self.options.say)("joining     the segments");
        join(&self.options, &self.segments, self.cuts, &self.output)?;
        self.segments.remove_all()
    }
}

impl Drop for VideoJob {
    fn drop(&mut self) {
        // A video that is done has no folder left.
        if self.begun {
            let _nobody_is_left_to_tell = self.tidy();
        }
    }
}
