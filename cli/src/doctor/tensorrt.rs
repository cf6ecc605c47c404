//! TensorRT, flavour by flavour.

use std::path::Path;

use engine_sys::search::{self, Found, NotFound};
use engine_sys::{Flavour, HOW_TO_BUILD_IN, Version};

use super::report::{Finding, Mark};

/// What there is of one flavour, before anything is said about it.
pub(super) struct Installed {
    pub(super) flavour: Flavour,
    /// Version of the headers that this program was built with.
    pub(super) headers: Option<Version>,
    pub(super) library: Result<Library, NotFound>,
}

/// A library that was found.
pub(super) struct Library {
    pub(super) found: Found,
    /// What it is, or why it cannot be loaded. `None` where this program was built without it.
    pub(super) loaded: Option<Result<Loaded, String>>,
}

/// What a library says of itself.
pub(super) struct Loaded {
    pub(super) version: Version,
    /// Whether it can build engines, given a parser.
    pub(super) builder: bool,
}

impl Installed {
    /// Looks for every flavour, in `folder` if one is named.
    pub(super) fn probe(folder: Option<&Path>) -> Vec<Self> {
        let probe = |flavour| {
            let headers = headers(flavour);
            let library = search::find(flavour, folder).map(|found| {
                let loaded = headers.is_some().then(|| load(flavour, &found.runtime));
                Library { found, loaded }
            });
            Self { flavour, headers, library }
        };
        Flavour::ALL.map(probe).into()
    }

    /// What is said about all flavours. `obstacle` is why nothing can run on a GPU.
    pub(super) fn findings(all: &[Self], obstacle: Option<&str>) -> Vec<Finding> {
        let none_found = all.iter().all(|installed| installed.library.is_err());
        all.iter().map(|installed| installed.finding(none_found, obstacle)).collect()
    }

    fn finding(&self, none_found: bool, obstacle: Option<&str>) -> Finding {
        let Self { flavour, headers, library } = self;
        let built = match headers {
            Some(version) => format!("built with headers {version}"),
            None => format!("this program was built without it: {HOW_TO_BUILD_IN}"),
        };
        let name = flavour.title();
        let remedy = search::remedy(*flavour);
        let one_is_enough =
            || format!("One of the three is enough to run engines. For this one, {remedy}.");
        match library {
            Ok(library) => {
                let (mark, verdict) = library.verdict(*flavour, obstacle);
                let text = format!("{verdict}; {}; {built}", library.text(*flavour));
                let finding = Finding::new(mark, name, text);
                match mark {
                    Mark::Missing => finding.advise(format!("To replace the file, {remedy}.")),
                    Mark::Ok | Mark::Note => finding,
                }
            }
            Err(error) => {
                let text = format!("not usable: {}; {built}", error.brief());
                let named = matches!(error, NotFound::NotThere { .. });
                match none_found {
                    // A folder usually holds one flavour; one without any is not what was meant.
                    true if named => Finding::missing(name, text).advise(one_is_enough()),
                    true if obstacle.is_none() => Finding::note(name, text).advise(one_is_enough()),
                    // Others are there, or without a GPU they would be of little use.
                    _ => Finding::note(name, text),
                }
            }
        }
    }
}

impl Library {
    fn verdict(&self, flavour: Flavour, obstacle: Option<&str>) -> (Mark, String) {
        let Found { parser, dispatch, .. } = &self.found;
        let loaded = match &self.loaded {
            None => return (Mark::Note, "not usable".to_owned()),
            Some(Err(error)) => return (Mark::Missing, format!("not usable: {error}")),
            Some(Ok(loaded)) => loaded,
        };
        let builds = loaded.builder && parser.is_some();
        match obstacle {
            None if builds => (Mark::Ok, "usable: runs and builds engines".to_owned()),
            None if *dispatch => {
                (Mark::Ok, "usable: runs version-compatible engines, builds none".to_owned())
            }
            None => (Mark::Ok, "usable: runs engines, builds none".to_owned()),
            // The others measure kernels on the GPU while they build.
            Some(obstacle) if builds && flavour == Flavour::Rtx => {
                (Mark::Note, format!("builds engines, does not run them: {obstacle}"))
            }
            Some(obstacle) => (Mark::Note, format!("not usable: {obstacle}")),
        }
    }

