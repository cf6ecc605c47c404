//! What runs a network on a lane's stream.

#[cfg(feature = "tensorrt")]
mod engine;
mod session;

#[cfg(feature = "tensorrt")]
pub(crate) use engine::{EngineNetwork, Tensors};
pub(crate) use session::{SessionError, SessionNetwork, SessionTensors};

use super::Bindings;

/// A network that is bound to one stream, and to the buffers of a lane on it.
///
/// It only works with the lane that it is part of. That one waits for its stream before it drops the
/// network, gives it away or frees the buffers; a network that was given away is bound to another
/// lane's before it is used again.
pub(crate) trait Network {
    /// What it says when it fails.
    type Error;

    /// Binds it to the buffers of a lane on its stream, in place of others.
    fn bind(&mut self, lane: &Bindings<'_>) -> Result<(), Self::Error>;

    /// Whether the next run needs no change of shapes.
    fn is_set_to(&self, frames: usize) -> bool;

    /// Puts the network on the lane's stream, for `frames` frames, and returns without waiting.
    fn enqueue(&mut self, frames: usize, lane: &Bindings<'_>) -> Result<(), Self::Error>;

    /// Gives up what it keeps for the device, before its lane ends; may put itself on the lane's stream
    /// once more.
    fn retire(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
