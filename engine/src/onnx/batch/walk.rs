//! The walk that follows the batch through a graph, and the rewriting.

use std::collections::{HashMap, HashSet};

use super::call::{Call, Input, Replacement, Shape};
use super::operators::outcome;
use super::{BatchError, Symbolic};
use crate::onnx::names::{Names, attribute, describe, graphs, is_standard};
use crate::onnx::proto::{
    Dimension, DimensionValue, GraphProto, NodeProto, TensorProto, ValueInfoProto, data_type,
    type_proto,
};
use crate::onnx::{Dim, Model, TensorInfo};

/// Makes the first dimension of all inputs and outputs symbolic where it is fixed and every
/// operator in between provably keeps frames apart: row k of the outputs then depends on row k of
/// the inputs only, and the network gives for a batch what it gave for each frame alone.
///
/// Operators are checked by what they do with axis 0: convolutions, pools, activations, norms over
/// a frame, broadcasting with constants that have no batch, and whatever works along other axes.
/// Constants that hold the fixed batch, such as the target of a `Reshape`, are replaced; declared
/// types of intermediate values that hold it are dropped.
///
/// # Errors
/// [`BatchError`], which names the first node that may mix frames or is not known, and says what to
/// do; the model is then unchanged.
pub fn make_batch_symbolic(model: &mut Model) -> Result<Symbolic, BatchError> {
    let inputs = model.inputs();
    let graph = model.proto().graph.as_ref().ok_or(BatchError::NoGraph)?;
    let Some(batch) = fixed_batch(&inputs)? else { return Ok(Symbolic::AlreadySymbolic) };
    let opset = model.opset().unwrap_or(1);
    let walk = Walk::over(graph, &inputs, batch, opset)?;
    let stale: HashSet<String> = (walk.values.iter())
        .filter(|(_, value)| value.carried)
        .map(|(&name, _)| name.to_owned())
        .collect();
    let edits = walk.edits;

    let mut names = Names::of(model.proto());
    let symbol = free_symbol(graph);
    let constants = edits.len();
    // The graph was there above.
    let graph = model.proto_mut().graph.as_mut().ok_or(BatchError::NoGraph)?;
    let given: HashSet<&str> = inputs.iter().map(|input| &input.name[..]).collect();
    let ends = graph.input.iter_mut().filter(|input| given.contains(input.name()));
    for end in ends.chain(&mut graph.output) {
        set_batch(end, &symbol);
    }
    graph.value_info.retain(|info| !stale.contains(info.name()));
    for (node, replacement) in edits {
        replace(graph, node, replacement, &mut names);
    }
    Ok(Symbolic::Changed { from: batch, symbol, constants })
}

/// The first dimension of all inputs; `None` where none is fixed.
fn fixed_batch(inputs: &[TensorInfo]) -> Result<Option<i64>, BatchError> {
    let refuse = || {
        let inputs: Vec<String> = inputs.iter().map(ToString::to_string).collect();
        let inputs = if inputs.is_empty() { "none".into() } else { inputs.join(", ") };
        BatchError::Inputs { inputs }
    };
    let mut batches = inputs.iter().map(|input| input.dims.first());
    let first = batches.next().flatten().ok_or_else(refuse)?;
    match first {
        Dim::Fixed(batch) if *batch > 0 && batches.all(|other| other == Some(first)) => {
            Ok(Some(*batch))
        }
        Dim::Symbol(_) | Dim::Unknown
            if batches.all(|other| matches!(other, Some(Dim::Symbol(_) | Dim::Unknown))) =>
        {
            Ok(None)
        }
        _ => Err(refuse()),
    }
}

/// What is known about a value.
#[derive(Debug)]
struct Value<'a> {
    /// Whether it depends on the inputs. Its first dimension is then the batch.
    carried: bool,
    /// Always known where it is carried.
    shape: Option<Shape>,
    tensor: Option<&'a TensorProto>,
}

