//! Each stage measured alone, for the bound that a run is held against.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::run::CompositeStage;
use super::{CancelToken, Pipeline, PipelineError};
use crate::batch::{Completed, HostBatch};
use crate::frame::{BufferPool, OutputFrame};
use crate::sink::Sink;

/// Frames per second of each stage with nothing else running.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageRates {
    /// The frame store's decoder; `None` when all frames are in RAM.
    pub decode: Option<f64>,
    /// Filling inputs.
    pub assemble: f64,
    /// The network, at this batch; exactly 1000 / ms per frame where that is simulated.
    pub infer: f64,
    /// Compositing with this many workers, frame copy included where a run copies.
    pub composite: f64,
    /// The sink; `None` when it was not measured.
    pub save: Option<f64>,
}

impl StageRates {
    /// The slowest stage and its rate: no run can be faster.
    pub fn bound(&self) -> (&'static str, f64) {
        [
            ("decode", self.decode.unwrap_or(f64::INFINITY)),
            ("assemble", self.assemble),
            ("infer", self.infer),
            ("composite", self.composite),
            ("save", self.save.unwrap_or(f64::INFINITY)),
        ]
        .into_iter()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or(("infer", self.infer))
    }
}

/// Time that each stage is measured for, once it has been warmed up.
const AT_LEAST: Duration = Duration::from_millis(300);

/// Time that the decoder is measured for.
const DECODE_AT_MOST: Duration = Duration::from_millis(1500);

/// Frames that the sink is measured with, and that the decoder is ahead at most when it begins.
const FRAMES: u64 = 60;

