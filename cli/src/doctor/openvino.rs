//! OpenVINO: its library, and what it computes in on this processor.

use std::path::PathBuf;

use super::report::Finding;

/// What there is, before anything is said about it.
#[derive(Debug)]
#[allow(dead_code, reason = "builds with and without it make different ones")]
pub(super) enum OpenVino {
    /// This program was built without it.
    NotBuilt,
    /// None was found; where was looked.
    NotFound(String),
    /// One was found, and cannot be used.
    Unusable(String),
    /// One is there.
    Usable {
        path: PathBuf,
        version: String,
        /// As in `--precision`.
        precisions: Vec<&'static str>,
    },
}

impl OpenVino {
    pub(super) fn finding(&self) -> Finding {
        const NAME: &str = "OpenVINO";
        match self {
            Self::NotBuilt => Finding::note(NAME, "this program was built without it"),
            Self::NotFound(why) => Finding::note(NAME, why.clone()).advise(
                "For --backend openvino, which is faster on many CPUs, run scripts/setup in the \
                 repository. Or run pip install openvino and set OPENVINO_DYLIB_PATH (or \
                 --openvino-lib) to its openvino/libs folder.",
            ),
            Self::Unusable(why) => Finding::missing(NAME, why.clone()).advise(
                "Remove .deps/openvino and run scripts/setup again, or name another library.",
            ),
            Self::Usable { path, version, precisions } => {
                let text = format!(
                    "{version}, {}\ncomputes in {} on this CPU",
                    path.display(),
                    precisions.join(", ")
                );
                Finding::ok(NAME, text)
            }
        }
    }
}

#[cfg(feature = "openvino")]
mod asked {
    use std::path::Path;

    use engine::backend::{self, OpenVinoPrecision};
    use engine_sys::search::find_openvino;

    use super::OpenVino;

    impl OpenVino {
        /// Looks for it, at `named` if that is given, and asks it.
        pub(in crate::doctor) fn probe(named: Option<&Path>) -> Self {
            let path = match find_openvino(named) {
                Ok(path) => path,
                Err(error) => return Self::NotFound(error.to_string()),
            };
            match backend::OpenVino::describe(&path) {
                Ok((version, cpu)) => {
                    let precisions = cpu.precisions().into_iter().map(OpenVinoPrecision::name);
                    Self::Usable { path, version, precisions: precisions.collect() }
                }
                Err(error) => Self::Unusable(format!("{:#}", anyhow::Error::new(error))),
            }
        }
    }
}

#[cfg(not(feature = "openvino"))]
mod asked {
    use std::path::Path;

    use super::OpenVino;

    impl OpenVino {
        /// Does not look: nothing here would use it.
        pub(in crate::doctor) fn probe(_named: Option<&Path>) -> Self {
            Self::NotBuilt
        }
    }
}
