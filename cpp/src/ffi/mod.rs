//! The functions of engine.h. Each refuses what can be told to be wrong, and contains panics; what
//! it must believe of its pointers is what the header asks of the caller.

#![allow(unsafe_code, reason = "the boundary to C")]

mod callbacks;
mod frame;
mod last_error;
mod pipeline;
mod pointers;
mod process;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use self::frame::{engine_frame_get, engine_frame_release};
pub use self::pipeline::{
    engine_pipeline_cancel, engine_pipeline_close_input, engine_pipeline_destroy,
    engine_pipeline_info, engine_pipeline_measure, engine_pipeline_open, engine_pipeline_pull,
    engine_pipeline_pull_due, engine_pipeline_push, engine_pipeline_push_all, engine_pipeline_run,
    engine_pipeline_start, engine_pipeline_try_pull, engine_pipeline_wait,
};
pub use self::process::{
    engine_check_version, engine_last_error, engine_library_version, engine_options_init,
    engine_set_callback_error, engine_set_logger, engine_status_name,
};
pub use crate::abi::{
    EngineFrameCallback, EngineFrameView, EngineInfo, EngineLogCallback, EngineOptions,
    EngineRelease, EngineStageRates, EngineStatistics, EngineSummary, SPEECH_PACKAGE,
    SPEECH_PUSHED, VERSION,
};
pub use crate::frames::Held;
pub use crate::host::Host;

use crate::error::{Code, Error};

/// ENGINE_OK.
const OK: i32 = 0;

/// Runs the body of an exported function: an error or a panic becomes a status, and what
/// engine_last_error says.
fn call(body: impl FnOnce() -> Result<(), Error>) -> i32 {
    let error = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return OK,
        Ok(Err(error)) => error,
        Err(_panic) => Error::new(
            Code::Internal,
            "the library panicked, which is a defect; please report it with what it printed",
        ),
    };
    last_error::set(&error.message);
    error.code as i32
}

/// The same for functions that have nothing to say.
fn contained(body: impl FnOnce()) {
    let _status = call(|| {
        body();
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn a_panic_is_an_error_of_the_library() {
        assert_eq!(call(|| panic!("told to panic")), Code::Internal as i32);
        // SAFETY: the text is valid until the next call on this thread.
        let words = unsafe { CStr::from_ptr(engine_last_error()) }.to_str().unwrap();
        assert!(words.contains("the library panicked"), "{words}");
        assert_eq!(call(|| Ok(())), OK);
    }
}
