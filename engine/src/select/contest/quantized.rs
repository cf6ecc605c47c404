//! The quantized form of a network, in a file beside it.

use std::path::{Path, PathBuf};

use crate::file::FileHash;
use crate::onnx::Model;
use crate::onnx::quantize::{QUANTIZED_FROM, metadata};

/// What lies beside a network.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Quantized {
    /// Nothing.
    None,
    /// Something that is not of this network.
    Foreign {
        /// What is wrong with it.
        why: String,
    },
    /// Its quantized form.
    Fits {
        /// The file.
        path: PathBuf,
        /// What identifies it.
        hash: FileHash,
    },
}

impl Quantized {
    /// What lies beside the network `model`, which has `hash`: `STEM.int8.onnx`.
    pub(super) fn beside(model: &Path, hash: &FileHash) -> Self {
        let Some(stem) = model.file_stem() else { return Self::None };
        let mut name = stem.to_owned();
        name.push(".int8.onnx");
        let path = model.with_file_name(name);
        if !path.exists() {
            return Self::None;
        }
        let foreign = |why: String| Self::Foreign { why };
        let read = Model::read(&path)
            .and_then(|data| Ok((FileHash::of(&data), Model::decode(&path, &data)?)));
        let (found, quantized) = match read {
            Ok(read) => read,
            Err(error) => return foreign(super::chain(&error)),
        };
        match metadata(quantized.proto(), QUANTIZED_FROM) {
            Some(from) if from == hash.sha256 => Self::Fits { path, hash: found },
            Some(_) => foreign(format!(
                "{} was made from another network than this; make it again with `engine-cli quantize`",
                path.display()
            )),
            None => foreign(format!(
                "{} does not say what it was made from; expected a file that `engine-cli quantize` \
                 made",
                path.display()
            )),
        }
    }

    /// What identifies the quantized form, where there is one.
    pub(super) fn hash(&self) -> Option<&FileHash> {
        match self {
            Self::Fits { hash, .. } => Some(hash),
            Self::None | Self::Foreign { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::StringStringEntryProto;
    use crate::sample::{Batch, probe};

    #[test]
    fn only_what_was_made_from_this_very_network_fits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model_best.onnx");
        let mut model = probe(32, Batch::Symbolic);
        model.save(&path).unwrap();
        let hash = FileHash::of_file(&path).unwrap();
        let beside = || Quantized::beside(&path, &hash);
        let why = || match beside() {
            Quantized::Foreign { why } => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(beside(), Quantized::None);

        let quantized = folder.path().join("model_best.int8.onnx");
        model.save(&quantized).unwrap();
        assert!(why().contains("model_best.int8.onnx does not say what it was made from"));

        let mut says = |from: &str| {
            let entry = StringStringEntryProto {
                key: Some(QUANTIZED_FROM.into()),
                value: Some(from.into()),
            };
            model.proto_mut().metadata_props = vec![entry];
            model.save(&quantized).unwrap();
        };
        says(&hash.sha256);
        let found = FileHash::of_file(&quantized).unwrap();
        assert_eq!(beside(), Quantized::Fits { path: quantized.clone(), hash: found });
        says(&FileHash::of(b"other").sha256);
        assert!(why().contains("was made from another network"));
        std::fs::write(&quantized, "no model").unwrap();
        assert!(why().contains("is not an ONNX model"), "{}", why());
        std::fs::remove_file(&quantized).unwrap();
        std::fs::create_dir(&quantized).unwrap();
        assert!(why().contains("model_best.int8.onnx"), "{}", why());
    }
}
