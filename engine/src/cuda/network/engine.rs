//! A TensorRT engine on a lane.

use engine_sys::{Element, Engine, Error, ExecutionContext};

use super::{Bindings, Network};
use crate::cuda::Stream;

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
    /// The stream that it runs on.
    stream: usize,
    /// Shapes of one frame behind the batch dimension, for each input.
    frames: [Vec<i64>; 2],
    /// The batch size that is set.
    batch: Option<usize>,
}

impl EngineNetwork {
    /// A new execution context of `engine`, whose tensors must be 32-bit floats, for lanes on `stream`
    /// with room for the engine's largest batch.
    pub(crate) fn new(engine: &Engine, tensors: Tensors, stream: &Stream) -> Result<Self, Error> {
        let [image, audio] = tensors.inputs;
        for tensor in [image, audio, tensors.output] {
            debug_assert_eq!(engine.tensors()[tensor].element, Element::Float);
        }
        let frame = |tensor: usize| engine.tensors()[tensor].shape.clone();
        let frames = [frame(image), frame(audio)];
        let context = engine.create_context()?;
        Ok(Self { context, tensors, stream: stream.raw(), frames, batch: None })
    }
}

impl Network for EngineNetwork {
    type Error = Error;

    fn bind(&mut self, lane: &Bindings<'_>) -> Result<(), Error> {
        assert_eq!(lane.stream.raw(), self.stream, "a network was moved to another stream");
        self.batch = None;
        let [image, audio] = self.tensors.inputs;
        let addresses =
            [(image, lane.inputs[0]), (audio, lane.inputs[1]), (self.tensors.output, lane.output)];
        for (tensor, address) in addresses {
            // SAFETY: the lane's buffers have room for the largest shape of the profile. They are freed
            // after this value, which is the lane's, has been dropped or bound to others.
            unsafe { self.context.set_tensor_address(tensor, address) }?;
        }
        Ok(())
    }

    fn is_set_to(&self, frames: usize) -> bool {
        self.batch == Some(frames)
    }

    fn enqueue(&mut self, frames: usize, lane: &Bindings<'_>) -> Result<(), Error> {
        assert_eq!(lane.stream.raw(), self.stream, "a network was moved to another stream");
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
