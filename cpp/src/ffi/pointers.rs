//! From the pointers of a caller to references.

use std::ffi::{CStr, c_char};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::error::{Code, Error};
use crate::host::Host;

fn null(name: &str) -> Error {
    Error::text(Code::InvalidArgument, format!("{name} is null"))
}

/// Where a result goes.
pub(super) struct Out<T>(NonNull<T>);

impl<T> Out<T> {
    /// # Safety
    /// A pointer that is not null must be valid for writes as long as this exists.
    pub(super) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self, Error> {
        match NonNull::new(pointer) {
            Some(pointer) if pointer.is_aligned() => Ok(Self(pointer)),
            Some(_) => Err(Error::text(Code::InvalidArgument, format!("{name} is not aligned"))),
            None => Err(null(name)),
        }
    }

    pub(super) fn write(&self, value: T) {
        // SAFETY: valid for writes and aligned, as `new` asks and checks; what was there before
        // need not be initialised and is not dropped.
        unsafe { self.0.write(value) }
    }
}

/// # Safety
/// A pointer that is not null must be a pipeline that is not destroyed yet.
pub(super) unsafe fn host(pointer: *const Host) -> Result<Arc<Host>, Error> {
    if pointer.is_null() {
        return Err(null("the pipeline"));
    }
    // SAFETY: the pointer came from `Arc::into_raw`, and the handle still owns a count of it, so
    // that one can be added for the call. The call keeps the pipeline while another thread, or a
    // callback, destroys the handle.
    unsafe {
        Arc::increment_strong_count(pointer);
        Ok(Arc::from_raw(pointer))
    }
}

/// # Safety
/// A pointer that is not null must be a string that ends with a null and stays for `'a`.
pub(super) unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a CStr> {
    // SAFETY: as this function asks.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) })
}

/// `rows` x `columns` floats.
///
/// # Safety
/// A pointer that is not null must be that many floats, which stay for `'a`.
pub(super) unsafe fn matrix<'a>(
    pointer: *const f32,
    rows: usize,
    columns: usize,
) -> Result<&'a [f32], Error> {
    let refuse = |message: String| Err(Error::text(Code::InvalidArgument, message));
    if columns != engine::dataset::Features::ROW {
        let hint = match columns {
            1024 => " (these look like hubert features, which are not supported)",
            256 => " (these look like wenet features, which are not supported)",
            _ => "",
        };
        return refuse(format!("rows of {columns} values{hint}; expected 512"));
    }
    if rows == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null("values"));
    }
    if !pointer.is_aligned() {
        return refuse("values are not aligned as floats are".to_owned());
    }
    let bytes = rows.checked_mul(columns * size_of::<f32>());
    if bytes.is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return refuse(format!("{rows} rows are more than memory can hold"));
    }
    // SAFETY: not null, aligned, of a size that can exist; that the floats are there and stay is
    // what this function asks.
    Ok(unsafe { std::slice::from_raw_parts(pointer, rows * columns) })
}

/// # Safety
/// A pointer that is not null must be valid for reads and initialised, and stay so for `'a`.
pub(super) unsafe fn reference<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Error> {
    if !pointer.is_null() && !pointer.is_aligned() {
        return Err(Error::text(Code::InvalidArgument, format!("{name} is not aligned")));
    }
    // SAFETY: null is told apart; the rest is as this function asks.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}
