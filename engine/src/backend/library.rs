//! Where the ONNX Runtime library is.

use std::path::{Path, PathBuf};

/// No ONNX Runtime library was found, or not where it was said to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// A place was named, and it holds no such file.
    #[error("{}: {problem}; {origin} must name the ONNX Runtime library (libonnxruntime.so)", path.display())]
    NotThere {
        /// The place.
        path: PathBuf,
        /// What is there instead.
        problem: &'static str,
        /// Who named it.
        origin: &'static str,
    },
    /// Nobody named a place and the usual ones are empty.
    #[error(
        "no ONNX Runtime library found; run scripts/setup, or set --ort-lib or ORT_DYLIB_PATH to a libonnxruntime.so (looked in: {looked})"
    )]
    NotFound {
        /// The places that were searched.
        looked: String,
    },
    /// The file is there and cannot be used.
    #[error("{}: cannot be used as ONNX Runtime; expected a libonnxruntime.so of version 1.24 or newer", path.display())]
    Unusable {
        /// The library.
        path: PathBuf,
        /// What the loader said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Where the project's set-up script puts the library, below the project's folder.
const PROJECT_FOLDER: &str = ".deps/onnxruntime/lib/libonnxruntime.so";

/// The library to load: `explicit` (`--ort-lib`), else `ORT_DYLIB_PATH`, else the folder that the
/// set-up script fills, looked for above the current folder and above the program.
///
/// # Errors
/// [`LibraryError`] when a named place holds no file or no place does.
pub fn find_onnxruntime(explicit: Option<&Path>) -> Result<PathBuf, LibraryError> {
    let variable = std::env::var_os("ORT_DYLIB_PATH").filter(|value| !value.is_empty());
    let named = explicit
        .map(|path| (path.to_owned(), "--ort-lib"))
        .or_else(|| variable.map(|value| (PathBuf::from(value), "ORT_DYLIB_PATH")));
    if let Some((path, origin)) = named {
        return match path.is_file() {
            // The loader would search its own path for a bare name.
            true => Ok(std::path::absolute(&path).unwrap_or(path)),
            false => {
                let problem = if path.is_dir() { "is a folder" } else { "no such file" };
                Err(LibraryError::NotThere { path, problem, origin })
            }
        };
    }
    let starts = [std::env::current_dir().ok(), std::env::current_exe().ok()];
    let places: Vec<PathBuf> = starts
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .map(|folder| folder.join(PROJECT_FOLDER))
        .collect();
    places.iter().find(|path| path.is_file()).cloned().ok_or_else(|| LibraryError::NotFound {
        looked: format!("{PROJECT_FOLDER} in this folder, the program's folder and those above"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_place_must_hold_a_file() {
        let error = find_onnxruntime(Some(Path::new("/nowhere/lib.so"))).unwrap_err().to_string();
        assert!(error.contains("/nowhere/lib.so") && error.contains("--ort-lib"), "{error}");
    }

    #[test]
    fn a_named_file_wins() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(find_onnxruntime(Some(file.path())).unwrap(), file.path());
    }
}
