//! Frames into segments, one after another.

use super::VideoError;
use super::encoder::Encoder;
use super::job::VideoJob;
use crate::frame::OutputFrame;
use crate::sink::SinkError;
use crate::sink::saver::{Saver, check_size};

/// Cuts the frames of a render into segments, and joins them once the last one is there.
pub(super) struct VideoSaver {
    /// What encodes the segment of the next frame; `None` before the first one, and after the last.
    /// Dropped before the job, which tidies up behind it.
    encoder: Option<Encoder>,
    job: VideoJob,
    /// Number of the next frame.
    next: u64,
}

impl VideoSaver {
    pub(super) fn new(job: VideoJob) -> Self {
        let next = job.first_frame();
        Self { job, encoder: None, next }
    }

    fn take(&mut self, frame: &OutputFrame) -> Result<(), VideoError> {
        let mut encoder = match self.encoder.take() {
            Some(encoder) => encoder,
            None => self.job.start_segment(frame.index)?,
        };
        if let Err(error) = encoder.write(&frame.pixels) {
            return Err(encoder.explain(frame.index, error));
        }
        self.next = frame.index + 1;
        let is_last = self.next == self.job.cuts().frames();
        if !self.job.cuts().ends_before(self.next) {
            self.encoder = Some(encoder);
            return Ok(());
        }
        // The next one gets ready while this one comes to its end. It is not fed before that, so
        // that an interruption costs one segment and never two.
        let following = (!is_last).then(|| self.job.start_segment(self.next)).transpose()?;
        encoder.finish(frame.index)?;
        self.encoder = following;
        Ok(())
    }
}

impl Saver for VideoSaver {
    fn save(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        check_size(&frame, self.job.size())?;
        Ok(self.take(&frame)?)
    }

    /// Joins the segments. A render that was asked to stop early leaves those that are whole, to be
    /// continued.
    fn complete(&mut self) -> Result<(), SinkError> {
        self.encoder = None;
        if self.next == self.job.cuts().frames() {
            self.job.finish()?;
        }
        Ok(())
    }
}
