//! One node as the rules see it.

use crate::onnx::names::attribute;
use crate::onnx::proto::{NodeProto, TensorProto, data_type};

/// Dimensions, outermost first; `None` where a size is not known.
pub(super) type Shape = Vec<Option<i64>>;

/// What a rule says of a node's outputs, or why the batch has to stay fixed.
pub(super) type Verdict = Result<Outcome, String>;

/// A node that keeps the frames of a batch apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Shape of its first output; the batch comes first. Others have the same rank.
    pub(super) shape: Shape,
    /// An input that has to be replaced.
    pub(super) replacement: Option<Replacement>,
}

impl Outcome {
    pub(super) fn of(shape: Shape) -> Verdict {
        Ok(Self { shape, replacement: None })
    }
}

/// A constant that held the fixed batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replacement {
    /// Integers for the input `slot`.
    Ints { slot: usize, values: Vec<i64> },
    /// Scales instead of sizes, the inputs 2 and 3 of a `Resize`, as bits of floats.
    Scales { bits: Vec<u32> },
}

/// An input of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    /// Whether it depends on the network's inputs. Its first dimension is then the batch.
    pub(super) carried: bool,
    /// Its shape; always known where it is carried.
    pub(super) shape: Option<&'a [Option<i64>]>,
    /// Its values, where it is a constant.
    pub(super) tensor: Option<&'a TensorProto>,
}

/// A node and what is known about its inputs.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) node: &'a NodeProto,
    /// `None` for an input left out.
    pub(super) inputs: Vec<Option<Input<'a>>>,
    /// The fixed batch, at least 1.
    pub(super) batch: i64,
    /// Version of the standard operator set.
    pub(super) opset: i64,
}

impl<'a> Call<'a> {
    pub(super) fn input(&self, slot: usize) -> Option<Input<'a>> {
        self.inputs.get(slot).copied().flatten()
    }

    /// The shape of the first input, which alone may be carried.
    pub(super) fn data(&self) -> Result<&'a [Option<i64>], String> {
        if self.inputs.iter().skip(1).flatten().any(|input| input.carried) {
            return Err("takes parameters that depend on the network's inputs".into());
        }
        let data = self.input(0).filter(|input| input.carried);
        data.and_then(|input| input.shape).ok_or_else(|| "has no data input".into())
    }

    /// The attribute `name`, an integer.
    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        attribute(self.node, name).map_or(default, |attribute| attribute.i())
    }

    /// The attribute `name`, a list of integers.
    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        attribute(self.node, name).map(|attribute| &attribute.ints[..])
    }

    /// The attribute `name`, a string.
    pub(super) fn text(&self, name: &str) -> Option<&'a [u8]> {
        attribute(self.node, name).map(|attribute| attribute.s())
    }

    /// The integers of the input `slot`; `Ok(None)` where it is left out.
    pub(super) fn constant_ints(&self, slot: usize) -> Result<Option<Vec<i64>>, String> {
        self.input(slot)
            .map(|input| {
                let values = input.tensor.and_then(ints);
                values.ok_or_else(|| format!("computes its input {slot}; expected constants there"))
            })
            .transpose()
    }

    /// Integers that are an attribute in older operator sets and the input `slot` since.
    pub(super) fn ints_or_input(
        &self,
        name: &str,
        slot: usize,
    ) -> Result<Option<Vec<i64>>, String> {
        match self.ints(name) {
            Some(values) => Ok(Some(values.to_vec())),
            None => self.constant_ints(slot),
        }
    }

    /// `axis` counted from the front, where there is such an axis.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize, String> {
        let rank = rank as i64;
        let counted = if axis < 0 { axis.checked_add(rank) } else { Some(axis) };
        match counted.filter(|axis| (0..rank).contains(axis)) {
            Some(axis) => Ok(axis as usize),
            None => Err(format!("has axis {axis} for {rank} dimensions")),
        }
    }

    /// As [`axis`](Self::axis), refusing the batch.
    pub(super) fn inner_axis(&self, axis: i64, rank: usize) -> Result<usize, String> {
        match self.axis(axis, rank)? {
            0 => Err("works along axis 0, the batch".into()),
            axis => Ok(axis),
        }
    }
}

/// The values of an integer tensor; `None` for other types and damaged tensors.
pub(super) fn ints(tensor: &TensorProto) -> Option<Vec<i64>> {
    let raw = tensor.raw_data.as_deref().filter(|raw| !raw.is_empty());
    let values: Vec<i64> = match (tensor.data_type(), raw) {
        (data_type::INT64, Some(raw)) => {
            raw.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()
        }
        (data_type::INT64, None) => tensor.int64_data.clone(),
        (data_type::INT32, Some(raw)) => {
            raw.as_chunks().0.iter().map(|&bytes| i32::from_le_bytes(bytes).into()).collect()
        }
        (data_type::INT32, None) => tensor.int32_data.iter().map(|&v| v.into()).collect(),
        _ => return None,
    };
    complete(tensor, values)
}

/// The values of a 32-bit float tensor; `None` for other types and damaged tensors.
pub(super) fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    let raw = tensor.raw_data.as_deref().filter(|raw| !raw.is_empty());
    let values = match (tensor.data_type(), raw) {
        (data_type::FLOAT, Some(raw)) => {
            raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
        }
        (data_type::FLOAT, None) => tensor.float_data.clone(),
        _ => return None,
    };
    complete(tensor, values)
}

/// `values` where there are as many as the shape has; external data has none.
fn complete<T>(tensor: &TensorProto, values: Vec<T>) -> Option<Vec<T>> {
    let elements = tensor.dims.iter().try_fold(1_i64, |product, &dim| product.checked_mul(dim))?;
    (usize::try_from(elements).ok()? == values.len()).then_some(values)
}

/// A shape in words: `[1,6,?,?]`.
pub(super) fn words(shape: &[Option<i64>]) -> String {
    let words: Vec<String> =
        shape.iter().map(|dim| dim.map_or_else(|| "?".into(), |dim| dim.to_string())).collect();
    format!("[{}]", words.join(","))
}
