//! The operator set: per-channel scales need version 13.

use super::GraphError;
use crate::onnx::Model;
use crate::onnx::names::{describe, is_standard};

/// The first version in which `DequantizeLinear` takes a scale for each channel.
const PER_CHANNEL: i64 = 13;
/// The first version from which a graph of the operators below can be raised to it.
const OLDEST: i64 = 11;

/// Raises the model to version 13 of the operators where it is older and that changes nothing.
///
/// # Errors
/// [`GraphError::Opset`] where it would.
pub(super) fn raise(model: &mut Model) -> Result<(), GraphError> {
    let found = model.opset().unwrap_or(0);
    if found >= PER_CHANNEL {
        return Ok(());
    }
    let refuse = |reason: String| GraphError::Opset { found, reason };
    if found < OLDEST {
        return Err(refuse(format!("versions before {OLDEST} are not raised here")));
    }
    let graph = model.proto().graph.as_ref().ok_or(GraphError::NoGraph)?;
    let changed = graph.node.iter().find(|node| !is_standard(node) || !is_same(node.op_type()));
    if let Some(node) = changed {
        return Err(refuse(format!("{} may differ in version {PER_CHANNEL}", describe(node))));
    }
    for set in &mut model.proto_mut().opset_import {
        if matches!(set.domain(), "" | "ai.onnx") {
            set.version = Some(PER_CHANNEL);
        }
    }
    Ok(())
}

/// Whether an operator means the same from version 11 to 13.
fn is_same(op: &str) -> bool {
    matches!(
        op,
        "Add"
            | "AveragePool"
            | "BatchNormalization"
            | "Cast"
            | "Clip"
            | "Concat"
            | "Constant"
            | "Conv"
            | "ConvTranspose"
            | "Div"
            | "Flatten"
            | "Gather"
            | "GlobalAveragePool"
            | "Identity"
            | "LeakyRelu"
            | "MaxPool"
            | "Mul"
            | "Pad"
            | "Relu"
            | "Reshape"
            | "Resize"
            | "Shape"
            | "Sigmoid"
            | "Slice"
            | "Sub"
            | "Tanh"
            | "Transpose"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto};

    fn model(version: i64, op: &str) -> Model {
        let node = NodeProto {
            name: Some("it".into()),
            op_type: Some(op.into()),
            output: vec!["y".into()],
            ..Default::default()
        };
        Model::from(ModelProto {
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(version) }],
            graph: Some(GraphProto { node: vec![node], ..Default::default() }),
            ..Default::default()
        })
    }

    #[test]
    fn only_what_means_the_same_is_raised() {
        for (version, op, becomes) in [(11, "Conv", 13), (12, "Clip", 13), (17, "Split", 17)] {
            let mut model = model(version, op);
            raise(&mut model).unwrap();
            assert_eq!(model.opset(), Some(becomes));
        }
        let refusal = |version, op| raise(&mut model(version, op)).unwrap_err().to_string();
        let message = refusal(12, "Split");
        assert!(message.contains("version 12") && message.contains("Split \"it\""), "{message}");
        assert!(refusal(9, "Conv").contains("version 9"));
    }
}
