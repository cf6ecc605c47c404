//! A pipeline: set up once, run many times.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::budget::{MAX_BATCH, MAX_WORKERS};
use super::log::{BusyTimes, RunLog, RunObserver};
use super::{CancelToken, PipelineError, Stages, pipelined, sequential};
use crate::batch::{BatchTrace, Completed, HostBatch, Predicted, PredictionView, Span};
use crate::composite::{CompositeError, Compositor, Scratch};
use crate::dataset::{Sample, Speech};
use crate::frame::{BufferPool, OutputFrame, PooledBuffer, Rect, Size};
use crate::metrics::RunSpans;
use crate::sink::Sink;

/// How the stages follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Infer, composite, save, repeat: one thread, as in a Python loop.
    Sequential,
    /// All stages at the same time, each on the batch that the one before has finished.
    #[default]
    Pipelined,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sequential => "sequential",
            Self::Pipelined => "pipelined",
        })
    }
}

impl FromStr for Mode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sequential" => Ok(Self::Sequential),
            "pipelined" => Ok(Self::Pipelined),
            _ => Err(format!("\"{text}\" is not a mode; expected sequential or pipelined")),
        }
    }
}

/// How to run the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipelineOptions {
    /// Frames per run of the network, 1 to [`MAX_BATCH`].
    pub batch: usize,
    /// Size of the pool that composites, 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// How the stages follow each other.
    pub mode: Mode,
    /// Frames that the sink may keep while it works on them in the background.
    pub sink_depth: usize,
    /// Whether to keep a trace of every batch. Memory then grows with the run, by a few hundred
    /// bytes a batch. Of a run whose speech is [fed](Speech::Fed) the latest 16384 are kept.
    pub trace: bool,
}

/// Traces that are kept of a run that may never end; about 7 MB.
const LATEST_TRACES: u64 = 1 << 14;

/// What a run did.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Frames that reached the sink.
    pub frames: u64,
    /// Whether the run was asked to stop before it was done.
    pub cancelled: bool,
    /// When it began and ended.
    pub spans: RunSpans,
    /// How long each stage was busy.
    pub busy: BusyTimes,
    /// One trace per batch, in order, of the batches that [`PipelineOptions::trace`] keeps.
    pub traces: Vec<BatchTrace>,
}

impl RunReport {
    /// From the first thread's start to the last one's end.
    pub fn wall(&self) -> Duration {
        self.spans.run.duration()
    }

    /// Frames per second of wall time.
    pub fn fps(&self) -> f64 {
        self.frames as f64 / self.wall().as_secs_f64()
    }
}

/// Stages with the threads and buffers that connect them.
///
/// Everything that a run needs is allocated here; a run itself recycles.
pub struct Pipeline {
    pub(super) stages: Stages,
    pub(super) options: PipelineOptions,
    pub(super) workers: rayon::ThreadPool,
    /// Empty host batches; all of them are here between runs that succeed.
    pub(super) batches: Vec<HostBatch>,
    pub(super) slots: Vec<Slot>,
    pub(super) outputs: BufferPool,
    observer: Option<Arc<dyn RunObserver>>,
}

impl Pipeline {
    /// Connects `stages`.
    ///
    /// # Errors
    /// When a number in `options` is out of range, the backend does not take that batch size, or
    /// threads or memory cannot be had.
    pub fn new(stages: Stages, options: PipelineOptions) -> Result<Self, PipelineError> {
        in_range("--batch", options.batch, MAX_BATCH)?;
        in_range("--workers", options.workers, MAX_WORKERS)?;
        let batch = options.batch;
        let batches = (0..Self::host_batches(&stages, options))
            .map(|_| stages.backend.allocate(batch))
            .collect::<Result<_, _>>()?;
        let workers = rayon::ThreadPoolBuilder::new()
            .num_threads(options.workers)
            .thread_name(|index| format!("composite-{index}"))
            .build()
            .map_err(|error| PipelineError::Thread { name: "composite", source: error.into() })?;
        let slots = (0..batch).map(|_| Slot::new(stages.compositor.scratch())).collect();
        // Frames of a streamed store bring their own output buffer.
        let pooled = if stages.store.in_ram() { Self::frames_downstream(options) } else { 0 };
        let outputs = BufferPool::new(pooled, stages.frame.bytes())?;
        Ok(Self { stages, options, workers, batches, slots, outputs, observer: None })
    }

