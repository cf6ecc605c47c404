//! The words of the latest error, for each thread.

use std::cell::RefCell;
use std::ffi::c_char;

thread_local! {
    /// Ends with a null; keeps its memory, so that errors that are no accident cost nothing.
    static WORDS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What a callback said before it failed.
    static CALLBACK: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub(super) fn set(message: &str) {
    // A thread that is ending has nobody left to ask.
    let _ending = WORDS.try_with(|words| {
        let mut words = words.borrow_mut();
        words.clear();
        words.extend(message.bytes().filter(|&byte| byte != 0));
        words.push(0);
    });
}

/// Valid until the next error of this thread.
pub(super) fn get() -> *const c_char {
    let words = WORDS.try_with(|words| {
        let words = words.borrow();
        (!words.is_empty()).then(|| words.as_ptr().cast())
    });
    words.ok().flatten().unwrap_or(c"".as_ptr())
}

pub(super) fn set_callback(message: String) {
    let _ending = CALLBACK.try_with(|slot| slot.replace(Some(message)));
}

pub(super) fn take_callback() -> Option<String> {
    CALLBACK.try_with(|slot| slot.take()).ok().flatten()
}
