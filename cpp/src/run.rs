//! One run: what the host and the run's thread share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use crossbeam_channel::{Receiver, TryRecvError, select_biased};
use engine::dataset::{FeatureWriter, Features};
use engine::frame::OutputFrame;
use engine::pipeline::CancelToken;

use crate::abi::EngineStatistics;
use crate::callback;
use crate::error::{Code, Error};
use crate::frames::{Held, HeldFrames};

const CANCELLED: Error = Error::new(Code::Cancelled, "the run was cancelled");
const NOT_READY: Error = Error::new(Code::NotReady, "no frame is ready");
const NOT_DUE: Error =
    Error::new(Code::NotReady, "no frame is due: push more rows, or close the input");
const EXHAUSTED: Error =
    Error::new(Code::Exhausted, "the host holds all frames that it may; release one");
const END: Error = Error::new(Code::End, "all frames of the run have been pulled");
const NOT_PULLED: Error =
    Error::new(Code::InvalidState, "the frames of this run go to a callback, not to pull");
const NOT_PUSHED: Error =
    Error::new(Code::InvalidState, "the rows of this run are the package's, not pushed");
const PUSHING: Error = Error::new(
    Code::InvalidState,
    "another thread is pushing; a callback cannot wait for it to close the input",
);
const CLOSED: Error = Error::new(Code::InvalidState, "the input was closed; no row can follow");

/// How long a pull waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Never,
    /// For a frame that can be made of the rows that have been pushed.
    Due,
    /// As long as it takes.
    Always,
}

/// Where the rows come from.
pub(crate) enum Rows {
    /// The package; so many frames.
    Package(u64),
    Pushed(FeatureWriter),
}

/// A run under way, or ended and not yet waited for.
pub(crate) struct Run {
    token: CancelToken,
    /// Finished frames; `None` where a callback takes them. Closed once `outcome` is known.
    queue: Option<Receiver<OutputFrame>>,
    /// Whether the host has been told how the run ended. Held while it pulls.
    told: Mutex<bool>,
    /// Frames that the host has got, either way.
    delivered: AtomicU64,
    /// `None` where rows are not pushed, or not any more.
    writer: Mutex<Option<FeatureWriter>>,
    pushed: bool,
    /// Rows that came so far, and whether more can follow.
    rows: AtomicU64,
    closed: AtomicBool,
    seconds_per_frame: f64,
    callback_error: OnceLock<Error>,
    outcome: OnceLock<Result<EngineStatistics, Error>>,
}

impl Run {
    pub(crate) fn new(
        rows: Rows,
        queue: Option<Receiver<OutputFrame>>,
        seconds_per_frame: f64,
    ) -> Self {
        let (count, writer) = match rows {
            Rows::Package(frames) => (frames, None),
            Rows::Pushed(writer) => (0, Some(writer)),
        };
        Self {
            token: CancelToken::new(),
            queue,
            told: Mutex::new(false),
            delivered: AtomicU64::new(0),
            pushed: writer.is_some(),
            closed: AtomicBool::new(writer.is_none()),
            writer: Mutex::new(writer),
            rows: AtomicU64::new(count),
            seconds_per_frame,
            callback_error: OnceLock::new(),
            outcome: OnceLock::new(),
        }
    }

    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Says why the callback failed, before its error reaches the pipeline.
    pub(crate) fn callback_failed(&self, message: String) {
        // Only the first failure of a run is followed by no other call.
        let _first = self.callback_error.set(Error::text(Code::Callback, message));
    }

    /// What the run came to. Known before the queue is closed.
    pub(crate) fn ended(&self, outcome: Result<EngineStatistics, Error>) {
        let outcome = outcome.map_err(|error| self.callback_error.get().cloned().unwrap_or(error));
        let _first = self.outcome.set(outcome);
    }

    /// A frame has reached the host.
    pub(crate) fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    /// What the run came to, once its thread has ended.
    pub(crate) fn outcome(&self) -> Option<Result<EngineStatistics, Error>> {
        let mut outcome = self.outcome.get().cloned()?;
        if let Ok(statistics) = &mut outcome {
            // Frames may have been made before the run was cancelled, and given up after it.
            let given_up = self.delivered.load(Ordering::Relaxed) < statistics.frames;
            statistics.cancelled |= i32::from(given_up);
        }
        Some(outcome)
    }

    /// Whether waiting for the run's thread ends without the host doing anything.
    pub(crate) fn ends_by_itself(&self) -> bool {
        // Where somebody is pulling, nobody has been told yet.
        let told = || free(&self.told).is_some_and(|told| *told);
        self.queue.is_none() || self.token.is_cancelled() || told()
    }

