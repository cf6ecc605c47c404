//! What C++ calls back, on its way to the traits that callers implement.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Log, Progress, Severity};

impl Severity {
    /// From nvinfer1::ILogger::Severity, whose values all flavours share.
    pub(crate) fn from_raw(value: u8) -> Self {
        match value {
            0 => Self::InternalError,
            1 => Self::Error,
            2 => Self::Warning,
            3 => Self::Info,
            _ => Self::Verbose,
        }
    }
}

/// Keeps the errors, so that a failed call can say why, and passes everything on.
pub(crate) struct LogSink {
    log: Arc<dyn Log>,
    errors: Arc<Errors>,
}

/// Errors that were logged and not yet reported.
#[derive(Default)]
pub(crate) struct Errors(Mutex<Vec<String>>);

impl Errors {
    /// What a failing call is likely to have logged, oldest first. Empties the list.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, text: &str) {
        /// More would only hide the first ones.
        const KEPT: usize = 16;
        let mut errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < KEPT {
            errors.push(text.trim_end().to_owned());
        }
    }
}

impl LogSink {
    pub(crate) fn new(log: Arc<dyn Log>) -> (Self, Arc<Errors>) {
        let errors = Arc::<Errors>::default();
        (Self { log, errors: Arc::clone(&errors) }, errors)
    }

    pub(crate) fn message(&self, severity: Severity, text: &str) {
        if severity <= Severity::Error {
            self.errors.push(text);
        }
        self.log.message(severity, text);
    }
}

/// Passes a build's progress on and remembers whether it was cancelled.
pub(crate) struct ProgressSink {
    progress: Arc<dyn Progress>,
    cancelled: AtomicBool,
}

impl ProgressSink {
    pub(crate) fn new(progress: Arc<dyn Progress>) -> Self {
        Self { progress, cancelled: AtomicBool::new(false) }
    }

    /// Whether a step asked for an end.
    pub(crate) fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn phase_start(&self, name: &str, parent: Option<&str>, steps: u32) {
        self.progress.phase_start(name, parent, steps);
    }

    pub(crate) fn step(&self, name: &str, step: u32) -> ControlFlow<()> {
        let flow = self.progress.step(name, step);
        if flow.is_break() {
            self.cancelled.store(true, Ordering::Release);
        }
        flow
    }

    pub(crate) fn phase_finish(&self, name: &str) {
        self.progress.phase_finish(name);
    }
}
