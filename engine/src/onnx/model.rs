//! A model in memory.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use prost::Message;

use super::proto::{GraphProto, ModelProto, TensorProto};
use super::{OnnxError, TensorInfo};
use crate::file::{WholeFile, regular};

/// Largest file that protobuf, and with it ONNX, allows.
const MAX_BYTES: u64 = 2 << 30;

/// An ONNX model in memory.
///
/// Weights that a model keeps in files of their own (external data) are neither read nor written:
/// the model goes on referring to them by their names relative to its folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    proto: ModelProto,
}

impl Model {
    /// Reads the model in `path`.
    ///
    /// # Errors
    /// Each names the file: it cannot be read, is empty, larger than 2 GiB, truncated, or not an
    /// ONNX model.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, OnnxError> {
        let path = path.as_ref();
        Self::decode(path, &Self::read(path)?)
    }

    /// The bytes of the model in `path`, not decoded.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or larger than 2 GiB.
    pub fn read(path: &Path) -> Result<Vec<u8>, OnnxError> {
        let read = |source| OnnxError::Read { path: path.to_owned(), source };
        let mut file = regular::open(path).map_err(read)?;
        let bytes = file.metadata().map_err(read)?.len();
        if bytes > MAX_BYTES {
            return Err(OnnxError::TooLarge { path: path.to_owned(), bytes });
        }
        let mut data = Vec::new();
        file.read_to_end(&mut data).map_err(read)?;
        match data.is_empty() {
            true => Err(OnnxError::Empty { path: path.to_owned() }),
            false => Ok(data),
        }
    }

    /// Decodes the bytes that were read from `path`.
    ///
    /// # Errors
    /// They are truncated, or not an ONNX model.
    pub fn decode(path: &Path, data: &[u8]) -> Result<Self, OnnxError> {
        let proto = ModelProto::decode(data)
            .map_err(|source| OnnxError::Decode { path: path.to_owned(), source })?;
        match missing_field(&proto) {
            Some(missing) => Err(OnnxError::Incomplete { path: path.to_owned(), missing }),
            None => Ok(Self { proto }),
        }
    }

    /// Writes the model to `path`: whole or not at all, replacing what was there.
    ///
    /// # Errors
    /// The folder or the file cannot be written, or the model is larger than 2 GiB.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), OnnxError> {
        let path = path.as_ref();
        let bytes = self.proto.encoded_len() as u64;
        if bytes > MAX_BYTES {
            return Err(OnnxError::TooLarge { path: path.to_owned(), bytes });
        }
        WholeFile::replace(path, &self.to_bytes())
            .map_err(|source| OnnxError::Write { path: path.to_owned(), source })
    }

    /// The model as the bytes of an ONNX file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }

    /// The message behind the model.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// The message behind the model, to be rewritten.
    pub fn proto_mut(&mut self) -> &mut ModelProto {
        &mut self.proto
    }

    /// The inputs that have to be given, in the order of the file. Initializers are left out, which
    /// older models list among their inputs.
    pub fn inputs(&self) -> Vec<TensorInfo> {
        let Some(graph) = &self.proto.graph else { return Vec::new() };
        let dense = graph.initializer.iter().map(TensorProto::name);
        let sparse =
            graph.sparse_initializer.iter().filter_map(|s| Some(s.values.as_ref()?.name()));
        let initializers: HashSet<&str> = dense.chain(sparse).collect();
        let given = graph.input.iter().filter(|input| !initializers.contains(input.name()));
        given.map(TensorInfo::from).collect()
    }

    /// The outputs, in the order of the file.
    pub fn outputs(&self) -> Vec<TensorInfo> {
        self.graph_or_empty(|graph| graph.output.iter().map(TensorInfo::from).collect())
    }

    /// The first constant of the main graph whose values are in a file of their own.
    pub fn external_tensor(&self) -> Option<&str> {
        let mut constants = self.proto.graph.iter().flat_map(|graph| &graph.initializer);
        constants.find(|tensor| tensor.is_external()).map(TensorProto::name)
    }

    /// The first constant of the main graph that holds a 32-bit float which is no number. Infinities
    /// are numbers: masks are made of them.
    pub fn nan_tensor(&self) -> Option<&str> {
        let mut constants = self.proto.graph.iter().flat_map(|graph| &graph.initializer);
        constants.find(|tensor| tensor.holds_nan()).map(TensorProto::name)
    }

    /// Whether the main graph computes in integers: it has nodes that quantize or dequantize.
    pub fn is_quantized(&self) -> bool {
        self.graph_or_empty(|graph| {
            let quantizes = ["QuantizeLinear", "DequantizeLinear"];
            graph.node.iter().any(|node| quantizes.contains(&node.op_type()))
        })
    }

    /// Version of the standard operator set; `None` where the model uses only others.
    pub fn opset(&self) -> Option<i64> {
        let mut sets = self.proto.opset_import.iter();
        sets.find(|set| matches!(set.domain(), "" | "ai.onnx")).map(|set| set.version())
    }

    /// Name and version of the tool that wrote the model, `pytorch 2.3.0`; empty where it does not
    /// say.
    pub fn producer(&self) -> String {
        let producer = format!("{} {}", self.proto.producer_name(), self.proto.producer_version());
        producer.trim().to_owned()
    }

    /// Number of nodes in the main graph.
    pub fn node_count(&self) -> usize {
        self.graph_or_empty(|graph| graph.node.len())
    }

    /// Number of elements in all initializers of the main graph.
    pub fn parameter_count(&self) -> u64 {
        self.graph_or_empty(|graph| {
            graph.initializer.iter().fold(0, |sum: u64, t| sum.saturating_add(elements(&t.dims)))
        })
    }

    fn graph_or_empty<T: Default>(&self, read: impl FnOnce(&GraphProto) -> T) -> T {
        self.proto.graph.as_ref().map(read).unwrap_or_default()
    }
}

