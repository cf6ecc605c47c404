//! What a pipeline is behind its handle: idle, or in a run that the host has not waited for yet.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};
use engine::dataset::{Features, Package, Speech, feature_feed};
use engine::frame::OutputFrame;
use engine::pipeline::{CancelToken, Pipeline};
use engine::sink::Sink;

use crate::abi::{EngineInfo, EngineStageRates, EngineStatistics};
use crate::callback;
use crate::error::{Code, Error};
use crate::frames::{Held, HeldFrames};
use crate::open::{self, Opened};
use crate::options::Options;
use crate::run::{Rows, Run, Wait, lock};
use crate::sinks::{CallbackSink, Deliver, QueueSink};
use crate::stats;

const NO_RUN: Error = Error::new(Code::InvalidState, "no run is under way; start one first");
const BUSY: Error = Error::new(Code::InvalidState, "a run is under way; wait for it first");
const LOST: Error = Error::new(
    Code::Internal,
    "a run panicked and took the pipeline with it; this is a defect, please report it",
);

/// Where the rows of a run come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpeechChoice {
    Package,
    Pushed,
}

/// engine_pipeline.
pub struct Host {
    package: Arc<Package>,
    features: OnceLock<Features>,
    queued_frames: usize,
    pushed_rows: usize,
    held: HeldFrames,
    info: Info,
    state: Mutex<State>,
}

/// What does not change.
struct Info {
    width: usize,
    height: usize,
    network_side: usize,
    batch: usize,
    workers: usize,
    backend: CString,
    provider: CString,
    package: CString,
}

enum State {
    Idle(Box<Pipeline>),
    Measuring(CancelToken),
    Started(Arc<Run>, JoinHandle<Option<Box<Pipeline>>>),
    /// Somebody waits for the run's thread.
    Ending(Arc<Run>),
    Lost,
}

/// What the run's thread gets.
struct Work {
    pipeline: Box<Pipeline>,
    speech: Speech,
    sink: Box<dyn Sink>,
    /// Keeps the queue open until it is known how the run ended.
    queue: Sender<OutputFrame>,
}

impl Work {
    /// Gives the pipeline back, unless it panicked.
    fn run(self, run: &Run) -> Option<Box<Pipeline>> {
        let Self { mut pipeline, speech, sink, queue } = self;
        let render = || pipeline.run_speech(speech, sink, run.token());
        let outcome = catch_unwind(AssertUnwindSafe(render));
        let whole = outcome.is_ok();
        run.ended(match outcome {
            Ok(report) => report.map(|report| stats::statistics(&report)).map_err(Error::from),
            Err(_panic) => Err(LOST),
        });
        drop(queue);
        whole.then_some(pipeline)
    }
}

impl Host {
    pub(crate) fn open(root: &std::path::Path, options: &Options) -> Result<Self, Error> {
        let Opened { pipeline, package } = open::open(root, options)?;
        let stages = pipeline.stages();
        let info = Info {
            width: stages.frame.width,
            height: stages.frame.height,
            network_side: stages.backend.geometry().side(),
            batch: pipeline.options().batch,
            workers: pipeline.options().workers,
            backend: text(stages.backend.name()),
            provider: text(stages.backend.provider()),
            package: text(package.name()),
        };
        Ok(Self {
            package,
            features: OnceLock::new(),
            queued_frames: options.queued_frames,
            pushed_rows: options.pushed_rows,
            held: HeldFrames::new(options.held_frames),
            info,
            state: Mutex::new(State::Idle(Box::new(pipeline))),
        })
    }

    pub(crate) fn info(&self) -> EngineInfo {
        EngineInfo {
            width: self.info.width,
            height: self.info.height,
            frames_per_second: self.package.fps(),
            background_frames: self.package.frame_count(),
            network_side: self.info.network_side,
            batch: self.info.batch,
            workers: self.info.workers,
            backend: self.info.backend.as_ptr(),
            provider: self.info.provider.as_ptr(),
            package: self.info.package.as_ptr(),
        }
    }

    /// Begins a run whose frames go to `deliver`, or to a queue where there is none.
    pub(crate) fn start(
        &self,
        choice: SpeechChoice,
        deliver: Option<Deliver>,
    ) -> Result<(), Error> {
        let (rows, speech) = match choice {
            SpeechChoice::Package => {
                let features = self.features()?;
                let frames = features.rows() as u64;
                (Rows::Package(frames), Speech::Known { features, shown: 0..frames })
            }
            SpeechChoice::Pushed => {
                let (writer, reader) = feature_feed(self.pushed_rows);
                (Rows::Pushed(writer), Speech::Fed(reader))
            }
        };
        let seconds_per_frame = 1.0 / self.package.fps();
        let (queue, frames) = bounded(self.queued_frames);
        let pulled = deliver.is_none().then_some(frames);
        let run = Arc::new(Run::new(rows, pulled, seconds_per_frame));
        let sink: Box<dyn Sink> = match deliver {
            Some(deliver) => {
                Box::new(CallbackSink { deliver, seconds_per_frame, run: Arc::clone(&run) })
            }
            None => Box::new(QueueSink { queue: queue.clone(), token: run.token().clone() }),
        };

        let mut state = self.state();
        let pipeline = match std::mem::replace(&mut *state, State::Lost) {
            State::Idle(pipeline) => pipeline,
            other => {
                let error = if let State::Lost = other { LOST } else { BUSY };
                *state = other;
                // Dropping the sink calls the host, which may well ask something.
                drop(state);
                return Err(error);
            }
        };
        // Where it can be had back from should the thread not start.
        let work = Arc::new(Mutex::new(Some(Work { pipeline, speech, sink, queue })));
        let (given, shared) = (Arc::clone(&work), Arc::clone(&run));
        let thread = thread::Builder::new()
            .name("engine-run".to_owned())
            .spawn(move || lock(&given).take()?.run(&shared));
        let error = match thread {
            Ok(thread) => {
                *state = State::Started(run, thread);
                return Ok(());
            }
            Err(error) => error,
        };
        let unused = lock(&work).take().map(|work| {
            *state = State::Idle(work.pipeline);
            (work.speech, work.sink)
        });
        drop(state);
        drop(unused);
        let message = format!("cannot start the run's thread: {error}");
        Err(Error::text(Code::NoResources, message))
    }

