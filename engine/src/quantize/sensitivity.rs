//! Which layers to leave in floats first.

use std::collections::HashMap;

use super::network::Network;
use super::scene::InputFrame;
use super::{QuantizeError, Stage, Watch, watch_for};
use crate::backend::BackendError;
use crate::onnx::Model;
use crate::onnx::quantize::{Layer, Quantizable};

/// Multiplications that take a CPU about as long as reading or writing one value in 32 bits.
const MOVED: f64 = 32.0;
/// Part of the error that is allowed below which that of a layer does not matter, however cheap it
/// is.
const NEGLIGIBLE: f64 = 0.02;

/// What each layer alone does to the prediction of `frames` when it computes in 8 bits: the mean
/// squared difference. `allowed` is what all of them together may do.
///
/// The errors of layers add up, nearly: where those of many together are negligible, each gets its
/// share without being tried, and otherwise they are halved until it is so.
pub(super) fn errors(
    network: &Quantizable,
    frames: &[InputFrame],
    allowed: f64,
    rewrite: impl Fn(&[bool]) -> Result<Model, QuantizeError>,
    open: impl Fn(&Model, bool) -> Result<Network, BackendError>,
    watch: &Watch<'_>,
) -> Result<Vec<f64>, QuantizeError> {
    let count = network.layers().len();
    let expected = open(network.model(), false)?.predict(frames)?;
    let mut errors = vec![0.0; count];
    let mut untried: Vec<_> = std::iter::once(0..count).collect();
    while let Some(layers) = untried.pop() {
        watch_for(watch, Stage::Probing, layers.start, count)?;
        let quantized: Vec<bool> = (0..count).map(|layer| layers.contains(&layer)).collect();
        let found = open(&rewrite(&quantized)?, false)?.predict(frames)?;
        let squares = expected.iter().zip(&found).map(|(a, b)| f64::from(a - b).powi(2));
        let error = squares.sum::<f64>() / expected.len() as f64;
        if layers.len() == 1 || error <= NEGLIGIBLE * allowed {
            let share = error / layers.len() as f64;
            errors[layers].fill(share);
        } else {
            let middle = layers.start + layers.len() / 2;
            untried.extend([middle..layers.end, layers.start..middle]);
        }
    }
    Ok(errors)
}

/// What each layer costs in floats, in multiplications; `lengths` has the number of values of the
/// tensors that they read.
pub(super) fn costs(layers: &[Layer], lengths: &HashMap<String, usize>) -> Vec<f64> {
    let values = |layer: &Layer| lengths.get(&layer.input).copied().unwrap_or(1) as f64;
    layers
        .iter()
        .map(|layer| values(layer) * (layer.products + MOVED * (1.0 + layer.made)))
        .collect()
}

/// The layers in the order in which they should go back to floats: those first whose error is the
/// largest for what they cost, and last, by error alone, those whose error is negligible compared with
/// what is `allowed`.
pub(super) fn order(errors: &[f64], costs: &[f64], allowed: f64) -> Vec<usize> {
    let rank = |layer: usize| match errors[layer] <= NEGLIGIBLE * allowed {
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
        let errors = [4.0, 3.0, 1e-2, 1.0, 2e-2, 1.0];
        let costs = [400.0, 100.0, 1.0, 10.0, 1.0, 10.0];
        assert_eq!(order(&errors, &costs, 1.0), [3, 5, 1, 0, 4, 2]);
        assert_eq!(order(&[1.0, f64::NAN, 2.0], &[1.0; 3], 1.0)[0], 1);
        assert_eq!(order(&[], &[], 1.0), [0; 0]);
    }
}