impl From<ModelProto> for Model {
    fn from(proto: ModelProto) -> Self {
        Self { proto }
    }
}

/// Text and truncated files can decode to a message of unknown fields, or to one that ends early.
fn missing_field(proto: &ModelProto) -> Option<&'static str> {
    match &proto.graph {
        _ if proto.ir_version.is_none() => Some("ir_version"),
        None => Some("graph"),
        Some(graph) if graph.output.is_empty() => Some("graph.output"),
        Some(_) if proto.opset_import.is_empty() => Some("opset_import"),
        Some(_) => None,
    }
}

/// Product of the dimensions; a negative one counts as 0, an absurd product saturates.
fn elements(dims: &[i64]) -> u64 {
    dims.iter().fold(1, |product: u64, &dim| {
        product.saturating_mul(u64::try_from(dim).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::super::proto::type_proto::{Tensor, Value};
    use super::super::proto::*;
    use super::*;

    fn value(name: &str, dims: &[Option<DimensionValue>]) -> ValueInfoProto {
        let dim = dims.iter().map(|value| Dimension { value: value.clone(), denotation: None });
        let shape = Some(TensorShapeProto { dim: dim.collect() });
        let tensor = Tensor { elem_type: Some(data_type::FLOAT), shape };
        ValueInfoProto {
            name: Some(name.into()),
            r#type: Some(TypeProto { value: Some(Value::TensorType(tensor)), denotation: None }),
            ..Default::default()
        }
    }

    fn small() -> Model {
        let size = |n| Some(DimensionValue::DimValue(n));
        let symbol = Some(DimensionValue::DimParam("N".into()));
        let weight = TensorProto {
            name: Some("w".into()),
            dims: vec![2, 3],
            data_type: Some(data_type::FLOAT),
            float_data: vec![0.5; 6],
            ..Default::default()
        };
        let graph = GraphProto {
            node: vec![NodeProto {
                input: vec!["x".into(), "w".into()],
                output: vec!["y".into()],
                op_type: Some("Mul".into()),
                ..Default::default()
            }],
            initializer: vec![weight],
            input: vec![value("x", &[symbol.clone(), size(3)]), value("w", &[size(2), size(3)])],
            output: vec![value("y", &[symbol, None])],
            ..Default::default()
        };
        Model::from(ModelProto {
            ir_version: Some(8),
            producer_name: Some("pytorch".into()),
            producer_version: Some("2.3.0".into()),
            opset_import: vec![
                OperatorSetIdProto { domain: Some("com.example".into()), version: Some(1) },
                OperatorSetIdProto { domain: None, version: Some(17) },
            ],
            graph: Some(graph),
            ..Default::default()
        })
    }

    fn load_bytes(data: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.onnx");
        fs::write(&path, data).unwrap();
        let message = Model::load(&path).unwrap_err().to_string();
        assert!(message.contains("some.onnx"), "{message}");
        message
    }

    #[test]
    fn says_what_a_model_takes_and_gives() {
        let model = small();
        let inputs: Vec<_> = model.inputs().iter().map(ToString::to_string).collect();
        assert_eq!(inputs, ["x float32 [N,3]"], "the initializer w is no input");
        assert_eq!(model.outputs()[0].to_string(), "y float32 [N,?]");
        assert_eq!(model.opset(), Some(17));
        assert_eq!(model.producer(), "pytorch 2.3.0");
        assert_eq!((model.node_count(), model.parameter_count()), (1, 6));
    }

    #[test]
    fn a_saved_model_replaces_the_file_and_loads_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        fs::write(&path, "old").unwrap();
        small().save(&path).unwrap();
        assert_eq!(Model::load(&path).unwrap(), small());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let message = small().save("/no/such/folder/m.onnx").unwrap_err().to_string();
        assert_eq!(message, "cannot write the model /no/such/folder/m.onnx");
        let message = Model::load("/no/such/folder/m.onnx").unwrap_err().to_string();
        assert_eq!(message, "cannot read the model /no/such/folder/m.onnx");
    }

    #[test]
    fn other_files_are_refused() {
        assert!(load_bytes(b"").contains("is empty"));
        assert!(load_bytes(b"PK\x03\x04 a zip archive").contains("is not an ONNX model"));
        assert!(load_bytes(b"{\"rect\": [1, 2, 3, 4]}").contains("is not an ONNX model"));
        assert!(load_bytes(&[0; 64]).contains("is not an ONNX model"));
    }

    #[test]
    fn every_truncation_is_refused() {
        let data = small().proto.encode_to_vec();
        for length in 1..data.len() {
            // Cut after the first operator set, the rest of the file is a whole model.
            if ModelProto::decode(&data[..length]).is_ok_and(|p| !p.opset_import.is_empty()) {
                continue;
            }
            assert!(load_bytes(&data[..length]).contains("truncated"), "{length} bytes");
        }
    }

    #[test]
    fn a_file_above_2_gib_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge.onnx");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        let message = Model::load(&path).unwrap_err().to_string();
        assert!(message.contains("huge.onnx has 2147483649 bytes"), "{message}");
    }
}
