//! What the pipeline sees of a sink.

use std::time::Instant;

use super::SinkError;
use crate::frame::OutputFrame;

/// Takes finished frames by value, in order, from one thread.
///
/// Dropping a frame returns its buffer to the pool, so a sink keeps each only until it is encoded
/// or written.
pub trait Sink: Send {
    /// Takes one frame. It may wait until an earlier one is saved.
    ///
    /// # Errors
    /// The first thing that went wrong while saving this frame or an earlier one. The sink is then
    /// closed: no thread of it runs and no half-written file is left. Every later call answers
    /// [`SinkError::Closed`].
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError>;

    /// Waits until every frame is saved and puts the files in place. The sink is closed afterwards.
    ///
    /// Dropping a sink instead gives up what is not saved yet: images that are complete stay,
    /// nothing half-written does.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn finish(&mut self) -> Result<(), SinkError>;
}

/// Hears how long the saving of each frame took.
pub trait SaveObserver: Send + Sync {
    /// Frame `index` was encoded and written between `started` and `ended`. Called from the thread
    /// that saved it; with several encoders, calls come from several threads and out of order.
    fn saved(&self, index: u64, started: Instant, ended: Instant);
}
