//! Names in a model: finding free ones, and naming nodes in messages.

use std::collections::HashSet;

use super::proto::{AttributeProto, GraphProto, ModelProto, NodeProto};

/// Every name that a model uses for a value or a node, in graphs, subgraphs and functions.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// The names in `model`.
    pub(super) fn of(model: &ModelProto) -> Self {
        let mut names = Self::default();
        if let Some(graph) = &model.graph {
            names.graph(graph);
        }
        for function in &model.functions {
            names.0.extend(function.input.iter().chain(&function.output).cloned());
            names.nodes(&function.node);
        }
        names
    }

    /// `wanted`, or that with the first number that makes it free. The name is taken from then on.
    pub(super) fn free(&mut self, wanted: String) -> String {
        let mut name = wanted.clone();
        let mut number = 2_u64;
        while !self.0.insert(name.clone()) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        name
    }

    fn graph(&mut self, graph: &GraphProto) {
        let values = graph.input.iter().chain(&graph.output).chain(&graph.value_info);
        self.0.extend(values.map(|value| value.name().to_owned()));
        self.0.extend(graph.initializer.iter().map(|tensor| tensor.name().to_owned()));
        let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
        self.0.extend(sparse.map(|values| values.name().to_owned()));
        self.nodes(&graph.node);
    }

    fn nodes(&mut self, nodes: &[NodeProto]) {
        for node in nodes {
            self.0.insert(node.name().to_owned());
            self.0.extend(node.input.iter().chain(&node.output).cloned());
            for graph in node.attribute.iter().flat_map(graphs) {
                self.graph(graph);
            }
        }
    }
}

/// The graphs in an attribute.
pub(super) fn graphs(attribute: &AttributeProto) -> impl Iterator<Item = &GraphProto> {
    attribute.g.iter().chain(&attribute.graphs)
}

/// Operator and name of a node, for messages; where it has no name, what it makes.
pub(super) fn describe(node: &NodeProto) -> String {
    match (node.name(), node.output.first()) {
        ("", Some(output)) => format!("node {} that makes \"{output}\"", node.op_type()),
        ("", None) => format!("a node {} without outputs", node.op_type()),
        (name, _) => format!("node {} \"{name}\"", node.op_type()),
    }
}

/// Whether the node belongs to the standard operator set.
pub(super) fn is_standard(node: &NodeProto) -> bool {
    matches!(node.domain(), "" | "ai.onnx")
}

/// The attribute `name` of a node.
pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}