    fn text(&self, flavour: Flavour) -> String {
        let Found { runtime, parser, origin, dispatch } = &self.found;
        let file = match &self.loaded {
            // The verdict names it.
            Some(Err(_)) => format!("the file is from {origin}"),
            Some(Ok(Loaded { version, .. })) => {
                format!("library {version} from {origin}: {}", runtime.display())
            }
            None => format!("library from {origin}: {}", runtime.display()),
        };
        match parser {
            Some(_) => format!("{file}, its parser found"),
            None if *dispatch => format!("{file}, the dispatch library, which takes no parser"),
            None => format!("{file}, no parser ({})", flavour.parser_library()),
        }
    }
}

#[cfg(feature = "tensorrt")]
fn headers(flavour: Flavour) -> Option<Version> {
    flavour.headers()
}

#[cfg(feature = "tensorrt")]
fn load(flavour: Flavour, file: &Path) -> Result<Loaded, String> {
    let log = std::sync::Arc::new(crate::backend::Warnings);
    let library = engine_sys::Library::open(flavour, file, log);
    let library = library.map_err(|error| error.to_string())?;
    Ok(Loaded { version: library.version(), builder: library.can_build() })
}

/// Other crates of the same build may have a shim; this program does not use it.
#[cfg(not(feature = "tensorrt"))]
fn headers(_flavour: Flavour) -> Option<Version> {
    None
}

