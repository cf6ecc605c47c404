//! TensorRT's messages.

use std::sync::{Arc, Mutex, PoisonError};

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// TensorRT found itself in a state that it cannot be in.
    InternalError,
    /// Something was refused or failed.
    Error,
    /// Something works, though not as well as it could.
    Warning,
    /// What is being done.
    Info,
    /// Every detail of it.
    Verbose,
}

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

/// Takes TensorRT's messages, from any thread.
pub trait Log: Send + Sync {
    /// One message, without a newline at its end.
    fn message(&self, severity: Severity, text: &str);
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
