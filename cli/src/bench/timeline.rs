//! When what was done to which batch.

use std::time::{Duration, Instant};

use engine::batch::{BatchTrace, Span};
use engine::pipeline::RunReport;
use serde::{Serialize, Serializer};

/// Batches of each run whose times are in the report.
const BATCHES: usize = 48;

/// The first batches of a run. The times of all stages count from one instant, the run's begin.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Timeline {
    /// Batches that the run had.
    pub(super) of_batches: usize,
    /// The first of them, at most [`BATCHES`].
    pub(super) batches: Vec<BatchTimes>,
}

/// One batch on its way.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BatchTimes {
    /// The output frame that it begins with.
    pub(super) first_frame: u64,
    pub(super) frames: usize,
    /// Part of `assemble` that was spent waiting for the frame store, in microseconds.
    #[serde(serialize_with = "microseconds")]
    pub(super) wait_decoder: Duration,
    pub(super) assemble: Stretch,
    pub(super) infer: Stretch,
    pub(super) composite: Stretch,
    pub(super) save: Stretch,
}

/// From when to when, counted from the run's begin. In JSON `[start, end]` in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) start: Duration,
    pub(super) end: Duration,
}

impl Stretch {
    /// `span` as seen from `epoch`.
    pub(super) fn of(span: Span, epoch: Instant) -> Self {
        let since = |instant: Instant| instant.saturating_duration_since(epoch);
        Self { start: since(span.start), end: since(span.end) }
    }

    pub(super) fn duration(self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

impl Serialize for Stretch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [micros(self.start), micros(self.end)].serialize(serializer)
    }
}

/// Microseconds, with nanoseconds as decimals.
pub(super) fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

fn microseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(micros(*time))
}

impl Timeline {
    /// The first batches of `report`.
    pub(super) fn of(report: &RunReport) -> Self {
        let epoch = report.spans.run.start;
        let batches = with_first_frames(&report.traces)
            .take(BATCHES)
            .map(|(first_frame, trace)| BatchTimes {
                first_frame,
                frames: trace.frames,
                wait_decoder: trace.frame_wait,
                assemble: Stretch::of(trace.assemble, epoch),
                infer: Stretch::of(trace.infer, epoch),
                composite: Stretch::of(trace.composite, epoch),
                save: Stretch::of(trace.save, epoch),
            })
            .collect();
        Self { of_batches: report.traces.len(), batches }
    }
}

/// Each trace with the output frame that its batch begins with.
pub(super) fn with_first_frames(traces: &[BatchTrace]) -> impl Iterator<Item = (u64, &BatchTrace)> {
    traces.iter().scan(0, |next, trace| {
        let first = *next;
        *next += trace.frames as u64;
        Some((first, trace))
    })
}

/// Puts stretches, given in the order of their begins, into as few rows as they take without two in
/// one row at one time: batches may be in flight together.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Until when each row is taken.
    ends: Vec<Duration>,
}

impl Rows {
    /// The row of the next stretch.
    pub(super) fn place(&mut self, stretch: Stretch) -> usize {
        match self.ends.iter().position(|&end| end <= stretch.start) {
            Some(row) => {
                self.ends[row] = stretch.end;
                row
            }
            None => {
                self.ends.push(stretch.end);
                self.ends.len() - 1
            }
        }
    }

    /// Rows that were needed.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(start: u64, end: u64) -> Stretch {
        Stretch { start: Duration::from_nanos(start), end: Duration::from_nanos(end) }
    }

    #[test]
    fn stretches_at_one_time_get_rows_of_their_own() {
        let mut rows = Rows::default();
        let placed = [(0, 10), (10, 20), (12, 30), (20, 25), (24, 26), (30, 31)]
            .map(|(start, end)| rows.place(stretch(start, end)));
        assert_eq!((placed, rows.count()), ([0, 0, 1, 0, 2, 0], 3));
    }

    #[test]
    fn times_are_microseconds_to_the_nanosecond() {
        let json = serde_json::to_string(&stretch(1, 1_234_567)).unwrap();
        assert_eq!(json, "[0.001,1234.567]");
    }

    #[test]
    fn a_batch_begins_where_the_one_before_ended() {
        let trace = |frames| BatchTrace { frames, ..BatchTrace::new(Instant::now()) };
        let traces = [4, 4, 1].map(trace);
        let firsts: Vec<u64> = with_first_frames(&traces).map(|(first, _)| first).collect();
        assert_eq!(firsts, [0, 4, 8]);
    }
}
