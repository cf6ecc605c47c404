//! Small graphs, and what ONNX Runtime makes of them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use engine::backend::find_onnxruntime;
use engine::onnx::Model;
use engine::onnx::proto::type_proto::{Tensor, Value};
use engine::onnx::proto::{
    AttributeProto, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_type,
    data_type,
};
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;
use prost::Message;

/// Whether the tests that run networks can; says so where they cannot.
pub(crate) fn onnxruntime() -> Option<PathBuf> {
    match find_onnxruntime(None) {
        Ok(library) => Some(library),
        Err(error) => {
            eprintln!("SKIPPED: {error}; run scripts/setup");
            None
        }
    }
}

/// A model with operator set 17 from a graph.
pub(crate) fn model(graph: GraphProto) -> Model {
    Model::from(ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(graph),
        ..Default::default()
    })
}

/// A graph of nodes without names.
pub(crate) fn graph(
    inputs: &[ValueInfoProto],
    initializers: &[TensorProto],
    nodes: &[NodeProto],
    outputs: &[ValueInfoProto],
) -> GraphProto {
    GraphProto {
        name: Some("test".into()),
        input: inputs.to_vec(),
        initializer: initializers.to_vec(),
        node: nodes.to_vec(),
        output: outputs.to_vec(),
        ..Default::default()
    }
}

/// A node without a name.
pub(crate) fn node(
    op: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[AttributeProto],
) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: outputs.iter().map(|&output| output.into()).collect(),
        attribute: attributes.to_vec(),
        ..Default::default()
    }
}

/// A tensor of this type and shape; negative dimensions are symbolic.
pub(crate) fn value(name: &str, elem_type: i32, dims: &[i64]) -> ValueInfoProto {
    let dim = |&dim: &i64| Dimension {
        value: Some(match dim {
            0.. => DimensionValue::DimValue(dim),
            _ => DimensionValue::DimParam(format!("d{}", -dim)),
        }),
        denotation: None,
    };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor = Tensor { elem_type: Some(elem_type), shape };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { value: Some(Value::TensorType(tensor)), denotation: None }),
        ..Default::default()
    }
}

/// A 32-bit float input or output.
pub(crate) fn float(name: &str, dims: &[i64]) -> ValueInfoProto {
    value(name, data_type::FLOAT, dims)
}

/// A constant of floats, as `float_data`.
pub(crate) fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(data_type::FLOAT),
        float_data: values.to_vec(),
        ..Default::default()
    }
}

/// A constant list of integers.
pub(crate) fn ints(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(data_type::INT64),
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

/// An integer attribute.
pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(attribute_type::INT),
        i: Some(value),
        ..Default::default()
    }
}

/// An attribute that is a list of integers.
pub(crate) fn list(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(attribute_type::INTS),
        ints: values.to_vec(),
        ..Default::default()
    }
}

/// A string attribute.
pub(crate) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(attribute_type::STRING),
        s: Some(value.into()),
        ..Default::default()
    }
}

/// An attribute that is a tensor.
pub(crate) fn tensor(name: &str, value: TensorProto) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(attribute_type::TENSOR),
        t: Some(value),
        ..Default::default()
    }
}

/// An attribute that is a graph.
pub(crate) fn subgraph(name: &str, value: GraphProto) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        // AttributeProto.GRAPH
        r#type: Some(5),
        g: Some(value),
        ..Default::default()
    }
}

/// The initializer `name` of a model.
pub(crate) fn initializer<'a>(model: &'a Model, name: &str) -> Option<&'a TensorProto> {
    let graph = model.proto().graph.as_ref().unwrap();
    graph.initializer.iter().find(|tensor| tensor.name() == name)
}

/// The operators of the main graph, in order.
pub(crate) fn operators(model: &Model) -> Vec<&str> {
    model.proto().graph.as_ref().unwrap().node.iter().map(NodeProto::op_type).collect()
}

/// Shape and values of the output `output`, computed by ONNX Runtime; its words where it refuses.
pub(crate) fn run(
    library: &Path,
    model: &Model,
    inputs: &[(&str, &[i64], &[f32])],
    output: &str,
) -> Result<(Vec<i64>, Vec<f32>), String> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| {
        let environment = ort::init_from(library).unwrap().build().unwrap();
        environment.set_log_level(ort::logging::LogLevel::Fatal);
        environment
    });
    let words = |error: ort::Error| error.to_string();
    let mut builder = Session::builder(environment).map_err(words)?;
    let mut session = builder.commit_from_memory(&model.proto().encode_to_vec()).map_err(words)?;
    let given = inputs.iter().map(|&(name, dims, values)| {
        let value = TensorRef::from_array_view((dims, values)).map_err(words)?;
        Ok((name, SessionInputValue::from(value)))
    });
    let given = given.collect::<Result<Vec<_>, String>>()?;
    let outputs = session.run(given).map_err(words)?;
    let (shape, values) = outputs[output].try_extract_tensor::<f32>().map_err(words)?;
    Ok((shape.to_vec(), values.to_vec()))
}

/// `count` different values between -1 and 1.
pub(crate) fn noise(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}
