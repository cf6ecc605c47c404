//! The walk through a graph that moves it to half precision.

use std::collections::HashSet;

use super::functions::{Function, State};
use super::operators::{Operator, Results, operator, quantizes, refuse, results};
use super::round::rounded;
use super::scope::{Scope, Value, value};
use super::types::{element_type, retype, set_element_type};
use super::{EdgeType, Edges, HalfReport, PrecisionError};
use crate::onnx::Model;
use crate::onnx::names::{Names, attribute, describe, is_standard};
use crate::onnx::proto::{
    AttributeProto, GraphProto, NodeProto, TensorProto, attribute_type, data_type,
};

/// First version of the file format in which constants need not be listed as inputs.
const IR_WITHOUT_LISTED_CONSTANTS: i64 = 4;

/// Moves `model` from 32-bit to 16-bit floats, so that a strongly typed builder computes in them.
/// Other types stay as they are.
///
/// Constants are rounded ([`HalfReport`] says how well), every value that depends on the network's
/// inputs becomes 16-bit, in subgraphs and the model's functions too, and `edges` says whether the
/// network's own inputs and outputs do. What stays 32-bit:
/// - inputs that an operator only takes so, such as the scales of a `Resize`;
/// - what is computed from constants and shapes alone. A builder does that once, and sizes beyond
///   2048 would not survive in 16 bits. Its results are rounded where data meets them.
///
/// A constant that is read in both types is stored twice. Constants listed among the inputs, as old
/// models have them, are no longer listed; training information is dropped, as are constants that
/// nothing reads.
///
/// # Errors
/// [`PrecisionError`], which names the node or tensor; the model is then unchanged.
pub fn to_half(model: &mut Model, edges: Edges) -> Result<HalfReport, PrecisionError> {
    let mut proto = model.proto().clone();
    let mut graph = proto.graph.take().ok_or(PrecisionError::NoGraph)?;
    let outputs = graph.output.iter().map(|output| output.name().to_owned()).collect();
    let functions = std::mem::take(&mut proto.functions);
    let mut converter = Converter {
        names: Names::of(model.proto()),
        edges,
        outputs,
        scopes: Vec::new(),
        functions: functions.into_iter().map(|body| Function { body, state: State::New }).collect(),
        report: HalfReport::default(),
    };
    converter.main(&mut graph)?;
    let Converter { functions, report, .. } = converter;
    proto.functions = functions.into_iter().map(|function| function.body).collect();
    proto.graph = Some(graph);
    proto.training_info.clear();
    let version = proto.ir_version.get_or_insert(IR_WITHOUT_LISTED_CONSTANTS);
    *version = (*version).max(IR_WITHOUT_LISTED_CONSTANTS);
    *model.proto_mut() = proto;
    Ok(report)
}

/// The type in which a value is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Half,
    Full,
}

pub(super) struct Converter {
    names: Names,
    edges: Edges,
    /// Names of the main graph's outputs.
    outputs: HashSet<String>,
    /// The graph being rewritten, innermost last, inside the graphs whose values it can read.
    pub(super) scopes: Vec<Scope>,
    pub(super) functions: Vec<Function>,
    pub(super) report: HalfReport,
}

impl Converter {
    fn main(&mut self, graph: &mut GraphProto) -> Result<(), PrecisionError> {
        self.scopes.push(Scope::default());
        self.constants(graph)?;
        let known = &self.scope().values;
        let listed: HashSet<String> = known.keys().cloned().collect();
        graph.input.retain(|input| !listed.contains(input.name()));
        for input in &mut graph.input {
            let element = element_type(input)
                .ok_or_else(|| PrecisionError::Untyped { value: input.name().to_owned() })?;
            let width = match self.edges.inputs {
                EdgeType::Fp16 if element == data_type::FLOAT => Width::Half,
                _ => Width::Full,
            };
            if width == Width::Half {
                set_element_type(input, data_type::FLOAT16);
            }
            self.define(input.name(), element, width, false)?;
        }
        self.nodes(&mut graph.node)?;
        for output in &mut graph.output {
            let name = output.name().to_owned();
            let value = self.find("the graph's outputs", &name)?;
            if value.element != data_type::FLOAT {
                continue;
            }
            let made = match self.edges.outputs {
                EdgeType::Fp32 => &value.full,
                EdgeType::Fp16 => &value.half,
            };
            if made.as_ref() != Some(&name) {
                return Err(PrecisionError::PassedThrough { output: name });
            }
            if self.edges.outputs == EdgeType::Fp16 {
                set_element_type(output, data_type::FLOAT16);
            }
        }
        self.leave(graph)
    }

