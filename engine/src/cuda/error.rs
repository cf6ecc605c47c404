//! What can go wrong between the engine and the device.

use std::path::PathBuf;

use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

/// The driver is missing, or refused something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CudaError {
    /// There is no driver to talk to.
    #[error("no usable NVIDIA driver: {reason}")]
    NoDriver {
        /// What was looked for, or what the driver said.
        reason: String,
    },
    /// The driver is too old for the calls that the engine makes.
    #[error("the NVIDIA driver knows CUDA {}.{}; the engine needs {}.{} (driver 570) or newer", found.0, found.1, needed.0, needed.1)]
    OldDriver {
        /// The newest CUDA version the driver knows: major, minor.
        found: (u32, u32),
        /// The oldest that works: major, minor.
        needed: (u32, u32),
    },
    /// The driver works and finds no device.
    #[error("the NVIDIA driver finds no GPU")]
    NoDevice,
    /// There is no device of that number.
    #[error("there is no GPU {asked}; this machine has {count}, counted from 0")]
    Ordinal {
        /// The number that was asked for.
        asked: usize,
        /// How many devices there are.
        count: usize,
    },
    /// No memory of the kind that was asked for.
    #[error(
        "CUDA has no memory left {attempt} of {bytes} bytes; use a smaller --batch, fewer --lanes or a smaller --region-budget"
    )]
    OutOfMemory {
        /// What was being done.
        attempt: &'static str,
        /// How much was wanted.
        bytes: usize,
    },
    /// A lane was given more than it has room for.
    #[error("a lane's {tensor} has room for {room} floats, {asked} were given")]
    Room {
        /// Which tensor.
        tensor: &'static str,
        /// What was to be transferred, in floats.
        asked: usize,
        /// What there is room for, in floats.
        room: usize,
    },
    /// A lane was asked for something that it cannot do at this point.
    #[error("a lane was asked for {attempt}, but {state}")]
    Lane {
        /// What was asked.
        attempt: &'static str,
        /// Why that cannot be.
        state: &'static str,
    },
    /// The frames that are in flight do not fit what regions may take on the device.
    #[error(
        "the GPU may keep {budget} bytes of frames; the {needed} that are in flight need {} ({bytes} \
         each); use a larger --region-budget or fewer --lanes", *needed as u64 * bytes
    )]
    Regions {
        /// Bytes that are allowed.
        budget: u64,
        /// Frames in flight.
        needed: usize,
        /// Bytes of one frame's region.
        bytes: u64,
    },
    /// The kernels have to be compiled, and there is nothing to do it with.
    #[error("the kernels cannot be compiled: {reason}")]
    NoCompiler {
        /// What was looked for, or what is wrong with it.
        reason: String,
    },
    /// The compiler refused the kernels.
    #[error("{}: the kernels do not compile: {log}", library.display())]
    Compile {
        /// The compiler.
        library: PathBuf,
        /// What it says.
        log: String,
    },
    /// A call failed.
    #[error("CUDA failed {attempt}: {description} ({name})")]
    Call {
        /// What was being done.
        attempt: &'static str,
        /// The driver's name for the error, such as `CUDA_ERROR_LAUNCH_FAILED`.
        name: String,
        /// The driver's description of it.
        description: String,
    },
}

/// Turns what the driver answers into a [`CudaError`].
pub(super) trait Attempt<T> {
    /// `attempt` completes "CUDA failed ...".
    fn attempt(self, attempt: &'static str) -> Result<T, CudaError>;

    /// The same for a call that asks for `bytes` bytes of memory.
    fn allocate(self, attempt: &'static str, bytes: usize) -> Result<T, CudaError>;
}

impl<T> Attempt<T> for Result<T, DriverError> {
    fn attempt(self, attempt: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| {
            let (name, description) = words(error);
            CudaError::Call { attempt, name, description }
        })
    }

    fn allocate(self, attempt: &'static str, bytes: usize) -> Result<T, CudaError> {
        match self {
            Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                Err(CudaError::OutOfMemory { attempt, bytes })
            }
            other => other.attempt(attempt),
        }
    }
}

/// The driver's name and description of an error.
pub(super) fn words(error: DriverError) -> (String, String) {
    let text = |words: Result<&std::ffi::CStr, DriverError>| {
        words.ok().map(|words| words.to_string_lossy().into_owned())
    };
    let name = text(error.error_name()).unwrap_or_else(|| format!("{:?}", error.0));
    let description = text(error.error_string()).unwrap_or_else(|| "no description".to_owned());
    (name, description)
}
