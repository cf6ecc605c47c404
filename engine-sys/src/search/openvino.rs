//! Where OpenVINO is.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Places, library};

/// The library with OpenVINO's C interface; the name may go on with a version.
const LIBRARY: &str = "libopenvino_c.so";
/// Where the project's set-up script puts it, below the project's folder, and where the Python
/// package has it, below a `site-packages`.
const PROJECT_FOLDER: &str = ".deps/openvino/lib";
const PIP_FOLDERS: [&str; 1] = ["openvino/libs"];

/// OpenVINO was found nowhere, or not where it was said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoOpenVino {
    /// A place was named, and there is no such library.
    #[error("{}: {problem}; {origin} must name OpenVINO's libopenvino_c.so, or the folder that holds it", path.display())]
    NotThere {
        /// The place.
        path: PathBuf,
        /// What is there instead.
        problem: &'static str,
        /// Who named it.
        origin: &'static str,
    },
    /// Nobody named a place, and the usual ones have none.
    #[error(
        "no OpenVINO found (libopenvino_c.so); run scripts/setup, or set --openvino-lib or \
         OPENVINO_DYLIB_PATH to the library or its folder (looked in: {looked})"
    )]
    Nowhere {
        /// The places, separated by semicolons.
        looked: String,
    },
}

/// Looks for OpenVINO's library, a `libopenvino_c.so` whose name may go on with a version: `explicit`
/// (`--openvino-lib`), else `OPENVINO_DYLIB_PATH`, each the file or its folder; else in the
/// project's folder above the current folder and above the program, pip's folders, the system, and
/// where OpenVINO's own set-up script and archives put it.
///
/// # Errors
/// [`NoOpenVino`], with the places that were searched and what to do.
pub fn find_openvino(explicit: Option<&Path>) -> Result<PathBuf, NoOpenVino> {
    let variable = std::env::var_os("OPENVINO_DYLIB_PATH").filter(|value| !value.is_empty());
    let named = explicit
        .map(|path| (path.to_owned(), "--openvino-lib"))
        .or_else(|| variable.map(|value| (PathBuf::from(value), "OPENVINO_DYLIB_PATH")));
    match named {
        Some((path, origin)) => named_place(&path, origin),
        None => Places::of_this_process().find_openvino(),
    }
}

impl Places {
    fn find_openvino(&self) -> Result<PathBuf, NoOpenVino> {
        let project = self.starts.iter().flat_map(|start| start.ancestors());
        let project = project.map(|folder| folder.join(PROJECT_FOLDER));
        let pip = self
            .packages
            .iter()
            .flat_map(|packages| PIP_FOLDERS.map(|folder| packages.join(folder)));
        let system = || {
            let folders = self.loader.first.iter().chain(&self.loader.last);
            let found = folders.map(PathBuf::as_path).find_map(|folder| library(folder, LIBRARY));
            self.loader.find(LIBRARY).or(found)
        };
        project
            .chain(pip)
            .find_map(|folder| library(&folder, LIBRARY))
            .or_else(system)
            .or_else(installed)
            .ok_or_else(|| NoOpenVino::Nowhere {
                looked: self.places(PROJECT_FOLDER, &PIP_FOLDERS),
            })
    }
}

/// Where OpenVINO's archives are unpacked, and its environment script says.
#[cfg(feature = "openvino")]
fn installed() -> Option<PathBuf> {
    openvino_sys::library::find()
}

#[cfg(not(feature = "openvino"))]
fn installed() -> Option<PathBuf> {
    None
}

/// The library at a place that was named: the file, or the one in the folder.
fn named_place(path: &Path, origin: &'static str) -> Result<PathBuf, NoOpenVino> {
    // The loader would search its own path for a bare name.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let problem = match fs::metadata(&path) {
        Ok(data) if data.is_file() => return Ok(path),
        Ok(data) if data.is_dir() => match library(&path, LIBRARY) {
            Some(file) => return Ok(file),
            None => "the folder holds no such library",
        },
        Ok(_) => "neither a file nor a folder",
        Err(_) => "no such file or folder",
    };
    Err(NoOpenVino::NotThere { path, problem, origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_place_is_the_file_or_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libopenvino_c.so.2641");
        let error = find_openvino(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("holds no such library; --openvino-lib must name"), "{error}");
        fs::write(&file, "").unwrap();
        assert_eq!(find_openvino(Some(folder.path())), Ok(file.clone()));
        assert_eq!(find_openvino(Some(&file)), Ok(file));
        let error = find_openvino(Some(Path::new("/nowhere/ov"))).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/ov: no such file or folder"), "{error}");
    }

    #[test]
    fn the_project_comes_before_packages_and_the_system() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let files = [
            "home/.deps/openvino/lib/libopenvino_c.so.2641",
            "packages/openvino/libs/libopenvino_c.so.2500",
            "system/libopenvino_c.so.2510",
        ];
        for file in files {
            fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            fs::write(path(file), "").unwrap();
        }
        let loader = crate::Loader { first: vec![path("system")], ..Default::default() };
        let packages = vec![path("packages")];
        let mut places =
            Places { starts: vec![path("home/a/b")], packages, loader, ..Places::default() };
        assert_eq!(places.find_openvino(), Ok(path(files[0])));
        places.starts.clear();
        assert_eq!(places.find_openvino(), Ok(path(files[1])));
        places.packages.clear();
        assert_eq!(places.find_openvino(), Ok(path(files[2])));
    }
}
