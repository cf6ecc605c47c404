//! The optional manifests, `package_info.json` and `dataset_manifest.json`.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::DatasetError;
use crate::file::regular;

const FILES: [&str; 2] = ["package_info.json", "dataset_manifest.json"];

/// What the manifests say that this engine uses; each value comes from the first file that has it.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) name: Option<String>,
    /// Frames a second of the background.
    pub(super) fps: Option<f64>,
    /// The network's file, relative to the package.
    pub(super) model: Option<PathBuf>,
}

impl Manifest {
    /// Reads whichever of the manifests exist.
    pub(super) fn load(root: &Path) -> Result<Self, DatasetError> {
        let mut manifest = Manifest::default();
        for file in FILES {
            let path = root.join(file);
            let text = match regular::read(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(DatasetError::Io { path, source }),
            };
            let found = parse(&path, &text)?;
            manifest.name = manifest.name.or(found.name);
            manifest.fps = manifest.fps.or(found.fps);
            manifest.model = manifest.model.or(found.model);
        }
        Ok(manifest)
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Manifest, DatasetError> {
    let value: Value = serde_json::from_slice(text)
        .map_err(|source| DatasetError::Json { path: path.to_owned(), source })?;
    let fields = Fields { path, prefix: String::new(), map: object(path, "the file", &value)? };
    let fps = match fields.section("videos")? {
        Some(videos) => match videos.section("full_body_img")? {
            Some(video) => video.positive("fps")?,
            None => None,
        },
        None => None,
    };
    let model = match fields.section("onnx")? {
        Some(onnx) => onnx.string("file")?.map(PathBuf::from),
        None => None,
    };
    Ok(Manifest { name: fields.string("dataset_name")?, fps, model })
}

/// The members of one JSON object. Absent and null members are the same.
struct Fields<'a> {
    path: &'a Path,
    prefix: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn section(&self, key: &str) -> Result<Option<Fields<'a>>, DatasetError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let name = format!("{}{key}", self.prefix);
        let map = object(self.path, &name, value)?;
        Ok(Some(Fields { path: self.path, prefix: format!("{name}."), map }))
    }

    fn string(&self, key: &str) -> Result<Option<String>, DatasetError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(key, other, "a string")),
        }
    }

    fn positive(&self, key: &str) -> Result<Option<f64>, DatasetError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if number > 0.0 => Ok(Some(number)),
            _ => Err(self.wrong(key, value, "a number above 0")),
        }
    }

    fn wrong(&self, key: &str, found: &Value, expected: &str) -> DatasetError {
        field_error(self.path, format!("{}{key}", self.prefix), found, expected.to_owned())
    }
}

fn object<'a>(
    path: &Path,
    field: &str,
    value: &'a Value,
) -> Result<&'a Map<String, Value>, DatasetError> {
    value
        .as_object()
        .ok_or_else(|| field_error(path, field.to_owned(), value, "a JSON object".to_owned()))
}

/// An error about the value of a JSON field, with the value shortened to fit a line.
pub(super) fn field_error(
    path: &Path,
    field: String,
    found: &Value,
    expected: String,
) -> DatasetError {
    const LONGEST: usize = 60;
    let text = found.to_string();
    let found = match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    };
    DatasetError::Field { path: path.to_owned(), field, found, expected }
}
