//! Where libraries are that are loaded at run time: NVIDIA's TensorRT and NVRTC, and OpenVINO.

mod openvino;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub use self::openvino::{NoOpenVino, find_openvino};
use crate::{Flavour, Loader};

/// The libraries of one flavour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The library that runs engines, and builds them unless `dispatch`.
    pub runtime: PathBuf,
    /// The library that reads ONNX models, which building needs.
    pub parser: Option<PathBuf>,
    /// Whether `runtime` is the dispatch library, which only runs version-compatible engines.
    pub dispatch: bool,
    /// Which of the places it was.
    pub origin: Origin,
}

/// The places where libraries are looked for, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `--tensorrt-lib`; nowhere else is looked then.
    Argument,
    /// `TENSORRT_LIB_DIR`; nowhere else is looked then.
    Variable,
    /// The folder that the project's scripts fill.
    Project,
    /// A package that pip installed.
    Pip,
    /// Wherever the dynamic loader looks.
    System,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argument => "--tensorrt-lib",
            Self::Variable => "TENSORRT_LIB_DIR",
            Self::Project => "the project's folder",
            Self::Pip => "a Python package",
            Self::System => "the system",
        })
    }
}

/// No TensorRT library of a flavour was found, or not where it was said to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFound {
    /// A folder was named, and it holds no such library.
    #[error(
        "{}: {problem}; {origin} must name the folder that holds {} of {}",
        folder.display(), flavour.runtime_library(), flavour.title()
    )]
    NotThere {
        /// What was looked for.
        flavour: Flavour,
        /// The folder.
        folder: PathBuf,
        /// Who named it.
        origin: Origin,
        /// What is there instead.
        problem: &'static str,
    },
    /// Nobody named a folder and the usual ones hold none.
    #[error(
        "no {} found ({}); {}, or set --tensorrt-lib or TENSORRT_LIB_DIR to the folder that holds \
         it (looked in: {looked})",
        flavour.title(), flavour.runtime_library(), remedy(*flavour)
    )]
    Nowhere {
        /// What was looked for.
        flavour: Flavour,
        /// The places, separated by commas.
        looked: String,
    },
}

impl NotFound {
    /// The same without advice and places, for a list of several flavours.
    pub fn brief(&self) -> String {
        match self {
            Self::NotThere { flavour, folder, problem, .. } => {
                format!("{}: {problem} ({})", folder.display(), flavour.runtime_library())
            }
            Self::Nowhere { flavour, .. } => {
                format!("no {} found ({})", flavour.title(), flavour.runtime_library())
            }
        }
    }
}

/// Where the project's scripts put a flavour's libraries, below the project's folder.
const PROJECT_FOLDER: &str = ".deps/tensorrt/lib";

/// Folders of Python packages that carry the libraries, below a `site-packages`.
const PIP_FOLDERS: [&str; 3] =
    ["tensorrt_libs", "tensorrt_rtx_libs", "onnxruntime_ep_nv_tensorrt_rtx"];

/// Looks for the libraries of `flavour`: in `explicit` (`--tensorrt-lib`), else in
/// `TENSORRT_LIB_DIR`, else in the project's folder above the current folder and above the program,
/// pip's folders, and the system. A file name may go on after the major version, as in
/// `libtensorrt_rtx.so.1.7.1`. A dispatch library counts in a named folder only.
///
/// # Errors
/// [`NotFound`], with the places that were searched and what to do.
pub fn find(flavour: Flavour, explicit: Option<&Path>) -> Result<Found, NotFound> {
    Places::of_this_process().find(flavour, explicit)
}

/// Where the project's scripts put NVRTC, below the project's folder, and where Python packages have
/// it, below a `site-packages`.
const NVRTC_PROJECT_FOLDER: &str = ".deps/cuda/nvrtc";
const NVRTC_PIP_FOLDERS: [&str; 2] = ["nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib"];

/// NVRTC was found nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no NVRTC found (libnvrtc.so.13, libnvrtc.so.12); run scripts/fetch-nvrtc, or install NVIDIA's \
     CUDA toolkit or its Python package nvidia-cuda-nvrtc (looked in: {looked})"
)]
pub struct NoNvrtc {
    /// The places, separated by semicolons.
    pub looked: String,
}

