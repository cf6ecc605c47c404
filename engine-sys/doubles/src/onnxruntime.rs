//! ONNX Runtime with a CUDA provider.

use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};

use crate::control::load;
use crate::cuda_dir;

/// The stand-in for the library of the `onnxruntime-gpu` package. It needs the real one: that at
/// `real` in this process, in others the one that `ENGINE_DOUBLES_ONNXRUNTIME` names. Sessions of the
/// CUDA provider compute on the stream that they are given, of the stand-in for the driver.
///
/// # Panics
/// When `real` has a NUL in it.
pub fn onnxruntime(real: &Path) -> PathBuf {
    type Name = unsafe extern "C" fn(*const c_char);
    let file = onnxruntime_library();
    let library = load(&file);
    // SAFETY: `Name` is the type that cpp/onnxruntime/onnxruntime.cpp defines the function with.
    let name = unsafe { library.get::<Name>(b"double_onnxruntime") };
    let name = *name.unwrap_or_else(|error| panic!("double_onnxruntime: {error}"));
    let real = CString::new(real.as_os_str().as_encoded_bytes()).expect("a path has no NUL");
    // SAFETY: the text ends with a NUL and is copied.
    unsafe { name(real.as_ptr()) };
    // Never unloaded: it keeps what it was told.
    std::mem::forget(library);
    file
}

/// Where that is.
pub fn onnxruntime_library() -> PathBuf {
    cuda_dir().join("onnxruntime/libonnxruntime.so")
}