    /// The parts, to be connected differently.
    pub fn into_stages(self) -> Stages {
        self.stages
    }

    /// The parts.
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// What it was made with.
    pub fn options(&self) -> PipelineOptions {
        self.options
    }

    /// Has every later run tell `observer` how far it is.
    pub fn observe(&mut self, observer: Arc<dyn RunObserver>) {
        self.observer = Some(observer);
    }

    /// Renders output frames `0..frames` into `sink`.
    ///
    /// The frames reach the sink in order and each exactly once. Cancelling finishes the frames in
    /// flight and completes the sink.
    ///
    /// # Errors
    /// The first error of any stage, after every thread has been joined. The sink is then dropped
    /// without being finished.
    pub fn run(
        &mut self,
        frames: u64,
        sink: Box<dyn Sink>,
        cancel: &CancelToken,
    ) -> Result<RunReport, PipelineError> {
        self.run_part(0..frames, sink, cancel)
    }

    /// Renders the output frames `shown` into `sink`: the same frames as a run from the beginning
    /// gives, as long as the network's predictions do not depend on which frames share a batch.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_part(
        &mut self,
        shown: Range<u64>,
        sink: Box<dyn Sink>,
        cancel: &CancelToken,
    ) -> Result<RunReport, PipelineError> {
        let features = self.stages.assembler.features().clone();
        self.run_speech(Speech::Known { features, shown }, sink, cancel)
    }

    /// Renders the frames of `speech` into `sink`, as [`run`](Self::run) does.
    ///
    /// Speech that is fed may come slower than frames are made. A run then waits for it, with a
    /// smaller batch rather than for a full one; cancelling wakes it.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_speech(
        &mut self,
        speech: Speech,
        sink: Box<dyn Sink>,
        cancel: &CancelToken,
    ) -> Result<RunReport, PipelineError> {
        self.restock()?;
        match self.options.mode {
            Mode::Sequential => sequential::run(self, speech, sink, cancel),
            Mode::Pipelined => pipelined::run(self, speech, sink, cancel),
        }
    }

    /// Replaces host batches that a failed run took with it.
    pub(super) fn restock(&mut self) -> Result<(), PipelineError> {
        while self.batches.len() < Self::host_batches(&self.stages, self.options) {
            self.batches.push(self.stages.backend.allocate(self.options.batch)?);
        }
        Ok(())
    }

    /// One being filled or waiting to be run, those in flight, one being composited.
    fn host_batches(stages: &Stages, options: PipelineOptions) -> usize {
        match options.mode {
            Mode::Sequential => 1,
            Mode::Pipelined => stages.backend.max_in_flight(options.batch) + 2,
        }
    }

    /// Frames between compositing and the end of their life: a batch being composited, a batch on
    /// its way to the sink, and what the sink keeps.
    fn frames_downstream(options: PipelineOptions) -> usize {
        2 * options.batch + options.sink_depth + 1
    }

    /// Frames that can be under way at one time, from the frame store to the sink.
    pub(super) fn frames_in_flight(&self) -> usize {
        self.batches.len() * self.options.batch + Self::frames_downstream(self.options)
    }

    /// A log for a run of `speech`.
    pub(super) fn log(&self, speech: &Speech) -> RunLog {
        let batches = match speech {
            Speech::Known { shown, .. } => {
                shown.end.saturating_sub(shown.start).div_ceil(self.options.batch as u64)
            }
            Speech::Fed(_) => LATEST_TRACES,
        };
        let room = if self.options.trace { usize::try_from(batches).unwrap_or(0) } else { 0 };
        RunLog::new(room, self.observer.clone())
    }
}

