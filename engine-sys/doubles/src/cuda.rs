//! The CUDA driver over host memory.

use std::path::Path;
use std::sync::OnceLock;

use crate::control::{Control, Exclusive, control, load};

/// The folder with the stand-in for libcuda, for a child process's `LD_LIBRARY_PATH`.
pub fn cuda_dir() -> &'static Path {
    Path::new(concat!(env!("OUT_DIR"), "/doubles"))
}

/// The stand-in for libcuda in this process.
#[derive(Clone, Copy, Debug)]
pub struct Cuda {
    control: &'static Control,
}

/// Loads the stand-in so that whoever opens `libcuda.so` after this gets it, real driver or not.
/// Call it before anything of CUDA is touched.
pub fn cuda() -> Cuda {
    static LOADED: OnceLock<()> = OnceLock::new();
    LOADED.get_or_init(|| {
        // Kept for the rest of the process: cudarc keeps pointers into it.
        std::mem::forget(load(&cuda_dir().join("libcuda.so")));
    });
    Cuda { control: control() }
}

impl Cuda {
    /// What steers it.
    pub fn control(self) -> &'static Control {
        self.control
    }

    /// Waits until no other test has the stand-ins, then resets them.
    pub fn exclusive(self) -> Exclusive {
        self.control.exclusive()
    }
}
