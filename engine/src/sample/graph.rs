//! Puts ONNX graphs together, node by node.

use crate::onnx::Model;
use crate::onnx::proto::type_proto::{Tensor, Value};
use crate::onnx::proto::{
    AttributeProto, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_type,
    data_type,
};

use super::Batch;
use super::weights::Kernel;

/// Versions that every ONNX Runtime and TensorRT of the last years reads.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

/// A graph under construction. A node is named after its output.
pub(super) struct GraphBuilder {
    graph: GraphProto,
}

impl GraphBuilder {
    pub(super) fn new(name: &str) -> Self {
        Self { graph: GraphProto { name: Some(name.into()), ..Default::default() } }
    }

    /// Declares an input of `batch` x `dims` floats.
    pub(super) fn input(&mut self, name: &str, batch: Batch, dims: &[usize]) {
        self.graph.input.push(value_info(name, batch, dims));
    }

    /// Declares an output of `batch` x `dims` floats.
    pub(super) fn output(&mut self, name: &str, batch: Batch, dims: &[usize]) {
        self.graph.output.push(value_info(name, batch, dims));
    }

    /// Adds a constant tensor of floats; no `dims` make a scalar.
    pub(super) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, data_type::FLOAT, dims, bytes);
    }

    /// Adds a constant list of integers.
    pub(super) fn ints(&mut self, name: &str, values: &[i64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, data_type::INT64, &[values.len()], bytes);
    }

    fn constant(&mut self, name: &str, data_type: i32, dims: &[usize], raw_data: Vec<u8>) {
        self.graph.initializer.push(TensorProto {
            name: Some(name.into()),
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_type: Some(data_type),
            raw_data: Some(raw_data),
            ..Default::default()
        });
    }

    /// Adds a node with one output. An empty name is an input left out.
    pub(super) fn node(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: Vec<AttributeProto>,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: vec![output.into()],
            name: Some(output.into()),
            op_type: Some(op.into()),
            attribute: attributes,
            ..Default::default()
        });
    }

    /// Adds a convolution and its weights.
    pub(super) fn conv(&mut self, input: &str, kernel: &Kernel, output: &str) {
        let shape = kernel.shape;
        let (weight, bias) = (format!("{output}.weight"), format!("{output}.bias"));
        self.floats(&weight, &shape.weight_dims(), &kernel.weight);
        self.floats(&bias, &[shape.outputs], &kernel.bias);
        let attributes = vec![
            ints("kernel_shape", &[shape.kernel; 2]),
            ints("strides", &shape.strides),
            ints("pads", &[shape.padding; 4]),
            int("group", shape.groups),
        ];
        self.node("Conv", &[input, &weight, &bias], output, attributes);
    }

    pub(super) fn finish(self) -> Model {
        Model::from(ModelProto {
            ir_version: Some(IR_VERSION),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(OPSET) }],
            producer_name: Some("engine-sample".into()),
            producer_version: Some(env!("CARGO_PKG_VERSION").into()),
            graph: Some(self.graph),
            ..Default::default()
        })
    }
}

/// An integer attribute.
pub(super) fn int(name: &str, value: usize) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(attribute_type::INT),
        i: Some(value as i64),
        ..Default::default()
    }
}

/// An attribute that is a list of integers.
pub(super) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(attribute_type::INTS),
        ints: values.iter().map(|&value| value as i64).collect(),
        ..Default::default()
    }
}

/// A string attribute.
pub(super) fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(attribute_type::STRING),
        s: Some(value.into()),
        ..Default::default()
    }
}

fn value_info(name: &str, batch: Batch, dims: &[usize]) -> ValueInfoProto {
    let batch = match batch {
        Batch::Symbolic => DimensionValue::DimParam("N".into()),
        Batch::Fixed(n) => DimensionValue::DimValue(n as i64),
    };
    let fixed = dims.iter().map(|&dim| DimensionValue::DimValue(dim as i64));
    let dim = std::iter::once(batch).chain(fixed);
    let dim = dim.map(|value| Dimension { value: Some(value), denotation: None }).collect();
    let tensor =
        Tensor { elem_type: Some(data_type::FLOAT), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { value: Some(Value::TensorType(tensor)), denotation: None }),
        ..Default::default()
    }
}