    /// Appends the rows in `values` and says how many were taken. `all` waits for room.
    pub(crate) fn push(&self, values: &[f32], all: bool) -> Result<usize, Error> {
        if !self.pushed {
            return Err(NOT_PUSHED);
        }
        if all && callback::inside() {
            let message = "push_all waits, which no callback may; use push";
            return Err(Error::new(Code::InvalidState, message));
        }
        FeatureWriter::check(values)?;
        let guard = if all { Some(lock(&self.writer)) } else { free(&self.writer) };
        if self.token.is_cancelled() {
            return Err(CANCELLED);
        }
        // The rows of whoever is pushing come first, so there is no room for others.
        let Some(mut guard) = guard else { return Ok(0) };
        let Some(writer) = guard.as_mut() else { return Err(self.failure().unwrap_or(CLOSED)) };
        let mut taken = 0;
        // Row by row, so that frames are due while more rows wait for room.
        for row in values.chunks(Features::ROW) {
            let written = match all {
                true => writer.write_all(row, self.token.signal()),
                false => writer.write(row),
            };
            match written {
                // A run that was cancelled may have stopped reading already.
                Ok(0) | Err(_) if self.token.is_cancelled() => return Err(CANCELLED),
                Ok(0) => break,
                Ok(_) => taken += 1,
                Err(error) => return Err(self.failure().unwrap_or_else(|| error.into())),
            }
            self.rows.store(writer.written(), Ordering::Release);
        }
        Ok(taken)
    }

    /// No row follows.
    pub(crate) fn close_input(&self) -> Result<(), Error> {
        if !self.pushed {
            return Err(NOT_PUSHED);
        }
        let mut writer = match callback::inside() {
            // A push_all may be waiting for this callback to return.
            true => free(&self.writer).ok_or(PUSHING)?,
            false => lock(&self.writer),
        };
        if self.token.is_cancelled() {
            return Err(CANCELLED);
        }
        self.closed.store(true, Ordering::Release);
        *writer = None;
        Ok(())
    }

    /// The next frame, in a handle of `held`.
    pub(crate) fn pull(&self, wait: Wait, held: &HeldFrames) -> Result<Box<Held>, Error> {
        let Some(queue) = &self.queue else { return Err(NOT_PULLED) };
        let told = match wait {
            Wait::Never => free(&self.told),
            Wait::Due | Wait::Always => Some(lock(&self.told)),
        };
        let Some(mut told) = told else { return Err(NOT_READY) };
        if *told || self.token.is_cancelled() {
            *told = true;
            return Err(self.end());
        }
        let handle = held.take().ok_or(EXHAUSTED)?;
        let waits = match wait {
            Wait::Never => Err(NOT_READY),
            Wait::Due if !self.is_due(self.delivered.load(Ordering::Relaxed)) => Err(NOT_DUE),
            Wait::Due | Wait::Always => Ok(()),
        };
        let received = match (queue.try_recv(), waits) {
            (Ok(frame), _) => Some(frame),
            (Err(TryRecvError::Disconnected), _) => None,
            (Err(TryRecvError::Empty), Err(error)) => return Err(error),
            (Err(TryRecvError::Empty), Ok(())) => select_biased! {
                recv(self.token.signal()) -> _ => None,
                recv(queue) -> frame => frame.ok(),
            },
        };
        let Some(frame) = received else {
            *told = true;
            return Err(self.end());
        };
        self.delivered();
        let seconds = frame.index as f64 * self.seconds_per_frame;
        handle.fill(frame, seconds).ok_or(EXHAUSTED)
    }

    /// Whether frame `k`, or the end in its place, comes without any further row.
    fn is_due(&self, k: u64) -> bool {
        // In this order: once the input is closed, the count stands.
        let closed = self.closed.load(Ordering::Acquire);
        let rows = self.rows.load(Ordering::Acquire);
        closed || self.outcome.get().is_some() || k + ROWS_AFTER < rows
    }

    /// How the run ended, for whoever asks for another frame.
    fn end(&self) -> Error {
        if self.token.is_cancelled() {
            return CANCELLED;
        }
        self.failure().unwrap_or(END)
    }

    fn failure(&self) -> Option<Error> {
        self.outcome.get()?.as_ref().err().cloned()
    }
}

/// Rows after a frame's own that it needs.
const ROWS_AFTER: u64 = 7;

/// Waits for a lock. What a panic has left behind is still what it is.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock that nobody has.
fn free<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
