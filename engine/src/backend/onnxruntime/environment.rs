//! The loaded library, of which there is one a process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use crate::backend::LibraryError;

/// Where ONNX Runtime looks for its providers: beside the file itself, not beside a link to it.
pub(super) fn resolved(library: &Path) -> PathBuf {
    library.canonicalize().unwrap_or_else(|_| library.to_owned())
}

/// Loads `library`. It can be loaded once a process; a second one is refused rather than ignored.
pub(super) fn environment(library: &Path) -> Result<Environment, LibraryError> {
    static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);
    let unusable = |source: Box<dyn std::error::Error + Send + Sync>| LibraryError::Unusable {
        path: library.to_owned(),
        source,
    };
    let file = resolved(library);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, environment)) = &*loaded {
        return match *path == file {
            true => Ok(environment.clone()),
            false => Err(unusable(
                format!("{} is already loaded in this process", path.display()).into(),
            )),
        };
    }
    engine_sys::check_whole(&file).map_err(|reason| unusable(reason.into()))?;
    let environment = ort::init_from(&file)
        .map_err(|error| unusable(error.into()))?
        // What people render is nobody else's business.
        .with_telemetry(false)
        .build()
        .map_err(|error| unusable(error.into()))?;
    environment.set_log_level(ort::logging::LogLevel::Error);
    *loaded = Some((file, environment.clone()));
    Ok(environment)
}

/// Name and version of the library that is loaded. It does not tell its version through these
/// bindings, but what it was built of.
pub(super) fn version() -> String {
    let build = ort::info();
    format!("ONNX Runtime ({})", build.strip_prefix("ORT Build Info: ").unwrap_or(build))
}