impl Pipeline {
    /// Measures each stage alone. `sink` takes a few dozen real frames and is finished. `None` when
    /// cancelled, which is looked at between batches.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn measure_stages(
        &mut self,
        sink: Option<Box<dyn Sink>>,
        cancel: &CancelToken,
    ) -> Result<Option<StageRates>, PipelineError> {
        self.restock()?;
        let batch_size = self.options.batch;
        let decode = match self.stages.store.in_ram() {
            true => None,
            false => Some(self.decode_rate()?),
        };

        let mut batch = self.batches.pop().ok_or(PipelineError::Panicked { stage: "probe" })?;
        let assemble = self.assemble_rate(&mut batch)?;

        let in_flight = self.stages.backend.enqueue(batch)?;
        let mut completed = self.stages.backend.wait(in_flight)?;
        let infer = match self.stages.backend.nominal_ms() {
            Some(ms) => 1e3 / ms,
            None => {
                let (rate, batch) = self.infer_rate(completed.into_batch(), cancel)?;
                completed = batch;
                rate
            }
        };

        let Self { stages, workers, slots, outputs, .. } = self;
        let stage = CompositeStage::new(stages, outputs);
        // The first round gives every slot its buffer, in both kinds of store.
        workers.install(|| stage.run(&mut completed, slots))?;
        let mut rounds = Rounds::new(batch_size, AT_LEAST);
        while rounds.more() && !cancel.is_cancelled() {
            workers.install(|| stage.paste(&mut completed, slots));
        }
        let composite = rounds.rate();

        let mut frames = Vec::with_capacity(batch_size);
        let mut batch = completed.into_batch();
        for (slot, sample) in slots.iter_mut().zip(batch.samples()) {
            frames.push(stage.take(slot, sample.index)?);
        }
        batch.clear();
        self.batches.push(batch);
        let save = sink.map(|sink| self.save_rate(sink, &frames)).transpose()?;
        let rates = StageRates { decode, assemble, infer, composite, save };
        Ok((!cancel.is_cancelled()).then_some(rates))
    }

    /// Over there and back again, as far as that goes in the time there is.
    fn decode_rate(&self) -> Result<f64, PipelineError> {
        let count = 2 * self.stages.rects.len() as u64 + FRAMES;
        let mut source = self.stages.store.source(0..count, self.frames_in_flight())?;
        // The first ones fill the decoder's queue and are not counted.
        for _ in 0..FRAMES {
            source.next().transpose()?;
        }
        let (started, mut frames) = (Instant::now(), 0);
        while started.elapsed() < DECODE_AT_MOST && source.next().transpose()?.is_some() {
            frames += 1;
        }
        Ok(f64::from(frames) / started.elapsed().as_secs_f64())
    }

    /// Leaves `batch` filled.
    fn assemble_rate(&self, batch: &mut HostBatch) -> Result<f64, PipelineError> {
        let mut frames = 0_u32;
        let mut busy = Duration::ZERO;
        while busy < AT_LEAST / 4 {
            batch.clear();
            let count = self.options.batch as u64;
            for sample in self.stages.store.source(0..count, self.frames_in_flight())? {
                let sample = sample?;
                let started = Instant::now();
                self.stages.assembler.push(batch, sample);
                busy += started.elapsed();
                frames += 1;
            }
        }
        Ok(f64::from(frames) / busy.as_secs_f64())
    }

    /// With as many batches in flight as there are in a run, `batch` and others like it. Gives back
    /// one of them, with its predictions.
    fn infer_rate(
        &mut self,
        batch: HostBatch,
        cancel: &CancelToken,
    ) -> Result<(f64, Completed), PipelineError> {
        let in_flight = self.stages.backend.max_in_flight(self.options.batch);
        let spare = (in_flight - 1).min(self.batches.len());
        let mut ready = vec![batch];
        for mut other in self.batches.split_off(self.batches.len() - spare) {
            let count = self.options.batch as u64;
            for sample in self.stages.store.source(0..count, self.frames_in_flight())? {
                self.stages.assembler.push(&mut other, sample?);
            }
            ready.push(other);
        }
        let backend = &mut self.stages.backend;
        let mut flying = VecDeque::with_capacity(ready.len());
        for batch in ready {
            flying.push_back(backend.enqueue(batch)?);
        }
        let mut rounds = Rounds::new(self.options.batch, 3 * AT_LEAST);
        let mut last = None;
        while let Some(oldest) = flying.pop_front() {
            let completed = backend.wait(oldest)?;
            if last.is_none() && rounds.more() && !cancel.is_cancelled() {
                flying.push_back(backend.enqueue(completed.into_batch())?);
            } else if let Some(completed) = last.replace(completed) {
                let mut batch = completed.into_batch();
                batch.clear();
                self.batches.push(batch);
            }
        }
        let last = last.ok_or(PipelineError::Panicked { stage: "probe" })?;
        Ok((rounds.rate(), last))
    }

    fn save_rate(
        &self,
        mut sink: Box<dyn Sink>,
        frames: &[OutputFrame],
    ) -> Result<f64, PipelineError> {
        // Buffers keep their pixels when they return, so each is filled once.
        let pool = BufferPool::new(self.options.sink_depth + 2, self.stages.frame.bytes())?;
        let mut held: Vec<_> = (0..pool.count()).map(|_| pool.take()).collect::<Result<_, _>>()?;
        for (buffer, frame) in held.iter_mut().zip(frames.iter().cycle()) {
            buffer.copy_from_slice(&frame.pixels);
        }
        drop(held);
        let started = Instant::now();
        for index in 0..FRAMES {
            sink.write(OutputFrame { index, size: self.stages.frame, pixels: pool.take()? })?;
        }
        sink.finish()?;
        Ok(FRAMES as f64 / started.elapsed().as_secs_f64())
    }
}

/// Times rounds of `frames` frames each; the first is not counted.
struct Rounds {
    frames: usize,
    at_least: Duration,
    began: Instant,
    marks: Vec<Instant>,
}

impl Rounds {
    fn new(frames: usize, at_least: Duration) -> Self {
        Self { frames, at_least, began: Instant::now(), marks: Vec::with_capacity(1 << 12) }
    }

    /// Whether to do another round.
    fn more(&mut self) -> bool {
        let now = Instant::now();
        self.marks.push(now);
        self.marks.len() < 7 || now - self.began < self.at_least
    }

    /// Frames per second, from the median round.
    fn rate(&self) -> f64 {
        let mut times: Vec<f64> =
            self.marks.windows(2).skip(1).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        // Cancelled before a round was whole, there is nothing to say.
        times.get(times.len() / 2).map_or(f64::NAN, |time| self.frames as f64 / time)
    }
}