    /// A subgraph: everything that crosses its edges is 16-bit. `given` are the original types of
    /// what the node passes in. Returns the original types of its outputs.
    fn body(&mut self, graph: &mut GraphProto, given: &[i32]) -> Result<Vec<i32>, PrecisionError> {
        self.scopes.push(Scope::default());
        self.constants(graph)?;
        for (position, input) in graph.input.iter_mut().enumerate() {
            let element = element_type(input)
                .or_else(|| given.get(position).copied().filter(|&element| element > 0))
                .ok_or_else(|| PrecisionError::Untyped { value: input.name().to_owned() })?;
            if element == data_type::FLOAT {
                set_element_type(input, data_type::FLOAT16);
            }
            self.define(input.name(), element, Width::Half, false)?;
        }
        self.nodes(&mut graph.node)?;
        let mut elements = Vec::with_capacity(graph.output.len());
        for output in &mut graph.output {
            let reader = "a subgraph's outputs";
            let element = self.find(reader, output.name())?.element;
            output.name = Some(self.read(reader, output.name(), Width::Half)?);
            if element == data_type::FLOAT {
                set_element_type(output, data_type::FLOAT16);
            }
            elements.push(element);
        }
        self.leave(graph)?;
        Ok(elements)
    }

    /// Takes the constants out of a graph.
    fn constants(&mut self, graph: &mut GraphProto) -> Result<(), PrecisionError> {
        for sparse in &graph.sparse_initializer {
            let values = sparse.values.as_ref();
            let tensor = values.map(|values| values.name().to_owned()).unwrap_or_default();
            let element = values.map_or(0, TensorProto::data_type);
            if element == data_type::FLOAT {
                return Err(PrecisionError::Sparse { tensor });
            }
            self.define(&tensor, element, Width::Full, true)?;
        }
        for tensor in std::mem::take(&mut graph.initializer) {
            if tensor.data_type() == data_type::FLOAT {
                self.scope().hold(tensor, None)?;
            } else {
                self.define(tensor.name(), tensor.data_type(), Width::Full, true)?;
                graph.initializer.push(tensor);
            }
        }
        Ok(())
    }

    /// Ends a graph: nodes, constants and declared types go back into it.
    fn leave(&mut self, graph: &mut GraphProto) -> Result<(), PrecisionError> {
        let mut scope = self.scopes.pop().unwrap_or_default();
        scope.release(Some(graph), &mut self.report)?;
        retype(&mut graph.value_info, &scope);
        graph.node = scope.nodes;
        Ok(())
    }

    pub(super) fn nodes(&mut self, nodes: &mut Vec<NodeProto>) -> Result<(), PrecisionError> {
        std::mem::take(nodes).into_iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, mut node: NodeProto) -> Result<(), PrecisionError> {
        let what = describe(&node);
        if let Some(function) = self.function(&node) {
            return self.call(node, &what, function);
        }
        if !is_standard(&node) {
            let domain = node.domain().to_owned();
            return Err(PrecisionError::Domain { node: what, domain });
        }
        if quantizes(node.op_type()) {
            return Err(PrecisionError::Quantized { node: what });
        }
        let operator = operator(node.op_type())
            .ok_or_else(|| PrecisionError::Operator { node: what.clone() })?;
        if operator.results == Results::Constant {
            return self.constant(node, &what);
        }

        let (inputs, all_constant) = self.inputs(&node, &what)?;
        let branches =
            matches!(operator.results, Results::Branches | Results::Loop | Results::Scan);
        let width = match operator.full || (all_constant && !branches) {
            true => Width::Full,
            false => Width::Half,
        };
        for (slot, name) in node.input.iter_mut().enumerate() {
            let full = operator.full_inputs.contains(&slot);
            if !name.is_empty() {
                *name = self.read(&what, name, if full { Width::Full } else { width })?;
            }
        }
        let results = match branches {
            true => self.branches(&mut node, &what, operator, &inputs)?,
            false => results(&node, &what, operator, &inputs)?,
        };
        if width == Width::Half {
            self.attributes(&mut node, &what, operator, &results)?;
        }
        // What follows from a shape alone does not depend on the values inside.
        let constant = all_constant || matches!(node.op_type(), "Shape" | "Size");
        let stashed = operator.results == Results::Stashed;
        self.push(node, |slot| Made {
            element: results.get(slot).copied().unwrap_or_default(),
            width: if stashed && slot > 0 { Width::Full } else { width },
            constant,
        })
    }

    /// Original types of the inputs, 0 for one left out, and whether all are constant.
    pub(super) fn inputs(
        &self,
        node: &NodeProto,
        what: &str,
    ) -> Result<(Vec<i32>, bool), PrecisionError> {
        let mut constant = true;
        let mut elements = Vec::with_capacity(node.input.len());
        for name in &node.input {
            if name.is_empty() {
                elements.push(0);
                continue;
            }
            let value = self.find(what, name)?;
            constant &= value.constant;
            elements.push(value.element);
        }
        Ok((elements, constant))
    }

