//! Finds the headers of each flavour of TensorRT.

use std::path::{Path, PathBuf};

use super::env;

/// A line of TensorRT with headers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Rtx,
    V11,
    V10,
}

impl Flavour {
    pub(crate) const ALL: [Self; 3] = [Self::Rtx, Self::V11, Self::V10];

    /// As in namespaces, macros and folders.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Rtx => "rtx",
            Self::V11 => "11",
            Self::V10 => "10",
        }
    }

    /// The flavour that the headers in a folder belong to; `None` where there are no headers that
    /// the shim knows.
    fn of(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join("NvInferVersion.h")).ok()?;
        let major = |name: &str| {
            text.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                (words.next() == Some("#define") && words.next() == Some(name))
                    .then(|| words.next()?.parse::<u32>().ok())?
            })
        };
        let parser = folder.join("NvOnnxParser.h").is_file();
        let flavour = match (major("TRT_MAJOR_RTX"), major("TRT_MAJOR_ENTERPRISE")) {
            (Some(1), _) => Self::Rtx,
            (_, Some(11)) => Self::V11,
            (_, Some(10)) => Self::V10,
            _ => match major("NV_TENSORRT_MAJOR") {
                Some(10) => Self::V10,
                Some(11) => Self::V11,
                _ => return None,
            },
        };
        parser.then_some(flavour)
    }
}

/// The folder with a flavour's headers. A named folder comes before the system's, and that before
/// what scripts/setup fetched.
pub(crate) fn find(workspace: &Path) -> Vec<(Flavour, PathBuf)> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Some(list) = env("TENSORRT_INCLUDE_DIR") {
        folders.extend(std::env::split_paths(&list));
    }
    if let Some(root) = env("TENSORRT_ROOT") {
        folders.push(Path::new(&root).join("include"));
    }
    let system =
        ["/usr/include/x86_64-linux-gnu", "/usr/include/aarch64-linux-gnu", "/usr/include"];
    folders.extend(system.iter().map(PathBuf::from));
    folders.push(PathBuf::from("/usr/local/include"));
    let fetched = workspace.join(".deps/tensorrt/include");
    folders.extend(Flavour::ALL.map(|flavour| fetched.join(flavour.suffix())));
    // Cargo would rebuild always for a path that is not there, so a missing folder is not watched;
    // scripts/setup touches this file when it has fetched headers.
    if fetched.is_dir() {
        println!("cargo::rerun-if-changed={}", fetched.display());
    }

    let found = |flavour| folders.iter().find(|folder| Flavour::of(folder) == Some(flavour));
    Flavour::ALL
        .into_iter()
        .filter_map(|flavour| found(flavour).map(|folder| (flavour, folder.clone())))
        .collect()
}