impl<'a> Value<'a> {
    fn constant(tensor: &'a TensorProto) -> Self {
        let shape = Some(tensor.dims.iter().map(|&dim| Some(dim)).collect());
        Self { carried: false, shape, tensor: Some(tensor) }
    }

    fn as_input(&self) -> Input<'_> {
        Input { carried: self.carried, shape: self.shape.as_deref(), tensor: self.tensor }
    }
}

struct Walk<'a> {
    values: HashMap<&'a str, Value<'a>>,
    /// Declared shapes of intermediate values.
    declared: HashMap<&'a str, TensorInfo>,
    /// Positions of nodes, and what to replace there.
    edits: Vec<(usize, Replacement)>,
    batch: i64,
    opset: i64,
}

impl<'a> Walk<'a> {
    /// Follows the batch through the whole graph.
    fn over(
        graph: &'a GraphProto,
        inputs: &'a [TensorInfo],
        batch: i64,
        opset: i64,
    ) -> Result<Self, BatchError> {
        let known = |info: &'a ValueInfoProto| has_shape(info).then(|| (info.name(), info.into()));
        let declared = graph.value_info.iter().filter_map(known).collect();
        let mut walk = Self { values: HashMap::new(), declared, edits: Vec::new(), batch, opset };
        for tensor in &graph.initializer {
            walk.values.insert(tensor.name(), Value::constant(tensor));
        }
        for sparse in &graph.sparse_initializer {
            if let Some(values) = &sparse.values {
                let shape = Some(sparse.dims.iter().map(|&dim| Some(dim)).collect());
                walk.values.insert(values.name(), Value { carried: false, shape, tensor: None });
            }
        }
        for input in inputs {
            let shape = Some(shape_of(input));
            walk.values.insert(&input.name, Value { carried: true, shape, tensor: None });
        }
        for (position, node) in graph.node.iter().enumerate() {
            walk.node(position, node)?;
        }
        for output in &graph.output {
            let value = walk.find("the graph's outputs", output.name())?;
            if !value.carried {
                return Err(BatchError::Output { output: output.name().to_owned() });
            }
        }
        Ok(walk)
    }

    fn find(&self, reader: &str, name: &str) -> Result<&Value<'a>, BatchError> {
        self.values.get(name).ok_or_else(|| BatchError::Undefined {
            node: reader.to_owned(),
            value: name.to_owned(),
        })
    }

    fn node(&mut self, position: usize, node: &'a NodeProto) -> Result<(), BatchError> {
        let what = describe(node);
        let refuse = |problem: String| BatchError::Node { node: what.clone(), problem };
        if !is_standard(node) {
            let problem =
                format!("is an operator of the domain \"{}\", not known here", node.domain());
            return Err(refuse(problem));
        }
        if node.attribute.iter().any(|attribute| graphs(attribute).next().is_some()) {
            return Err(refuse("has subgraphs, which are not looked into".into()));
        }
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            inputs.push(match name.is_empty() {
                true => None,
                false => Some(self.find(&what, name)?.as_input()),
            });
        }
        let carried = inputs.iter().flatten().any(|input| input.carried);
        if !carried {
            return self.free(node, inputs.is_empty()).map_err(refuse);
        }
        let call = Call { node, inputs, batch: self.batch, opset: self.opset };
        let outcome = outcome(&call).map_err(refuse)?;
        let rank = outcome.shape.len();
        if rank == 0 {
            return Err(refuse("leaves no dimension for the batch".into()));
        }
        if let Some(replacement) = outcome.replacement {
            self.edits.push((position, replacement));
        }
        for (slot, output) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let mut shape = match slot {
                0 => outcome.shape.clone(),
                _ => vec![None; rank],
            };
            shape[0] = Some(self.batch);
            self.define(output, Value { carried: true, shape: Some(shape), tensor: None })?;
        }
        Ok(())
    }

    /// A node that does not depend on the inputs.
    fn free(&mut self, node: &'a NodeProto, is_source: bool) -> Result<(), String> {
        let tensor = match node.op_type() {
            "Constant" => attribute(node, "value").and_then(|attribute| attribute.t.as_ref()),
            _ if is_source => {
                return Err("makes values of its own, which a batch would share".into());
            }
            _ => None,
        };
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            let value = match tensor {
                Some(tensor) => Value::constant(tensor),
                None => {
                    let scalar = attribute(node, "value_float").or(attribute(node, "value_int"));
                    let shape = match scalar {
                        Some(_) if node.op_type() == "Constant" => Some(Vec::new()),
                        // Weights that are held in fewer bits.
                        _ if node.op_type() == "DequantizeLinear" => {
                            let held =
                                node.input.first().and_then(|held| self.values.get(&held[..]));
                            held.and_then(|held| held.shape.clone())
                        }
                        _ => self.declared.get(&output[..]).map(shape_of),
                    };
                    Value { carried: false, shape, tensor: None }
                }
            };
            self.define(output, value).map_err(|_| format!("makes \"{output}\" a second time"))?;
        }
        Ok(())
    }

    fn define(&mut self, name: &'a str, value: Value<'a>) -> Result<(), BatchError> {
        match self.values.insert(name, value) {
            None => Ok(()),
            Some(_) => Err(BatchError::Node {
                node: "a node".into(),
                problem: format!("makes \"{name}\", which there is already"),
            }),
        }
    }
}

