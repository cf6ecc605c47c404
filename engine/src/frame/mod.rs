//! Pixels and the buffers that hold them.

mod geometry;
mod pool;

pub use geometry::{ModelGeometry, Rect, Size};
pub use pool::{BufferPool, Closed, OutputFrame, PooledBuffer};
