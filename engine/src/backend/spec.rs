//! What a network must look like, and what a given one does.

use std::fmt;
use std::path::{Path, PathBuf};

use super::BackendError;
use crate::frame::ModelGeometry;
use crate::onnx::{self, Dim, ElementType, Model};

/// Which batch sizes a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchLimit {
    /// Any: the batch dimension is symbolic.
    Any,
    /// Exactly this one.
    Fixed(usize),
    /// All up to this one.
    UpTo(usize),
}

impl BatchLimit {
    /// What to take instead of `batch` where the network does not take that; `None` where it does.
    pub fn instead_of(self, batch: usize) -> Option<usize> {
        match self {
            Self::Any => None,
            Self::Fixed(n) => (n != batch).then_some(n),
            Self::UpTo(n) => (batch > n).then_some(n),
        }
    }
}

impl fmt::Display for BatchLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Fixed(n) => write!(f, "fixed to {n}"),
            Self::UpTo(n) => write!(f, "at most {n}"),
        }
    }
}

/// A tensor as a runtime describes it; negative dimensions are symbolic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the model.
    pub name: String,
    /// Whether the elements are 32-bit floats.
    pub float32: bool,
    /// The dimensions, -1 where symbolic.
    pub dims: Vec<i64>,
    /// Element type and shape in words, for messages.
    pub text: String,
}

impl From<&onnx::TensorInfo> for TensorInfo {
    fn from(tensor: &onnx::TensorInfo) -> Self {
        let dim = |dim: &Dim| match dim {
            Dim::Fixed(size) => *size,
            Dim::Symbol(_) | Dim::Unknown => -1,
        };
        let dims: Vec<String> = tensor.dims.iter().map(Dim::to_string).collect();
        Self {
            name: tensor.name.clone(),
            float32: tensor.element_type == ElementType::Float32,
            dims: tensor.dims.iter().map(dim).collect(),
            text: format!("{} [{}]", tensor.element_type, dims.join(",")),
        }
    }
}

/// The network's names and sizes, checked against what the engine can feed.
///
/// `input` f32 `[N,6,S,S]` and `audio` f32 `[N,32,16,16]` in, `output` f32 `[N,3,S,S]` out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSpec {
    path: PathBuf,
    geometry: ModelGeometry,
    batch: BatchLimit,
}

impl ModelSpec {
    /// Name of the image input.
    pub const IMAGE: &'static str = "input";
    /// Name of the audio input.
    pub const AUDIO: &'static str = "audio";
    /// Name of the output.
    pub const OUTPUT: &'static str = "output";

    /// Checks what `model`, read from `path`, declares; needs no runtime.
    ///
    /// # Errors
    /// As [`check`](Self::check), and where a constant is no number: what training lost, frames lose,
    /// too.
    pub fn declared(path: &Path, model: &Model) -> Result<Self, BackendError> {
        let tensors = |list: Vec<onnx::TensorInfo>| list.iter().map(TensorInfo::from).collect();
        let (inputs, outputs): (Vec<_>, Vec<_>) =
            (tensors(model.inputs()), tensors(model.outputs()));
        let spec = Self::check(path, &inputs, &outputs)?;
        match model.nan_tensor() {
            None => Ok(spec),
            Some(tensor) => Err(BackendError::Model {
                path: path.to_owned(),
                problem: format!("its constant \"{tensor}\" holds NaN; expected finite numbers"),
            }),
        }
    }