/// Looks for NVRTC, which compiles kernels for a GPU: in the project's folder above the current
/// folder and above the program, pip's folders, and the system.
///
/// # Errors
/// [`NoNvrtc`], with the places that were searched and what to do.
pub fn find_nvrtc() -> Result<PathBuf, NoNvrtc> {
    Places::of_this_process().find_nvrtc()
}

/// What of the process and its surroundings decides where is looked.
#[derive(Debug, Default)]
struct Places {
    /// `TENSORRT_LIB_DIR`.
    variable: Option<PathBuf>,
    /// Where the search for the project's folder starts; it goes up from there.
    starts: Vec<PathBuf>,
    /// Folders such as `site-packages`.
    packages: Vec<PathBuf>,
    loader: Loader,
}

impl Places {
    fn of_this_process() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let starts = [std::env::current_dir().ok(), std::env::current_exe().ok()];
        let starts: Vec<PathBuf> = starts.into_iter().flatten().collect();

        let environments = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(variable);
        let home = variable("HOME").map(|home| PathBuf::from(home).join(".local"));
        let above = starts.iter().flat_map(|start| start.ancestors());
        let prefixes = (environments.map(PathBuf::from))
            .chain(above.map(|folder| folder.join(".deps/python")))
            .chain(home)
            .chain(["/usr/local", "/usr"].map(PathBuf::from));
        Self {
            variable: variable("TENSORRT_LIB_DIR").map(PathBuf::from),
            packages: prefixes.flat_map(|prefix| python_packages(&prefix)).collect(),
            starts,
            loader: Loader::of_this_process(),
        }
    }

    fn find(&self, flavour: Flavour, explicit: Option<&Path>) -> Result<Found, NotFound> {
        let named = explicit
            .map(|folder| (folder, Origin::Argument))
            .or_else(|| self.variable.as_deref().map(|folder| (folder, Origin::Variable)));
        if let Some((folder, origin)) = named {
            return named_folder(flavour, folder, origin);
        }
        let project =
            self.starts.iter().flat_map(|start| start.ancestors()).map(|folder| {
                (folder.join(PROJECT_FOLDER).join(flavour.to_string()), Origin::Project)
            });
        let pip = self.packages.iter().flat_map(|packages| {
            PIP_FOLDERS.iter().map(|folder| (packages.join(folder), Origin::Pip))
        });
        let nowhere = || NotFound::Nowhere { flavour, looked: self.looked(flavour) };
        project
            .chain(pip)
            .find_map(|(folder, origin)| full(flavour, &folder, origin))
            .or_else(|| self.system(flavour))
            .ok_or_else(nowhere)
    }

    /// The loader knows names that end in the major version; its own folders may hold longer ones.
    fn system(&self, flavour: Flavour) -> Option<Found> {
        let Loader { first, last, .. } = &self.loader;
        let look = |name: &str| {
            let within = |folders: &[PathBuf]| folders.iter().find_map(|dir| library(dir, name));
            within(first).or_else(|| self.loader.find(name)).or_else(|| within(last))
        };
        let runtime = look(flavour.runtime_library())?;
        // The parser of another installation may be of another version: its own folder comes first.
        let beside = runtime.parent().and_then(|dir| library(dir, flavour.parser_library()));
        let parser = beside.or_else(|| look(flavour.parser_library()));
        Some(Found { runtime, parser, dispatch: false, origin: Origin::System })
    }

    fn find_nvrtc(&self) -> Result<PathBuf, NoNvrtc> {
        let project = self.starts.iter().flat_map(|start| start.ancestors());
        let project = project.map(|folder| folder.join(NVRTC_PROJECT_FOLDER));
        let pip = self
            .packages
            .iter()
            .flat_map(|packages| NVRTC_PIP_FOLDERS.map(|folder| packages.join(folder)));
        let system = || {
            let names = ["libnvrtc.so.13", "libnvrtc.so.12"];
            names.iter().find_map(|name| self.loader.find(name))
        };
        project
            .chain(pip)
            .find_map(|folder| library(&folder, "libnvrtc.so"))
            .or_else(system)
            .ok_or_else(|| NoNvrtc {
                looked: self.places(NVRTC_PROJECT_FOLDER, &NVRTC_PIP_FOLDERS),
            })
    }

    fn looked(&self, flavour: Flavour) -> String {
        self.places(&format!("{PROJECT_FOLDER}/{flavour}"), &PIP_FOLDERS)
    }

    /// Where was looked, in words.
    fn places(&self, project: &str, pip: &[&str]) -> String {
        let mut places = vec![format!("{project} in this folder, the program's and those above")];
        let packages = self.packages.iter().map(|folder| folder.display().to_string());
        places.push(match packages.collect::<Vec<_>>() {
            packages if packages.is_empty() => "no Python packages".to_owned(),
            packages => format!("{} of {}", pip.join(", "), packages.join(" and ")),
        });
        places.push("LD_LIBRARY_PATH, the cache of ldconfig, the system's folders".to_owned());
        places.join("; ")
    }
}

