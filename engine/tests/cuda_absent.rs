//! A machine without a driver. In a binary of its own: a driver is loaded once a process.

use engine::cuda::{Context, CudaError, devices};

#[test]
fn no_driver_is_an_error() {
    let error = match devices() {
        Err(CudaError::NoDriver { reason }) if reason.contains("libcuda") => {
            CudaError::NoDriver { reason }
        }
        // To see the other side, run it where no libcuda.so is on the loader's path.
        other => {
            eprintln!("skipped: this machine has a driver ({other:?}); run it where none is");
            return;
        }
    };
    let expected = "no usable NVIDIA driver: libcuda.so.1 cannot be loaded; it comes with the \
                    driver";
    assert_eq!(error.to_string(), expected);
    assert_eq!(Context::new(0).map(drop), Err(error));
}
