//! Samples and speech into host batches.

use std::time::Instant;

use crossbeam_channel::Receiver;

use super::{CancelToken, PipelineError};
use crate::batch::{Assembler, HostBatch};
use crate::dataset::{FrameSource, Speech, Supply};

/// What batches are filled from, in output order.
pub(super) struct Filling<'a> {
    pub(super) source: FrameSource,
    pub(super) assembler: &'a Assembler,
    pub(super) speech: Speech,
    /// Frames in a full batch.
    pub(super) room: usize,
    /// The first frame, and the one that comes next.
    first: u64,
    next: u64,
    /// Whether the speech has ended before that.
    pub(super) over: bool,
}

impl<'a> Filling<'a> {
    pub(super) fn new(
        source: FrameSource,
        assembler: &'a Assembler,
        speech: Speech,
        room: usize,
    ) -> Self {
        let first = speech.shown().start;
        Self { source, assembler, speech, room, first, next: first, over: false }
    }

    /// Frames that were filled in.
    pub(super) fn filled(&self) -> u64 {
        self.next - self.first
    }

    /// Waits until the next frame can be made. `false` when none comes any more, when cancelled, or
    /// once `failed` is disconnected.
    pub(super) fn wait(&mut self, cancel: &CancelToken, failed: &Receiver<()>) -> bool {
        let mut supply = self.speech.poll(self.next);
        if supply == Supply::Later && !cancel.is_cancelled() {
            supply = self.speech.wait(self.next, [cancel.signal(), failed]);
        }
        self.over = supply == Supply::Over;
        supply == Supply::Ready && !cancel.is_cancelled()
    }

    /// Fills `batch` with the frames that can be made now, the first of which was
    /// [waited](Self::wait) for. A batch that is not full does not wait for speech: whoever speaks
    /// live wants the frame sooner, and while the network is busy rows gather for larger batches.
    pub(super) fn fill(&mut self, batch: &mut HostBatch) -> Result<(), PipelineError> {
        for _ in 0..self.room {
            if self.speech.poll(self.next) != Supply::Ready {
                break;
            }
            let asked = Instant::now();
            let Some(sample) = self.source.next() else { break };
            batch.trace.frame_wait += asked.elapsed();
            let follows = self.filled() > 0;
            self.assembler.push_speech(batch, sample?, &self.speech, follows);
            self.next += 1;
        }
        batch.trace.frames = batch.len();
        Ok(())
    }
}
