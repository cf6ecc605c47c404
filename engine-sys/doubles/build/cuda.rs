//! libcuda.so: the CUDA driver over host memory.

use std::io::ErrorKind;
use std::os::unix::fs::symlink;

use crate::shared_object::{SharedObject, folder};

pub(crate) fn build() {
    // The SONAME is the name that cudarc asks for first: once a test has loaded the file by its
    // path, that name finds it, also on a machine with a real driver.
    SharedObject::new("libcuda.so")
        .sources_in("cpp/cuda")
        .includes("../../engine/src/cuda/kernels")
        // Kernels are compiled without fused operations, too.
        .argument("-ffp-contract=off")
        .controlled_from(".")
        .build();
    // The name of the driver's library as everybody else asks for it.
    let link = folder().join("libcuda.so.1");
    if let Err(error) = symlink("libcuda.so", &link) {
        assert!(error.kind() == ErrorKind::AlreadyExists, "{}: {error}", link.display());
    }
}
