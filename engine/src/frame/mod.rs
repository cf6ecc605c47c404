//! Pixels and the buffers that hold them.

mod geometry;
mod pool;
mod rate;

pub use geometry::{ModelGeometry, Rect, Size};
pub(crate) use pool::zeroed;
pub use pool::{BufferPool, Closed, OutOfMemory, OutputFrame, PooledBuffer};
pub use rate::{BadFrameRate, FrameRate};