fn has_shape(info: &ValueInfoProto) -> bool {
    let value = info.r#type.as_ref().and_then(|r#type| r#type.value.as_ref());
    matches!(value, Some(type_proto::Value::TensorType(tensor)) if tensor.shape.is_some())
}

fn shape_of(info: &TensorInfo) -> Shape {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => Some(*size),
        Dim::Symbol(_) | Dim::Unknown => None,
    };
    info.dims.iter().map(size).collect()
}

/// `N`, or the first name like it that no dimension has.
fn free_symbol(graph: &GraphProto) -> String {
    let all = graph.input.iter().chain(&graph.output).chain(&graph.value_info);
    let infos: Vec<TensorInfo> = all.map(TensorInfo::from).collect();
    let dims = infos.iter().flat_map(|info| &info.dims);
    let taken: HashSet<&str> = dims
        .filter_map(|dim| match dim {
            Dim::Symbol(name) => Some(&name[..]),
            Dim::Fixed(_) | Dim::Unknown => None,
        })
        .collect();
    let mut symbol = "N".to_owned();
    let mut number = 1_u32;
    while taken.contains(&symbol[..]) {
        symbol = format!("batch_{number}");
        number += 1;
    }
    symbol
}

fn set_batch(info: &mut ValueInfoProto, symbol: &str) {
    let value = info.r#type.as_mut().and_then(|r#type| r#type.value.as_mut());
    if let Some(type_proto::Value::TensorType(tensor)) = value
        && let Some(first) = tensor.shape.as_mut().and_then(|shape| shape.dim.first_mut())
    {
        let value = Some(DimensionValue::DimParam(symbol.to_owned()));
        *first = Dimension { value, denotation: first.denotation.take() };
    }
}

fn replace(graph: &mut GraphProto, node: usize, replacement: Replacement, names: &mut Names) {
    let Some(target) = graph.node.get_mut(node) else { return };
    let (slot, kind, len, bytes) = match replacement {
        Replacement::Ints { slot, values } => {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (slot, data_type::INT64, values.len(), bytes)
        }
        Replacement::Scales { bits } => {
            target.input.truncate(3);
            let bytes = bits.iter().flat_map(|value| value.to_le_bytes()).collect();
            (2, data_type::FLOAT, bits.len(), bytes)
        }
    };
    let owner = target.output.first().cloned().unwrap_or_default();
    let name = names.free(format!("{owner}_any_batch"));
    target.input[slot] = name.clone();
    graph.initializer.push(TensorProto {
        name: Some(name),
        dims: vec![len as i64],
        data_type: Some(kind),
        raw_data: Some(bytes),
        ..Default::default()
    });
}
