//! What runs a network on a lane's stream.

#[cfg(feature = "tensorrt")]
mod engine;
mod session;

#[cfg(feature = "tensorrt")]
pub(crate) use engine::{EngineNetwork, Tensors};
pub(crate) use session::{SessionNetwork, SessionTensors};

use super::Bindings;

/// A network that is bound to the buffers of one lane.
///
/// It is made by, and only works with, the lane that it is part of: the lane drops it before the
/// buffers, and waits before that.
pub(crate) trait Network {
    /// What it says when it fails.
    type Error;

    /// Whether the next run needs no change of shapes.
    fn is_set_to(&self, frames: usize) -> bool;

    /// Puts the network on the lane's stream, for `frames` frames, and returns without waiting.
    fn enqueue(&mut self, frames: usize, lane: &Bindings<'_>) -> Result<(), Self::Error>;

    /// Gives up what it keeps for the device, before it is dropped; may put itself on the lane's
    /// stream once more.
    fn retire(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