fn in_range(name: &'static str, found: usize, max: usize) -> Result<(), PipelineError> {
    match found {
        found if (1..=max).contains(&found) => Ok(()),
        found => Err(PipelineError::Range { name, found, max }),
    }
}

/// One frame's place in the batch being composited: the worker's memory, and what comes out.
pub(super) struct Slot {
    scratch: Scratch,
    /// Where the frame goes; taken from the pool before the workers start, so that none of them
    /// waits.
    buffer: Option<PooledBuffer>,
    result: Result<(), CompositeError>,
    busy: Duration,
}

impl Slot {
    fn new(scratch: Scratch) -> Self {
        Self { scratch, buffer: None, result: Ok(()), busy: Duration::ZERO }
    }
}

/// What compositing needs besides the batch. Shared by both modes.
#[derive(Clone, Copy)]
pub(super) struct CompositeStage<'a> {
    pub(super) compositor: &'a Compositor,
    pub(super) rects: &'a [Rect],
    pub(super) frame: Size,
    pub(super) outputs: &'a BufferPool,
    pub(super) in_ram: bool,
}

impl<'a> CompositeStage<'a> {
    pub(super) fn new(stages: &'a Stages, outputs: &'a BufferPool) -> Self {
        Self {
            compositor: &stages.compositor,
            rects: &stages.rects,
            frame: stages.frame,
            outputs,
            in_ram: stages.store.in_ram(),
        }
    }

    /// Composites a batch on the rayon pool that this is called in, one job a frame. Leaves the
    /// finished frames in `slots`.
    pub(super) fn run(
        self,
        batch: &mut Completed,
        slots: &mut [Slot],
    ) -> Result<(), PipelineError> {
        let started = Instant::now();
        let frames = batch.len();
        if self.in_ram {
            for slot in &mut slots[..frames] {
                slot.buffer = Some(self.outputs.take()?);
            }
        }
        batch.trace_mut().output_wait = Span::since(started);

        let started = Instant::now();
        self.paste(batch, slots);
        let trace = batch.trace_mut();
        trace.composite = Span::since(started);
        trace.composite_cpu = slots[..frames].iter().map(|slot| slot.busy).sum();
        Ok(())
    }

    /// Composites each frame of `batch` into its slot's buffer, on the pool.
    pub(super) fn paste(self, batch: &mut Completed, slots: &mut [Slot]) {
        let frames = batch.len();
        let (samples, predictions) = batch.split();
        samples
            .par_iter_mut()
            .zip(&mut slots[..frames])
            .enumerate()
            .with_max_len(1)
            .for_each(|(index, (sample, slot))| self.one(index, sample, slot, predictions));
    }

    fn one(self, index: usize, sample: &mut Sample, slot: &mut Slot, all: PredictionView<'_>) {
        let started = Instant::now();
        let (output, frame) = (sample.index, sample.frame);
        if let Some(buffer) = sample.take_background() {
            slot.buffer = Some(buffer);
        }
        if let Some(buffer) = &mut slot.buffer {
            if let Some(pixels) = sample.shared_background() {
                buffer.copy_from_slice(pixels);
            }
            let rect = self.rects[frame];
            slot.result = match all.get(index, output) {
                Predicted::Planes(prediction) => {
                    let scratch = &mut slot.scratch;
                    self.compositor.composite(scratch, prediction, sample.crop(), rect, buffer)
                }
                Predicted::Patch(patch) => self.compositor.paste(patch, rect, buffer),
            };
        }
        slot.busy = started.elapsed();
    }

    /// Takes the finished frame of the sample `index` out of its slot.
    pub(super) fn take(self, slot: &mut Slot, index: u64) -> Result<OutputFrame, PipelineError> {
        std::mem::replace(&mut slot.result, Ok(()))?;
        let pixels = slot.buffer.take().ok_or(PipelineError::Panicked { stage: "composite" })?;
        Ok(OutputFrame { index, size: self.frame, pixels })
    }
}
