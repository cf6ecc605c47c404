//! The device's primary context, shared by everything that lives in it.

use std::fmt;
use std::sync::Arc;

use cudarc::driver::{result, sys};

use super::error::Attempt;
use super::{CudaError, DeviceInfo, device};

/// A device ready for work. Clones share it; the last one releases it.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

struct Shared {
    device: sys::CUdevice,
    raw: sys::CUcontext,
    info: DeviceInfo,
}

// SAFETY: the driver's functions may be called from any thread, and a context may be current on
// several threads at one time. The handle is never changed.
unsafe impl Send for Shared {}
// SAFETY: as for `Send`.
unsafe impl Sync for Shared {}

impl Context {
    /// The primary context of device `ordinal`, current on the calling thread.
    ///
    /// # Errors
    /// Where there is no driver or no such device, or the device refuses.
    pub fn new(ordinal: usize) -> Result<Self, CudaError> {
        let (device, info) = device::device(ordinal)?;
        // SAFETY: the handle is one that the driver gave out.
        let raw = unsafe { result::primary_ctx::retain(device) }.attempt("starting the GPU")?;
        let context = Self { shared: Arc::new(Shared { device, raw, info }) };
        context.bind()?;
        Ok(context)
    }

    /// What the device is.
    pub fn device(&self) -> &DeviceInfo {
        &self.shared.info
    }

    /// Makes the context current on the calling thread. Owners of things in the context do that
    /// themselves; libraries that call CUDA on their own, such as TensorRT, expect it to be done.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn bind(&self) -> Result<(), CudaError> {
        // SAFETY: the context is retained as long as `shared` lives.
        unsafe { result::ctx::set_current(self.shared.raw) }
            .attempt("making the GPU current on a thread")
    }

    /// Waits until the device has done everything that was queued on any stream.
    ///
    /// # Errors
    /// When the driver refuses, or work that was queued failed.
    pub fn synchronize(&self) -> Result<(), CudaError> {
        self.bind()?;
        result::ctx::synchronize().attempt("waiting for the GPU")
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&self.shared.info.ordinal).finish()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the context was retained once for this value, and everything that lives in it
        // held a clone of the `Arc` around this value.
        let _nobody_is_left_to_tell = unsafe { result::primary_ctx::release(self.device) };
    }
}
