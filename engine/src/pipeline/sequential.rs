//! One stage after the other, batch by batch.

use std::ops::Range;
use std::time::Instant;

use super::log::RunLog;
use super::run::{CompositeStage, Slot};
use super::{CancelToken, Pipeline, PipelineError, RunReport, Stages};
use crate::batch::{Assembler, BatchTrace, HostBatch, Span};
use crate::dataset::FrameSource;
use crate::frame::BufferPool;
use crate::metrics::RunSpans;
use crate::sink::Sink;

pub(super) fn run(
    pipeline: &mut Pipeline,
    shown: Range<u64>,
    sink: Box<dyn Sink>,
    cancel: &CancelToken,
) -> Result<RunReport, PipelineError> {
    let started = Instant::now();
    let frames = shown.end.saturating_sub(shown.start);
    let log = pipeline.log(frames);
    let source = pipeline.stages.store.source(shown, pipeline.frames_in_flight())?;
    let Pipeline { stages, workers, batches, slots, outputs, options, .. } = pipeline;
    let work = Loop { stages, batches, slots, outputs, batch: options.batch, frames, cancel };
    // The loop is one of the pool's workers, so that nothing crosses the pool's shared queue.
    let (saved, log, finish) = workers.install(|| work.run(source, sink, log))?;
    let spans = RunSpans { run: Span::since(started), finish, sequential: true, host_batches: 1 };
    Ok(RunReport {
        frames: saved,
        cancelled: saved < frames,
        spans,
        busy: log.busy,
        traces: log.traces,
    })
}

struct Loop<'a> {
    stages: &'a mut Stages,
    batches: &'a mut Vec<HostBatch>,
    slots: &'a mut [Slot],
    outputs: &'a BufferPool,
    batch: usize,
    frames: u64,
    cancel: &'a CancelToken,
}

impl Loop<'_> {
    fn run(
        self,
        mut source: FrameSource,
        mut sink: Box<dyn Sink>,
        mut log: RunLog,
    ) -> Result<(u64, RunLog, Span), PipelineError> {
        let Self { stages, batches, slots, outputs, .. } = self;
        let mut saved = 0;
        while saved < self.frames && !self.cancel.is_cancelled() {
            let now = Instant::now();
            let Some(mut batch) = batches.pop() else { break };
            batch.clear();
            batch.trace = BatchTrace::new(now);
            fill(&mut batch, self.batch, &mut source, &stages.assembler)?;
            batch.trace.assemble = Span::since(now);
            if batch.is_empty() {
                batches.push(batch);
                break;
            }

            let in_flight = stages.backend.enqueue(batch)?;
            let mut completed = stages.backend.wait(in_flight)?;

            let composite = CompositeStage::new(stages, outputs);
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
        if saved == self.frames || self.cancel.is_cancelled() {
            sink.finish()?;
        }
        Ok((saved, log, Span::since(finishing)))
    }
}

/// Fills a batch with up to `room` samples.
pub(super) fn fill(
    batch: &mut HostBatch,
    room: usize,
    source: &mut FrameSource,
    assembler: &Assembler,
) -> Result<(), PipelineError> {
    for _ in 0..room {
        let asked = Instant::now();
        let Some(sample) = source.next() else { break };
        batch.trace.frame_wait += asked.elapsed();
        assembler.push(batch, sample?);
    }
    batch.trace.frames = batch.len();
    Ok(())
}
