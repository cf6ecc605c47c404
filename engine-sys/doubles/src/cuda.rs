//! The CUDA driver over host memory.

use std::ffi::{c_int, c_void};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::{ptr, slice};

use crate::control::{Control, Exclusive, control, load};

/// The folder with the stand-in for libcuda, for a child process's `LD_LIBRARY_PATH`.
pub fn cuda_dir() -> &'static Path {
    Path::new(concat!(env!("OUT_DIR"), "/doubles"))
}

type Launch = unsafe extern "C" fn(
    *mut c_void,
    extern "C" fn(*mut c_void),
    *mut c_void,
    *const u64,
    *const usize,
    usize,
) -> c_int;

/// The stand-in for libcuda in this process.
#[derive(Clone, Copy, Debug)]
pub struct Cuda {
    control: &'static Control,
    launch: Launch,
}

/// Loads the stand-in so that whoever opens `libcuda.so` after this gets it, real driver or not.
/// Call it before anything of CUDA is touched.
pub fn cuda() -> Cuda {
    static LOADED: OnceLock<Launch> = OnceLock::new();
    let launch = *LOADED.get_or_init(|| {
        let library = load(&cuda_dir().join("libcuda.so"));
        // SAFETY: `Launch` is the type that cpp/cuda/stream.cpp defines the function with.
        let launch = unsafe { library.get::<Launch>(b"double_launch") };
        let launch = *launch.unwrap_or_else(|error| panic!("double_launch: {error}"));
        // Never unloaded: cudarc keeps pointers into it.
        std::mem::forget(library);
        launch
    });
    Cuda { control: control(), launch }
}

/// Floats on the device: address and number.
pub type Floats = (u64, usize);

struct Work<F> {
    reads: Vec<Floats>,
    writes: Floats,
    compute: F,
}

extern "C" fn work<F: Fn(&[&[f32]], &mut [f32])>(data: *mut c_void) {
    // SAFETY: `data` is the `Work` that `launch` leaked, and is only read.
    let work = unsafe { &*data.cast::<Work<F>>() };
    // SAFETY: the driver checked that the memory is there, floats are valid whatever it holds, and
    // nobody else touches what is read while an operation of the stream is at work.
    let floats = |&(address, len)| unsafe { slice::from_raw_parts(address as *const f32, len) };
    let reads: Vec<&[f32]> = work.reads.iter().map(floats).collect();
    let (address, len) = work.writes;
    // SAFETY: as above, and `launch` saw that nothing of it is read.
    let writes = unsafe { slice::from_raw_parts_mut(address as *mut f32, len) };
    (work.compute)(&reads, writes);
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

    /// A kernel: queues `compute` on a stream, or adds it to the graph that is being captured there.
    /// It gets the floats at `reads`, in that order, and those at `writes`, which must be others. It
    /// must not panic.
    ///
    /// # Errors
    /// The driver's error code when stream or memory are not what they should be.
    pub fn launch<F>(
        self,
        stream: usize,
        reads: &[Floats],
        writes: Floats,
        compute: F,
    ) -> Result<(), i32>
    where
        F: Fn(&[&[f32]], &mut [f32]) + Send + Sync + 'static,
    {
        let end = |(address, len): Floats| address + (len * size_of::<f32>()) as u64;
        let apart = |&read: &Floats| end(read) <= writes.0 || end(writes) <= read.0;
        assert!(reads.iter().all(apart), "a kernel reads what it writes");
        let all: Vec<Floats> = reads.iter().copied().chain([writes]).collect();
        let addresses: Vec<u64> = all.iter().map(|(address, _)| *address).collect();
        let bytes: Vec<usize> = all.iter().map(|(_, len)| len * size_of::<f32>()).collect();
        // Graphs run it again and again, so that nobody knows when it has run for the last time: it
        // is never freed, and listed, which is how a leak checker knows that it was not lost.
        static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        let data =
            ptr::from_mut(Box::leak(Box::new(Work { reads: reads.to_vec(), writes, compute })));
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(data as usize);
        // SAFETY: the arrays hold as many elements as is said, and the function gets the `Work` that
        // it is for, which is never freed.
        let code = unsafe {
            (self.launch)(
                stream as *mut c_void,
                work::<F>,
                data.cast(),
                addresses.as_ptr(),
                bytes.as_ptr(),
                all.len(),
            )
        };
        if code == 0 { Ok(()) } else { Err(code) }
    }
}
