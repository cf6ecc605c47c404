//! A network of exact arithmetic.

use crate::onnx::Model;

use super::graph::{GraphBuilder, int, ints};
use super::{AUDIO_DIMS, Batch};

/// A network with the U-Net's inputs and outputs that computes
/// `output = 0.5 * input[:, 0:3] + 0.25 * input[:, 3:6] + 0.125 * mean(audio > 0.5)`.
///
/// Every step has one correctly rounded result whatever the order of the additions, so that any
/// runtime on any machine predicts the same bytes: made for comparing frames bit for bit. The audio
/// counts only by how many of its values are above 0.5, which is enough to notice a window that is
/// off by one row.
pub fn probe(side: usize, batch: Batch) -> Model {
    let mut graph = GraphBuilder::new("probe");
    graph.input("input", batch, &[6, side, side]);
    graph.input("audio", batch, &AUDIO_DIMS);
    graph.output("output", batch, &[3, side, side]);

    graph.floats("half", &[], &[0.5]);
    graph.floats("quarter", &[], &[0.25]);
    graph.floats("eighth", &[], &[0.125]);
    graph.ints("channel_axis", &[1]);
    for channel in [0, 3, 6] {
        graph.ints(&format!("channel_{channel}"), &[channel]);
    }

    graph.node("Slice", &["input", "channel_0", "channel_3", "channel_axis"], "roi", vec![]);
    graph.node("Slice", &["input", "channel_3", "channel_6", "channel_axis"], "masked", vec![]);
    graph.node("Mul", &["roi", "half"], "half_roi", vec![]);
    graph.node("Mul", &["masked", "quarter"], "quarter_masked", vec![]);
    graph.node("Add", &["half_roi", "quarter_masked"], "image", vec![]);

    // The type of floats is also number 1 where a cast asks for it.
    let to_float = vec![int("to", 1)];
    let over_a_frame = vec![ints("axes", &[1, 2, 3]), int("keepdims", 1)];
    graph.node("Greater", &["audio", "half"], "loud", vec![]);
    graph.node("Cast", &["loud"], "loud_float", to_float);
    graph.node("ReduceMean", &["loud_float"], "loudness", over_a_frame);
    graph.node("Mul", &["loudness", "eighth"], "tint", vec![]);
    graph.node("Add", &["image", "tint"], "output", vec![]);
    graph.finish()
}
