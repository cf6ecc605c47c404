//! Saving in the thread that calls.

use std::sync::Arc;
use std::time::Instant;

use super::saver::Saver;
use super::{SaveObserver, Sink, SinkError};
use crate::frame::OutputFrame;

/// A sink whose `write` returns when the frame is saved.
pub(super) struct InlineSink<S> {
    /// `None` once finished or failed.
    saver: Option<S>,
    observer: Option<Arc<dyn SaveObserver>>,
}

impl<S: Saver> InlineSink<S> {
    pub(super) fn new(saver: S, observer: Option<Arc<dyn SaveObserver>>) -> Self {
        Self { saver: Some(saver), observer }
    }
}

impl<S: Saver> Sink for InlineSink<S> {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        let saver = self.saver.as_mut().ok_or(SinkError::Closed)?;
        let (index, started) = (frame.index, Instant::now());
        if let Err(error) = saver.save(frame) {
            self.saver = None;
            return Err(error);
        }
        if let Some(observer) = &self.observer {
            observer.saved(index, started, Instant::now());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.saver.take().ok_or(SinkError::Closed)?.complete()
    }
}
