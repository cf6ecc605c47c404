//! The batch that travels: inputs, predictions, the samples they belong to.
//!
//! Its three states are three types, so that reading a prediction too early cannot be written:
//! [`HostBatch`] (inputs writable) -> [`InFlight`] (nothing accessible) -> [`Completed`]
//! (predictions readable) -> [`HostBatch`] again.

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, mem};

use super::{AUDIO_LEN, HostBuffer, HostBuffers};
use crate::dataset::Sample;
use crate::frame::{ModelGeometry, OutOfMemory};

/// From when to when something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub start: Instant,
    /// When it was done.
    pub end: Instant,
}

impl Span {
    /// A span from `start` until now.
    pub fn since(start: Instant) -> Self {
        Self { start, end: Instant::now() }
    }

    /// An empty span at one instant.
    pub const fn at(instant: Instant) -> Self {
        Self { start: instant, end: instant }
    }

    /// How long it took.
    pub fn duration(self) -> Duration {
        self.end.saturating_duration_since(self.start)
    }
}

/// How long an accelerator took for one batch, by its own clock, and what was sent there and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceTimes {
    /// Copying the inputs there.
    pub upload: Duration,
    /// Running the network, and what else it computes.
    pub compute: Duration,
    /// Copying the predictions back.
    pub download: Duration,
    /// The parts of computing, where there is more than the network.
    pub parts: Option<DeviceParts>,
    /// Bytes that were sent to it.
    pub bytes_up: u64,
    /// How many of these are pixels that it then kept.
    pub bytes_kept: u64,
    /// Bytes that came back.
    pub bytes_down: u64,
}

/// What an accelerator that composites computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceParts {
    /// Making the network's image input.
    pub assemble: Duration,
    /// Running the network.
    pub network: Duration,
    /// Making patches of its predictions.
    pub composite: Duration,
}

/// What happened to one batch, and when. It travels with the batch and is complete once the batch
/// has been saved.
#[derive(Clone, Copy, Debug)]
pub struct BatchTrace {
    /// Frames in the batch.
    pub frames: usize,
    /// Waiting for the feature rows of its first frame.
    pub speech_wait: Span,
    /// Waiting for an empty host batch.
    pub host_batch_wait: Span,
    /// Filling the inputs, including `frame_wait`.
    pub assemble: Span,
    /// Part of `assemble` that was spent waiting for the frame store.
    pub frame_wait: Duration,
    /// The network at work, as the backend saw it.
    pub infer: Span,
    /// The parts of that, where an accelerator tells them.
    pub device: Option<DeviceTimes>,
    /// From the end of that until the inference thread knew of it.
    pub wake_up: Span,
    /// The inference thread waiting to hand over the batch before this one.
    pub composite_wait: Span,
    /// Waiting for empty output buffers.
    pub output_wait: Span,
    /// Compositing, all workers.
    pub composite: Span,
    /// Sum over the frames of the time one worker spent on each.
    pub composite_cpu: Duration,
    /// The compositing stage handing the frames of the batch before this one to the sink.
    pub sink_wait: Span,
    /// Inside the sink's `write`.
    pub save: Span,
}

impl BatchTrace {
    /// A trace in which nothing has happened yet.
    pub fn new(now: Instant) -> Self {
        let none = Span::at(now);
        Self {
            frames: 0,
            speech_wait: none,
            host_batch_wait: none,
            assemble: none,
            frame_wait: Duration::ZERO,
            infer: none,
            device: None,
            wake_up: none,
            composite_wait: none,
            output_wait: none,
            composite: none,
            composite_cpu: Duration::ZERO,
            sink_wait: none,
            save: none,
        }
    }
}

/// Predictions that live in memory of the backend's own.
pub trait PredictionMemory: Send + Sync {
    /// All predictions of the batch, frame after frame, each 3 x S x S floats (BGR planes).
    fn floats(&self) -> &[f32];
}

/// Where a batch's predictions are.
pub enum Predictions {
    /// In the batch's own buffer: capacity x 3 x S x S floats.
    Host(HostBuffer),
    /// In memory that the backend handed over with the results.
    Backend(Box<dyn PredictionMemory>),
    /// Output frame k has prediction `k % table.len()` of a fixed table.
    Table(Arc<[HostBuffer]>),
    /// Composited already: what goes into the frames' rectangles.
    Patches(Patches),
}

/// The patches of a batch, which a device composited.
#[derive(Debug)]
pub struct Patches {
    /// Their bytes, four in a float's place: BGR rows of the rectangle's width, padded to four bytes.
    pub words: HostBuffer,
    /// The byte at which each sample's patch begins.
    pub starts: Vec<usize>,
}