    /// Adds a node whose inputs are in place, and enters what it makes.
    pub(super) fn push(
        &mut self,
        mut node: NodeProto,
        made: impl Fn(usize) -> Made,
    ) -> Result<(), PrecisionError> {
        let mut casts = Vec::new();
        let is_main = self.scopes.len() == 1 && !self.in_function();
        for (slot, name) in node.output.iter_mut().enumerate() {
            let Made { element, width, constant } = made(slot);
            if name.is_empty() {
                continue;
            }
            self.define(name, element, width, constant)?;
            if element != data_type::FLOAT || !is_main || !self.outputs.contains(name) {
                continue;
            }
            let wanted = match self.edges.outputs {
                EdgeType::Fp32 => Width::Full,
                EdgeType::Fp16 => Width::Half,
            };
            if width != wanted {
                // The output keeps its name, so what the node makes gets another.
                let inner = self.names.free(suffixed(name, width));
                casts.push(self.cast(&inner, name, wanted));
                if let Some(value) = self.scope().values.get_mut(name.as_str()) {
                    let (full, half) = match width {
                        Width::Half => (name.clone(), inner.clone()),
                        Width::Full => (inner.clone(), name.clone()),
                    };
                    (value.full, value.half) = (Some(full), Some(half));
                }
                *name = inner;
            }
        }
        self.scope().nodes.push(node);
        self.scope().nodes.append(&mut casts);
        Ok(())
    }

    /// A `Constant` node: floats are held back, the rest stays.
    fn constant(&mut self, node: NodeProto, what: &str) -> Result<(), PrecisionError> {
        let output = node.output.first().cloned().unwrap_or_default();
        let [attribute] = &node.attribute[..] else {
            return Err(refuse(what, "value", "is missing or not alone; expected one value"));
        };
        if !attribute.ref_attr_name().is_empty() {
            return Err(refuse(what, attribute.name(), "is given by the caller of a function"));
        }
        let floats = |dims: Vec<i64>, float_data| TensorProto {
            dims,
            data_type: Some(data_type::FLOAT),
            float_data,
            ..Default::default()
        };
        let tensor = match attribute.name() {
            "value" => attribute.t.clone(),
            "value_float" => Some(floats(vec![], vec![attribute.f()])),
            "value_floats" => {
                Some(floats(vec![attribute.floats.len() as i64], attribute.floats.clone()))
            }
            "sparse_value" => return Err(PrecisionError::Sparse { tensor: output }),
            "value_int" | "value_ints" => {
                Some(TensorProto { data_type: Some(data_type::INT64), ..Default::default() })
            }
            _ => Some(TensorProto { data_type: Some(data_type::STRING), ..Default::default() }),
        };
        let tensor = tensor.ok_or_else(|| refuse(what, "value", "holds no tensor"))?;
        if tensor.data_type() == data_type::FLOAT {
            return self
                .scope()
                .hold(TensorProto { name: Some(output), ..tensor }, Some(node.clone()));
        }
        let element = tensor.data_type();
        self.push(node, |_| Made { element, width: Width::Full, constant: true })
    }

