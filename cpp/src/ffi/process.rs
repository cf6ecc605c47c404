//! Version, errors, log, options.

use std::ffi::{c_char, c_void};

use super::callbacks::{LogCallback, release as release_user};
use super::pointers::{Out, text};
use super::{OK, call, contained, last_error};
use crate::abi::{EngineLogCallback, EngineOptions, EngineRelease, VERSION, fits};
use crate::error::{Code, Error};
use crate::{log, options};

/// See engine.h.
#[unsafe(no_mangle)]
pub extern "C" fn engine_status_name(status: i32) -> *const c_char {
    let known = Code::ALL.into_iter().find(|&code| code as i32 == status);
    let name = match (status, known) {
        (OK, _) => c"OK",
        (_, Some(code)) => code.name(),
        (_, None) => c"UNKNOWN",
    };
    name.as_ptr()
}

/// See engine.h.
#[unsafe(no_mangle)]
pub extern "C" fn engine_last_error() -> *const c_char {
    last_error::get()
}

/// See engine.h.
///
/// # Safety
/// `message` is null or a string that ends with a null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_set_callback_error(message: *const c_char) {
    contained(|| {
        // SAFETY: as this function asks; the text is copied.
        if let Some(message) = unsafe { text(message) } {
            last_error::set_callback(message.to_string_lossy().into_owned());
        }
    });
}

/// See engine.h.
#[unsafe(no_mangle)]
pub extern "C" fn engine_library_version() -> u32 {
    VERSION
}

/// See engine.h.
#[unsafe(no_mangle)]
pub extern "C" fn engine_check_version(header: u32) -> i32 {
    call(|| check_version(header))
}

pub(super) fn check_version(header: u32) -> Result<(), Error> {
    if fits(header) {
        return Ok(());
    }
    let dotted =
        |version: u32| format!("{}.{}.{}", version >> 22, version >> 12 & 0x3ff, version & 0xfff);
    let message = format!(
        "the program was compiled with the headers of version {}, the library is version {}; expected \
         the same minor version",
        dotted(header),
        dotted(VERSION)
    );
    Err(Error::text(Code::VersionMismatch, message))
}

/// See engine.h.
///
/// # Safety
/// `callback` and `release` are null or can be called with `user`, from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_set_logger(
    callback: EngineLogCallback,
    user: *mut c_void,
    release: EngineRelease,
) {
    contained(|| match callback {
        Some(callback) => {
            // SAFETY: as this function asks.
            let logger = unsafe { LogCallback::new(callback, user, release) };
            log::set(Some(std::sync::Arc::new(logger)));
        }
        None => {
            log::set(None);
            // SAFETY: as this function asks.
            unsafe { release_user(user, release) };
        }
    });
}

/// See engine.h.
///
/// # Safety
/// `options` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_options_init(options: *mut EngineOptions, header: u32) -> i32 {
    call(|| {
        check_version(header)?;
        // SAFETY: as this function asks; a header that fits has the same struct.
        let options = unsafe { Out::new(options, "options") }?;
        options.write(EngineOptions { version: header, ..options::DEFAULTS });
        Ok(())
    })
}