    /// Checks the tensors of the model at `path`.
    ///
    /// # Errors
    /// [`BackendError::Model`] that names the tensor, what it is, and what was expected.
    pub fn check(
        path: &Path,
        inputs: &[TensorInfo],
        outputs: &[TensorInfo],
    ) -> Result<Self, BackendError> {
        let refuse = |problem: String| BackendError::Model { path: path.to_owned(), problem };
        let find = |list: &[TensorInfo], role: &str, name: &str, expected: &str| {
            list.iter().find(|tensor| tensor.name == name).cloned().ok_or_else(|| {
                let names: Vec<_> =
                    list.iter().map(|t| format!("\"{}\" {}", t.name, t.text)).collect();
                let found = if names.is_empty() { "none".into() } else { names.join(", ") };
                refuse(format!("it has no {role} \"{name}\" ({expected}); its {role}s: {found}"))
            })
        };
        let image = find(inputs, "input", Self::IMAGE, "float32 [N,6,S,S]")?;
        let audio = find(inputs, "input", Self::AUDIO, "float32 [N,32,16,16]")?;
        let output = find(outputs, "output", Self::OUTPUT, "float32 [N,3,S,S]")?;
        if let Some(extra) = inputs.iter().find(|t| t.name != Self::IMAGE && t.name != Self::AUDIO)
        {
            return Err(refuse(format!(
                "it has an input \"{}\" {} that the engine cannot feed; expected only \"{}\" and \"{}\"",
                extra.name,
                extra.text,
                Self::IMAGE,
                Self::AUDIO
            )));
        }
        let side = match image.dims[..] {
            [_, 6, height, width] if height == width => usize::try_from(width).ok(),
            _ => None,
        };
        let geometry =
            side.and_then(ModelGeometry::new).filter(|_| image.float32).ok_or_else(|| {
                refuse(format!(
                    "input \"input\" is {}; expected float32 [N,6,S,S] with a fixed S of 16 to {}",
                    image.text,
                    ModelGeometry::MAX_SIDE
                ))
            })?;
        if !audio.float32 || audio.dims.get(1..) != Some(&[32, 16, 16]) {
            let hint = match audio.dims.get(1..) {
                Some([32, 32, 32]) => " (this is the hubert shape, which is not supported)",
                Some([256, 16, 32]) => " (this is the wenet shape, which is not supported)",
                _ => "",
            };
            return Err(refuse(format!(
                "input \"audio\" is {}; expected float32 [N,32,16,16]{hint}",
                audio.text
            )));
        }
        let square = |dim: Option<&i64>| dim.is_none_or(|&d| d < 0 || d == geometry.side() as i64);
        let fits = output.dims.len() == 4
            && (output.dims[1] == 3 || output.dims[1] < 0)
            && square(output.dims.get(2))
            && square(output.dims.get(3));
        if !output.float32 || !fits {
            let side = geometry.side();
            return Err(refuse(format!(
                "output \"output\" is {}; expected float32 [N,3,{side},{side}]",
                output.text
            )));
        }
        let batch = match (image.dims[0], audio.dims[0]) {
            (i, a) if i < 0 && a < 0 => BatchLimit::Any,
            (i, a) if i == a && i > 0 && i <= 1024 => BatchLimit::Fixed(i as usize),
            (i, a) if i == a => {
                return Err(refuse(format!(
                    "its batch is fixed to {i}; expected 1 to 1024 frames, or a symbolic batch"
                )));
            }
            _ => {
                return Err(refuse(format!(
                    "its inputs disagree about the batch: \"input\" is {}, \"audio\" is {}",
                    image.text, audio.text
                )));
            }
        };
        Ok(Self { path: path.to_owned(), geometry, batch })
    }

    /// Where the model is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its sizes.
    pub fn geometry(&self) -> ModelGeometry {
        self.geometry
    }

    /// Which batch sizes it takes.
    pub fn batch_limit(&self) -> BatchLimit {
        self.batch
    }

    /// The same with a limit that the tensors' shapes do not tell.
    #[must_use]
    pub fn with_batch_limit(self, batch: BatchLimit) -> Self {
        Self { batch, ..self }
    }