    pub(crate) fn push(&self, values: &[f32], all: bool) -> Result<usize, Error> {
        self.run()?.push(values, all)
    }

    pub(crate) fn close_input(&self) -> Result<(), Error> {
        self.run()?.close_input()
    }

    pub(crate) fn pull(&self, wait: Wait) -> Result<Box<Held>, Error> {
        self.run()?.pull(wait, &self.held)
    }

    /// Asks whatever is under way to end.
    pub(crate) fn cancel(&self) {
        match &*self.state() {
            State::Started(run, _) | State::Ending(run) => run.token().cancel(),
            State::Measuring(token) => token.cancel(),
            State::Idle(_) | State::Lost => {}
        }
    }

    /// Waits for the end of the run.
    pub(crate) fn wait(&self) -> Result<EngineStatistics, Error> {
        if callback::inside() {
            let message = "inside a callback nothing can be waited for";
            return Err(Error::new(Code::InvalidState, message));
        }
        let (run, thread) = {
            let mut state = self.state();
            match std::mem::replace(&mut *state, State::Lost) {
                State::Started(run, thread) if run.ends_by_itself() => {
                    *state = State::Ending(Arc::clone(&run));
                    (run, thread)
                }
                other => {
                    let error = match &other {
                        State::Started(..) => Error::new(
                            Code::InvalidState,
                            "frames are left to pull; pull until the end, or cancel",
                        ),
                        State::Ending(_) => {
                            Error::new(Code::InvalidState, "another thread waits for this run")
                        }
                        State::Idle(_) | State::Measuring(_) => NO_RUN,
                        State::Lost => LOST,
                    };
                    *state = other;
                    return Err(error);
                }
            }
        };
        self.join(thread);
        run.outcome().unwrap_or(Err(LOST))
    }

    /// Renders the package's speech into `deliver`.
    pub(crate) fn run_package(&self, deliver: Deliver) -> Result<EngineStatistics, Error> {
        if callback::inside() {
            let message = "inside a callback nothing can be waited for";
            return Err(Error::new(Code::InvalidState, message));
        }
        self.start(SpeechChoice::Package, Some(deliver))?;
        self.wait()
    }

    /// Measures every stage alone.
    pub(crate) fn measure(&self) -> Result<EngineStageRates, Error> {
        let token = CancelToken::new();
        let mut pipeline = {
            let mut state = self.state();
            match std::mem::replace(&mut *state, State::Measuring(token.clone())) {
                State::Idle(pipeline) => pipeline,
                other => {
                    let error = if let State::Lost = other { LOST } else { BUSY };
                    *state = other;
                    return Err(error);
                }
            }
        };
        let measured = catch_unwind(AssertUnwindSafe(|| pipeline.measure_stages(None, &token)));
        let Ok(measured) = measured else {
            *self.state() = State::Lost;
            return Err(LOST);
        };
        *self.state() = State::Idle(pipeline);
        match measured? {
            Some(rates) => Ok(stats::rates(&rates)),
            None => Err(Error::new(Code::Cancelled, "the measurement was cancelled")),
        }
    }

    /// Cancels what is under way, and waits for its end where that is possible.
    pub(crate) fn shut_down(&self) {
        self.cancel();
        if callback::inside() {
            // The thread goes on without its handle. Whoever is last frees what there is.
            return;
        }
        let thread = {
            let mut state = self.state();
            match std::mem::replace(&mut *state, State::Lost) {
                State::Started(run, thread) => {
                    *state = State::Ending(run);
                    Some(thread)
                }
                other => {
                    *state = other;
                    None
                }
            }
        };
        if let Some(thread) = thread {
            self.join(thread);
        }
    }

    fn join(&self, thread: JoinHandle<Option<Box<Pipeline>>>) {
        let pipeline = thread.join().ok().flatten();
        *self.state() = pipeline.map_or(State::Lost, State::Idle);
    }

    fn run(&self) -> Result<Arc<Run>, Error> {
        match &*self.state() {
            State::Started(run, _) | State::Ending(run) => Ok(Arc::clone(run)),
            State::Idle(_) => Err(NO_RUN),
            State::Measuring(_) => Err(BUSY),
            State::Lost => Err(LOST),
        }
    }

    /// The package's own rows, read once.
    fn features(&self) -> Result<Features, Error> {
        if let Some(features) = self.features.get() {
            return Ok(features.clone());
        }
        let read = self.package.features()?;
        Ok(self.features.get_or_init(|| read).clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// For C; a name with a null in it ends there.
fn text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}
