//! What an engine is made of, in a file beside it.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use engine_sys::{Flavour, Version};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ConvertError, EngineOptions, GraphChanges};
use crate::cuda::DeviceInfo;
use crate::file::{FileHash, WholeFile, from_json, regular};
use crate::quality::Quality;

/// What an engine is made of: `model.engine.json` beside `model.engine`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineRecord {
    /// Version of this record's form, [`EngineRecord::FORMAT`].
    pub format: u32,
    /// What wrote it, such as `engine 0.1.0`.
    pub program: String,
    /// The engine.
    pub engine: FileHash,
    /// Where the network was, absolute.
    #[serde(serialize_with = "readable")]
    pub model: PathBuf,
    /// The network's file.
    pub model_hash: FileHash,
    /// The TensorRT that built it.
    #[serde(with = "text")]
    pub flavour: Flavour,
    /// Version of its library.
    #[serde(with = "text")]
    pub library: Version,
    /// The GPU that it was made for; `None` where it is not made for one.
    pub gpu: Option<Gpu>,
    /// What was asked for.
    pub options: EngineOptions,
    /// What was changed in the network's graph.
    pub graph: GraphChanges,
    /// How long the build took.
    pub build_seconds: f64,
    /// The rewritten graph against the network, on ONNX Runtime, where that was compared.
    pub verified_graph: Option<Comparison>,
    /// The engine against the network: one entry for each GPU that it was loaded on.
    #[serde(default)]
    pub verified_engine: Vec<Comparison>,
}

/// A GPU as far as engines are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Compute capability: major, minor.
    pub compute_capability: (u32, u32),
}

impl From<&DeviceInfo> for Gpu {
    fn from(device: &DeviceInfo) -> Self {
        Self { name: device.name.clone(), compute_capability: device.compute_capability }
    }
}

/// The predictions of two forms of a network over the frames of a package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What ran the second form: a GPU's name, or ONNX Runtime.
    pub ran_on: String,
    /// The package whose frames were predicted.
    #[serde(serialize_with = "readable")]
    pub package: PathBuf,
    /// How far apart they are.
    #[serde(flatten)]
    pub quality: Quality,
}

impl EngineRecord {
    /// The form that this program writes and reads.
    pub const FORMAT: u32 = 1;

    /// More bytes than a record can have.
    const LARGEST: u64 = 1 << 20;

    /// Where the record of the engine at `engine` is.
    pub fn path(engine: &Path) -> PathBuf {
        let mut name = OsString::from(engine);
        name.push(".json");
        PathBuf::from(name)
    }

    /// The record of the engine at `engine`; `None` where there is none.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub fn load(engine: &Path) -> Result<Option<Self>, ConvertError> {
        let path = Self::path(engine);
        let text = match regular::read_at_most(&path, Self::LARGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ConvertError::Read { path, source }),
        };
        let bad = |problem: String| ConvertError::Record { path: path.clone(), problem };
        let record: Self = from_json(&text).map_err(bad)?;
        match record.format {
            Self::FORMAT => Ok(Some(record)),
            other => Err(bad(format!("its form is {other}; expected {}", Self::FORMAT))),
        }
    }

    /// Writes the record of the engine at `engine`, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, engine: &Path) -> Result<(), ConvertError> {
        Ok(WholeFile::replace(&Self::path(engine), &self.to_json()?)?)
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, ConvertError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(ConvertError::Encode)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The comparison of the engine itself on a GPU of this name.
    pub fn verified_on(&self, gpu: &str) -> Option<&Comparison> {
        self.verified_engine.iter().find(|comparison| comparison.ran_on == gpu)
    }
}

/// Names that are no UTF-8 are for reading only: nothing is found under them again.
fn readable<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Values that are text in the file.
mod text {
    use super::*;

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::onnx::precision::Precision;

    pub(crate) fn record() -> EngineRecord {
        EngineRecord {
            format: EngineRecord::FORMAT,
            program: "engine 0.1.0".into(),
            engine: FileHash::of(b"engine"),
            model: "/avatars/a b/model.onnx".into(),
            model_hash: FileHash::of(b"model"),
            flavour: Flavour::V10,
            library: "10.16.1.11".parse().unwrap(),
            gpu: Some(Gpu { name: "NVIDIA L4".into(), compute_capability: (8, 9) }),
            options: EngineOptions {
                precision: Precision::Fp16,
                batch: "1:4:8".parse().unwrap(),
                workspace: None,
                version_compatible: false,
                hardware_compatible: false,
            },
            graph: GraphChanges::default(),
            build_seconds: 1.5,
            verified_graph: None,
            verified_engine: Vec::new(),
        }
    }

    #[test]
    fn a_record_lies_beside_its_engine_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let engine = folder.path().join("m.engine");
        assert_eq!(EngineRecord::load(&engine).unwrap(), None);
        let quality = Quality {
            frames: 3,
            psnr_db: f64::INFINITY,
            worst_psnr_db: 50.5,
            worst_frame: 1,
            largest_difference: 2,
            differing_bytes: 7,
        };
        let comparison =
            Comparison { ran_on: "NVIDIA L4".into(), package: "/avatars/a".into(), quality };
        let record = EngineRecord { verified_engine: vec![comparison], ..record() };
        record.save(&engine).unwrap();
        assert_eq!(EngineRecord::load(&engine).unwrap(), Some(record.clone()));
        assert!(record.verified_on("NVIDIA L4").is_some() && record.verified_on("L4").is_none());
        let text = std::fs::read_to_string(folder.path().join("m.engine.json")).unwrap();
        for part in ["\"flavour\": \"10\"", "\"library\": \"10.16.1.11\"", "\"psnr_db\": null"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }

    #[test]
    fn what_is_no_record_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let engine = folder.path().join("m.engine");
        let refused = |text: &str| {
            std::fs::write(EngineRecord::path(&engine), text).unwrap();
            EngineRecord::load(&engine).unwrap_err().to_string()
        };
        let whole = String::from_utf8(record().to_json().unwrap()).unwrap();
        for (text, part) in [
            (String::new(), "EOF"),
            ("{}".into(), "missing field"),
            (whole.replace("\"format\": 1", "\"format\": 2"), "its form is 2; expected 1"),
            (whole.replace("\"10\"", "\"12\""), "unknown TensorRT flavour"),
            (whole.replace("10.16.1.11", "ten"), "is no version"),
        ] {
            let error = refused(&text);
            assert!(error.contains("m.engine.json") && error.contains(part), "{error}");
        }
    }
}
