//! The engine's kernels, compiled for the host.

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::cuda_dir;

type Run = unsafe extern "C" fn(
    *const c_char,
    *const c_uint,
    *const c_uint,
    *const *mut c_void,
    usize,
) -> c_int;

/// A parameter of a kernel.
#[derive(Debug)]
pub enum Parameter<'a> {
    /// An address of memory that is read.
    Read(&'a [u8]),
    /// An address of memory that is written.
    Write(&'a mut [u8]),
    /// The bytes of a value.
    Value(&'a [u8]),
}

/// Runs every thread of the kernel `name` in this thread, one after the other. Addresses inside of
/// what it reads must be those of live memory; nothing checks that.
///
/// # Panics
/// When there is no such kernel, or it takes another number of parameters.
pub fn run_kernel(name: &str, grid: [u32; 3], block: [u32; 3], parameters: &mut [Parameter<'_>]) {
    static RUN: OnceLock<Run> = OnceLock::new();
    let run = *RUN.get_or_init(|| {
        let file = cuda_dir().join("libcuda.so");
        // SAFETY: the library was built with this crate; its initialisers only read the environment.
        let library = unsafe { Library::open(Some(&file), RTLD_NOW | RTLD_LOCAL) };
        let library = library.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // SAFETY: `Run` is the type that cpp/cuda/kernels.cpp defines the function with.
        let run = unsafe { library.get::<Run>(b"double_run_kernel") };
        let run = *run.unwrap_or_else(|error| panic!("double_run_kernel: {error}"));
        // Never unloaded.
        std::mem::forget(library);
        run
    });
    // Pointers to pointers where the kernel takes an address.
    let mut addresses: Vec<*mut c_void> = parameters
        .iter_mut()
        .map(|parameter| match parameter {
            Parameter::Read(bytes) | Parameter::Value(bytes) => bytes.as_ptr().cast_mut().cast(),
            Parameter::Write(bytes) => bytes.as_mut_ptr().cast(),
        })
        .collect();
    let values: Vec<*mut c_void> = parameters
        .iter()
        .zip(&mut addresses)
        .map(|(parameter, address)| match parameter {
            Parameter::Value(_) => *address,
            _ => (&raw mut *address).cast(),
        })
        .collect();
    let name = CString::new(name).expect("a kernel's name has no NUL");
    // SAFETY: extents have three numbers each, and as many parameters are there as is said.
    let code =
        unsafe { run(name.as_ptr(), grid.as_ptr(), block.as_ptr(), values.as_ptr(), values.len()) };
    assert_eq!(code, 0, "{name:?} does not take {} parameters", values.len());
}
