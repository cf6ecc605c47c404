//! ONNX Runtime on an NVIDIA GPU.

use std::path::Path;

use super::{BackendOptions, Opened, SelectError, silent};
use crate::backend::{OnnxRuntimeCuda, OnnxRuntimeCudaOptions, OnnxRuntimeOptions};
use crate::cuda;

/// The name of GPU `device`, or why there is none.
pub(super) fn gpu(device: usize) -> Result<String, String> {
    let devices = cuda::devices().map_err(|error| error.to_string())?;
    let count = devices.len();
    let found = devices.into_iter().find(|info| info.ordinal == device);
    found.map(|info| info.name).ok_or_else(|| format!("there is no GPU {device}, only {count}"))
}

/// Sessions for `model` in lanes of the GPU.
pub(super) fn onnxruntime(model: &Path, options: &BackendOptions) -> Result<Opened, SelectError> {
    // The CPU waits: one thread is enough.
    let OnnxRuntimeOptions { library, threads } = options.onnxruntime(1)?;
    let backend = OnnxRuntimeCuda::open(
        model,
        &OnnxRuntimeCudaOptions {
            library,
            device: options.device,
            threads,
            lanes: options.gpu.lanes,
            largest_batch: options.largest_batch,
        },
    )?;
    let (lanes, gpu) = (options.gpu.lanes, &backend.device().name);
    let remark = format!("backend     onnxruntime on {gpu}, {lanes} lanes");
    Ok(silent(backend).after(vec![remark]))
}
