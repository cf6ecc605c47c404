//! The memory of a batch while it is in flight.

#[cfg(feature = "openvino")]
use engine_sys::openvino::Buffers;

use super::HostBuffer;
#[cfg(feature = "cuda")]
use crate::cuda::Staging;

/// The three buffers of a batch, apart from it: what a device reads and writes while the batch is
/// in flight.
#[derive(Debug)]
pub struct HostBuffers {
    /// The image input: capacity x 6 x S x S floats; or what the device makes it from.
    pub image: HostBuffer,
    /// The audio input: capacity x 32 x 16 x 16 floats.
    pub audio: HostBuffer,
    /// The predictions: capacity x 3 x S x S floats; or [patches](super::Patches::words).
    pub predictions: HostBuffer,
}

#[cfg(feature = "cuda")]
impl HostBuffers {
    /// The same for a [`Lane`](crate::cuda::Lane).
    ///
    /// # Errors
    /// The buffers, unchanged, where one of them is not pinned.
    pub fn into_staging(self) -> Result<Staging, Self> {
        let Self { image, audio, predictions } = self;
        match (image.into_pinned(), audio.into_pinned(), predictions.into_pinned()) {
            (Ok(image), Ok(audio), Ok(output)) => Ok(Staging { inputs: [image, audio], output }),
            (image, audio, predictions) => {
                let back =
                    |buffer: Result<_, _>| buffer.map_or_else(|heap| heap, HostBuffer::pinned);
                Err(Self { image: back(image), audio: back(audio), predictions: back(predictions) })
            }
        }
    }
}

#[cfg(feature = "cuda")]
impl From<Staging> for HostBuffers {
    fn from(staging: Staging) -> Self {
        let [image, audio] = staging.inputs.map(HostBuffer::pinned);
        Self { image, audio, predictions: HostBuffer::pinned(staging.output) }
    }
}

#[cfg(feature = "openvino")]
impl HostBuffers {
    /// The same for a run of [`Requests`](engine_sys::openvino::Requests).
    ///
    /// # Errors
    /// The buffers, unchanged, where one of them holds no tensors.
    pub fn into_tensors(self) -> Result<Buffers, Self> {
        let Self { image, audio, predictions } = self;
        match (image.into_tensors(), audio.into_tensors(), predictions.into_tensors()) {
            (Ok(image), Ok(audio), Ok(output)) => Ok(Buffers { inputs: [image, audio], output }),
            (image, audio, predictions) => {
                let back =
                    |buffer: Result<_, _>| buffer.map_or_else(|other| other, HostBuffer::tensors);
                Err(Self { image: back(image), audio: back(audio), predictions: back(predictions) })
            }
        }
    }
}

#[cfg(feature = "openvino")]
impl From<Buffers> for HostBuffers {
    fn from(buffers: Buffers) -> Self {
        let [image, audio] = buffers.inputs.map(HostBuffer::tensors);
        Self { image, audio, predictions: HostBuffer::tensors(buffers.output) }
    }
}
