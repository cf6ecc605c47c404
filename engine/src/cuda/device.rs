//! The driver and the devices it finds.

use cudarc::driver::sys::{self, CUdevice_attribute, CUresult};
use cudarc::driver::{DriverError, result};
use libloading::Library;

use super::CudaError;
use super::error::{Attempt, words};

/// The oldest driver that has every function that is called: the bindings are those of CUDA 13,
/// whose `cuEventElapsedTime_v2` came with CUDA 12.8. A missing function would end the process.
const OLDEST_DRIVER: (u32, u32) = (12, 8);

/// A device as the driver describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its number, from 0.
    pub ordinal: usize,
    /// Its name, such as `NVIDIA L4`.
    pub name: String,
    /// Its compute capability: major, minor.
    pub compute_capability: (u32, u32),
    /// All of its memory in bytes.
    pub memory: u64,
    /// The newest CUDA version that the driver knows: major, minor.
    pub driver: (u32, u32),
}

/// Every device of this machine, in the driver's order; at least one.
///
/// # Errors
/// [`CudaError::NoDriver`] and [`CudaError::NoDevice`] where there is none, other errors where the
/// driver refuses to describe what it has.
pub fn devices() -> Result<Vec<DeviceInfo>, CudaError> {
    let driver = driver()?;
    (0..count()?).map(|ordinal| Ok(find(ordinal, driver)?.1)).collect()
}

/// The driver's handle of device `ordinal`, and what it is.
pub(super) fn device(ordinal: usize) -> Result<(sys::CUdevice, DeviceInfo), CudaError> {
    let driver = driver()?;
    let count = count()?;
    match ordinal < count {
        true => find(ordinal, driver),
        false => Err(CudaError::Ordinal { asked: ordinal, count }),
    }
}

/// Loads and starts the driver. Returns the newest CUDA version that it knows.
fn driver() -> Result<(u32, u32), CudaError> {
    library().map_err(|reason| CudaError::NoDriver { reason })?;
    match result::init() {
        Ok(()) => {}
        Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => return Err(CudaError::NoDevice),
        Err(error) => {
            let (name, description) = words(error);
            return Err(CudaError::NoDriver { reason: format!("{description} ({name})") });
        }
    }
    let mut version = 0;
    // SAFETY: the address is that of a live integer.
    let known = unsafe { sys::cuDriverGetVersion(&mut version) };
    known.result().attempt("asking for the driver's version")?;
    let version = version.unsigned_abs();
    let found = (version / 1000, version % 1000 / 10);
    match found >= OLDEST_DRIVER {
        true => Ok(found),
        false => Err(CudaError::OldDriver { found, needed: OLDEST_DRIVER }),
    }
}

/// Whether the library that cudarc will load is a driver: a function that it lacks would end the
/// process.
fn library() -> Result<(), String> {
    for name in ["cuda", "nvcuda"].iter().flat_map(|name| cudarc::get_lib_name_candidates(name)) {
        // SAFETY: loading libcuda runs no code but the driver's own initialisers.
        let Ok(library) = (unsafe { Library::new(&name) }) else { continue };
        let lacks = |function: &&&[u8]| {
            // SAFETY: the address is not used, so its type does not matter.
            unsafe { library.get::<*const ()>(**function) }.is_err()
        };
        return match [&b"cuInit"[..], b"cuDriverGetVersion"].iter().find(|name| lacks(name)) {
            None => Ok(()),
            Some(missing) => Err(format!(
                "{name} has no function {}, so it is not NVIDIA's",
                String::from_utf8_lossy(missing)
            )),
        };
    }
    Err("libcuda.so.1 cannot be loaded; it comes with the driver".to_owned())
}

fn count() -> Result<usize, CudaError> {
    let count = result::device::get_count().attempt("counting the GPUs")?;
    match usize::try_from(count) {
        Ok(0) | Err(_) => Err(CudaError::NoDevice),
        Ok(count) => Ok(count),
    }
}

/// `ordinal` must be below the number of devices.
fn find(ordinal: usize, driver: (u32, u32)) -> Result<(sys::CUdevice, DeviceInfo), CudaError> {
    let device = result::device::get(ordinal as i32).attempt("finding a GPU")?;
    let attribute = |attribute| {
        // SAFETY: the handle is one that the driver just gave out.
        let value = unsafe { result::device::get_attribute(device, attribute) };
        value.attempt("asking for a GPU's compute capability").map(i32::unsigned_abs)
    };
    let compute_capability = (
        attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    );
    let name = result::device::get_name(device).attempt("asking for a GPU's name")?;
    // SAFETY: the handle is one that the driver just gave out.
    let memory = unsafe { result::device::total_mem(device) };
    let memory = memory.attempt("asking for a GPU's memory")? as u64;
    Ok((device, DeviceInfo { ordinal, name, compute_capability, memory, driver }))
}