#[cfg(not(feature = "tensorrt"))]
fn load(_flavour: Flavour, _file: &Path) -> Result<Loaded, String> {
    Err(HOW_TO_BUILD_IN.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use engine_sys::search::Origin;

    use super::super::report::Report;
    use super::*;

    const NO_DRIVER: Option<&str> = Some("no NVIDIA driver");

    fn found(flavour: Flavour) -> Found {
        let dir = PathBuf::from("/lib");
        Found {
            runtime: dir.join(flavour.runtime_library()),
            parser: Some(dir.join(flavour.parser_library())),
            dispatch: false,
            origin: Origin::Variable,
        }
    }

    fn installed(flavour: Flavour) -> Installed {
        let version = |minor| Version { major: flavour.major(), minor, patch: 1, build: 0 };
        let loaded = Some(Ok(Loaded { version: version(7), builder: true }));
        let library = Ok(Library { found: found(flavour), loaded });
        Installed { flavour, headers: Some(version(4)), library }
    }

    /// The report on `all`, a line each, then what to do.
    fn lines(all: &[Installed], obstacle: Option<&str>) -> Vec<String> {
        let report = Report(Installed::findings(all, obstacle)).to_string();
        report.lines().map(str::to_owned).collect()
    }

    fn line(installed: Installed, obstacle: Option<&str>) -> String {
        lines(&[installed], obstacle).swap_remove(0)
    }

    #[test]
    fn one_line_says_headers_library_parser_and_use() {
        assert_eq!(
            lines(&Flavour::ALL.map(installed), None)[..3],
            [
                "ok       TensorRT-RTX  usable: runs and builds engines; library 1.7.1 from \
                 TENSORRT_LIB_DIR: /lib/libtensorrt_rtx.so.1, its parser found; built with headers \
                 1.4.1",
                "ok       TensorRT 11   usable: runs and builds engines; library 11.7.1 from \
                 TENSORRT_LIB_DIR: /lib/libnvinfer.so.11, its parser found; built with headers \
                 11.4.1",
                "ok       TensorRT 10   usable: runs and builds engines; library 10.7.1 from \
                 TENSORRT_LIB_DIR: /lib/libnvinfer.so.10, its parser found; built with headers \
                 10.4.1",
            ]
        );
    }

    #[test]
    fn without_a_gpu_only_rtx_builds() {
        let all = Flavour::ALL.map(installed);
        for (line, start) in lines(&all, NO_DRIVER).iter().zip([
            "note     TensorRT-RTX  builds engines, does not run them: no NVIDIA driver; library ",
            "note     TensorRT 11   not usable: no NVIDIA driver; library 11.7.1",
            "note     TensorRT 10   not usable: no NVIDIA driver; library 10.7.1",
        ]) {
            assert!(line.starts_with(start), "{line}");
        }
    }

    #[test]
    fn a_library_without_a_parser_builds_nothing() {
        let without = |flavour, dispatch| {
            let found = Found { parser: None, dispatch, ..found(flavour) };
            let Ok(Library { loaded, .. }) = installed(flavour).library else { unreachable!() };
            Installed { library: Ok(Library { found, loaded }), ..installed(flavour) }
        };
        let bare = line(without(Flavour::V11, false), None);
        let start = "ok       TensorRT 11  usable: runs engines, builds none; library";
        assert!(bare.starts_with(start), "{bare}");
        assert!(bare.contains(", no parser (libnvonnxparser.so.11); built"), "{bare}");
        let dispatch = line(without(Flavour::V10, true), None);
        assert!(dispatch.contains("usable: runs version-compatible engines, builds none"));
        assert!(dispatch.contains("the dispatch library, which takes no parser; built"));
        let rtx = line(without(Flavour::Rtx, false), NO_DRIVER);
        assert!(rtx.starts_with("note     TensorRT-RTX  not usable: no NVIDIA driver;"), "{rtx}");
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_as_good_as_none() {
        let loaded = Some(Err("/lib/libnvinfer.so.11: is version 10.1.0".to_owned()));
        let library = Ok(Library { found: found(Flavour::V11), loaded });
        let wrong = Installed { library, ..installed(Flavour::V11) };
        let told = lines(&[wrong], None);
        assert_eq!(
            told[0],
            "missing  TensorRT 11  not usable: /lib/libnvinfer.so.11: is version 10.1.0; the file \
             is from TENSORRT_LIB_DIR, its parser found; built with headers 11.4.1"
        );
        let advice = told.last().unwrap();
        assert!(advice.starts_with("  TensorRT 11: To replace the file, install "), "{advice}");
    }

    #[test]
    fn a_flavour_that_is_not_part_of_the_program_is_not_loaded() {
        let library = Ok(Library { found: found(Flavour::V10), loaded: None });
        let line = line(Installed { flavour: Flavour::V10, headers: None, library }, None);
        assert_eq!(
            line,
            format!(
                "note     TensorRT 10  not usable; library from TENSORRT_LIB_DIR: \
                 /lib/libnvinfer.so.10, its parser found; this program was built without it: \
                 {HOW_TO_BUILD_IN}"
            )
        );
    }

    #[test]
    fn where_nothing_is_found_a_gpu_makes_the_difference() {
        let nowhere = |flavour| {
            let library = Err(NotFound::Nowhere { flavour, looked: "everywhere".into() });
            Installed { library, ..installed(flavour) }
        };
        let all = Flavour::ALL.map(nowhere);
        let told = lines(&all, NO_DRIVER);
        let none = "note     TensorRT 11   not usable: no TensorRT 11 found (libnvinfer.so.11); built \
                    with headers 11.4.1";
        assert_eq!(told[1], none);
        assert_eq!(told.last().unwrap(), "Nothing to do.");
        let told = lines(&all, None);
        assert_eq!(told[1], none);
        let advice = told.iter().filter(|line| line.starts_with("  TensorRT")).count();
        assert_eq!(advice, 3, "{told:?}");
        assert!(told.iter().any(|line| line.contains("scripts/fetch-tensorrt-rtx")), "{told:?}");
        // One is enough.
        let [rtx, v11, _] = all;
        let told = lines(&[rtx, v11, installed(Flavour::V10)], None);
        assert_eq!(told.last().unwrap(), "Nothing to do.");
    }

    #[test]
    fn a_folder_that_was_named_should_hold_one_flavour() {
        let not_there = |flavour| {
            let folder = PathBuf::from("/none");
            let (origin, problem) = (Origin::Argument, "no such folder");
            let library = Err(NotFound::NotThere { flavour, folder, origin, problem });
            Installed { library, ..installed(flavour) }
        };
        for line in &lines(&Flavour::ALL.map(not_there), NO_DRIVER)[..3] {
            assert!(line.starts_with("missing  "), "{line}");
            assert!(line.contains("  not usable: /none: no such folder (lib"), "{line}");
        }
        let told = lines(&[not_there(Flavour::Rtx), installed(Flavour::V10)], None);
        assert!(told[0].starts_with("note     TensorRT-RTX  not usable: /none: "), "{told:?}");
    }
}
