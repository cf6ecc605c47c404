//! libonnxruntime.so: the real one with a CUDA provider over host memory.

use std::fmt::Write as _;
use std::fs;
use std::mem::offset_of;

use ort_sys::OrtApi;

use crate::shared_object::{SharedObject, folder};

/// The constants `KNAME` for the positions of functions in the library's table, as C++.
macro_rules! positions {
    ($($name:ident)*) => {{
        let mut text = "#pragma once\n#include <cstddef>\nnamespace fake {\n".to_owned();
        $(
            let position = offset_of!(OrtApi, $name) / size_of::<fn()>();
            writeln!(text, "constexpr std::size_t K{} = {position};", stringify!($name))
                .expect("text grows");
        )*
        let count = size_of::<OrtApi>() / size_of::<fn()>();
        writeln!(text, "constexpr std::size_t FUNCTIONS = {count};\n}}").expect("text grows");
        text
    }};
}

pub(crate) fn build() {
    let here = folder().join("onnxruntime");
    let generated = here.join("include");
    fs::create_dir_all(&generated).expect("the build's folder can be written");
    let positions = positions!(
        AddRunConfigEntry
        CreateCUDAProviderOptions
        CreateMemoryInfo
        CreateSession
        CreateStatus
        CreateTensorWithDataAsOrtValue
        GetErrorMessage
        GetTensorMutableData
        GetTensorShapeElementCount
        GetTensorTypeAndShape
        MemoryInfoGetName
        ReleaseCUDAProviderOptions
        ReleaseMemoryInfo
        ReleaseRunOptions
        ReleaseSession
        ReleaseSessionOptions
        ReleaseTensorTypeAndShapeInfo
        ReleaseValue
        Run
        SessionOptionsAppendExecutionProvider_CUDA_V2
        UpdateCUDAProviderOptions
    );
    fs::write(generated.join("positions.h"), positions).expect("the build's folder can be written");
    SharedObject::new("onnxruntime/libonnxruntime.so")
        .sources_in("cpp/driver")
        .sources_in("cpp/onnxruntime")
        .controlled_from("..")
        .argument("-I")
        .argument(&generated)
        .argument("-ldl")
        .build();
    // Its presence is what says that the library has the provider.
    fs::write(here.join("libonnxruntime_providers_cuda.so"), "")
        .expect("the build's folder can be written");
}
