//! Compiles the shim.

use std::path::{Path, PathBuf};

use super::headers::{self, Flavour};

pub(crate) fn compile() {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources = workspace.join("cpp/shim");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-changed=src/ffi.rs");

    let found = headers::find(&workspace);
    if found.is_empty() {
        println!(
            "cargo::warning=no TensorRT headers found, so this build has no TensorRT backend: run \
             scripts/setup, or set TENSORRT_INCLUDE_DIR to a folder with NvInfer.h, and build again"
        );
    }

    // What all flavours share; it also generates the bridge's headers.
    let mut shared = cxx_build::bridge("src/ffi.rs");
    shared.std("c++17").include(&sources).file(sources.join("shim.cpp"));
    shared.file(sources.join("loader.cpp"));
    for (flavour, folder) in &found {
        shared.define(&format!("SHIM_WITH_{}", flavour.suffix().to_uppercase()), None);
        println!("cargo::metadata=include_{}={}", flavour.suffix(), folder.display());
    }
    // The flavours' archives come first: the linker takes from the later ones what they lack.
    let generated =
        PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("cxxbridge");
    for (flavour, folder) in &found {
        compile_flavour(*flavour, folder, &sources, &generated);
    }
    shared.compile("tensorrt_shim");
}

fn compile_flavour(flavour: Flavour, headers: &Path, sources: &Path, generated: &Path) {
    let suffix = flavour.suffix();
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .include(sources)
        .include(generated.join("include"))
        .include(generated.join("crate"))
        // The vendor's headers are not ours to warn about.
        .flag("-isystem")
        .flag(headers)
        // One source for all header sets: what one of them deprecates, another needs.
        .flag("-Wno-deprecated-declarations")
        // Last: a CUDA toolkit's own header is better than the two types that TensorRT needs of it.
        .flag("-idirafter")
        .flag(sources.join("cuda"))
        .define("SHIM_FLAVOUR", format!("flavour_{suffix}").as_str())
        .define("nvinfer1", format!("nvinfer1_{suffix}").as_str())
        .define("nvonnxparser", format!("nvonnxparser_{suffix}").as_str())
        .file(sources.join("flavour.cpp"));
    if flavour == Flavour::Rtx {
        build.define("SHIM_RTX", None);
    }
    build.compile(&format!("tensorrt_shim_{suffix}"));
}
