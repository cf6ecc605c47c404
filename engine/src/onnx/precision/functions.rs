//! Functions that the model defines, in half precision.

use super::PrecisionError;
use super::convert::{Converter, Made, Width};
use super::scope::Scope;
use super::types::retype;
use crate::onnx::proto::{FunctionProto, NodeProto};

/// A function that the model defines. Its types follow from its first call.
pub(super) struct Function {
    pub(super) body: FunctionProto,
    pub(super) state: State,
}

pub(super) enum State {
    New,
    /// Being rewritten: who calls it now is called by it.
    Active,
    Done {
        inputs: Vec<i32>,
        outputs: Vec<i32>,
    },
}

impl Converter {
    /// The function of the model that a node calls.
    pub(super) fn function(&self, node: &NodeProto) -> Option<usize> {
        self.functions.iter().position(|Function { body, .. }| {
            body.name() == node.op_type()
                && body.domain() == node.domain()
                && body.overload() == node.overload()
        })
    }

    /// A call of a function of the model; everything that crosses its edges is 16-bit.
    pub(super) fn call(
        &mut self,
        mut node: NodeProto,
        what: &str,
        function: usize,
    ) -> Result<(), PrecisionError> {
        let (inputs, _) = self.inputs(&node, what)?;
        for name in node.input.iter_mut().filter(|name| !name.is_empty()) {
            *name = self.read(what, name, Width::Half)?;
        }
        let refuse = |problem| Err(PrecisionError::Function { node: what.to_owned(), problem });
        let outputs = match &self.functions[function].state {
            State::Active => return refuse("calls itself; expected one that ends"),
            State::Done { inputs: first, .. } if *first != inputs => {
                return refuse("is also called with other types; expected the same everywhere");
            }
            State::Done { outputs, .. } => outputs.clone(),
            State::New => {
                let outer = std::mem::take(&mut self.scopes);
                let outputs = self.function_body(function, &inputs);
                self.scopes = outer;
                let outputs = outputs?;
                self.functions[function].state = State::Done { inputs, outputs: outputs.clone() };
                outputs
            }
        };
        self.push(node, |slot| Made {
            element: outputs.get(slot).copied().unwrap_or_default(),
            width: Width::Half,
            constant: false,
        })
    }

    fn function_body(
        &mut self,
        function: usize,
        inputs: &[i32],
    ) -> Result<Vec<i32>, PrecisionError> {
        self.functions[function].state = State::Active;
        // Calls find it by its name meanwhile.
        let mut body = self.functions[function].body.clone();
        self.scopes.push(Scope::default());
        for (slot, name) in body.input.iter().enumerate() {
            let element = inputs.get(slot).copied().unwrap_or_default();
            self.define(name, element, Width::Half, false)?;
        }
        self.nodes(&mut body.node)?;
        let mut elements = Vec::with_capacity(body.output.len());
        for output in &mut body.output {
            let reader = "a function's outputs";
            elements.push(self.find(reader, output)?.element);
            *output = self.read(reader, output, Width::Half)?;
        }
        let mut scope = self.scopes.pop().unwrap_or_default();
        scope.release(None, &mut self.report)?;
        retype(&mut body.value_info, &scope);
        body.node = scope.nodes;
        self.functions[function].body = body;
        Ok(elements)
    }

    pub(super) fn in_function(&self) -> bool {
        self.functions.iter().any(|function| matches!(function.state, State::Active))
    }
}
