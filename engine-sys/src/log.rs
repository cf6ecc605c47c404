//! TensorRT's messages.

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

/// Takes TensorRT's messages, from any thread.
pub trait Log: Send + Sync {
    /// One message, without a newline at its end.
    fn message(&self, severity: Severity, text: &str);
}