/// What there is of one frame.
#[derive(Clone, Copy, Debug)]
pub enum Predicted<'a> {
    /// The prediction: 3 x S x S floats, BGR planes.
    Planes(&'a [f32]),
    /// The pixels of the frame's rectangle, BGR rows padded to four bytes; what follows are those of
    /// other frames.
    Patch(&'a [u8]),
}

impl fmt::Debug for Predictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host(_) => "Host",
            Self::Backend(_) => "Backend",
            Self::Table(_) => "Table",
            Self::Patches(_) => "Patches",
        })
    }
}

impl Predictions {
    /// What there is of the sample in `slot`, which is output frame `index` and has a prediction of
    /// `len` floats.
    fn frame(&self, slot: usize, index: u64, len: usize) -> Predicted<'_> {
        let floats: &[f32] = match self {
            Self::Host(buffer) => buffer,
            Self::Backend(memory) => memory.floats(),
            Self::Table(table) => {
                return Predicted::Planes(&table[(index % table.len() as u64) as usize]);
            }
            Self::Patches(Patches { words, starts }) => {
                return Predicted::Patch(&words.as_bytes()[starts[slot]..]);
            }
        };
        Predicted::Planes(&floats[slot * len..(slot + 1) * len])
    }
}

/// A batch whose inputs can be written.
#[derive(Debug)]
pub struct HostBatch {
    pub(super) geometry: ModelGeometry,
    pub(super) capacity: usize,
    pub(super) samples: Vec<Sample>,
    pub(super) image: HostBuffer,
    /// Where the device makes the inputs by itself, which of the rows in `audio` are the last that each
    /// sample hears: counted from the first, and 1 for that.
    pub(super) row_ends: Option<Vec<usize>>,
    pub(super) audio: HostBuffer,
    pub(super) predictions: Predictions,
    /// What has happened to the batch so far.
    pub trace: BatchTrace,
}

impl HostBatch {
    /// An empty batch for up to `capacity` frames whose predictions arrive in `predictions`.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the system refuses.
    pub fn new(
        geometry: ModelGeometry,
        capacity: usize,
        predictions: Predictions,
    ) -> Result<Self, OutOfMemory> {
        let image = HostBuffer::zeroed(capacity * geometry.image_len())?;
        let audio = HostBuffer::zeroed(capacity * AUDIO_LEN)?;
        Ok(Self::with_buffers(geometry, capacity, image, audio, predictions))
    }

    /// An empty batch in memory of the backend's choice: `image` holds `capacity` x 6 x S x S
    /// floats or more, `audio` `capacity` x 32 x 16 x 16.
    pub fn with_buffers(
        geometry: ModelGeometry,
        capacity: usize,
        image: HostBuffer,
        audio: HostBuffer,
        predictions: Predictions,
    ) -> Self {
        assert!(image.len() >= capacity * geometry.image_len(), "the image buffer is too short");
        let batch = Self::on_device(geometry, capacity, image, audio, predictions);
        Self { row_ends: None, ..batch }
    }

    /// An empty batch for a backend that makes the inputs by itself: the image input from the samples'
    /// pixels, out of what it writes to `image`, and the audio input from feature rows. `audio`, as for
    /// [`with_buffers`](Self::with_buffers), gets the rows that are not among those of the batch before.
    pub fn on_device(
        geometry: ModelGeometry,
        capacity: usize,
        image: HostBuffer,
        audio: HostBuffer,
        predictions: Predictions,
    ) -> Self {
        assert!(audio.len() >= capacity * AUDIO_LEN, "the audio buffer is too short");
        Self {
            geometry,
            capacity,
            samples: Vec::with_capacity(capacity),
            image,
            row_ends: Some(Vec::with_capacity(capacity)),
            audio,
            predictions,
            trace: BatchTrace::new(Instant::now()),
        }
    }

    /// Number of frames in the batch.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether no frame is in the batch.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Number of frames the batch has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sizes of the network that the batch was made for.
    pub fn geometry(&self) -> ModelGeometry {
        self.geometry
    }

    /// The frames in the batch, in output order.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The image input of `frames` frames: N x 6 x S x S floats.
    pub fn image(&self, frames: usize) -> &[f32] {
        &self.image[..frames * self.geometry.image_len()]
    }

    /// The audio input of `frames` frames: N x 32 x 16 x 16 floats.
    pub fn audio(&self, frames: usize) -> &[f32] {
        &self.audio[..frames * AUDIO_LEN]
    }

