//! Host memory that the device reads and writes by itself.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use cudarc::driver::{result, sys};

use super::error::Attempt;
use super::{Context, CudaError};

/// How the CPU reaches pinned memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinnedKind {
    /// As any other memory.
    Cached,
    /// Past its caches: good to write in order, very slow to read.
    WriteCombined,
}

/// Floats in pinned memory, starting on a page.
pub struct PinnedBuffer {
    context: Context,
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: the memory belongs to this value alone, and freeing it makes the context current first.
unsafe impl Send for PinnedBuffer {}
// SAFETY: a shared reference only gives read access.
unsafe impl Sync for PinnedBuffer {}

impl PinnedBuffer {
    /// `len` zeros.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`] when the system has not that much to pin.
    pub fn zeroed(context: &Context, len: usize, kind: PinnedKind) -> Result<Self, CudaError> {
        const ATTEMPT: &str = "allocating pinned memory";
        context.bind()?;
        // The driver refuses to allocate nothing.
        let bytes = len.max(1).saturating_mul(size_of::<f32>());
        let flags = match kind {
            PinnedKind::Cached => 0,
            PinnedKind::WriteCombined => sys::CU_MEMHOSTALLOC_WRITECOMBINED,
        };
        // SAFETY: a context is current; what comes back is written below before it is read.
        let start = unsafe { result::malloc_host(bytes, flags) }.allocate(ATTEMPT, bytes)?;
        let Some(start) = NonNull::new(start.cast::<f32>()) else {
            return Err(CudaError::OutOfMemory { attempt: ATTEMPT, bytes });
        };
        // SAFETY: the driver gave out `bytes` bytes, aligned to a page, which is `len` floats or
        // more.
        unsafe { start.write_bytes(0, len) };
        Ok(Self { context: context.clone(), start, len })
    }
}

impl Deref for PinnedBuffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: `len` floats lie there, written when they were allocated, and belong to this
        // value. The device writes to them only while a `Lane` owns the value, which gives out no
        // references to it, or where somebody promised in `download` that nobody looks.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for PinnedBuffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as for `deref`, and the reference to this value is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for PinnedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedBuffer({} floats)", self.len)
    }
}

impl Drop for PinnedBuffer {
    fn drop(&mut self) {
        // Where this fails, the next call may still work: its context may be the current one.
        let _the_next_call_tells = self.context.bind();
        // SAFETY: the memory came from `malloc_host` and is freed once. Nothing queued touches
        // it: that is what `upload`, `download` and `Lane` demand or see to.
        let _nobody_is_left_to_tell = unsafe { result::free_host(self.start.as_ptr().cast()) };
    }
}
