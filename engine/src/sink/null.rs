//! Frames to nowhere.

use super::{Sink, SinkError};
use crate::frame::OutputFrame;

/// Drops every frame, which returns its buffer.
pub(crate) struct NullSink;

impl Sink for NullSink {
    fn write(&mut self, _frame: OutputFrame) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