/// The libraries in a folder that was named, the dispatch library included.
fn named_folder(flavour: Flavour, folder: &Path, origin: Origin) -> Result<Found, NotFound> {
    // The loader would search its own path for a bare name.
    let folder = &std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let dispatch = || {
        let runtime = library(folder, flavour.dispatch_library()?)?;
        Some(Found { runtime, parser: None, dispatch: true, origin })
    };
    full(flavour, folder, origin).or_else(dispatch).ok_or_else(|| NotFound::NotThere {
        flavour,
        folder: folder.clone(),
        origin,
        problem: match fs::metadata(folder) {
            Ok(data) if data.is_dir() => "the folder holds no such library",
            Ok(_) => "not a folder",
            Err(_) => "no such folder",
        },
    })
}

/// The libraries in a folder that holds at least the one that runs engines.
fn full(flavour: Flavour, folder: &Path, origin: Origin) -> Option<Found> {
    let runtime = library(folder, flavour.runtime_library())?;
    let parser = library(folder, flavour.parser_library());
    Some(Found { runtime, parser, dispatch: false, origin })
}

/// The file `name` in a folder, else the highest version among `name.*`.
fn library(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if exact.is_file() {
        return Some(exact);
    }
    let version = |entry: &fs::DirEntry| -> Option<Vec<u32>> {
        let file = entry.file_name();
        let rest = file.to_str()?.strip_prefix(name)?.strip_prefix('.')?;
        rest.split('.').map(|part| part.parse().ok()).collect()
    };
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let versions = entries.filter_map(|entry| Some((version(&entry)?, entry.path())));
    versions.filter(|(_, path)| path.is_file()).max().map(|(_, path)| path)
}

/// The folders below a prefix such as `/usr` into which its Pythons install packages.
fn python_packages(prefix: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for lib in ["lib", "lib64"].map(|name| prefix.join(name)) {
        // In a virtual environment lib64 is a link to lib.
        if lib.is_symlink() {
            continue;
        }
        let entries = fs::read_dir(&lib).into_iter().flatten().filter_map(Result::ok);
        let mut pythons: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
            .map(|entry| entry.path())
            .collect();
        pythons.sort();
        let packages = ["site-packages", "dist-packages"];
        found.extend(pythons.iter().flat_map(|python| packages.map(|name| python.join(name))));
    }
    found.retain(|folder| folder.is_dir());
    found
}

