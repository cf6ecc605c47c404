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

/// Sums, and the latest traces themselves where they are wanted.
pub(super) struct RunLog {
    pub(super) busy: BusyTimes,
    /// A ring once it is full.
    traces: Vec<BatchTrace>,
    room: usize,
    /// Where the next trace goes in a full ring.
    oldest: usize,
    frames: u64,
    observer: Option<Arc<dyn RunObserver>>,
}

impl RunLog {
    /// A log that keeps the latest `room` traces and tells `observer` about each.
    pub(super) fn new(room: usize, observer: Option<Arc<dyn RunObserver>>) -> Self {
        let traces = Vec::with_capacity(room);
        Self { busy: BusyTimes::default(), traces, room, oldest: 0, frames: 0, observer }
    }

    pub(super) fn push(&mut self, trace: BatchTrace) {
        self.busy.add(&trace);
        self.frames += trace.frames as u64;
        if let Some(observer) = &self.observer {
            observer.progress(self.frames, &self.busy);
        }
        if self.traces.len() < self.room {
            self.traces.push(trace);
        } else if let Some(oldest) = self.traces.get_mut(self.oldest) {
            *oldest = trace;
            self.oldest = (self.oldest + 1) % self.room;
        }
    }

    /// The traces that were kept, oldest first.
    pub(super) fn into_traces(mut self) -> Vec<BatchTrace> {
        self.traces.rotate_left(self.oldest);
        self.traces
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn kept(room: usize, pushed: usize) -> Vec<usize> {
        let mut log = RunLog::new(room, None);
        for frames in 1..=pushed {
            log.push(BatchTrace { frames, ..BatchTrace::new(Instant::now()) });
        }
        log.into_traces().iter().map(|trace| trace.frames).collect()
    }

    #[test]
    fn the_latest_traces_are_kept_in_order() {
        assert_eq!(kept(3, 2), [1, 2]);
        assert_eq!(kept(3, 3), [1, 2, 3]);
        assert_eq!(kept(3, 8), [6, 7, 8]);
        assert!(kept(0, 5).is_empty());
    }
}
