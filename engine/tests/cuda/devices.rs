//! What the driver says about itself and its devices.

use engine::cuda::{Context, CudaError, DeviceInfo, devices};
use engine_doubles::cuda;

use crate::support::{child, is_child};

#[test]
fn describes_the_device() {
    let cuda = cuda();
    let control = cuda.exclusive();
    let expected = DeviceInfo {
        ordinal: 0,
        name: "Engine Double".to_owned(),
        compute_capability: (9, 0),
        memory: 8 << 30,
        driver: (13, 0),
    };
    assert_eq!(devices(), Ok(vec![expected.clone()]));
    assert_eq!(control.total(), 0, "asking starts nothing");
    assert_eq!(Context::new(0).unwrap().device(), &expected);
    assert_eq!(control.census(), [""; 0]);
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let _control = cuda().exclusive();
    let error = Context::new(3).unwrap_err();
    assert_eq!(error, CudaError::Ordinal { asked: 3, count: 1 });
    assert_eq!(error.to_string(), "there is no GPU 3; this machine has 1, counted from 0");
}

/// The driver reads its settings from the environment, which only a child's can be changed.
#[test]
fn every_reason_for_no_device_is_told_apart() {
    if is_child() {
        cuda();
        match devices() {
            Ok(devices) => println!("found {:?}", devices[0].compute_capability),
            Err(error) => println!("error {error}"),
        }
        return;
    }
    for (variable, value, expected) in [
        ("ENGINE_DOUBLES_NO_DEVICE", "1", "error the NVIDIA driver finds no GPU"),
        (
            "ENGINE_DOUBLES_DRIVER",
            "12040",
            "error the NVIDIA driver knows CUDA 12.4; the engine needs 12.8 (driver 570) or newer",
        ),
        (
            "ENGINE_DOUBLES_FAIL",
            "cuInit=1:803",
            "error no usable NVIDIA driver: system has unsupported display driver / cuda driver \
             combination (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)",
        ),
        ("ENGINE_DOUBLES_CC", "8.9", "found (8, 9)"),
    ] {
        let test = "devices::every_reason_for_no_device_is_told_apart";
        let output = child(test, &[(variable, value)]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.lines().any(|line| line == expected), "{variable}={value}: {text}");
    }
}
