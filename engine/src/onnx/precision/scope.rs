//! What is known about the values of a graph while it is rewritten.

use std::collections::HashMap;

use super::round::{check, rounded};
use super::{HalfReport, PrecisionError};
use crate::onnx::proto::{
    AttributeProto, GraphProto, NodeProto, TensorProto, attribute_type, data_type,
};

/// A value of the original graph, and the names under which the new graph has it.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// Element type in the original, a number of [`data_type`].
    pub(super) element: i32,
    /// Whether it follows from constants and shapes alone.
    pub(super) constant: bool,
    /// Its name in 16 bits, once there is one. Only used where the original has 32.
    pub(super) half: Option<String>,
    /// Its name in its original type, once there is one.
    pub(super) full: Option<String>,
    /// Position among the scope's [`Held`] constants.
    pub(super) held: Option<usize>,
}

/// A float constant, taken out of the graph until it is known in which types it is read.
#[derive(Debug)]
struct Held {
    tensor: TensorProto,
    /// The `Constant` node that it came from; an initializer has none.
    node: Option<NodeProto>,
}

/// One graph, subgraph or function under construction.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) values: HashMap<String, Value>,
    pub(super) nodes: Vec<NodeProto>,
    held: Vec<Held>,
}

impl Scope {
    /// Enters a value.
    pub(super) fn define(&mut self, name: &str, value: Value) -> Result<(), PrecisionError> {
        match self.values.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(PrecisionError::Twice { value: name.to_owned() }),
        }
    }

    /// Keeps a float constant back; `node` is the `Constant` node that it was in.
    pub(super) fn hold(
        &mut self,
        tensor: TensorProto,
        node: Option<NodeProto>,
    ) -> Result<(), PrecisionError> {
        check(&tensor)?;
        let held = Some(self.held.len());
        let value =
            Value { element: data_type::FLOAT, constant: true, half: None, full: None, held };
        self.define(tensor.name(), value)?;
        self.held.push(Held { tensor, node });
        Ok(())
    }

    /// Puts the constants back in the types in which they were read: initializers into `graph`,
    /// others in front of the nodes. One that nobody read is left out.
    pub(super) fn release(
        &mut self,
        graph: Option<&mut GraphProto>,
        report: &mut HalfReport,
    ) -> Result<(), PrecisionError> {
        let mut initializers = Vec::new();
        let mut nodes = Vec::new();
        for (index, Held { tensor, node }) in std::mem::take(&mut self.held).into_iter().enumerate()
        {
            let value = self.values.get(tensor.name()).filter(|value| value.held == Some(index));
            let (half, full) = value.map_or((None, None), |v| (v.half.clone(), v.full.clone()));
            report.bytes_before += bytes(&tensor)?;
            let half = half.map(|name| named(rounded(&tensor, report)?, name)).transpose()?;
            let full = full.map(|name| named(tensor, name)).transpose()?;
            for tensor in half.into_iter().chain(full) {
                report.bytes_after += bytes(&tensor)?;
                match &node {
                    Some(node) => nodes.push(constant_node(node, tensor)),
                    None => initializers.push(tensor),
                }
            }
        }
        if let Some(graph) = graph {
            graph.initializer.append(&mut initializers);
        }
        nodes.append(&mut self.nodes);
        self.nodes = nodes;
        Ok(())
    }
}

fn named(tensor: TensorProto, name: String) -> Result<TensorProto, PrecisionError> {
    Ok(TensorProto { name: Some(name), ..tensor })
}

fn bytes(tensor: &TensorProto) -> Result<u64, PrecisionError> {
    Ok(match tensor.data_type() {
        data_type::FLOAT => (check(tensor)? * size_of::<f32>()) as u64,
        _ => tensor.raw_data().len() as u64,
    })
}

/// A `Constant` node like `node` that holds `tensor`.
fn constant_node(node: &NodeProto, mut tensor: TensorProto) -> NodeProto {
    let output = tensor.name.take().unwrap_or_default();
    // A second type is a second node, which needs a name of its own.
    let name = match node.output.first() == Some(&output) {
        true => node.name.clone(),
        false => node.name.as_ref().map(|_| output.clone()),
    };
    NodeProto { name, output: vec![output], attribute: vec![value(tensor)], ..node.clone() }
}

/// The attribute `value` of `Constant` and `ConstantOfShape`.
pub(super) fn value(tensor: TensorProto) -> AttributeProto {
    AttributeProto {
        name: Some("value".into()),
        r#type: Some(attribute_type::TENSOR),
        t: Some(tensor),
        ..Default::default()
    }
}
