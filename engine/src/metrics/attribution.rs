//! Where a run's wall time went.

use std::time::{Duration, Instant};

use crate::batch::{BatchTrace, Span};

/// When a run began and ended, and how it finished.
#[derive(Clone, Copy, Debug)]
pub struct RunSpans {
    /// From before the first thread starts until after the last has been joined.
    pub run: Span,
    /// The sink completing what it has taken.
    pub finish: Span,
    /// Whether one thread did everything, one stage after the other.
    pub sequential: bool,
    /// Host batches that went round; the assembler waits when all are in use.
    pub host_batches: usize,
}

/// The wall time of a run, divided among the stages on its critical path.
///
/// The walk begins at the end of the run and goes back: each stage's time on a batch is charged to
/// that stage, then the walk continues with whatever it had to wait for and that ended last (the
/// stage before it, or the same stage on the batch before). A gap between the two is charged to
/// the wait that was recorded in it, or is *unexplained*. The parts add up to the wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// Until the first batch was begun.
    pub startup: Duration,
    /// Filling inputs.
    pub assemble: Duration,
    /// Running the network.
    pub infer: Duration,
    /// Compositing.
    pub composite: Duration,
    /// Saving, including the sink's completion.
    pub save: Duration,
    /// Waiting for feature rows.
    pub wait_speech: Duration,
    /// Waiting for the decoder of the frame store.
    pub wait_decoder: Duration,
    /// Waiting for an empty host batch.
    pub wait_host_batch: Duration,
    /// From the end of the network's work until the thread that waited for it ran.
    pub wake_up: Duration,
    /// Waiting for the compositing stage to take a batch.
    pub wait_composite: Duration,
    /// Waiting for an empty output buffer, that is for the sink to let go of one.
    pub wait_output_buffer: Duration,
    /// Waiting for the sink to take a frame.
    pub wait_sink: Duration,
    /// Everything else: hand-over between threads, wake-ups, the system.
    pub unexplained: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Assemble,
    Infer,
    Composite,
    Save,
}

impl Attribution {
    /// Divides the run's wall time, given the traces of its batches in order.
    pub fn of(spans: &RunSpans, traces: &[BatchTrace]) -> Self {
        let mut parts = Self::default();
        let Some(last) = traces.len().checked_sub(1) else {
            parts.startup = spans.run.duration();
            return parts;
        };
        parts.save += spans.finish.duration();
        parts.unexplained += since(spans.run.end, spans.finish.end);
        parts.unexplained += since(spans.finish.start, traces[last].save.end);

        let (mut stage, mut index, mut time) = (Stage::Save, last, traces[last].save.end);
        loop {
            let node = span(&traces[index], stage);
            parts.charge(stage, since(time, node.start), &traces[index]);
            let before = predecessors(spans, stage, index)
                .into_iter()
                .flatten()
                .map(|(stage, index)| (stage, index, span(&traces[index], stage).end))
                .max_by_key(|&(_, _, end)| end);
            let Some((next_stage, next_index, end)) = before else {
                parts.startup += since(node.start, spans.run.start);
                return parts;
            };
            parts.charge_gap(stage, end, node.start, &traces[index]);
            // A device may begin before the host has seen the end of what it waited for.
            time = end.min(node.start);
            (stage, index) = (next_stage, next_index);
        }
    }

