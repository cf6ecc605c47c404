//! What segments are made of.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::VideoError;
use crate::file::{WholeFile, from_json, regular};

/// Everything that decides the bytes of a video, by name: hashes of the inputs, settings, versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(BTreeMap<String, String>);

impl Identity {
    /// Adds what `name` is.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.0.insert(name.to_owned(), value.to_string());
    }

    /// What was something else before, in words: `the model was A and is B`.
    fn changes_since(&self, before: &Self) -> Vec<String> {
        let names =
            before.0.keys().chain(self.0.keys().filter(|name| !before.0.contains_key(*name)));
        let value = |of: &Self, name: &String| {
            of.0.get(name).map_or_else(|| "not there".to_owned(), |value| shortened(value))
        };
        names
            .filter(|name| before.0.get(*name) != self.0.get(*name))
            .map(|name| {
                format!("the {name} was {} and is {}", value(before, name), value(self, name))
            })
            .collect()
    }
}

/// Hashes are long, and their beginnings tell them apart.
fn shortened(value: &str) -> String {
    let hash = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hash { format!("{}...", &value[..12]) } else { value.to_owned() }
}

/// The file `manifest.json` beside the segments.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// Frames of the whole video.
    pub(super) frames: u64,
    /// Frames in each segment but the last.
    pub(super) segment: u64,
    identity: Identity,
}

impl Manifest {
    /// Version of the file's form.
    const FORMAT: u32 = 1;
    pub(super) const NAME: &str = "manifest.json";

    pub(super) fn new(frames: u64, segment: u64, identity: Identity) -> Self {
        Self { format: Self::FORMAT, frames, segment, identity }
    }

    pub(super) fn load(folder: &Path) -> Result<Self, VideoError> {
        let path = folder.join(Self::NAME);
        let text = regular::read(&path).map_err(|source| VideoError::Io {
            attempt: "read",
            path: path.clone(),
            source,
        })?;
        let refuse = |problem: String| VideoError::NotSegments { path: path.clone(), problem };
        let manifest: Self = from_json(&text)
            .map_err(|problem| refuse(format!("is no manifest of segments ({problem})")))?;
        match manifest.format {
            Self::FORMAT => Ok(manifest),
            other => Err(refuse(format!("has form {other}; expected {}", Self::FORMAT))),
        }
    }

    pub(super) fn save(&self, folder: &Path) -> Result<(), VideoError> {
        let path = folder.join(Self::NAME);
        let text = serde_json::to_vec_pretty(self).map_err(|error| VideoError::Io {
            attempt: "write",
            path: path.clone(),
            source: error.into(),
        })?;
        Ok(WholeFile::replace(&path, &text)?)
    }

    /// What is different now, in words.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, was, is) in [
            ("number of frames", before.frames, self.frames),
            ("length of a segment", before.segment, self.segment),
        ] {
            if was != is {
                changes.push(format!("the {name} was {was} and is {is}"));
            }
        }
        changes.extend(self.identity.changes_since(&before.identity));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_named() {
        let mut before = Identity::default();
        before.set("model", "a".repeat(64));
        before.set("batch", 4);
        before.set("sound", "x");
        let mut after = Identity::default();
        after.set("model", "b".repeat(64));
        after.set("batch", 4);
        after.set("codec", "libx264");
        let (before, after) = (Manifest::new(10, 5, before), Manifest::new(12, 5, after));
        assert_eq!(
            after.changes_since(&before),
            [
                "the number of frames was 10 and is 12",
                "the model was aaaaaaaaaaaa... and is bbbbbbbbbbbb...",
                "the sound was x and is not there",
                "the codec was not there and is libx264",
            ]
        );
        let folder = tempfile::tempdir().unwrap();
        before.save(folder.path()).unwrap();
        let read = Manifest::load(folder.path()).unwrap();
        assert_eq!(read.changes_since(&before), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_manifest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |text: &str| {
            std::fs::write(folder.path().join(Manifest::NAME), text).unwrap();
            Manifest::load(folder.path()).unwrap_err().to_string()
        };
        assert!(refused("{").contains("manifest.json: is no manifest of segments (EOF"));
        let other = r#"{"format": 2, "frames": 1, "segment": 1, "identity": {}}"#;
        assert!(refused(other).contains("has form 2; expected 1"));
    }
}
