//! Memory of the device, and what is copied there and back.

use std::fmt;

use cudarc::driver::{result, sys};

use super::error::Attempt;
use super::{Context, CudaError, PinnedBuffer, Stream};

/// Floats in the device's memory. Holds anything until something is written there.
pub struct DeviceBuffer {
    context: Context,
    pointer: sys::CUdeviceptr,
    len: usize,
}

impl DeviceBuffer {
    /// Room for `len` floats.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`] when the device has not that much.
    pub fn new(context: &Context, len: usize) -> Result<Self, CudaError> {
        context.bind()?;
        // The driver refuses to allocate nothing.
        let bytes = len.max(1).saturating_mul(size_of::<f32>());
        // SAFETY: a context is current; nothing reads the memory as a Rust value.
        let pointer =
            unsafe { result::malloc_sync(bytes) }.allocate("allocating GPU memory", bytes)?;
        Ok(Self { context: context.clone(), pointer, len })
    }

    /// The device's address of the first float. Valid as long as this value lives.
    pub fn pointer(&self) -> u64 {
        self.pointer
    }

    /// Number of floats there is room for.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is room for none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for DeviceBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceBuffer({} floats)", self.len)
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        // Where this fails, the next call may still work: its context may be the current one.
        let _the_next_call_tells = self.context.bind();
        // SAFETY: the memory came from `malloc_sync` and is freed once. Nothing queued touches
        // it: that is what `upload`, `download` and `Lane` demand or see to.
        let _nobody_is_left_to_tell = unsafe { result::free_sync(self.pointer) };
    }
}

/// Queues a copy of the first `len` floats of `from` to the device.
///
/// # Safety
/// Until the stream has passed the copy, both buffers must stay alive, `from` must not be written
/// and `to` must not be touched by another stream.
///
/// # Errors
/// [`CudaError::Room`] when either buffer is shorter; otherwise when the driver refuses.
pub unsafe fn upload(
    stream: &Stream,
    to: &DeviceBuffer,
    from: &PinnedBuffer,
    len: usize,
) -> Result<(), CudaError> {
    // SAFETY: what is asked of the caller is the same.
    unsafe { upload_at(stream, to, 0, from, 0, len) }
}

/// [`upload`] of the floats from `first` on to where the float `at` of `to` is.
///
/// # Safety
/// As for [`upload`], of the floats that are written.
///
/// # Errors
/// As for [`upload`].
pub(super) unsafe fn upload_at(
    stream: &Stream,
    to: &DeviceBuffer,
    at: usize,
    from: &PinnedBuffer,
    first: usize,
    len: usize,
) -> Result<(), CudaError> {
    let room = to.len.saturating_sub(at).min(from.len().saturating_sub(first));
    check("input", len, room)?;
    if len == 0 {
        return Ok(());
    }
    stream.context().bind()?;
    let address = to.pointer + (at * size_of::<f32>()) as u64;
    // SAFETY: both buffers hold `len` floats there; the caller keeps them as they are.
    unsafe { result::memcpy_htod_async(address, &from[first..first + len], stream.handle()) }
        .attempt("uploading an input")
}

/// Queues a copy of the first `len` floats on the device to `to`.
///
/// # Safety
/// Until the stream has passed the copy, both buffers must stay alive, `to` must not be read or
/// written and `from` must not be written by another stream.
///
/// # Errors
/// [`CudaError::Room`] when either buffer is shorter; otherwise when the driver refuses.
pub unsafe fn download(
    stream: &Stream,
    to: &mut PinnedBuffer,
    from: &DeviceBuffer,
    len: usize,
) -> Result<(), CudaError> {
    check("output", len, from.len.min(to.len()))?;
    stream.context().bind()?;
    // SAFETY: both buffers hold `len` floats; the caller keeps them as they are.
    unsafe { result::memcpy_dtoh_async(&mut to[..len], from.pointer, stream.handle()) }
        .attempt("downloading the output")
}

/// Whether `asked` floats fit.
pub(super) fn check(tensor: &'static str, asked: usize, room: usize) -> Result<(), CudaError> {
    match asked <= room {
        true => Ok(()),
        false => Err(CudaError::Room { tensor, asked, room }),
    }
}
