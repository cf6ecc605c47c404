//! One stage after the other, batch by batch.

use std::time::Instant;

use super::filling::Filling;
use super::log::RunLog;
use super::run::{CompositeStage, Slot};
use super::{CancelToken, Pipeline, PipelineError, RunReport};
use crate::backend::Backend;
use crate::batch::{BatchTrace, HostBatch, Span};
use crate::dataset::Speech;
use crate::metrics::RunSpans;
use crate::sink::Sink;

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
    let work = Loop {
        filling: Filling::new(source, &stages.assembler, speech, options.batch),
        backend: &mut *stages.backend,
        composite: CompositeStage {
            compositor: &stages.compositor,
            rects: &stages.rects,
            frame: stages.frame,
            outputs,
            in_ram: stages.store.in_ram(),
        },
        batches,
        slots,
        cancel,
    };
    // The loop is one of the pool's workers, so that nothing crosses the pool's shared queue.
    let done = workers.install(|| work.run(sink, log))?;
    let spans = RunSpans {
        run: Span::since(started),
        finish: done.finish,
        sequential: true,
        host_batches: 1,
    };
    Ok(RunReport {
        frames: done.saved,
        cancelled: !done.whole,
        spans,
        busy: done.log.busy,
        traces: done.log.into_traces(),
    })
}

struct Loop<'a> {
    filling: Filling<'a>,
    backend: &'a mut dyn Backend,
    composite: CompositeStage<'a>,
    batches: &'a mut Vec<HostBatch>,
    slots: &'a mut [Slot],
    cancel: &'a CancelToken,
}

/// What is known at the end.
struct Done {
    saved: u64,
    /// Whether those are all the frames there are.
    whole: bool,
    log: RunLog,
    finish: Span,
}

impl Loop<'_> {
    fn run(self, mut sink: Box<dyn Sink>, mut log: RunLog) -> Result<Done, PipelineError> {
        let Self { mut filling, backend, composite, batches, slots, cancel } = self;
        let mut saved = 0;
        // Nothing else is under way that could fail while this waits.
        let failed = crossbeam_channel::never();
        loop {
            let waiting = Instant::now();
            if !filling.wait(cancel, &failed) {
                break;
            }
            let now = Instant::now();
            let Some(mut batch) = batches.pop() else { break };
            batch.clear();
            batch.trace = BatchTrace::new(now);
            batch.trace.speech_wait = Span { start: waiting, end: now };
            filling.fill(&mut batch)?;
            batch.trace.assemble = Span::since(now);
            if batch.is_empty() {
                batches.push(batch);
                break;
            }

            let in_flight = backend.enqueue(batch)?;
            let mut completed = backend.wait(in_flight)?;

            composite.run(&mut completed, slots)?;

            let now = Instant::now();
            let mut batch = completed.into_batch();
            for (slot, sample) in slots.iter_mut().zip(batch.samples()) {
                sink.write(composite.take(slot, sample.index)?)?;
            }
            batch.trace.save = Span::since(now);
            log.push(batch.trace);
            saved += batch.len() as u64;
            batch.clear();
            batches.push(batch);
        }
        let finishing = Instant::now();
        let whole = filling.over && saved == filling.filled();
        if whole || cancel.is_cancelled() {
            sink.finish()?;
        }
        Ok(Done { saved, whole, log, finish: Span::since(finishing) })
    }
}
