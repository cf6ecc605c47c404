//! Pixels and the buffers that hold them.

mod geometry;
mod pool;

pub use geometry::{ModelGeometry, Rect, Size};
pub(crate) use pool::zeroed;
pub use pool::{BufferPool, Closed, OutOfMemory, OutputFrame, PooledBuffer};
