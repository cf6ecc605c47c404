//! What a function of OpenVINO's says about how it went.

use std::ffi::CStr;
use std::ptr::NonNull;

use openvino_sys::{ov_free, ov_get_last_err_msg, ov_status_e};

use super::OpenVinoError;

/// Makes an error, in OpenVINO's words, of a status that is not OK.
pub(super) fn check(status: ov_status_e, attempt: &'static str) -> Result<(), OpenVinoError> {
    if status == ov_status_e::OK {
        return Ok(());
    }
    let reason = match last_message() {
        Some(text) => tidied(&text),
        None => format!("it gives no reason but status {}", status as i32),
    };
    Err(OpenVinoError::Refused { attempt, reason })
}

/// The same for a call that was to make something at `made`.
pub(super) fn made<T>(
    status: ov_status_e,
    made: *mut T,
    attempt: &'static str,
) -> Result<NonNull<T>, OpenVinoError> {
    check(status, attempt)?;
    let nothing = || OpenVinoError::Refused { attempt, reason: "it made nothing".to_owned() };
    NonNull::new(made).ok_or_else(nothing)
}

/// A text that OpenVINO made for the caller.
///
/// # Safety
/// `text` is null, or what a function of OpenVINO's has given, not yet freed.
pub(super) unsafe fn owned_text(text: *const std::ffi::c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: it ends in a zero, and is freed below only.
    let copy = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    // SAFETY: it was made for the caller, who frees it once.
    unsafe { ov_free(text) };
    Some(copy)
}

fn last_message() -> Option<String> {
    // SAFETY: the library is loaded, since one of its functions has just been called; the text is
    // the caller's.
    unsafe { owned_text(ov_get_last_err_msg()) }
}

/// One line, without the places in OpenVINO's sources that it begins with.
fn tidied(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.filter(|line| !(line.starts_with("Exception from ") && line.ends_with(':')));
    let told: Vec<&str> = told.collect();
    if told.is_empty() { text.trim().to_owned() } else { told.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_sources_are_left_out() {
        let text = "Exception from src/inference/src/cpp/core.cpp:95:\nException from a.cpp:1:\n\
                    Model file is broken\n\n  at the end\n";
        assert_eq!(tidied(text), "Model file is broken at the end");
        assert_eq!(tidied("Exception from a.cpp:1:\n"), "Exception from a.cpp:1:");
    }
}
