//! A graph with `QuantizeLinear` and `DequantizeLinear` nodes in it.

use std::collections::{HashMap, HashSet};

use super::floats::{Constants, finite, float_tensor, tensor};
use super::graph::prune;
use super::weights::per_channel;
use super::{Activation, GraphError, Layer, Quantizable};
use crate::onnx::Model;
use crate::onnx::names::{Names, describe};
use crate::onnx::proto::{AttributeProto, NodeProto, TensorProto, attribute_type, data_type};

impl Quantizable {
    /// The network in which the layers for which `quantized` holds compute in 8 bits, with the ranges
    /// of `activations` by tensor. A layer whose input has no range stays as it is.
    ///
    /// Each tensor is quantized once, before its first reader in 8 bits; readers in floats go on
    /// reading the floats.
    ///
    /// # Errors
    /// Where weights and biases do not fit each other.
    pub fn rewrite(
        &self,
        quantized: &[bool],
        activations: &HashMap<String, Activation>,
    ) -> Result<Model, GraphError> {
        let mut model = self.model.clone();
        let mut names = Names::of(model.proto());
        let graph = model.proto_mut().graph.as_mut().ok_or(GraphError::NoGraph)?;
        let source = self.model.proto().graph.as_ref().ok_or(GraphError::NoGraph)?;
        let constants = Constants::of(source);
        let layers: HashMap<usize, &Layer> =
            self.layers.iter().map(|layer| (layer.node, layer)).collect();
        let readers: HashMap<usize, HashSet<String>> = (self.readers(quantized).into_iter())
            .map(|(node, read)| (node, HashSet::from_iter(read)))
            .collect();

        let mut out = Rewritten { names: &mut names, nodes: Vec::new(), constants: Vec::new() };
        let mut held: HashMap<String, String> = HashMap::new();
        for (at, mut node) in std::mem::take(&mut graph.node).into_iter().enumerate() {
            let read = readers.get(&at);
            let has_range = |name: &String| activations.contains_key(name);
            if let Some(read) = read.filter(|read| read.iter().all(has_range)) {
                for name in node.input.iter_mut().filter(|name| read.contains(*name)) {
                    let made = match held.get(name) {
                        Some(made) => made.clone(),
                        None => out.activation(name, activations[name.as_str()]),
                    };
                    held.insert(std::mem::replace(name, made.clone()), made);
                }
                if let Some(layer) = layers.get(&at) {
                    out.weights(layer, &mut node, &constants)?;
                }
            }
            out.nodes.push(node);
        }
        graph.node = out.nodes;
        graph.initializer.extend(out.constants);
        prune(graph);
        Ok(model)
    }
}

/// The graph as it grows.
struct Rewritten<'a> {
    names: &'a mut Names,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Rewritten<'_> {
    /// Adds the pair of nodes for the tensor `name`. Returns the name of the floats that come out.
    fn activation(&mut self, name: &str, range: Activation) -> String {
        let scale = self.names.free(format!("{name}_scale"));
        let zero_point = self.names.free(format!("{name}_zero_point"));
        let quantized = self.names.free(format!("{name}_quantized"));
        let made = self.names.free(format!("{name}_dequantized"));
        self.constants.push(float_tensor(&scale, &[], &[range.scale]));
        self.constants.push(tensor(&zero_point, data_type::UINT8, &[], vec![range.zero_point]));
        self.push("QuantizeLinear", [name, &scale, &zero_point], &quantized, None);
        self.push("DequantizeLinear", [&quantized, &scale, &zero_point], &made, None);
        made
    }

    /// Gives the layer weights in 8 bits, with a node that makes floats of them.
    fn weights(
        &mut self,
        layer: &Layer,
        node: &mut NodeProto,
        constants: &Constants<'_>,
    ) -> Result<(), GraphError> {
        let Some(weight) = constants.float32(&node.input[1]) else { return Ok(()) };
        let values = finite(weight.name(), weight)?;
        let quantized = per_channel(&values, &weight.dims, layer.axis);
        let channels = quantized.scales.len();
        let bias = node.input.get(2).and_then(|name| constants.float32(name));
        let biases =
            bias.map_or(channels, |bias| bias.dims.iter().product::<i64>().max(0) as usize);
        if biases != channels {
            let (layer, dims) = (describe(node), weight.dims.clone());
            return Err(GraphError::Weights { layer, dims, biases });
        }
        let base = node.input[1].clone();
        let [held, scale, zero_point, made] = ["quantized", "scale", "zero_point", "dequantized"]
            .map(|part| self.names.free(format!("{base}_{part}")));
        let bytes = quantized.values.iter().map(|value| value.cast_unsigned()).collect();
        let count = [channels as i64];
        self.constants.push(tensor(&held, data_type::INT8, &weight.dims, bytes));
        self.constants.push(float_tensor(&scale, &count, &quantized.scales));
        self.constants.push(tensor(&zero_point, data_type::INT8, &count, vec![0; channels]));
        self.push("DequantizeLinear", [&held, &scale, &zero_point], &made, Some(layer.axis));
        node.input[1] = made;
        Ok(())
    }

    fn push(&mut self, op: &str, input: [&str; 3], output: &str, axis: Option<usize>) {
        let attribute = axis.map(|axis| AttributeProto {
            name: Some("axis".into()),
            r#type: Some(attribute_type::INT),
            i: Some(axis as i64),
            ..Default::default()
        });
        self.nodes.push(NodeProto {
            name: Some(self.names.free(format!("{output}_node"))),
            op_type: Some(op.into()),
            input: input.map(str::to_owned).to_vec(),
            output: vec![output.to_owned()],
            attribute: attribute.into_iter().collect(),
            ..Default::default()
        });
    }
}
