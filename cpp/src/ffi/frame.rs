//! Frames that the host holds.

use super::callbacks::view;
use super::pointers::{Out, reference};
use super::{call, contained};
use crate::abi::EngineFrameView;
use crate::error::{Code, Error};
use crate::frames::Held;

/// See engine.h.
///
/// # Safety
/// `frame` is null or a frame that is not released; `out` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_frame_get(frame: *const Held, out: *mut EngineFrameView) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let (held, out) = unsafe { (reference(frame, "the frame")?, Out::new(out, "view")?) };
        let (frame, seconds) = held
            .frame()
            .ok_or(Error::new(Code::InvalidArgument, "the frame was released already"))?;
        out.write(view(frame, seconds));
        Ok(())
    })
}

/// See engine.h.
///
/// # Safety
/// `frame` is null, or points to null or to a frame that is not released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_frame_release(frame: *mut *mut Held) {
    contained(|| {
        // SAFETY: as this function asks. The pointer is taken out, so that it is used once.
        let held = match unsafe { frame.as_mut() } {
            Some(slot) => std::mem::replace(slot, std::ptr::null_mut()),
            None => return,
        };
        if !held.is_null() {
            // SAFETY: a pull made it with `Box::into_raw`, and nobody else has released it.
            unsafe { Box::from_raw(held) }.release();
        }
    });
}