    /// Forgets the samples, which returns their buffers. Keeps the memory.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.row_ends.iter_mut().for_each(Vec::clear);
    }

    /// Takes the batch's three buffers for the time it is in flight and leaves empty ones;
    /// [`InFlight::complete_with`] puts them back. None, and nothing taken, where the predictions
    /// are not in a buffer of the batch's own.
    pub fn take_buffers(&mut self) -> Option<HostBuffers> {
        let take = |buffer: &mut HostBuffer| mem::replace(buffer, HostBuffer::empty());
        let predictions = match &mut self.predictions {
            Predictions::Host(predictions) => predictions,
            Predictions::Patches(patches) => &mut patches.words,
            Predictions::Backend(_) | Predictions::Table(_) => return None,
        };
        Some(HostBuffers {
            image: take(&mut self.image),
            audio: take(&mut self.audio),
            predictions: take(predictions),
        })
    }

    /// What a backend that makes the inputs by itself has to know of the batch; `None` for others.
    pub fn on_device_parts(&mut self) -> Option<OnDevice<'_>> {
        match (&mut self.predictions, &self.row_ends) {
            (Predictions::Patches(Patches { starts, .. }), Some(row_ends)) => {
                Some(OnDevice { samples: &self.samples, starts, row_ends })
            }
            _ => None,
        }
    }

    /// Hands the batch to a backend. `ticket` means something to that backend only.
    pub fn into_flight(self, ticket: u64) -> InFlight {
        InFlight { batch: self, ticket }
    }
}

/// The samples of a batch whose inputs a device makes.
#[derive(Debug)]
pub struct OnDevice<'a> {
    /// The frames in the batch, in output order.
    pub samples: &'a [Sample],
    /// Where their [patches](Patches::starts) begin, for the backend to write.
    pub starts: &'a mut Vec<usize>,
    /// How many of the feature rows that the batch brings have come with each sample: the window that
    /// it hears are the last 16 rows until then, those of the batch before among them.
    pub row_ends: &'a [usize],
}

/// A batch that the backend is working on.
#[derive(Debug)]
pub struct InFlight {
    batch: HostBatch,
    ticket: u64,
}

impl InFlight {
    /// What the backend wrote on it when it was enqueued.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    /// The inputs, for backends that compute while they are waited for. There are none while the
    /// backend has [taken](HostBatch::take_buffers) the buffers.
    pub fn batch(&self) -> &HostBatch {
        &self.batch
    }

    /// The predictions are in place: `infer` says when the network was at work. `predictions`
    /// replaces the batch's own where the backend brings memory of its own.
    pub fn complete(mut self, infer: Span, predictions: Option<Predictions>) -> Completed {
        self.batch.trace.infer = infer;
        self.batch.trace.wake_up = Span::since(infer.end);
        if let Some(predictions) = predictions {
            self.batch.predictions = predictions;
        }
        Completed { batch: self.batch }
    }

    /// As [`complete`](Self::complete), putting back the buffers that were
    /// [taken](HostBatch::take_buffers), with the predictions in their place.
    pub fn complete_with(mut self, infer: Span, buffers: HostBuffers) -> Completed {
        let HostBuffers { image, audio, predictions } = buffers;
        (self.batch.image, self.batch.audio) = (image, audio);
        match &mut self.batch.predictions {
            Predictions::Patches(patches) => patches.words = predictions,
            other => *other = Predictions::Host(predictions),
        }
        self.complete(infer, None)
    }
}

/// A batch whose predictions can be read.
#[derive(Debug)]
pub struct Completed {
    batch: HostBatch,
}

impl Completed {
    /// Number of frames in the batch.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether no frame is in the batch.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// The samples, and beside them the predictions, to be looked at together.
    pub fn split(&mut self) -> (&mut [Sample], PredictionView<'_>) {
        let HostBatch { samples, predictions, geometry, .. } = &mut self.batch;
        (samples, PredictionView { predictions, len: geometry.prediction_len() })
    }

    /// What has happened to the batch so far.
    pub fn trace_mut(&mut self) -> &mut BatchTrace {
        &mut self.batch.trace
    }

    /// The batch, still holding its samples, ready to be run again.
    pub fn into_batch(self) -> HostBatch {
        self.batch
    }
}

/// Read access to a completed batch's predictions.
#[derive(Clone, Copy, Debug)]
pub struct PredictionView<'a> {
    predictions: &'a Predictions,
    len: usize,
}

impl<'a> PredictionView<'a> {
    /// What there is of the sample in `slot`, which is output frame `index`.
    pub fn get(self, slot: usize, index: u64) -> Predicted<'a> {
        self.predictions.frame(slot, index, self.len)
    }
}
