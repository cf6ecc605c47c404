//! Samples in, filled host batches out: input layout, conversion, and the buffers that travel.

mod assembler;
mod buffer;
mod convert;
mod host;
mod host_buffers;
mod range;

pub use assembler::{AUDIO_LEN, Assembler};
pub use buffer::HostBuffer;
pub use convert::Converter;
pub use host::{
    BatchTrace, Completed, DeviceParts, DeviceTimes, HostBatch, InFlight, OnDevice, Patches,
    Predicted, PredictionMemory, PredictionView, Predictions, Span,
};
pub use host_buffers::HostBuffers;
pub use range::{BadBatchRange, BatchRange};
