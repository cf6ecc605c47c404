//! All stages at once.
//!
//! ```text
//! assemble --HostBatch--> infer --Completed--> composite --frames--> save
//!     ^                                            |
//!     +----------------- empty HostBatch ----------+
//! ```
//!
//! Every arrow is a bounded channel. A stage ends when its input is closed and empty, or when its
//! output has nobody left to listen; ending closes its own channels, so an error anywhere makes
//! all threads end. The error that was set first is the one that is reported.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::filling::Filling;
use super::log::RunLog;
use super::run::{CompositeStage, Slot};
use super::{CancelToken, Pipeline, PipelineError, RunReport};
use crate::backend::Backend;
use crate::batch::{BatchTrace, Completed, HostBatch, Span};
use crate::dataset::Speech;
use crate::frame::OutputFrame;
use crate::metrics::RunSpans;
use crate::sink::Sink;

/// A frame on its way to the sink; the last of a batch brings the batch's trace.
struct Finished {
    frame: OutputFrame,
    last: Option<BatchTrace>,
}

/// What the sink's thread knows at the end.
struct Saved {
    frames: u64,
    log: RunLog,
    finish: Span,
}

pub(super) fn run(
    pipeline: &mut Pipeline,
    speech: Speech,
    sink: Box<dyn Sink>,
    cancel: &CancelToken,
) -> Result<RunReport, PipelineError> {
    let started = Instant::now();
    let log = pipeline.log(&speech);
    let source = pipeline.stages.store.source(speech.shown(), pipeline.frames_in_flight())?;
    let Pipeline { stages, workers, batches, slots, outputs, options, .. } = pipeline;
    let host_batches = batches.len();
    let backend = &mut *stages.backend;
    let composite = CompositeStage {
        compositor: &stages.compositor,
        rects: &stages.rects,
        frame: stages.frame,
        outputs,
        in_ram: stages.store.in_ram(),
    };

    let (empty_out, empty) = bounded(host_batches);
    for batch in batches.drain(..) {
        // There is room for all of them and the receiver is alive.
        let sent = empty_out.try_send(batch);
        debug_assert!(sent.is_ok());
    }
    let (filled_out, filled) = bounded(1);
    let (completed_out, completed) = bounded(1);
    let (finished_out, finished) = bounded(options.batch);

    let first_error = OnceLock::new();
    let failed = CancelToken::new();
    // How many frames there are in all, known once the last one has been assembled.
    let total = OnceLock::new();
    let filling = Filling::new(source, &stages.assembler, speech, options.batch);
    let empties = empty.clone();
    let whole = |saved| {
        first_error.get().is_none() && (total.get() == Some(&saved) || cancel.is_cancelled())
    };
    let saved = std::thread::scope(|scope| {
        let spawn_failed = |name| {
            move |error: std::io::Error| PipelineError::Thread { name, source: error.into() }
        };
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let guard = Guard { first_error: &first_error, failed: &failed };
        let (total, failed) = (&total, &failed);
        let assembling = named("assemble").spawn_scoped(scope, move || {
            guard.watch(|| assemble(filling, &empties, &filled_out, total, [cancel, failed]))
        });
        let inferring = named("infer").spawn_scoped(scope, move || {
            guard.watch(|| infer(backend, options.batch, &filled, &completed_out))
        });
        let compositing = named("composite").spawn_scoped(scope, move || {
            // The loop itself is one of the pool's workers: its jobs are joined where they are
            // forked, and nothing crosses the pool's shared queue.
            guard.watch(|| {
                workers.install(|| {
                    composite_loop(composite, slots, &completed, &finished_out, &empty_out)
                })
            })
        });
        let saving = named("save")
            .spawn_scoped(scope, move || guard.watch(|| save(sink, &finished, log, whole)));
        // Every thread that was started is joined, also when a later one could not be.
        guard.join("assemble", assembling.map_err(spawn_failed("assemble")));
        guard.join("infer", inferring.map_err(spawn_failed("infer")));
        guard.join("composite", compositing.map_err(spawn_failed("composite")));
        guard.join("save", saving.map_err(spawn_failed("save")))
    });
    batches.extend(empty.try_iter());
    if let Some(error) = first_error.into_inner() {
        return Err(error);
    }
    // Without an error the sink's thread has returned what it knows.
    let saved = saved.ok_or(PipelineError::Panicked { stage: "save" })?;
    let spans = RunSpans {
        run: Span::since(started),
        finish: saved.finish,
        sequential: false,
        host_batches,
    };
    let cancelled = total.get() != Some(&saved.frames);
    let busy = saved.log.busy;
    let traces = saved.log.into_traces();
    Ok(RunReport { frames: saved.frames, cancelled, spans, busy, traces })
}

/// Keeps the first error of all threads.
#[derive(Clone, Copy)]
struct Guard<'a> {
    first_error: &'a OnceLock<PipelineError>,
    /// Wakes the assembler where it waits for speech, which no channel that closes would.
    failed: &'a CancelToken,
}