/// How to get a flavour's libraries.
pub const fn remedy(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Rtx => "run scripts/fetch-tensorrt-rtx, or install TensorRT for RTX from NVIDIA",
        Flavour::V11 => "install TensorRT 11 from NVIDIA (its archive, Debian or Python packages)",
        Flavour::V10 => "install TensorRT 10 from NVIDIA (its archive, Debian or Python packages)",
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const RTX: &str = "libtensorrt_rtx.so.1";
    const RTX_PARSER: &str = "libtensorrt_onnxparser_rtx.so.1";

    /// A folder tree in which empty files stand for libraries.
    struct Tree(TempDir);

    impl Tree {
        fn with(files: &[&str]) -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            files.iter().for_each(|file| tree.add(file));
            tree
        }

        fn add(&self, file: &str) {
            let path = self.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// Places that are all inside the tree.
        fn places(&self) -> Places {
            Places {
                variable: None,
                starts: vec![self.path("project/cli/src"), self.path("elsewhere/bin/engine-cli")],
                packages: vec![self.path("venv"), self.path("usr")],
                loader: Loader {
                    first: vec![self.path("first")],
                    cache: String::new(),
                    last: vec![self.path("last")],
                },
            }
        }
    }

    #[test]
    fn nvrtc_is_looked_for_in_the_same_places() {
        let tree = Tree::with(&[]);
        let places = tree.places();
        let error = places.find_nvrtc().unwrap_err().to_string();
        for part in [".deps/cuda/nvrtc", "nvidia/cu13/lib", "scripts/fetch-nvrtc", "LD_LIBRARY"] {
            assert!(error.contains(part), "{error}");
        }
        for file in [
            "last/libnvrtc.so.13",
            "usr/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
            "venv/nvidia/cu13/lib/libnvrtc.so.13",
            "project/.deps/cuda/nvrtc/libnvrtc.so.13",
        ] {
            tree.add(file);
            // What comes with it is none.
            tree.add("project/.deps/cuda/nvrtc/libnvrtc-builtins.so.13.0");
            assert_eq!(places.find_nvrtc(), Ok(tree.path(file)));
        }
    }

    #[test]
    fn every_place_is_looked_at_in_its_order() {
        let tree = Tree::with(&[]);
        let mut places = tree.places();
        let find = |places: &Places, explicit: Option<&Path>| {
            let found = places.find(Flavour::Rtx, explicit).unwrap();
            (found.runtime, found.origin)
        };
        assert!(places.find(Flavour::Rtx, None).is_err());
        // From the last place to the first, each hides those before.
        for (file, origin) in [
            ("last/libtensorrt_rtx.so.1", Origin::System),
            ("first/libtensorrt_rtx.so.1.6.0", Origin::System),
            ("usr/tensorrt_rtx_libs/libtensorrt_rtx.so.1", Origin::Pip),
            ("usr/tensorrt_libs/libtensorrt_rtx.so.1", Origin::Pip),
            ("venv/onnxruntime_ep_nv_tensorrt_rtx/libtensorrt_rtx.so.1.7.1", Origin::Pip),
            ("elsewhere/.deps/tensorrt/lib/rtx/libtensorrt_rtx.so.1", Origin::Project),
            ("project/.deps/tensorrt/lib/rtx/libtensorrt_rtx.so.1", Origin::Project),
        ] {
            tree.add(file);
            assert_eq!(find(&places, None), (tree.path(file), origin));
        }
        tree.add("variable/libtensorrt_rtx.so.1");
        places.variable = Some(tree.path("variable"));
        assert_eq!(find(&places, None), (tree.path(&format!("variable/{RTX}")), Origin::Variable));
        tree.add("argument/libtensorrt_rtx.so.1");
        let argument = tree.path("argument");
        assert_eq!(find(&places, Some(&argument)), (argument.join(RTX), Origin::Argument));
    }

    #[test]
    fn flavours_do_not_take_each_other_s_libraries() {
        let tree = Tree::with(&["dir/libnvinfer.so.10", "dir/libnvonnxparser.so.10"]);
        let places = tree.places();
        let dir = tree.path("dir");
        let found = places.find(Flavour::V10, Some(&dir)).unwrap();
        assert_eq!(found.runtime, dir.join("libnvinfer.so.10"));
        assert_eq!(found.parser, Some(dir.join("libnvonnxparser.so.10")));
        assert!(!found.dispatch);
        for (other, name) in [(Flavour::V11, "libnvinfer.so.11"), (Flavour::Rtx, RTX)] {
            let message = places.find(other, Some(&dir)).unwrap_err().to_string();
            assert!(message.contains("holds no such library"), "{message}");
            assert!(message.contains(name) && message.contains("--tensorrt-lib"), "{message}");
        }
    }

    #[test]
    fn the_exact_name_wins_then_the_highest_version() {
        let tree = Tree::with(&[
            "dir/libtensorrt_rtx.so.1.9.0",
            "dir/libtensorrt_rtx.so.1.10.0",
            "dir/libtensorrt_rtx.so.1.99.bak",
            "dir/libtensorrt_rtx.so.12",
            "dir/libtensorrt_onnxparser_rtx.so.1.10.0",
        ]);
        fs::create_dir(tree.path("dir/libtensorrt_rtx.so.1.11")).unwrap();
        let dir = tree.path("dir");
        let found = tree.places().find(Flavour::Rtx, Some(&dir)).unwrap();
        assert_eq!(found.runtime, dir.join("libtensorrt_rtx.so.1.10.0"));
        assert_eq!(found.parser, Some(dir.join("libtensorrt_onnxparser_rtx.so.1.10.0")));
        tree.add("dir/libtensorrt_rtx.so.1");
        tree.add("dir/libtensorrt_onnxparser_rtx.so.1");
        let found = tree.places().find(Flavour::Rtx, Some(&dir)).unwrap();
        assert_eq!((found.runtime, found.parser), (dir.join(RTX), Some(dir.join(RTX_PARSER))));
    }

    #[test]
    fn a_dispatch_library_counts_in_a_named_folder_only() {
        let tree = Tree::with(&[
            "dir/libnvinfer_dispatch.so.11",
            "project/.deps/tensorrt/lib/11/libnvinfer_dispatch.so.11",
            "last/libnvinfer_dispatch.so.11",
        ]);
        let mut places = tree.places();
        assert!(matches!(places.find(Flavour::V11, None), Err(NotFound::Nowhere { .. })));
        places.variable = Some(tree.path("dir"));
        let found = places.find(Flavour::V11, None).unwrap();
        assert_eq!(found.runtime, tree.path("dir/libnvinfer_dispatch.so.11"));
        assert!(found.dispatch && found.parser.is_none());
        tree.add("dir/libnvinfer.so.11");
        let found = places.find(Flavour::V11, None).unwrap();
        assert_eq!(found.runtime, tree.path("dir/libnvinfer.so.11"));
        assert!(!found.dispatch);
    }

    #[test]
    fn a_system_s_parser_is_the_one_beside_the_library() {
        let tree = Tree::with(&[
            "first/libnvonnxparser.so.10",
            "last/libnvinfer.so.10",
            "last/libnvonnxparser.so.10.16.1",
        ]);
        let found = tree.places().find(Flavour::V10, None).unwrap();
        assert_eq!(found.parser, Some(tree.path("last/libnvonnxparser.so.10.16.1")));
        fs::remove_file(tree.path("last/libnvonnxparser.so.10.16.1")).unwrap();
        let found = tree.places().find(Flavour::V10, None).unwrap();
        assert_eq!(found.parser, Some(tree.path("first/libnvonnxparser.so.10")));
    }

    #[test]
    fn a_named_folder_is_the_only_one() {
        let tree = Tree::with(&["last/libtensorrt_rtx.so.1", "file"]);
        let mut places = tree.places();
        for (name, problem) in [("none", "no such folder"), ("file", "not a folder")] {
            places.variable = Some(tree.path(name));
            let message = places.find(Flavour::Rtx, None).unwrap_err().to_string();
            let start = format!("{}: {problem}; TENSORRT_LIB_DIR must", tree.path(name).display());
            assert!(message.starts_with(&start) && message.contains(RTX), "{message}");
        }
    }

    #[test]
    fn an_error_says_where_it_looked_and_what_to_do() {
        let tree = Tree::with(&[]);
        for (flavour, parts) in [
            (Flavour::Rtx, ["no TensorRT-RTX found", RTX, "scripts/fetch-tensorrt-rtx", "lib/rtx"]),
            (Flavour::V11, ["no TensorRT 11 found", "libnvinfer.so.11", "from NVIDIA", "lib/11"]),
            (Flavour::V10, ["no TensorRT 10 found", "libnvinfer.so.10", "from NVIDIA", "lib/10"]),
        ] {
            let message = tree.places().find(flavour, None).unwrap_err().to_string();
            let venv = tree.path("venv").display().to_string();
            let common = ["--tensorrt-lib", "TENSORRT_LIB_DIR", &venv, "LD_LIBRARY_PATH"];
            for part in parts.into_iter().chain(common) {
                assert!(message.contains(part), "no {part:?} in {message}");
            }
        }
    }

    #[test]
    fn the_packages_of_every_python_below_a_prefix_count() {
        let tree = Tree::with(&[
            "lib/python3.11/site-packages/a",
            "lib/python3/dist-packages/a",
            "lib/python2.7/site-packages/a",
            "lib64/python3.13/site-packages/a",
        ]);
        let names = ["lib/python3/dist-packages", "lib/python3.11/site-packages"];
        let expected: Vec<_> =
            names.into_iter().chain(["lib64/python3.13/site-packages"]).collect();
        let found = python_packages(&tree.path(""));
        assert_eq!(found, expected.iter().map(|name| tree.path(name)).collect::<Vec<_>>());
        assert_eq!(python_packages(&tree.path("none")), [""; 0].map(PathBuf::from));
    }
}
