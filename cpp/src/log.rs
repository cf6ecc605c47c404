//! Lines for the host's log.

use std::sync::{Arc, PoisonError, RwLock};

/// How much a line matters: ENGINE_LOG_INFO, ENGINE_LOG_WARNING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Level {
    Info = 0,
    Warning = 1,
}

/// Takes lines, from any thread.
pub(crate) trait Logger: Send + Sync {
    fn line(&self, level: Level, text: &str);
}

static LOGGER: RwLock<Option<Arc<dyn Logger>>> = RwLock::new(None);

/// Replaces what takes the lines. The one before is dropped when its last call has returned.
pub(crate) fn set(logger: Option<Arc<dyn Logger>>) {
    let before =
        std::mem::replace(&mut *LOGGER.write().unwrap_or_else(PoisonError::into_inner), logger);
    // Outside the lock, since dropping it calls the host.
    drop(before);
}

pub(crate) fn info(text: &str) {
    line(Level::Info, text);
}

pub(crate) fn warning(text: &str) {
    line(Level::Warning, text);
}

fn line(level: Level, text: &str) {
    // Not under the lock: the host may well set another logger in the call.
    let logger = LOGGER.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(logger) = logger {
        logger.line(level, text);
    }
}
