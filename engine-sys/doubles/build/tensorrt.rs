//! The TensorRT libraries and their ONNX parsers, once per set of headers.

use std::env;
use std::fs;
use std::path::Path;
use std::thread;

use engine_sys::Flavour;

use crate::shared_object::{SharedObject, folder};
use crate::stubs;

/// The interfaces that the library implements, and those of the parser.
const INTERFACES: [&str; 13] = [
    "VBuilder",
    "VBuilderConfig",
    "VCastLayer",
    "VCudaEngine",
    "VExecutionContext",
    "VHostMemory",
    "VLayer",
    "VNetworkDefinition",
    "VOptimizationProfile",
    "VRuntime",
    "VRuntimeConfig",
    "VTensor",
    "VTimingCache",
];
const PARSER_INTERFACES: [&str; 1] = ["IParser"];

pub(crate) fn build() {
    thread::scope(|scope| {
        for flavour in Flavour::ALL {
            if let Some(headers) = headers(flavour) {
                println!("cargo::rustc-env=ENGINE_DOUBLES_HEADERS_{}={headers}", name(flavour));
                scope.spawn(move || build_flavour(flavour, Path::new(&headers)));
            }
        }
    });
}

/// `10`, `11` or `RTX`: the flavour in the names of environment variables.
fn name(flavour: Flavour) -> String {
    flavour.to_string().to_uppercase()
}

/// The folder with NvInfer.h, as engine-sys found it.
fn headers(flavour: Flavour) -> Option<String> {
    env::var(format!("DEP_TENSORRT_SHIM_INCLUDE_{}", name(flavour))).ok()
}

fn build_flavour(flavour: Flavour, headers: &Path) {
    let libraries = folder().join(flavour.to_string());
    let generated = libraries.join("include");
    fs::create_dir_all(&generated).expect("the build's folder can be written");
    let write = |file: &str, namespace: &str, header: &str, classes: &[&str]| {
        let text = stubs::generate(&headers.join(header), namespace, classes);
        fs::write(generated.join(file), text).expect("the build's folder can be written");
    };
    write("stubs.h", "nvinfer1::apiv", "NvInferImpl.h", &INTERFACES);
    write("parser_stubs.h", "nvonnxparser", "NvOnnxParser.h", &PARSER_INTERFACES);

    let with_headers = |library: SharedObject| {
        let mut library = library
            .controlled_from("..")
            // The bytes are compared with those of other runtimes.
            .argument("-ffp-contract=off")
            .argument("-Wno-deprecated-declarations");
        // The shim's two types of CUDA are enough here too.
        for folder in [headers, Path::new("../../cpp/shim/cuda")] {
            library = library.argument("-isystem").argument(folder);
        }
        library.sources_in("cpp/nvcommon").argument("-I").argument(&generated)
    };
    let file = |name: &str| Path::new(&flavour.to_string()).join(name);
    let runtime = SharedObject::new(file(flavour.runtime_library()))
        .sources_in("cpp/driver")
        .sources_in("cpp/nvinfer");
    with_headers(runtime).argument("-ldl").build();
    with_headers(SharedObject::new(file(flavour.parser_library())))
        .sources_in("cpp/nvonnxparser")
        .argument(libraries.join(flavour.runtime_library()))
        .argument("-Wl,-rpath,$ORIGIN")
        .build();
}
