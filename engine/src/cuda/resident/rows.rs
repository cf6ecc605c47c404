//! The feature rows that frames in flight hear, on the device.

use crate::batch::AUDIO_LEN;
use crate::cuda::memory::{check, upload_at};
use crate::cuda::{Context, CudaError, DeviceBuffer, Event, PinnedBuffer, PinnedKind, Stream};
use crate::dataset::Features;

/// A ring of feature rows, each uploaded once. Rows are numbered in the order in which they come; a
/// frame hears the last 16 at its time.
pub(super) struct Rows {
    /// Rows that there is room for, a power of two.
    slots: usize,
    /// The number of the next row.
    next: usize,
    staged: Vec<Staged>,
    turn: usize,
}

/// Rows on their way to the device.
struct Staged {
    buffer: PinnedBuffer,
    /// Reached when they are there.
    sent: Event,
}

impl Rows {
    /// Room for the rows of `lanes` batches of up to `batch` frames, and for those before the first of
    /// them that it hears, too.
    ///
    /// # Errors
    /// When the system has not that much memory to pin.
    pub(super) fn new(context: &Context, lanes: usize, batch: usize) -> Result<Self, CudaError> {
        let slots = (lanes * batch + 1) * Features::WINDOW_ROWS;
        let staged = |_| {
            let buffer =
                PinnedBuffer::zeroed(context, batch * AUDIO_LEN, PinnedKind::WriteCombined)?;
            Ok(Staged { buffer, sent: Event::new(context)? })
        };
        Ok(Self {
            slots: slots.next_power_of_two(),
            next: 0,
            staged: (0..=lanes).map(staged).collect::<Result<_, CudaError>>()?,
            turn: 0,
        })
    }

    /// Floats of the ring.
    pub(super) fn floats(&self) -> usize {
        self.slots * Features::ROW
    }

    /// Where the window begins that ends with row `end` of those that are appended next.
    pub(super) fn window(&self, end: usize) -> u32 {
        let first = self.next.wrapping_add(end).wrapping_sub(Features::WINDOW_ROWS);
        (first % self.slots) as u32
    }

    /// Uploads `rows` to `ring`, through `stream`, before `lane` goes on.
    ///
    /// # Safety
    /// `ring` has room for [`floats`](Self::floats) and is kept, as this value is, until both streams
    /// are idle. No more batches are in flight than `lanes`, with this one, and none holds rows of more
    /// frames than `batch`.
    ///
    /// # Errors
    /// When these are more rows than a batch has, or the device refuses.
    pub(super) unsafe fn append(
        &mut self,
        rows: &[f32],
        ring: &DeviceBuffer,
        stream: &Stream,
        lane: &Stream,
    ) -> Result<(), CudaError> {
        let floats = self.floats();
        self.turn = (self.turn + 1) % self.staged.len();
        let Staged { buffer, sent } = &mut self.staged[self.turn];
        sent.synchronize()?;
        check("feature rows", rows.len(), buffer.len())?;
        buffer[..rows.len()].copy_from_slice(rows);
        let mut from = 0;
        while from < rows.len() {
            let at = self.next % self.slots * Features::ROW;
            let len = (rows.len() - from).min(floats - at);
            // SAFETY: the staged buffer is not touched before `sent` is reached, and kept until the
            // stream is idle. Frames in flight hear none of the rows that these replace: they hear
            // those of `lanes - 1` batches and 15 more, and there is room for these beside them.
            unsafe { upload_at(stream, ring, at, buffer, from, len) }?;
            from += len;
            self.next = self.next.wrapping_add(len / Features::ROW);
        }
        sent.record(stream)?;
        lane.wait_for(sent)
    }
}
