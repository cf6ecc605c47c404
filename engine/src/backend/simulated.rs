//! A stand-in for an accelerator: takes its time, leaves the CPU free, predicts the same every time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Backend, BackendError, BatchLimit};
use crate::batch::{Completed, HostBatch, HostBuffer, InFlight, Predictions, Span};
use crate::frame::{ModelGeometry, OutOfMemory};

/// Serialises batches like a device with one queue, each taking a fixed time per frame.
///
/// Like a device, it starts on the next batch the moment it is done with the one before,
/// whenever the host comes to collect. Output frame k always gets prediction k mod 8 of a fixed
/// set, whatever the batch.
#[derive(Debug)]
pub struct Simulated {
    geometry: ModelGeometry,
    ms_per_frame: f64,
    predictions: Arc<[HostBuffer]>,
    /// Where tickets, which are nanoseconds, count from.
    epoch: Instant,
    busy_until: Instant,
}

impl Simulated {
    /// Different predictions that the output frames go through.
    const PREDICTIONS: usize = 8;

    /// A device that needs `ms_per_frame` milliseconds per frame (0 or more, finite).
    ///
    /// # Errors
    /// When there is no memory for the predictions.
    pub fn new(geometry: ModelGeometry, ms_per_frame: f64) -> Result<Self, BackendError> {
        let predictions =
            (0..Self::PREDICTIONS).map(|k| pattern(geometry, k)).collect::<Result<_, _>>()?;
        let now = Instant::now();
        Ok(Self { geometry, ms_per_frame, predictions, epoch: now, busy_until: now })
    }
}

/// A soft colour gradient that moves with `k`.
fn pattern(geometry: ModelGeometry, k: usize) -> Result<HostBuffer, OutOfMemory> {
    let side = geometry.side();
    let mut floats = HostBuffer::zeroed(geometry.prediction_len())?;
    for (channel, plane) in floats.chunks_exact_mut(side * side).enumerate() {
        for (y, row) in plane.chunks_exact_mut(side).enumerate() {
            for (x, value) in row.iter_mut().enumerate() {
                let step = (x * (channel + 1) + y * (3 - channel) + k * 24) % 512;
                *value = step.abs_diff(256) as f32 / 256.0;
            }
        }
    }
    Ok(floats)
}

impl Backend for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn provider(&self) -> &str {
        "none"
    }

    fn geometry(&self) -> ModelGeometry {
        self.geometry
    }

    fn batch_limit(&self) -> BatchLimit {
        BatchLimit::Any
    }

    fn cpu_threads(&self) -> usize {
        0
    }

    fn max_in_flight(&self, _batch: usize) -> usize {
        2
    }

    fn nominal_ms(&self) -> Option<f64> {
        Some(self.ms_per_frame)
    }

    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        let predictions = Predictions::Table(Arc::clone(&self.predictions));
        Ok(HostBatch::new(self.geometry, capacity, predictions)?)
    }

    fn enqueue(&mut self, batch: HostBatch) -> Result<InFlight, BackendError> {
        let start = Instant::now().max(self.busy_until);
        let work = Duration::from_secs_f64(self.ms_per_frame * batch.len() as f64 / 1e3);
        self.busy_until = start + work;
        Ok(batch.into_flight((start - self.epoch).as_nanos() as u64))
    }

    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        let start = self.epoch + Duration::from_nanos(in_flight.ticket());
        let frames = in_flight.batch().len() as f64;
        let end = start + Duration::from_secs_f64(self.ms_per_frame * frames / 1e3);
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        Ok(in_flight.complete(Span { start, end }, None))
    }
}
