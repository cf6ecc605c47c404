//! A TensorRT engine on a lane.

use engine_sys::{Element, Engine, Error, ExecutionContext};

use super::{Bindings, Network};

/// Positions of the network's tensors among the engine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tensors {
    /// The image input and the audio input.
    pub(crate) inputs: [usize; 2],
    /// The output.
    pub(crate) output: usize,
}

/// An execution context whose tensors are the buffers of one lane.
pub(crate) struct EngineNetwork {
    context: ExecutionContext,
    tensors: Tensors,
    /// The stream of the lane whose buffers it is bound to.
    stream: usize,
    /// Shapes of one frame behind the batch dimension, for each input.
    frames: [Vec<i64>; 2],
    /// The batch size that is set.
    batch: Option<usize>,
}

impl EngineNetwork {
    /// Binds a new execution context of `engine` to a lane with room for the engine's largest batch.
    /// The tensors must be 32-bit floats.
    pub(crate) fn new(
        engine: &Engine,
        tensors: Tensors,
        bindings: &Bindings<'_>,
    ) -> Result<Self, Error> {
        let mut context = engine.create_context()?;
        let [image, audio] = tensors.inputs;
        let addresses = [
            (image, bindings.inputs[0]),
            (audio, bindings.inputs[1]),
            (tensors.output, bindings.output),
        ];
        for (tensor, address) in addresses {
            debug_assert_eq!(engine.tensors()[tensor].element, Element::Float);
            // SAFETY: the lane's buffers have room for the largest shape of the profile and are
            // freed after this value, which is the lane's, has been dropped.
            unsafe { context.set_tensor_address(tensor, address) }?;
        }
        let frame = |tensor: usize| engine.tensors()[tensor].shape.clone();
        let frames = [frame(image), frame(audio)];
        Ok(Self { context, tensors, stream: bindings.stream.raw(), frames, batch: None })
    }
}

impl Network for EngineNetwork {
    type Error = Error;

    fn is_set_to(&self, frames: usize) -> bool {
        self.batch == Some(frames)
    }

    fn enqueue(&mut self, frames: usize, lane: &Bindings<'_>) -> Result<(), Error> {
        assert_eq!(lane.stream.raw(), self.stream, "a network was moved to another lane");
        if !self.is_set_to(frames) {
            self.batch = None;
            for (&tensor, shape) in self.tensors.inputs.iter().zip(&mut self.frames) {
                shape[0] = frames as i64;
                self.context.set_input_shape(tensor, shape)?;
            }
            self.batch = Some(frames);
        }
        // SAFETY: the stream is the lane's, in the context that the engine lives in. The lane keeps
        // inputs and outputs to itself until the stream has passed this, and everything of this
        // context goes through that stream.
        unsafe { self.context.enqueue(self.stream) }
    }
}