    /// Refuses batches of a size that the network does not take.
    ///
    /// # Errors
    /// [`BackendError::Batch`].
    pub fn require_batch(&self, batch: usize) -> Result<(), BackendError> {
        match self.batch.instead_of(batch) {
            None => Ok(()),
            Some(possible) => Err(BackendError::Batch {
                path: self.path.clone(),
                limit: self.batch,
                batch,
                possible,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, dims: &[i64]) -> TensorInfo {
        TensorInfo {
            name: name.into(),
            float32: true,
            dims: dims.to_vec(),
            text: format!("float32 {dims:?}"),
        }
    }

    #[test]
    fn a_file_declares_what_a_runtime_would_find() {
        use super::super::super::onnx::proto::*;
        let tensor = |name: &str, element: i32, dims: &[Option<i64>]| {
            let dim = |size: &Option<i64>| Dimension {
                value: Some(match size {
                    Some(size) => DimensionValue::DimValue(*size),
                    None => DimensionValue::DimParam("N".into()),
                }),
                ..Default::default()
            };
            let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
            let tensor = type_proto::Tensor { elem_type: Some(element), shape: Some(shape) };
            ValueInfoProto {
                name: Some(name.into()),
                r#type: Some(TypeProto {
                    value: Some(type_proto::Value::TensorType(tensor)),
                    ..Default::default()
                }),
                ..Default::default()
            }
        };
        let model = |element, audio| {
            let graph = GraphProto {
                input: vec![
                    tensor("input", element, &[None, Some(6), Some(32), Some(32)]),
                    tensor("audio", 1, audio),
                ],
                output: vec![tensor("output", 1, &[None, Some(3), Some(32), Some(32)])],
                ..Default::default()
            };
            Model::from(ModelProto { graph: Some(graph), ..Default::default() })
        };
        let path = Path::new("m.onnx");
        let ave = &[None, Some(32), Some(16), Some(16)][..];
        let spec = ModelSpec::declared(path, &model(1, ave)).unwrap();
        assert_eq!((spec.geometry().side(), spec.batch_limit()), (32, BatchLimit::Any));
        let error = ModelSpec::declared(path, &model(10, ave)).unwrap_err().to_string();
        assert!(error.contains("\"input\" is float16 [N,6,32,32]"), "{error}");
        let hubert = &[None, Some(32), Some(32), Some(32)][..];
        let error = ModelSpec::declared(path, &model(1, hubert)).unwrap_err().to_string();
        assert!(error.contains("\"audio\" is float32 [N,32,32,32]") && error.contains("hubert"));
    }

    fn check(image: &[i64], audio: &[i64], output: &[i64]) -> Result<ModelSpec, String> {
        let inputs = [tensor("input", image), tensor("audio", audio)];
        ModelSpec::check(Path::new("m.onnx"), &inputs, &[tensor("output", output)])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn takes_sizes_from_the_model() {
        let spec = check(&[-1, 6, 320, 320], &[-1, 32, 16, 16], &[-1, 3, 320, 320]).unwrap();
        assert_eq!((spec.geometry().side(), spec.batch_limit()), (320, BatchLimit::Any));
        let spec = check(&[1, 6, 160, 160], &[1, 32, 16, 16], &[1, 3, 160, 160]).unwrap();
        assert_eq!((spec.geometry().side(), spec.batch_limit()), (160, BatchLimit::Fixed(1)));
    }

    #[test]
    fn names_what_does_not_fit() {
        let good = [-1, 32, 16, 16];
        for (image, audio, output, expected) in [
            (&[-1, 3, 320, 320][..], &good[..], &[-1, 3, 320, 320][..], "\"input\" is float32"),
            (&[-1, 6, 320, 300], &good, &[-1, 3, 320, 320], "[N,6,S,S]"),
            (&[-1, 6, 320, -1], &good, &[-1, 3, 320, 320], "fixed S"),
            (&[], &good, &[-1, 3, 320, 320], "[N,6,S,S]"),
            (&[-1, 6, 1 << 40, 1 << 40], &good, &[-1, 3, 320, 320], "16 to 2048"),
            (&[-1, 6, 320, 320], &[-1, 32, 32, 32], &[-1, 3, 320, 320], "hubert"),
            (&[-1, 6, 320, 320], &[-1, 256, 16, 32], &[-1, 3, 320, 320], "wenet"),
            (&[-1, 6, 320, 320], &good, &[-1, 3, 160, 160], "expected float32 [N,3,320,320]"),
            (&[1, 6, 320, 320], &[2, 32, 16, 16], &[-1, 3, 320, 320], "disagree"),
            (&[0, 6, 320, 320], &[0, 32, 16, 16], &[-1, 3, 320, 320], "fixed to 0"),
            (&[9999, 6, 320, 320], &[9999, 32, 16, 16], &[-1, 3, 320, 320], "fixed to 9999"),
        ] {
            let message = check(image, audio, output).unwrap_err();
            assert!(message.contains(expected) && message.contains("m.onnx"), "{message}");
        }
    }

    #[test]
    fn names_missing_and_extra_inputs() {
        let image = tensor("input", &[-1, 6, 320, 320]);
        let audio = tensor("audio", &[-1, 32, 16, 16]);
        let output = tensor("output", &[-1, 3, 320, 320]);
        let outputs = std::slice::from_ref(&output);
        let path = Path::new("m.onnx");
        let error = ModelSpec::check(path, std::slice::from_ref(&image), outputs).unwrap_err();
        assert!(error.to_string().contains("no input \"audio\""), "{error}");
        let extra = [image.clone(), audio.clone(), tensor("mel", &[1])];
        let error = ModelSpec::check(path, &extra, outputs).unwrap_err();
        assert!(error.to_string().contains("\"mel\""), "{error}");
        let error = ModelSpec::check(path, &[image, audio], &[]).unwrap_err();
        assert!(error.to_string().contains("its outputs: none"), "{error}");
    }
}
