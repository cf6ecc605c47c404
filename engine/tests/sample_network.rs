//! The sample networks: the architecture is the real one, and the same seed gives the same weights.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use engine::onnx::Model;
use engine::onnx::batch::{Symbolic, make_batch_symbolic};
use engine::onnx::precision::{Edges, to_half};
use engine::sample::{Batch, SampleError, audio_encoder, demo, probe, unet};

fn tensors(model: &Model) -> Vec<String> {
    model.inputs().iter().chain(&model.outputs()).map(ToString::to_string).collect()
}

fn count(model: &Model, op: &str) -> usize {
    let graph = model.proto().graph.as_ref().unwrap();
    graph.node.iter().filter(|node| node.op_type() == op).count()
}

#[test]
fn the_unet_has_the_real_architecture() {
    let model = unet(320, 0, Batch::Symbolic).unwrap();
    assert_eq!(
        tensors(&model),
        [
            "input float32 [N,6,320,320]",
            "audio float32 [N,32,16,16]",
            "output float32 [N,3,320,320]",
        ]
    );
    let ops = ["Conv", "Relu", "Add", "Resize", "Concat", "Sigmoid"];
    assert_eq!(ops.map(|op| count(&model, op)), [93, 62, 15, 5, 6, 1]);
    assert_eq!(model.node_count(), 182);
    // All weights and biases, and the four factors of the upsampling.
    assert_eq!(model.parameter_count(), 12_153_887 + 4);
    assert_eq!(model.opset(), Some(17));
}

#[test]
fn the_smaller_unet_has_one_level_less() {
    let model = unet(160, 0, Batch::Fixed(1)).unwrap();
    assert_eq!(tensors(&model)[0], "input float32 [1,6,160,160]");
    assert_eq!(tensors(&model)[2], "output float32 [1,3,160,160]");
    assert_eq!((count(&model, "Conv"), count(&model, "Resize")), (81, 4));
}

#[test]
fn the_demo_has_the_unet_s_inputs_and_outputs() {
    for side in [16, 32, 160, 320, 640] {
        assert_eq!(
            tensors(&demo(side, Batch::Symbolic)),
            [
                format!("input float32 [N,6,{side},{side}]"),
                "audio float32 [N,32,16,16]".to_owned(),
                format!("output float32 [N,3,{side},{side}]"),
            ]
        );
    }
}

/// What an accelerator needs of a network has to be possible with these, too.
#[test]
fn demo_and_encoder_can_be_rewritten() {
    for mut model in [demo(32, Batch::Fixed(1)), audio_encoder(0, Batch::Fixed(1))] {
        let symbolic = make_batch_symbolic(&mut model).unwrap();
        assert!(matches!(symbolic, Symbolic::Changed { from: 1, .. }), "{symbolic:?}");
        to_half(&mut model, Edges::default()).unwrap();
    }
}

#[test]
fn every_node_has_a_name_of_its_own() {
    let model = unet(160, 0, Batch::Symbolic).unwrap();
    let mut names: Vec<_> =
        model.proto().graph.as_ref().unwrap().node.iter().map(|node| node.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), model.node_count());
    assert!(!names.contains(&""));
}

#[test]
fn the_seed_decides_the_weights() {
    let first = unet(160, 7, Batch::Symbolic).unwrap();
    assert_eq!(first, unet(160, 7, Batch::Symbolic).unwrap());
    assert_ne!(first, unet(160, 8, Batch::Symbolic).unwrap());
}

#[test]
fn a_side_that_the_unet_does_not_have_is_refused() {
    let error = unet(256, 0, Batch::Symbolic).unwrap_err();
    assert!(matches!(error, SampleError::NetworkSide { side: 256 }));
    assert!(error.to_string().contains("side 160 or 320, not 256"), "{error}");
}

#[test]
fn networks_survive_the_way_through_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probe.onnx");
    let model = probe(64, Batch::Fixed(4));
    model.save(&path).unwrap();
    let loaded = Model::load(&path).unwrap();
    assert_eq!(loaded, model);
    assert_eq!(
        tensors(&loaded),
        ["input float32 [4,6,64,64]", "audio float32 [4,32,16,16]", "output float32 [4,3,64,64]"]
    );
}
