//! Where frames are composited: on the CPU, or on the device that runs the network.

use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{CancelToken, Pipeline, PipelineError, PipelineOptions, Stages};
use crate::backend::DevicePlan;
use crate::composite::{Compositor, CompositorChoice, Interpolation};
use crate::frame::OutputFrame;
use crate::sink::{NullSink, Sink, SinkError};

/// What is asked of compositing.
#[derive(Clone, Copy, Debug)]
pub struct Placement<'a> {
    /// Who is to composite. Only [`CompositorChoice::Auto`] leaves it open.
    pub choice: CompositorChoice,
    /// How crops are resized.
    pub interpolation: Interpolation,
    /// Frames that are to be made, where that is known: few are not worth a measurement.
    pub frames: Option<u64>,
    /// How the pipeline will be run.
    pub options: PipelineOptions,
    /// What the backend has to know.
    pub plan: DevicePlan<'a>,
}

/// Fewer frames than this are made before a measurement has paid: a minute of video.
const WORTH_MEASURING: u64 = 1500;

/// Time that each of the two is measured for, once it has been warmed up.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

/// The device has to be this fast against the CPU: as fast, it leaves the CPU to others.
const AT_LEAST: f64 = 0.98;

impl Stages {
    /// Has the backend composite, where that is asked for, or left open and faster: both are then
    /// measured for a moment, and have to give the same frames. The compositor must be the one that
    /// `placement` asks for. `say` takes a line about what was found.
    ///
    /// # Errors
    /// When the backend is asked by name and cannot, or a run fails.
    pub fn place_compositing(
        mut self,
        placement: &Placement<'_>,
        cancel: &CancelToken,
        say: &dyn Fn(&str),
    ) -> Result<Self, PipelineError> {
        let Placement { choice, interpolation, frames, .. } = *placement;
        match choice {
            CompositorChoice::Cuda => {
                let text = self.backend.composite_on_device(&placement.plan)?;
                say(&format!("regions     {text}"));
                Ok(self)
            }
            CompositorChoice::Auto
                if self.backend.can_composite() && interpolation == Interpolation::Linear =>
            {
                if frames.is_some_and(|frames| frames < WORTH_MEASURING) {
                    say(
                        "the GPU was not tried for compositing, since that pays after a minute of video",
                    );
                    return Ok(self);
                }
                self.faster(placement, cancel, say)
            }
            _ => Ok(self),
        }
    }

    /// With whichever compositor is faster.
    fn faster(
        self,
        placement: &Placement<'_>,
        cancel: &CancelToken,
        say: &dyn Fn(&str),
    ) -> Result<Self, PipelineError> {
        let options = PipelineOptions { sink_depth: 0, trace: false, ..placement.options };
        let (mut stages, on_cpu) = trial(self, options, cancel)?;
        let level = stages.compositor.level();
        if cancel.is_cancelled() {
            return Ok(stages);
        }
        let text = match stages.backend.composite_on_device(&placement.plan) {
            Ok(text) => text,
            Err(error) => {
                stages.backend.composite_on_host()?;
                say(&format!("the GPU cannot composite: {error}"));
                return Ok(stages);
            }
        };
        let device = Compositor::new(
            CompositorChoice::Cuda,
            Interpolation::Linear,
            stages.backend.geometry(),
            stages.frame,
            &stages.rects,
        )?;
        let cpu = std::mem::replace(&mut stages.compositor, device);
        let (mut stages, on_device) = trial(stages, options, cancel)?;
        let verdict = verdict(&on_cpu, &on_device);
        let speeds = format!(
            "{:.0} frames/s with the GPU compositing, {:.0} with {level}",
            on_device.fps, on_cpu.fps
        );
        match verdict {
            Verdict::Device => {
                say(&format!("measured    {speeds}"));
                say(&format!("regions     {text}"));
                return Ok(stages);
            }
            Verdict::Cpu => say(&format!("measured    {speeds}")),
            Verdict::Differs => say(
                "warning: the GPU is not used for compositing, since it makes other frames than the \
                 CPU; please report it",
            ),
        }
        stages.backend.composite_on_host()?;
        stages.compositor = cpu;
        Ok(stages)
    }
}

/// Which of the two is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Device,
    Cpu,
    Differs,
}

fn verdict(on_cpu: &Trial, on_device: &Trial) -> Verdict {
    match () {
        () if on_cpu.frames != on_device.frames => Verdict::Differs,
        () if on_device.fps >= on_cpu.fps * AT_LEAST => Verdict::Device,
        () => Verdict::Cpu,
    }
}

/// How the stages did.
#[derive(Clone, Copy, Debug)]
struct Trial {
    fps: f64,
    /// A hash of the first frames.
    frames: u64,
}

fn trial(
    stages: Stages,
    options: PipelineOptions,
    cancel: &CancelToken,
) -> Result<(Stages, Trial), PipelineError> {
    let mut pipeline = Pipeline::new(stages, options)?;
    // A lane captures its graph when a size comes for the second time.
    let lanes = pipeline.stages().backend.max_in_flight(options.batch);
    let mut frames = (3 * lanes * options.batch) as u64;
    let hash = Hash::default();
    pipeline.run(frames, Box::new(hash.clone()), cancel)?;
    let report = loop {
        let report = pipeline.run(frames, Box::new(NullSink), cancel)?;
        if report.cancelled || report.wall() >= LONG_ENOUGH || frames > 1 << 16 {
            break report;
        }
        frames *= 2;
    };
    Ok((pipeline.into_stages(), Trial { fps: report.fps(), frames: hash.value() }))
}

/// Takes the pixels of all frames together.
#[derive(Clone, Default)]
struct Hash(Arc<Mutex<DefaultHasher>>);

impl Hash {
    fn value(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).finish()
    }
}

impl Sink for Hash {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(&frame.pixels);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_frames_come_before_speed() {
        let trial = |fps, frames| Trial { fps, frames };
        let decide = |device| verdict(&trial(100.0, 1), &device);
        assert_eq!(decide(trial(300.0, 1)), Verdict::Device);
        // As fast, it leaves the CPU to others.
        assert_eq!(decide(trial(99.0, 1)), Verdict::Device);
        assert_eq!(decide(trial(97.0, 1)), Verdict::Cpu);
        assert_eq!(decide(trial(300.0, 2)), Verdict::Differs);
    }
}
