//! What was decided before, kept in the cache folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::outcome::{Entry, Outcome};
use crate::file::{FileError, FileHash, WholeFile, regular};

/// Version of the file.
const SCHEMA: u32 = 1;
/// More than such a file can have.
const MAX_BYTES: u64 = 1 << 20;

/// Everything that makes a decision another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    /// Version of the engine.
    pub(super) engine: String,
    /// The network.
    pub(super) model: FileHash,
    /// Its quantized form, where there is one.
    pub(super) quantized: Option<FileHash>,
    /// Everything of the package that decides its frames.
    pub(super) package: FileHash,
    /// The package's own inputs, or derived ones.
    pub(super) inputs: String,
    /// The processor's name.
    pub(super) cpu: String,
    /// Its cores that may be used.
    pub(super) cores: usize,
    /// Threads and streams that were asked for, and the runtimes that were not ruled out.
    pub(super) settings: String,
    /// Frames per run of the network.
    pub(super) batch: usize,
    /// What the worst frame must have.
    pub(super) min_psnr_db: f64,
    /// The runtimes' libraries and versions.
    pub(super) libraries: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    key: Key,
    outcome: Outcome,
}

impl Key {
    /// Where the decision is kept in `folder`.
    fn path(&self, folder: &Path) -> PathBuf {
        let text = serde_json::to_vec(self).unwrap_or_default();
        folder.join(format!("{}.json", FileHash::of(&text).short()))
    }

    /// What was decided, if that is known. A file that is damaged, or of something else, is as good as
    /// none.
    pub(super) fn find(&self, folder: &Path) -> Option<Outcome> {
        let path = self.path(folder);
        let file = regular::open(&path).ok()?;
        if file.metadata().ok()?.len() > MAX_BYTES {
            return None;
        }
        let File { schema, key, outcome } = serde_json::from_reader(file).ok()?;
        let possible = |entry: &Entry| entry.ms.is_none_or(|ms| ms.is_finite() && ms > 0.0);
        let possible = outcome.winner().is_some() && outcome.entries.iter().all(possible);
        (schema == SCHEMA && key == *self && possible).then_some(outcome)
    }

    /// Keeps a decision, whole or not at all.
    pub(super) fn keep(&self, folder: &Path, outcome: &Outcome) -> Result<(), FileError> {
        let path = self.path(folder);
        std::fs::create_dir_all(folder)
            .map_err(|source| FileError::Create { path: path.clone(), source })?;
        let file = File { schema: SCHEMA, key: self.clone(), outcome: outcome.clone() };
        let write = |source| FileError::Write { path: path.clone(), source };
        let mut text = serde_json::to_vec_pretty(&file).map_err(|error| write(error.into()))?;
        text.push(b'\n');
        WholeFile::replace(&path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::candidate::{Candidate, Computed, Runtime};
    use super::super::outcome::{Fate, Worst};
    use super::*;

    fn key() -> Key {
        Key {
            engine: "0.1.0".into(),
            model: FileHash::of(b"model"),
            quantized: None,
            package: FileHash::of(b"package"),
            inputs: "package".into(),
            cpu: "AMD EPYC".into(),
            cores: 2,
            settings: "Auto".into(),
            batch: 4,
            min_psnr_db: 40.0,
            libraries: vec!["ONNX Runtime 1.32".into(), "OpenVINO 2026.4".into()],
        }
    }

    fn outcome() -> Outcome {
        let worst = Worst { frame: 3, psnr_db: f64::INFINITY };
        let reference = Entry {
            candidate: Candidate::new(Runtime::OnnxRuntime, Computed::Fp32),
            ms: Some(60.125),
            fate: Fate::Reference,
        };
        let other = Entry {
            candidate: Candidate::new(Runtime::OpenVino, Computed::Bf16),
            ms: Some(1.0 / 3.0),
            fate: Fate::Good(worst),
        };
        Outcome { entries: vec![reference, other], min_psnr_db: 40.0 }
    }

    #[test]
    fn a_decision_is_found_by_exactly_what_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made/when/needed");
        assert_eq!(key().find(&folder), None);
        key().keep(&folder, &outcome()).unwrap();
        assert_eq!(key().find(&folder), Some(outcome()));
        let others: [fn(&mut Key); 11] = [
            |key| key.engine.push('1'),
            |key| key.model = FileHash::of(b"other"),
            |key| key.quantized = Some(FileHash::of(b"model")),
            |key| key.package = FileHash::of(b"other"),
            |key| key.inputs = "derived".into(),
            |key| key.cpu.push('2'),
            |key| key.cores = 4,
            |key| key.settings = "OpenVino".into(),
            |key| key.batch = 1,
            |key| key.min_psnr_db = 40.5,
            |key| key.libraries[1].push('1'),
        ];
        for (number, change) in others.iter().enumerate() {
            let mut other = key();
            change(&mut other);
            assert_eq!(other.find(&folder), None, "change {number}");
            // Not even in the place of the other one.
            std::fs::copy(key().path(&folder), other.path(&folder)).unwrap();
            assert_eq!(other.find(&folder), None, "change {number}");
        }
    }

    #[test]
    fn what_is_damaged_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        key().keep(folder.path(), &outcome()).unwrap();
        let path = key().path(folder.path());
        let text = std::fs::read_to_string(&path).unwrap();
        let damaged = [
            text[..text.len() / 2].to_owned(),
            String::new(),
            "[]".to_owned(),
            text.replace("\"schema\": 1", "\"schema\": 2"),
            text.replace("openvino", "elsewhere"),
            text.replace("60.125", "-60.125"),
            text.replace("\"reference\"", "\"slower\"").replace("\"good\"", "\"too_far\""),
            format!("{text}{}", " ".repeat(1 << 20)),
        ];
        for text in damaged {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(key().find(folder.path()), None, "{}", &text[..text.len().min(2000)]);
        }
        std::fs::write(&path, &text).unwrap();
        assert_eq!(key().find(folder.path()), Some(outcome()));
        key().keep(folder.path(), &outcome()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_takes_no_files_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        let error = key().keep(&file, &outcome()).unwrap_err().to_string();
        assert!(error.contains("cannot create the file") && error.contains("file/"), "{error}");
        assert_eq!(key().find(&file), None);
        assert_eq!(std::fs::read(&file).unwrap(), b"kept");
    }
}
