//! The loaded library, of which there is one a process.

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use libloading::{Library, Symbol};
use openvino_sys::{ov_status_e, ov_version_t};

use super::OpenVinoError;
use crate::check_whole;

/// What is called in the library. The bindings would panic where one is missing.
const FUNCTIONS: [&str; 25] = [
    "ov_compiled_model_create_infer_request",
    "ov_compiled_model_free",
    "ov_core_compile_model",
    "ov_core_create",
    "ov_core_free",
    "ov_core_get_property",
    "ov_core_read_model_from_memory_buffer",
    "ov_core_set_property",
    "ov_free",
    "ov_get_last_err_msg",
    "ov_get_openvino_version",
    "ov_infer_request_cancel",
    "ov_infer_request_free",
    "ov_infer_request_set_callback",
    "ov_infer_request_set_tensor",
    "ov_infer_request_start_async",
    "ov_infer_request_wait",
    "ov_model_free",
    "ov_model_reshape",
    "ov_partial_shape_create_static",
    "ov_partial_shape_free",
    "ov_shape_create",
    "ov_shape_free",
    "ov_tensor_create_from_host_ptr",
    "ov_version_free",
];
/// Numbers of element types changed before it.
const OLDEST: (u32, u32) = (2025, 1);

/// OpenVINO's library, loaded and of a version that is understood. It stays loaded.
#[derive(Clone, Debug)]
pub struct OpenVino(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    path: PathBuf,
    version: String,
}

impl OpenVino {
    /// Loads the library at `path`, a libopenvino_c.so. One can be loaded in a process; a second one
    /// is refused rather than ignored.
    ///
    /// # Errors
    /// [`OpenVinoError::Unusable`] where it or one of the libraries beside it is cut short, is
    /// something else, or is older than 2025.1.
    pub fn load(path: &Path) -> Result<Self, OpenVinoError> {
        static LOADED: Mutex<Option<OpenVino>> = Mutex::new(None);
        let unusable = |reason: String| OpenVinoError::Unusable { path: path.to_owned(), reason };
        let file = path.canonicalize().map_err(|error| unusable(error.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = &*loaded {
            return match library.path() == file {
                true => Ok(library.clone()),
                false => Err(unusable(format!(
                    "{} is already loaded in this process",
                    library.path().display()
                ))),
            };
        }
        check_all_whole(&file).map_err(unusable)?;
        let version = inspect(&file).map_err(unusable)?;
        openvino_sys::library::load_from(&file).map_err(unusable)?;
        let library = Self(Arc::new(Loaded { path: file, version }));
        *loaded = Some(library.clone());
        Ok(library)
    }

    /// The file, with links followed.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its version and build.
    pub fn version(&self) -> &str {
        &self.0.version
    }
}

/// Checks the library and what it loads from its own folder.
fn check_all_whole(file: &Path) -> Result<(), String> {
    check_whole(file)?;
    let ours = ["libopenvino", "libtbb", "libhwloc"];
    let entries = file.parent().and_then(|folder| folder.read_dir().ok());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if ours.iter().any(|prefix| name.starts_with(prefix)) {
            check_whole(&entry.path()).map_err(|reason| format!("{name} beside it {reason}"))?;
        }
    }
    Ok(())
}

/// The version of the library at `file`, which has all that is needed of it.
fn inspect(file: &Path) -> Result<String, String> {
    // SAFETY: loading OpenVINO runs no code but its own initialisers; of anything else that was
    // named in its place, what its maker gave it.
    let library = unsafe { Library::new(file) }.map_err(|error| words(&error))?;
    for name in FUNCTIONS {
        // SAFETY: it is only asked whether the function is there.
        let found: Result<Symbol<'_, unsafe extern "C" fn()>, _> =
            unsafe { library.get(name.as_bytes()) };
        if found.is_err() {
            return Err(format!("it has no function {name}"));
        }
    }
    let version = version(&library)?;
    if !is_new_enough(&version) {
        return Err(format!("it is of version {version}"));
    }
    Ok(version)
}

fn version(library: &Library) -> Result<String, String> {
    type Ask = unsafe extern "C" fn(*mut ov_version_t) -> ov_status_e;
    type Free = unsafe extern "C" fn(*mut ov_version_t);
    let missing = |error: libloading::Error| words(&error);
    // SAFETY: the types are those of the bindings, and are the same in all versions.
    let ask: Symbol<'_, Ask> =
        unsafe { library.get(b"ov_get_openvino_version") }.map_err(missing)?;
    // SAFETY: as above.
    let free: Symbol<'_, Free> = unsafe { library.get(b"ov_version_free") }.map_err(missing)?;
    let mut version = ov_version_t { buildNumber: std::ptr::null(), description: std::ptr::null() };
    // SAFETY: it writes two texts to the struct.
    if unsafe { ask(&raw mut version) } != ov_status_e::OK || version.buildNumber.is_null() {
        return Err("it does not say its version".to_owned());
    }
    // SAFETY: the text ends in a zero and is there until it is freed.
    let text = unsafe { CStr::from_ptr(version.buildNumber) }.to_string_lossy().into_owned();
    // SAFETY: the texts were made by `ask`, and are freed once.
    unsafe { free(&raw mut version) };
    Ok(text)
}

/// The loader's words, which the error itself leaves to its source.
fn words(error: &libloading::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Whether a version such as `2026.4.1-22982` is understood.
fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split(['.', '-']).map(str::parse);
    let (Some(Ok(year)), Some(Ok(minor))) = (parts.next(), parts.next()) else { return false };
    (year, minor) >= OLDEST
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (version, expected) in [
            ("2026.4.1-22982-abc", true),
            ("2025.1.0", true),
            ("2025.10", true),
            ("2025.0.0-1", false),
            ("2024.6", false),
            ("custom_branch", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), expected, "{version:?}");
        }
    }

    #[test]
    fn other_files_are_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libopenvino_c.so");
        let refused = |path: &Path| match OpenVino::load(path) {
            Err(OpenVinoError::Unusable { path: named, reason }) if named == path => reason,
            other => panic!("{other:?}"),
        };
        assert!(refused(&file).contains("No such file"));
        fs::write(&file, "no library").unwrap();
        let reason = refused(&file);
        assert!(reason.contains("libopenvino_c.so: "), "not the loader's words: {reason}");
        let program = fs::read(std::env::current_exe().unwrap()).unwrap();
        fs::write(&file, &program[..1000]).unwrap();
        assert!(refused(&file).starts_with("is cut short: it has 1000 bytes"));
        fs::write(&file, "no library").unwrap();
        fs::write(folder.path().join("libopenvino.so.2641"), &program[..1000]).unwrap();
        assert!(refused(&file).starts_with("libopenvino.so.2641 beside it is cut short"));
    }

    #[test]
    fn a_library_of_something_else_is_refused() {
        let loader = crate::Loader::of_this_process();
        let Some(other) = loader.find("libm.so.6") else { return eprintln!("SKIPPED: no libm") };
        let error = OpenVino::load(&other).unwrap_err().to_string();
        assert!(error.contains("it has no function ov_compiled_model_create"), "{error}");
    }
}