    /// Rewrites a node's subgraphs. Returns the original types of the node's outputs.
    fn branches(
        &mut self,
        node: &mut NodeProto,
        what: &str,
        operator: Operator,
        inputs: &[i32],
    ) -> Result<Vec<i32>, PrecisionError> {
        let mut results = None;
        for attribute in &mut node.attribute {
            for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                let outputs = self.body(graph, inputs)?;
                if results.as_ref().is_some_and(|results| *results != outputs) {
                    return Err(refuse(what, "else_branch", "gives other types than then_branch"));
                }
                results = Some(outputs);
            }
        }
        let mut results = results.ok_or_else(|| refuse(what, "body", "is missing"))?;
        if operator.results == Results::Loop && !results.is_empty() {
            results.remove(0);
        }
        Ok(results)
    }

    /// Rewrites the attributes of a node that computes in 16 bits.
    fn attributes(
        &mut self,
        node: &mut NodeProto,
        what: &str,
        operator: Operator,
        results: &[i32],
    ) -> Result<(), PrecisionError> {
        match operator.results {
            Results::Attribute(name, default) if results.contains(&data_type::FLOAT) => {
                match node.attribute.iter_mut().find(|attribute| attribute.name() == name) {
                    Some(attribute) => attribute.i = Some(data_type::FLOAT16.into()),
                    None if default.is_some() => node.attribute.push(AttributeProto {
                        name: Some(name.into()),
                        r#type: Some(attribute_type::INT),
                        i: Some(data_type::FLOAT16.into()),
                        ..Default::default()
                    }),
                    None => {}
                }
            }
            // Without a value, it is a 32-bit zero.
            Results::Filled if attribute(node, "value").is_none() => {
                node.attribute.push(value(TensorProto {
                    dims: vec![1],
                    data_type: Some(data_type::FLOAT),
                    float_data: vec![0.0],
                    ..Default::default()
                }));
            }
            _ => {}
        }
        for attribute in &mut node.attribute {
            let tensors = attribute.t.iter_mut().chain(&mut attribute.tensors);
            for tensor in tensors.filter(|tensor| tensor.data_type() == data_type::FLOAT) {
                let name = tensor.name.take();
                let label = format!("{} of {what}", attribute.name.as_deref().unwrap_or_default());
                let labelled = TensorProto { name: Some(label), ..std::mem::take(tensor) };
                *tensor = TensorProto { name, ..rounded(&labelled, &mut self.report)? };
            }
            if !attribute.sparse_tensors.is_empty() || attribute.sparse_tensor.is_some() {
                let tensor = format!("{} of {what}", attribute.name());
                return Err(PrecisionError::Sparse { tensor });
            }
        }
        Ok(())
    }

    fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    pub(super) fn define(
        &mut self,
        name: &str,
        element: i32,
        width: Width,
        constant: bool,
    ) -> Result<(), PrecisionError> {
        let name_of = |wanted| (width == wanted).then(|| name.to_owned());
        let (half, full) = (name_of(Width::Half), name_of(Width::Full));
        self.scope().define(name, Value { element, constant, half, full, held: None })
    }

    /// The value that `name` stands for where it is read.
    pub(super) fn find(&self, reader: &str, name: &str) -> Result<&Value, PrecisionError> {
        self.scopes.iter().rev().find_map(|scope| scope.values.get(name)).ok_or_else(|| {
            PrecisionError::Undefined { node: reader.to_owned(), value: name.to_owned() }
        })
    }

    /// The name under which the value `name` can be read as `width`, with a cast where none has it
    /// yet. Values that are no 32-bit floats have but one name.
    pub(super) fn read(
        &mut self,
        reader: &str,
        name: &str,
        width: Width,
    ) -> Result<String, PrecisionError> {
        let value = self.find(reader, name)?.clone();
        if value.element != data_type::FLOAT {
            return Ok(name.to_owned());
        }
        let (wanted, other) = match width {
            Width::Half => (&value.half, &value.full),
            Width::Full => (&value.full, &value.half),
        };
        if let Some(wanted) = wanted {
            return Ok(wanted.clone());
        }
        let new = match (value.held, width) {
            (Some(_), Width::Half) => name.to_owned(),
            _ => self.names.free(suffixed(name, width)),
        };
        if value.held.is_none() {
            let other = other.as_deref().unwrap_or(name);
            let cast = self.cast(other, &new, width);
            self.scope().nodes.push(cast);
        }
        // A constant is stored where it was; a cast is seen only by the graph that it is in.
        let home = match value.held {
            Some(_) => self.scopes.iter_mut().rev().find(|scope| scope.values.contains_key(name)),
            None => self.scopes.last_mut(),
        };
        if let Some(scope) = home {
            let entry = scope.values.entry(name.to_owned()).or_insert(value);
            match width {
                Width::Half => entry.half = Some(new.clone()),
                Width::Full => entry.full = Some(new.clone()),
            }
        }
        Ok(new)
    }

    fn cast(&mut self, from: &str, to: &str, width: Width) -> NodeProto {
        self.report.casts += 1;
        let element = match width {
            Width::Half => data_type::FLOAT16,
            Width::Full => data_type::FLOAT,
        };
        NodeProto {
            name: Some(self.names.free(format!("{to}_cast"))),
            op_type: Some("Cast".into()),
            input: vec![from.to_owned()],
            output: vec![to.to_owned()],
            attribute: vec![AttributeProto {
                name: Some("to".into()),
                r#type: Some(attribute_type::INT),
                i: Some(element.into()),
                ..Default::default()
            }],
            ..Default::default()
        }
    }
}

/// What a node makes in one of its outputs.
pub(super) struct Made {
    /// Original type.
    pub(super) element: i32,
    /// The type it is made in, where the original is a 32-bit float.
    pub(super) width: Width,
    /// Whether it follows from constants and shapes alone.
    pub(super) constant: bool,
}

fn suffixed(name: &str, width: Width) -> String {
    match width {
        Width::Half => format!("{name}_fp16"),
        Width::Full => format!("{name}_fp32"),
    }
}
