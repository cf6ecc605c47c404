//! ONNX Runtime's CUDA provider, and what it needs.

use std::fs;
use std::path::{Path, PathBuf};

use ort::environment::Environment;
use ort::ep::CUDA;
use ort::session::Session;
use ort::util::preload_dylib;

use super::environment::resolved;
use super::session::refused;
use crate::backend::BackendError;

/// Whether `library` can have the provider at all. Asked before the library is loaded, since its own
/// words name neither the package nor the place.
pub(super) fn check(library: &Path) -> Result<(), BackendError> {
    let beside = resolved(library).with_file_name(CUDA_PROVIDER);
    match beside.is_file() {
        true => Ok(()),
        false => Err(BackendError::Provider {
            library: library.to_owned(),
            problem: format!(
                "{} is missing; pip install onnxruntime-gpu[cuda,cudnn] brings one, then name the \
                 libonnxruntime.so in its onnxruntime/capi folder with --ort-lib or ORT_DYLIB_PATH",
                beside.display()
            ),
            source: None,
        }),
    }
}

/// A session for `model` that computes on `cuda`. Fails rather than compute on another provider.
pub(super) fn session(
    environment: &Environment,
    library: &Path,
    model: &Path,
    threads: usize,
    cuda: CUDA,
) -> Result<Session, BackendError> {
    let load = |error: ort::Error| refused(model, error);
    let no_gpu = |error: ort::Error| BackendError::Provider {
        library: library.to_owned(),
        problem: REFUSAL.to_owned(),
        source: Some(error.into()),
    };
    let mut builder = Session::builder(environment)
        .and_then(|builder| Ok(builder.with_intra_threads(threads)?))
        .map_err(load)?
        .with_execution_providers([cuda.build().error_on_failure()])
        .map_err(|error| no_gpu(error.into()))?;
    // The provider only starts together with the session.
    builder.commit_from_file(model).map_err(|error| {
        let words = error.to_string().to_ascii_lowercase();
        let of_the_gpu = ["cuda", "cudnn", "cublas"].iter().any(|word| words.contains(word));
        if of_the_gpu { no_gpu(error) } else { load(error) }
    })
}

/// What is said where the provider does not start; its own words follow.
const REFUSAL: &str = "the CUDA provider does not start; expected the CUDA and cuDNN libraries that \
                       it was built for (pip install onnxruntime-gpu[cuda,cudnn] brings them, else \
                       LD_LIBRARY_PATH must name their folders) and a driver that knows them";

/// The library with the provider, beside ONNX Runtime's own.
const CUDA_PROVIDER: &str = "libonnxruntime_providers_cuda.so";

/// What the provider links, each after what it links itself.
const CUDA_LIBRARIES: [&str; 8] = [
    "libcudart.so.",
    "libnvJitLink.so.",
    "libcublasLt.so.",
    "libcublas.so.",
    "libnvrtc.so.",
    "libcurand.so.",
    "libcufft.so.",
    "libcudnn.so.",
];

/// Loads the CUDA libraries that pip installed beside ONNX Runtime, where the dynamic loader does
/// not look but takes what is loaded already. Does nothing elsewhere: what is missing then, the
/// provider says itself.
pub(super) fn preload(library: &Path) {
    for path in pip_libraries(&resolved(library)) {
        // One that cannot be loaded may be one that is not needed.
        _ = preload_dylib(&path);
    }
}

/// The CUDA libraries in `nvidia/*/lib` for a library in `onnxruntime/capi`, in loading order.
fn pip_libraries(library: &Path) -> Vec<PathBuf> {
    let Some(packages) = library.ancestors().nth(3) else { return Vec::new() };
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries(packages.join("nvidia"))
        .flat_map(|package| entries(package.path().join("lib")))
        .map(|file| file.path())
        .collect();
    files.sort();
    let called = |stem: &str, file: &Path| {
        file.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(stem))
    };
    let of = |stem| files.iter().filter(move |file| called(stem, file)).cloned();
    CUDA_LIBRARIES.iter().flat_map(|stem| of(stem)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuda_needs_its_provider_beside_the_library_itself() {
        let folder = tempfile::tempdir().unwrap();
        let [wheel, lib] = ["wheel", "lib"].map(|name| folder.path().join(name));
        [&wheel, &lib].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
        let file = wheel.join("libonnxruntime.so.1.31.1");
        fs::write(&file, "").unwrap();
        let link = lib.join("libonnxruntime.so");
        std::os::unix::fs::symlink(&file, &link).unwrap();

        let message = check(&link).unwrap_err().to_string();
        let missing = wheel.canonicalize().unwrap().join(CUDA_PROVIDER);
        for part in [&*missing.to_string_lossy(), &link.to_string_lossy(), "onnxruntime-gpu"] {
            assert!(message.contains(part), "no {part:?} in {message}");
        }
        fs::write(missing, "").unwrap();
        assert!(check(&link).is_ok());
    }

    #[test]
    fn pip_s_libraries_are_loaded_before_what_links_them() {
        let packages = tempfile::tempdir().unwrap();
        let path = |name: &str| packages.path().join(name);
        for file in [
            "nvidia/cudnn/lib/libcudnn.so.9",
            "nvidia/cudnn/lib/libcudnn_ops.so.9",
            "nvidia/cu13/lib/libcublas.so.13",
            "nvidia/cu13/lib/libcublasLt.so.13",
            "nvidia/cu13/lib/libcudart.so.13",
            "nvidia/cu13/include/cuda.h",
            "onnxruntime/capi/libonnxruntime.so.1.31.1",
        ] {
            fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            fs::write(path(file), "").unwrap();
        }
        let found = pip_libraries(&path("onnxruntime/capi/libonnxruntime.so.1.31.1"));
        let expected = ["cu13/lib/libcudart.so.13", "cu13/lib/libcublasLt.so.13"];
        let more = ["cu13/lib/libcublas.so.13", "cudnn/lib/libcudnn.so.9"];
        let expected = expected.iter().chain(&more).map(|name| path("nvidia").join(name));
        assert_eq!(found, expected.collect::<Vec<_>>());
        assert_eq!(pip_libraries(Path::new("lib.so")), [""; 0].map(PathBuf::from));
    }
}
