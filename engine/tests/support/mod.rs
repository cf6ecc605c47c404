//! What the pipeline's tests share: a small package, an exact network, sinks that can be steered.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of this")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

#[cfg(feature = "cuda")]
pub mod gpu;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use engine::backend::{Backend, BackendError, BatchLimit};
use engine::batch::{
    Assembler, Completed, HostBatch, HostBuffer, InFlight, PredictionMemory, Predictions, Span,
};
use engine::composite::{Compositor, CompositorChoice, Interpolation};
use engine::dataset::{FrameStore, Inputs, Package, StoreMode, StoreOptions};
use engine::frame::{ModelGeometry, OutputFrame, Size};
use engine::pipeline::{Mode, Pipeline, PipelineOptions, Stages};
use engine::sample::{Batch, Form, NetworkKind, SampleOptions, write_package};
use engine::sink::{ImageFormat, Sink, SinkError};

/// Side of the networks in these tests; real ones are 160 or 320.
pub const SIDE: usize = 32;

pub fn geometry() -> ModelGeometry {
    ModelGeometry::new(SIDE).unwrap()
}

/// Writes an unpacked package of `frames` PNG frames with the probe network.
pub fn package(folder: &Path, frames: usize) {
    package_of(folder, frames, Batch::Symbolic);
}

/// The same with another batch.
pub fn package_of(folder: &Path, frames: usize, batch: Batch) {
    let options = SampleOptions {
        frames,
        size: Size::new(192, 108),
        side: SIDE,
        form: Form::Images(ImageFormat::Png),
        network: NetworkKind::Probe,
        batch,
        seed: 3,
        rects: None,
    };
    write_package(folder, &options, |_| ControlFlow::Continue(())).unwrap();
}

/// How a test wants its pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub batch: usize,
    pub workers: usize,
    pub mode: Mode,
    pub store: StoreMode,
    pub compositor: CompositorChoice,
    pub inputs: Inputs,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            batch: 4,
            workers: 2,
            mode: Mode::Pipelined,
            store: StoreMode::Ram,
            compositor: CompositorChoice::Auto,
            inputs: Inputs::Package,
        }
    }
}

/// A pipeline over the package in `folder`, with feature rows repeated up to `rows`.
pub fn pipeline(
    folder: &Path,
    setting: Setting,
    rows: usize,
    backend: Box<dyn Backend>,
) -> Pipeline {
    let package = Arc::new(Package::open(folder, backend.geometry(), setting.inputs).unwrap());
    let options = StoreOptions { mode: setting.store, ram_budget: 1 << 30, decode_threads: 2 };
    let store = FrameStore::open(Arc::clone(&package), &options, &mut |_, _| ()).unwrap();
    let compositor = Compositor::new(
        setting.compositor,
        Interpolation::Linear,
        backend.geometry(),
        package.frame_size(),
        package.rects(),
    )
    .unwrap();
    let stages = Stages {
        store,
        assembler: Assembler::new(package.features().unwrap().repeat_to(rows)),
        backend,
        compositor,
        frame: package.frame_size(),
        rects: package.rects().to_vec(),
    };
    let options = PipelineOptions {
        batch: setting.batch,
        workers: setting.workers,
        mode: setting.mode,
        sink_depth: 2,
        trace: true,
    };
    Pipeline::new(stages, options).unwrap()
}

/// Frames that a [`Collect`] sink has taken, and whether it was finished.
#[derive(Debug, Default)]
pub struct Collected {
    pub frames: Vec<(u64, Vec<u8>)>,
    pub finished: bool,
}

/// Keeps a copy of every frame.
#[derive(Clone, Default)]
pub struct Collect(pub Arc<Mutex<Collected>>);

impl Collect {
    pub fn take(&self) -> Collected {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Sink for Collect {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        self.0.lock().unwrap().frames.push((frame.index, frame.pixels.to_vec()));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.0.lock().unwrap().finished = true;
        Ok(())
    }
}

/// A sink from a closure that sees every frame.
pub struct Each<F>(pub F);

impl<F: FnMut(OutputFrame) -> Result<(), SinkError> + Send> Sink for Each<F> {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        (self.0)(frame)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// output = 0.5 roi + 0.25 masked + 0.125 mean(audio > 0.5), in exact arithmetic, on this thread.
pub struct Exact {
    /// Called with the number of every batch when it is enqueued.
    pub on_enqueue: Box<dyn FnMut(u64) -> Result<(), BackendError> + Send>,
    pub in_flight: usize,
    enqueued: u64,
}

impl Exact {
    pub fn new() -> Self {
        Self { on_enqueue: Box::new(|_| Ok(())), in_flight: 1, enqueued: 0 }
    }
}

/// The exact network's prediction for one frame's inputs.
pub fn exact(image: &[f32], audio: &[f32]) -> Vec<f32> {
    let loud = audio.iter().filter(|value| **value > 0.5).count() as f32;
    let mean = loud / audio.len() as f32;
    let (roi, masked) = image.split_at(image.len() / 2);
    roi.iter().zip(masked).map(|(r, m)| 0.5 * r + 0.25 * m + 0.125 * mean).collect()
}

struct Owned(HostBuffer);

impl PredictionMemory for Owned {
    fn floats(&self) -> &[f32] {
        &self.0
    }
}

impl Backend for Exact {
    fn name(&self) -> &'static str {
        "exact"
    }

    fn provider(&self) -> &str {
        "test"
    }

    fn geometry(&self) -> ModelGeometry {
        geometry()
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::Any
    }

    fn cpu_threads(&self) -> usize {
        1
    }

    fn max_in_flight(&self, _batch: usize) -> usize {
        self.in_flight
    }

    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        let none = Predictions::Host(HostBuffer::zeroed(0)?);
        Ok(HostBatch::new(geometry(), capacity, none)?)
    }

    fn enqueue(&mut self, batch: HostBatch) -> Result<InFlight, BackendError> {
        let number = self.enqueued;
        self.enqueued += 1;
        (self.on_enqueue)(number)?;
        Ok(batch.into_flight(number))
    }

    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        let start = Instant::now();
        let batch = in_flight.batch();
        let frames = batch.len();
        let mut floats = HostBuffer::zeroed(frames * geometry().prediction_len())?;
        let images = batch.image(frames).chunks(geometry().image_len());
        let windows = batch.audio(frames).chunks(engine::batch::AUDIO_LEN);
        let targets = floats.chunks_mut(geometry().prediction_len());
        for ((image, audio), target) in images.zip(windows).zip(targets) {
            target.copy_from_slice(&exact(image, audio));
        }
        let predictions = Predictions::Backend(Box::new(Owned(floats)));
        Ok(in_flight.complete(Span::since(start), Some(predictions)))
    }
}

/// A backend error for tests to inject.
pub fn broken(problem: &str) -> BackendError {
    BackendError::Model { path: "injected".into(), problem: problem.to_owned() }
}
