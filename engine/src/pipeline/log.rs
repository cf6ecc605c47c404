//! What is remembered of a run while it goes on.

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

/// Sums, and the traces themselves where they are wanted.
pub(super) struct RunLog {
    pub(super) busy: BusyTimes,
    pub(super) traces: Vec<BatchTrace>,
    keep: bool,
}

impl RunLog {
    pub(super) fn new(keep: bool, batches: u64) -> Self {
        let room = if keep { usize::try_from(batches).unwrap_or(0) } else { 0 };
        Self { busy: BusyTimes::default(), traces: Vec::with_capacity(room), keep }
    }

    pub(super) fn push(&mut self, trace: BatchTrace) {
        self.busy.add(&trace);
        if self.keep {
            self.traces.push(trace);
        }
    }
}