    /// The parts by name, in the order of the data's way.
    pub fn parts(&self) -> [(&'static str, Duration); 13] {
        [
            ("startup", self.startup),
            ("wait_speech", self.wait_speech),
            ("wait_decoder", self.wait_decoder),
            ("wait_host_batch", self.wait_host_batch),
            ("assemble", self.assemble),
            ("infer", self.infer),
            ("wake_up", self.wake_up),
            ("wait_composite", self.wait_composite),
            ("wait_output_buffer", self.wait_output_buffer),
            ("composite", self.composite),
            ("wait_sink", self.wait_sink),
            ("save", self.save),
            ("unexplained", self.unexplained),
        ]
    }

    fn charge(&mut self, stage: Stage, time: Duration, trace: &BatchTrace) {
        match stage {
            Stage::Assemble => {
                let waited = trace.frame_wait.min(time);
                self.wait_decoder += waited;
                self.assemble += time - waited;
            }
            Stage::Infer => self.infer += time,
            Stage::Composite => self.composite += time,
            Stage::Save => self.save += time,
        }
    }

    /// Charges the gap `from..to` before `stage` began on the batch of `trace`.
    fn charge_gap(&mut self, stage: Stage, from: Instant, to: Instant, trace: &BatchTrace) {
        let mut rest = since(to, from);
        let mut take = |part: &mut Duration, wait: Span| {
            let overlap = since(wait.end.min(to), wait.start.max(from)).min(rest);
            *part += overlap;
            rest -= overlap;
        };
        match stage {
            Stage::Assemble => {
                take(&mut self.wait_speech, trace.speech_wait);
                take(&mut self.wait_host_batch, trace.host_batch_wait);
            }
            Stage::Infer => take(&mut self.wait_composite, trace.composite_wait),
            Stage::Composite => {
                take(&mut self.wake_up, trace.wake_up);
                take(&mut self.wait_output_buffer, trace.output_wait);
                take(&mut self.wait_sink, trace.sink_wait);
            }
            Stage::Save => {}
        }
        self.unexplained += rest;
    }
}

fn since(later: Instant, earlier: Instant) -> Duration {
    later.saturating_duration_since(earlier)
}

fn span(trace: &BatchTrace, stage: Stage) -> Span {
    match stage {
        Stage::Assemble => trace.assemble,
        Stage::Infer => trace.infer,
        Stage::Composite => trace.composite,
        Stage::Save => trace.save,
    }
}

/// What `stage` on batch `index` cannot begin before.
fn predecessors(spans: &RunSpans, stage: Stage, index: usize) -> [Option<(Stage, usize)>; 2] {
    let previous = |stage, distance| index.checked_sub(distance).map(|index| (stage, index));
    match stage {
        Stage::Assemble if spans.sequential => [previous(Stage::Save, 1), None],
        Stage::Assemble => {
            [previous(Stage::Assemble, 1), previous(Stage::Composite, spans.host_batches)]
        }
        Stage::Infer => [Some((Stage::Assemble, index)), previous(Stage::Infer, 1)],
        Stage::Composite => [Some((Stage::Infer, index)), previous(Stage::Composite, 1)],
        Stage::Save => [Some((Stage::Composite, index)), previous(Stage::Save, 1)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clock(Instant);

    impl Clock {
        fn at(&self, ms: u64) -> Instant {
            self.0 + Duration::from_millis(ms)
        }
        fn span(&self, start: u64, end: u64) -> Span {
            Span { start: self.at(start), end: self.at(end) }
        }
    }

    fn trace(clock: &Clock, spans: [(u64, u64); 4]) -> BatchTrace {
        let [assemble, infer, composite, save] = spans.map(|(start, end)| clock.span(start, end));
        BatchTrace { assemble, infer, composite, save, ..BatchTrace::new(clock.0) }
    }

    fn total(parts: &Attribution) -> Duration {
        parts.parts().iter().map(|(_, time)| *time).sum()
    }

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_device_bound_run_is_inference_but_for_its_ends() {
        let clock = Clock(Instant::now());
        let traces = [
            trace(&clock, [(1, 2), (2, 10), (10, 12), (12, 13)]),
            trace(&clock, [(2, 3), (10, 18), (18, 20), (20, 21)]),
            trace(&clock, [(3, 4), (18, 26), (27, 29), (29, 30)]),
        ];
        let run = RunSpans {
            run: clock.span(0, 33),
            finish: clock.span(30, 32),
            sequential: false,
            host_batches: 4,
        };
        let parts = Attribution::of(&run, &traces);
        assert_eq!((parts.startup, parts.assemble, parts.infer), (MS(1), MS(1), MS(24)));
        assert_eq!((parts.composite, parts.save), (MS(2), MS(3)));
        // One before compositing began, one after the sink was done.
        assert_eq!(parts.unexplained, MS(2));
        assert_eq!(total(&parts), MS(33));
    }

    #[test]
    fn a_sequential_run_adds_up_stage_by_stage() {
        let clock = Clock(Instant::now());
        let traces = [
            trace(&clock, [(0, 1), (1, 5), (5, 7), (7, 8)]),
            trace(&clock, [(8, 9), (9, 13), (13, 15), (16, 17)]),
        ];
        let run = RunSpans {
            run: clock.span(0, 17),
            finish: clock.span(17, 17),
            sequential: true,
            host_batches: 1,
        };
        let parts = Attribution::of(&run, &traces);
        assert_eq!((parts.assemble, parts.infer), (MS(2), MS(8)));
        assert_eq!((parts.composite, parts.save, parts.unexplained), (MS(4), MS(2), MS(1)));
    }

    #[test]
    fn a_wait_for_output_buffers_has_a_name() {
        let clock = Clock(Instant::now());
        let mut second = trace(&clock, [(1, 2), (2, 3), (9, 10), (10, 30)]);
        second.output_wait = clock.span(4, 9);
        let traces = [trace(&clock, [(0, 1), (1, 2), (2, 3), (3, 9)]), second];
        let run = RunSpans {
            run: clock.span(0, 30),
            finish: clock.span(30, 30),
            sequential: false,
            host_batches: 4,
        };
        let parts = Attribution::of(&run, &traces);
        assert_eq!((parts.save, parts.composite), (MS(20), MS(2)));
        assert_eq!((parts.wait_output_buffer, parts.unexplained), (MS(5), MS(1)));
        assert_eq!(total(&parts), MS(30));
    }

    #[test]
    fn a_late_wake_up_has_a_name() {
        let clock = Clock(Instant::now());
        let mut only = trace(&clock, [(0, 1), (1, 5), (7, 8), (8, 9)]);
        only.wake_up = clock.span(5, 7);
        let run = RunSpans {
            run: clock.span(0, 9),
            finish: clock.span(9, 9),
            sequential: true,
            host_batches: 1,
        };
        let parts = Attribution::of(&run, &[only]);
        assert_eq!((parts.infer, parts.wake_up, parts.unexplained), (MS(4), MS(2), MS(0)));
    }

    #[test]
    fn time_in_the_decoder_is_not_assembly() {
        let clock = Clock(Instant::now());
        let mut only = trace(&clock, [(0, 6), (6, 7), (7, 8), (8, 9)]);
        only.frame_wait = MS(5);
        let run = RunSpans {
            run: clock.span(0, 9),
            finish: clock.span(9, 9),
            sequential: false,
            host_batches: 4,
        };
        let parts = Attribution::of(&run, &[only]);
        assert_eq!((parts.wait_decoder, parts.assemble), (MS(5), MS(1)));
    }
}
