//! What is remembered of a run while it goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::batch::BatchTrace;

/// How long each stage was busy over a run. Stages overlap, so the sum may exceed the wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusyTimes {
    /// Waiting for the frame store.
    pub decode: Duration,
    /// Filling inputs.
    pub assemble: Duration,
    /// Running the network.
    pub infer: Duration,
    /// Compositing, wall time of the stage.
    pub composite: Duration,
    /// Inside the sink.
    pub save: Duration,
}

impl BusyTimes {
    /// The stage that was busy longest.
    pub fn longest(&self) -> (&'static str, Duration) {
        [
            ("decode", self.decode),
            ("assemble", self.assemble),
            ("infer", self.infer),
            ("composite", self.composite),
            ("save", self.save),
        ]
        .into_iter()
        .max_by_key(|(_, time)| *time)
        .unwrap_or(("infer", self.infer))
    }

    fn add(&mut self, trace: &BatchTrace) {
        self.decode += trace.frame_wait;
        self.assemble += trace.assemble.duration().saturating_sub(trace.frame_wait);
        self.infer += trace.infer.duration();
        self.composite += trace.composite.duration();
        self.save += trace.save.duration();
    }
}

/// Hears how far a run is, from the thread that hands frames to the sink. It should return quickly.
pub trait RunObserver: Send + Sync {
    /// The sink has taken `frames` frames of the run; until then the stages were busy for `busy`.
    fn progress(&self, frames: u64, busy: &BusyTimes);
}

/// Sums, and the traces themselves where they are wanted.
pub(super) struct RunLog {
    pub(super) busy: BusyTimes,
    pub(super) traces: Vec<BatchTrace>,
    frames: u64,
    keep: bool,
    observer: Option<Arc<dyn RunObserver>>,
}

impl RunLog {
    pub(super) fn new(keep: bool, batches: u64, observer: Option<Arc<dyn RunObserver>>) -> Self {
        let room = if keep { usize::try_from(batches).unwrap_or(0) } else { 0 };
        let (busy, traces) = (BusyTimes::default(), Vec::with_capacity(room));
        Self { busy, traces, frames: 0, keep, observer }
    }

    pub(super) fn push(&mut self, trace: BatchTrace) {
        self.busy.add(&trace);
        self.frames += trace.frames as u64;
        if let Some(observer) = &self.observer {
            observer.progress(self.frames, &self.busy);
        }
        if self.keep {
            self.traces.push(trace);
        }
    }
}
