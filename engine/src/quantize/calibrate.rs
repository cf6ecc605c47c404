//! The ranges of a network's tensors over frames of a package.

use std::collections::HashMap;

use super::error::CalibrationError;
use super::network::Network;
use super::scene::InputFrame;
use super::{Stage, Watch, watch_for};
use crate::backend::{BackendError, ModelSpec};
use crate::onnx::Model;
use crate::onnx::proto::type_proto::{Tensor, Value};
use crate::onnx::proto::{TypeProto, ValueInfoProto, data_type};
use crate::onnx::quantize::{Activation, Histogram, Quantizable};

/// Values of a tensor that are counted in one run: all of them up to this many, else evenly spaced
/// ones.
const COUNTED: usize = 1 << 16;

/// What is known about the tensors that are held in 8 bits.
pub(super) struct Ranges {
    /// Their scales.
    pub(super) activations: HashMap<String, Activation>,
    /// How many values each has in a frame.
    pub(super) lengths: HashMap<String, usize>,
    /// The largest magnitude in each of their channels, of those that layers make.
    pub(super) channels: HashMap<String, Vec<f32>>,
}

/// The scale of every tensor that is held in 8 bits, from what it is in `frames`.
///
/// One frame's tensors are in memory at a time, and of the others their histograms.
pub(super) fn ranges(
    network: &Quantizable,
    frames: &[InputFrame],
    open: impl Fn(&Model, bool) -> Result<Network, BackendError>,
    watch: &Watch<'_>,
) -> Result<Ranges, CalibrationError> {
    let tensors = network.tensors();
    let mut session = open(&with_outputs(network.model(), &tensors), true)?;
    let mut histograms: HashMap<&str, Histogram> =
        tensors.iter().map(|name| (name.as_str(), Histogram::default())).collect();
    let (mut lengths, mut channels) = (HashMap::new(), HashMap::new());
    let total = frames.len();
    for (run, frames) in frames.chunks(session.batch()).enumerate() {
        watch_for(watch, Stage::Calibrating, run * session.batch(), total)?;
        let inputs = |name: &str| -> Option<Vec<&[f32]>> {
            match name {
                ModelSpec::IMAGE => Some(frames.iter().map(|frame| &frame.image[..]).collect()),
                ModelSpec::AUDIO => Some(frames.iter().map(|frame| &frame.audio[..]).collect()),
                _ => None,
            }
        };
        for (name, histogram) in &mut histograms {
            for values in inputs(name).into_iter().flatten() {
                lengths.insert((*name).to_owned(), values.len());
                count(histogram, name, values)?;
            }
        }
        let batch = session.batch();
        session.run(frames, |name, shape, values| match histograms.get_mut(name) {
            Some(histogram) => {
                lengths.insert(name.to_owned(), values.len() / batch);
                widen(channels.entry(name.to_owned()).or_default(), shape, values);
                count(histogram, name, values)
            }
            None => Ok(()),
        })?;
    }
    let activations = tensors
        .iter()
        .map(|name| {
            let activation = histograms[name.as_str()].activation(network.can_be_negative(name));
            (name.clone(), activation)
        })
        .collect();
    Ok(Ranges { activations, lengths, channels })
}

fn count(histogram: &mut Histogram, name: &str, values: &[f32]) -> Result<(), CalibrationError> {
    // Odd, so that not only some columns of an image are seen.
    let step = (values.len() / COUNTED) | 1;
    histogram.add(name, values.iter().step_by(step).copied()).map_err(CalibrationError::Graph)
}

/// Raises `largest` to the magnitudes in the channels of a tensor `[N, C, ...]`.
fn widen(largest: &mut Vec<f32>, shape: &[i64], values: &[f32]) {
    let [_, channels, inner @ ..] = shape else { return };
    let inner: usize = inner.iter().map(|&size| size.max(0) as usize).product();
    largest.resize(usize::try_from(*channels).unwrap_or(0), 0.0);
    for values in values.chunks_exact((inner * largest.len()).max(1)) {
        for (largest, values) in largest.iter_mut().zip(values.chunks_exact(inner.max(1))) {
            *largest = values.iter().fold(*largest, |largest, value| largest.max(value.abs()));
        }
    }
}

/// The network with `tensors` among its outputs.
fn with_outputs(model: &Model, tensors: &[String]) -> Model {
    let mut model = model.clone();
    if let Some(graph) = model.proto_mut().graph.as_mut() {
        let is_there = |name: &str| {
            let mut ends = graph.output.iter().chain(&graph.input);
            ends.any(|end| end.name() == name)
        };
        let added = tensors.iter().filter(|name| !is_there(name)).map(|name| {
            let tensor = Tensor { elem_type: Some(data_type::FLOAT), shape: None };
            ValueInfoProto {
                name: Some(name.clone()),
                r#type: Some(TypeProto {
                    value: Some(Value::TensorType(tensor)),
                    denotation: None,
                }),
                ..Default::default()
            }
        });
        let added: Vec<_> = added.collect();
        graph.output.extend(added);
    }
    model
}
