//! Whether an engine fits a machine, and how to make one that does.

use std::fmt;
use std::path::Path;

use engine_sys::{Flavour, Version};

use super::{EngineRecord, Gpu};
use crate::file::shell_quoted;
use crate::onnx::precision::Precision;

/// What an engine has to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The TensorRT that is to run it.
    pub flavour: Flavour,
    /// Version of its library.
    pub library: Version,
    /// The GPU.
    pub gpu: Gpu,
}

/// Something about an engine that is not as the machine needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It was built by another line of TensorRT.
    Flavour {
        /// What it needs.
        built: Flavour,
        /// What runs here.
        here: Flavour,
    },
    /// It was built by another version, and is not version-compatible.
    Library {
        /// What it needs.
        built: Version,
        /// What runs here.
        here: Version,
    },
    /// It was built for another kind of GPU.
    Gpu {
        /// What it needs.
        built: Gpu,
        /// What is here.
        here: Gpu,
    },
    /// It runs on GPUs from Ampere on, and this one is older.
    OlderThanAmpere {
        /// What is here.
        here: Gpu,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flavour { built, here } => {
                write!(f, "it was built by {} and {} is to run it", built.title(), here.title())
            }
            Self::Library { built, here } => {
                write!(f, "it was built by version {built} and the library here is {here}")
            }
            Self::Gpu { built, here } => write!(f, "it was built for {built} and here is {here}"),
            Self::OlderThanAmpere { here } => {
                write!(f, "it runs on compute capability 8.0 and newer and here is {here}")
            }
        }
    }
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, compute_capability: (major, minor) } = self;
        write!(f, "{name} (compute capability {major}.{minor})")
    }
}

impl EngineRecord {
    /// What keeps this engine from running there, as far as the record can tell; empty where nothing
    /// does.
    pub fn differences(&self, there: &Surroundings) -> Vec<Difference> {
        let mut found = Vec::new();
        if self.flavour != there.flavour {
            // Versions of other lines are not comparable.
            found.push(Difference::Flavour { built: self.flavour, here: there.flavour });
        } else if self.library != there.library {
            let later = self.library.major == there.library.major && self.library < there.library;
            if !(self.options.version_compatible && later) {
                found.push(Difference::Library { built: self.library, here: there.library });
            }
        }
        let here = || there.gpu.clone();
        match &self.gpu {
            Some(built) if built.compute_capability != there.gpu.compute_capability => {
                found.push(Difference::Gpu { built: built.clone(), here: here() });
            }
            None if self.options.hardware_compatible && there.gpu.compute_capability.0 < 8 => {
                found.push(Difference::OlderThanAmpere { here: here() });
            }
            _ => {}
        }
        found
    }

    /// The command that makes this engine again at `engine`, with TensorRT of `flavour`.
    pub fn rebuild_command(&self, engine: &Path, flavour: Flavour) -> String {
        let options = &self.options;
        let mut command = format!(
            "engine-cli convert-engine {} -o {} --flavour {flavour} --batch {}",
            shell_quoted(&self.model),
            shell_quoted(engine),
            options.batch
        );
        if options.precision != Precision::default() {
            command.push_str(&format!(" --precision {}", options.precision));
        }
        if let Some(bytes) = options.workspace {
            command.push_str(&format!(" --workspace {bytes}"));
        }
        if options.version_compatible {
            command.push_str(" --version-compatible");
        }
        if options.hardware_compatible {
            command.push_str(" --hardware-compatible");
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn l4() -> Gpu {
        Gpu { name: "NVIDIA L4".into(), compute_capability: (8, 9) }
    }

    fn there(flavour: Flavour, library: &str, gpu: Gpu) -> Surroundings {
        Surroundings { flavour, library: library.parse().unwrap(), gpu }
    }

    #[test]
    fn every_difference_is_named() {
        let record = record();
        let words = |there: &Surroundings| {
            let found = record.differences(there);
            found.iter().map(Difference::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(words(&there(Flavour::V10, "10.16.1.11", l4())), "");
        let text = words(&there(Flavour::V10, "10.9.0.34", l4()));
        assert_eq!(text, "it was built by version 10.16.1.11 and the library here is 10.9.0.34");
        let h100 = Gpu { name: "NVIDIA H100".into(), compute_capability: (9, 0) };
        let text = words(&there(Flavour::V11, "11.4.0", h100));
        assert!(text.contains("by TensorRT 10 and TensorRT 11 is to run it"), "{text}");
        assert!(text.contains("for NVIDIA L4 (compute capability 8.9)"), "{text}");
        assert!(text.contains("here is NVIDIA H100 (compute capability 9.0)"), "{text}");
    }

    #[test]
    fn compatible_engines_fit_more() {
        let mut record = record();
        record.options.version_compatible = true;
        let fits = |record: &EngineRecord, library, gpu| {
            record.differences(&there(Flavour::V10, library, gpu)).is_empty()
        };
        assert!(fits(&record, "10.20.0", l4()));
        assert!(!fits(&record, "10.9.0", l4()), "only later versions run it");
        record.gpu = None;
        record.options.hardware_compatible = true;
        let of = |major, minor| Gpu { name: "GPU".into(), compute_capability: (major, minor) };
        assert!(fits(&record, "10.16.1.11", of(12, 0)));
        assert!(!fits(&record, "10.16.1.11", of(7, 5)));
    }

    #[test]
    fn the_command_repeats_what_was_asked_for() {
        let mut record = record();
        let command = record.rebuild_command(Path::new("m.engine"), Flavour::V11);
        assert_eq!(
            command,
            "engine-cli convert-engine '/avatars/a b/model.onnx' -o m.engine --flavour 11 \
             --batch 1:4:8 --precision fp16"
        );
        record.model = "it's.onnx".into();
        record.options.workspace = Some(1024);
        record.options.version_compatible = true;
        record.options.hardware_compatible = true;
        let command = record.rebuild_command(Path::new("m.engine"), Flavour::V10);
        assert!(command.contains(r"convert-engine 'it'\''s.onnx' -o"), "{command}");
        let end = "--workspace 1024 --version-compatible --hardware-compatible";
        assert!(command.ends_with(end), "{command}");
    }
}
