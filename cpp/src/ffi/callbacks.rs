//! The host's functions, as the safe code sees them.

use std::ffi::{CString, c_char, c_void};

use engine::frame::OutputFrame;

use super::{OK, last_error};
use crate::abi::{EngineFrameView, EngineRelease};
use crate::callback::Inside;
use crate::log::{Level, Logger};

/// What the host passes along with a function, and the end of its use.
struct User {
    pointer: *mut c_void,
    release: EngineRelease,
}

// SAFETY: the header says that callbacks and releases come from threads of the library's, so the
// host must pass a pointer that is good for that.
unsafe impl Send for User {}
// SAFETY: only a logger shares one, whose calls come from several threads at the same time, as the
// header says. The pointer itself is never read here.
unsafe impl Sync for User {}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            let _inside = Inside::enter();
            // SAFETY: the header asks for a function that takes this pointer; it is called once,
            // since a value is dropped once.
            unsafe { release(self.pointer) }
        }
    }
}

/// engine_frame_callback.
pub(super) struct FrameCallback {
    function: unsafe extern "C" fn(*mut c_void, *const EngineFrameView) -> i32,
    user: User,
}

impl FrameCallback {
    /// # Safety
    /// `function` can be called with `pointer`, from any thread, until `release` is.
    pub(super) unsafe fn new(
        function: unsafe extern "C" fn(*mut c_void, *const EngineFrameView) -> i32,
        pointer: *mut c_void,
        release: EngineRelease,
    ) -> Self {
        Self { function, user: User { pointer, release } }
    }

    /// Calls the host with `frame`; what goes wrong comes back in words.
    pub(super) fn call(&self, frame: &OutputFrame, seconds: f64) -> Result<(), String> {
        let view = view(frame, seconds);
        // What an earlier callback said, and then did not fail, is no reason for this one.
        last_error::take_callback();
        // SAFETY: as `new` asks; the view lives until the call returns.
        let status = unsafe { (self.function)(self.user.pointer, &raw const view) };
        if status == OK {
            return Ok(());
        }
        Err(last_error::take_callback().unwrap_or_else(|| format!("it returned {status}")))
    }
}

/// The pixels where they are.
pub(super) fn view(frame: &OutputFrame, seconds: f64) -> EngineFrameView {
    EngineFrameView {
        data: frame.pixels.as_ptr(),
        width: frame.size.width,
        height: frame.size.height,
        stride: frame.size.stride(),
        index: frame.index,
        seconds,
    }
}

/// engine_log_callback.
pub(super) struct LogCallback {
    function: unsafe extern "C" fn(*mut c_void, i32, *const c_char),
    user: User,
}

impl LogCallback {
    /// # Safety
    /// `function` can be called with `pointer`, from any threads, until `release` is.
    pub(super) unsafe fn new(
        function: unsafe extern "C" fn(*mut c_void, i32, *const c_char),
        pointer: *mut c_void,
        release: EngineRelease,
    ) -> Self {
        Self { function, user: User { pointer, release } }
    }
}

impl Logger for LogCallback {
    fn line(&self, level: Level, text: &str) {
        let line = CString::new(text.replace('\0', " ")).unwrap_or_default();
        let _inside = Inside::enter();
        // SAFETY: as `new` asks; the line lives until the call returns.
        unsafe { (self.function)(self.user.pointer, level as i32, line.as_ptr()) }
    }
}

/// Releases what comes with a function that is not there.
///
/// # Safety
/// `release` can be called with `pointer`.
pub(super) unsafe fn release(pointer: *mut c_void, release: EngineRelease) {
    drop(User { pointer, release });
}
