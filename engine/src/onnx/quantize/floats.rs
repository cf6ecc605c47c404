//! Constants of a graph as floats.

use std::collections::HashMap;

use super::GraphError;
use crate::onnx::names::attribute;
use crate::onnx::precision::check_floats;
use crate::onnx::proto::{GraphProto, TensorProto, data_type};

/// The constants of a graph by name: initializers, and what `Constant` nodes hold.
pub(super) struct Constants<'a>(HashMap<&'a str, &'a TensorProto>);

impl<'a> Constants<'a> {
    pub(super) fn of(graph: &'a GraphProto) -> Self {
        let initializers = graph.initializer.iter().map(|tensor| (tensor.name(), tensor));
        let nodes = graph.node.iter().filter(|node| node.op_type() == "Constant");
        let held = nodes.filter_map(|node| {
            let tensor = attribute(node, "value")?.t.as_ref()?;
            Some((node.output.first()?.as_str(), tensor))
        });
        Self(initializers.chain(held).collect())
    }

    /// The constant `name`, where it is one.
    pub(super) fn get(&self, name: &str) -> Option<&'a TensorProto> {
        self.0.get(name).copied()
    }

    /// Any constant for which `holds`.
    pub(super) fn any(&self, holds: impl Fn(&TensorProto) -> bool) -> Option<&'a TensorProto> {
        // By name, so that it is the same one every time.
        let mut found: Vec<_> = self.0.iter().filter(|(_, tensor)| holds(tensor)).collect();
        found.sort_by_key(|(name, _)| **name);
        found.first().map(|(_, tensor)| **tensor)
    }

    /// The constant `name`, where it is one of 32-bit floats.
    pub(super) fn float32(&self, name: &str) -> Option<&'a TensorProto> {
        self.get(name).filter(|tensor| tensor.data_type() == data_type::FLOAT)
    }
}

/// The values of a constant of 32-bit floats, row-major.
///
/// # Errors
/// Where they are in another file, or do not fit the shape.
pub(super) fn values(tensor: &TensorProto) -> Result<Vec<f32>, GraphError> {
    check_floats(tensor)?;
    Ok(match &tensor.raw_data {
        Some(raw) if tensor.float_data.is_empty() => {
            raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
        }
        _ => tensor.float_data.clone(),
    })
}

/// The same, where all of them are finite.
///
/// # Errors
/// As [`values`], and [`GraphError::NotFinite`].
pub(super) fn finite(name: &str, tensor: &TensorProto) -> Result<Vec<f32>, GraphError> {
    let values = values(tensor)?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(GraphError::NotFinite { tensor: name.to_owned(), value }),
        None => Ok(values),
    }
}

/// A constant of 32-bit floats; no `dims` make a scalar.
pub(super) fn float_tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, data_type::FLOAT, dims, bytes)
}

/// A constant whose elements have these bytes.
pub(super) fn tensor(name: &str, data_type: i32, dims: &[i64], bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(data_type),
        raw_data: Some(bytes),
        ..Default::default()
    }
}