/// Tells that a stage failed unless it is forgotten; a panic drops it as well.
struct Alarm<'a>(&'a CancelToken);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Guard<'_> {
    /// Runs a stage; its error is recorded before its channels close, so that no consequence of
    /// it can come first.
    fn watch<T>(self, stage: impl FnOnce() -> Result<T, PipelineError>) -> Option<T> {
        let alarm = Alarm(self.failed);
        match stage() {
            Ok(value) => {
                std::mem::forget(alarm);
                Some(value)
            }
            Err(error) => {
                self.report(error);
                None
            }
        }
    }

    fn join<T>(
        self,
        stage: &'static str,
        thread: Result<std::thread::ScopedJoinHandle<'_, Option<T>>, PipelineError>,
    ) -> Option<T> {
        let joined = thread
            .and_then(|handle| handle.join().map_err(|_panic| PipelineError::Panicked { stage }));
        joined.unwrap_or_else(|error| {
            self.report(error);
            None
        })
    }

    fn report(self, error: PipelineError) {
        // Later errors are consequences of the first.
        let _later = self.first_error.set(error);
    }
}

/// `total` is set before the channel is closed, so that whoever sees the end knows it.
fn assemble(
    mut filling: Filling<'_>,
    empty: &Receiver<HostBatch>,
    filled: &Sender<HostBatch>,
    total: &OnceLock<u64>,
    [cancel, failed]: [&CancelToken; 2],
) -> Result<(), PipelineError> {
    loop {
        let waiting = Instant::now();
        if !filling.wait(cancel, failed.signal()) {
            break;
        }
        let speech_wait = Span::since(waiting);
        let Ok(mut batch) = empty.recv() else { break };
        batch.trace = BatchTrace::new(waiting);
        batch.trace.speech_wait = speech_wait;
        batch.trace.host_batch_wait = Span::since(speech_wait.end);
        let started = Instant::now();
        filling.fill(&mut batch)?;
        batch.trace.assemble = Span::since(started);
        if batch.is_empty() || filled.send(batch).is_err() {
            break;
        }
    }
    if filling.over {
        // Nobody else sets it.
        let _first = total.set(filling.filled());
    }
    Ok(())
}

fn infer(
    backend: &mut dyn Backend,
    batch: usize,
    filled: &Receiver<HostBatch>,
    completed: &Sender<Completed>,
) -> Result<(), PipelineError> {
    let room = backend.max_in_flight(batch);
    let mut flying = VecDeque::with_capacity(room);
    let mut handing_over = None;
    loop {
        while flying.len() < room {
            // Wait for work only when there is nothing else to wait for.
            let next = match flying.is_empty() {
                true => filled.recv().ok(),
                false => filled.try_recv().ok(),
            };
            let Some(batch) = next else { break };
            flying.push_back(backend.enqueue(batch)?);
        }
        let Some(oldest) = flying.pop_front() else { return Ok(()) };
        let mut batch = backend.wait(oldest)?;
        if let Some(wait) = handing_over {
            batch.trace_mut().composite_wait = wait;
        }
        let started = Instant::now();
        if completed.send(batch).is_err() {
            return Ok(());
        }
        handing_over = Some(Span::since(started));
    }
}

fn composite_loop(
    stage: CompositeStage<'_>,
    slots: &mut [Slot],
    completed: &Receiver<Completed>,
    finished: &Sender<Finished>,
    empty: &Sender<HostBatch>,
) -> Result<(), PipelineError> {
    let mut handing_over = None;
    for mut batch in completed {
        stage.run(&mut batch, slots)?;
        let mut batch = batch.into_batch();
        if let Some(wait) = handing_over {
            batch.trace.sink_wait = wait;
        }
        let (trace, frames) = (batch.trace, batch.len());
        let started = Instant::now();
        for (position, (slot, sample)) in slots.iter_mut().zip(batch.samples()).enumerate() {
            let frame = stage.take(slot, sample.index)?;
            let last = (position + 1 == frames).then_some(trace);
            if finished.send(Finished { frame, last }).is_err() {
                return Ok(());
            }
        }
        handing_over = Some(Span::since(started));
        batch.clear();
        // The assembler may have ended already; then nobody needs the batch in this run.
        if let Err(unsent) = empty.try_send(batch) {
            drop(unsent);
        }
    }
    Ok(())
}

/// Hands frames to the sink, and completes it if `whole` says that all have come that will.
fn save(
    mut sink: Box<dyn Sink>,
    finished: &Receiver<Finished>,
    mut log: RunLog,
    whole: impl Fn(u64) -> bool,
) -> Result<Saved, PipelineError> {
    let mut frames = 0;
    let mut started = None;
    for Finished { frame, last } in finished {
        let start = *started.get_or_insert_with(Instant::now);
        sink.write(frame)?;
        frames += 1;
        if let Some(mut trace) = last {
            trace.save = Span::since(start);
            log.push(trace);
            started = None;
        }
    }
    let finishing = Instant::now();
    if whole(frames) {
        sink.finish()?;
    }
    Ok(Saved { frames, log, finish: Span::since(finishing) })
}
