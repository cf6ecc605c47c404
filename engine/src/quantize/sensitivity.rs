//! Which layers to leave in floats first.

use std::collections::HashMap;

use super::inputs::InputFrame;
use super::network::Network;
use super::{QuantizeError, Stage, watch_for};
use crate::backend::BackendError;
use crate::onnx::Model;
use crate::onnx::quantize::{Layer, Quantizable};

/// Multiplications that take a CPU about as long as moving one value of a layer in 32 bits.
const MOVED: f64 = 16.0;
/// Part of all errors below which that of a layer does not matter, however cheap it is.
const NEGLIGIBLE: f64 = 1e-3;

/// What each layer alone does to the prediction of `frames` when it computes in 8 bits: the mean
/// squared difference.
pub(super) fn errors(
    network: &Quantizable,
    frames: &[InputFrame],
    rewrite: impl Fn(&[bool]) -> Result<Model, QuantizeError>,
    open: impl Fn(&Model, bool) -> Result<Network, BackendError>,
    watch: &mut dyn FnMut(Stage, usize, Option<usize>) -> bool,
) -> Result<Vec<f64>, QuantizeError> {
    let count = network.layers().len();
    let expected = open(network.model(), false)?.predict(frames)?;
    let mut errors = Vec::with_capacity(count);
    for layer in 0..count {
        watch_for(watch, Stage::Probing, layer, Some(count))?;
        let mut alone = vec![false; count];
        alone[layer] = true;
        let found = open(&rewrite(&alone)?, false)?.predict(frames)?;
        let squares = expected.iter().zip(&found).map(|(a, b)| f64::from(a - b).powi(2));
        errors.push(squares.sum::<f64>() / expected.len() as f64);
    }
    Ok(errors)
}

/// What each layer costs in floats, in multiplications; `lengths` has the number of values of the
/// tensors that they read.
pub(super) fn costs(layers: &[Layer], lengths: &HashMap<String, usize>) -> Vec<f64> {
    let values = |layer: &Layer| lengths.get(&layer.input).copied().unwrap_or(1) as f64;
    layers.iter().map(|layer| values(layer) * (layer.products + MOVED)).collect()
}

/// The layers in the order in which they should go back to floats: those first whose error is the
/// largest for what they cost, and last, by error alone, those whose error is negligible.
pub(super) fn order(errors: &[f64], costs: &[f64]) -> Vec<usize> {
    let all: f64 = errors.iter().sum();
    let rank = |layer: usize| match errors[layer] <= NEGLIGIBLE * all {
        true => (false, errors[layer]),
        // What is no number is worse than any.
        false => (true, errors[layer] / costs[layer].max(1.0)),
    };
    let mut order: Vec<usize> = (0..errors.len()).collect();
    order.sort_by(|&a, &b| {
        let (a_rank, b_rank) = (rank(a), rank(b));
        b_rank.0.cmp(&a_rank.0).then(b_rank.1.total_cmp(&a_rank.1)).then(a.cmp(&b))
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_error_for_its_cost_comes_first() {
        let errors = [4.0, 3.0, 1e-5, 1.0, 2e-5, 1.0];
        let costs = [400.0, 100.0, 1.0, 10.0, 1.0, 10.0];
        assert_eq!(order(&errors, &costs), [3, 5, 1, 0, 4, 2]);
        assert_eq!(order(&[1.0, f64::NAN, 2.0], &[1.0; 3])[0], 1);
        assert_eq!(order(&[], &[]), [0; 0]);
    }
}
