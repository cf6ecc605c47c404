//! A symbolic batch: two frames at a time give what each gave alone.

use engine::onnx::Model;
use engine::onnx::batch::{Symbolic, make_batch_symbolic};
use engine::onnx::precision::{Edges, to_half};
use engine::onnx::proto::{NodeProto, TensorProto};
use engine::sample::{Batch, probe, unet};

use super::graphs::*;

fn tensors(model: &Model) -> Vec<String> {
    model.inputs().iter().chain(&model.outputs()).map(ToString::to_string).collect()
}

fn symbolic(model: &Model) -> (Model, Symbolic) {
    let mut changed = model.clone();
    let what = make_batch_symbolic(&mut changed).unwrap();
    (changed, what)
}

/// Makes the batch of 1 symbolic, and compares a batch of 3 with three batches of 1. `inputs` are
/// the dimensions behind the batch.
fn assert_frames_stay_apart(model: &Model, inputs: &[(&str, &[i64])], output: &str) -> Model {
    let (changed, what) = symbolic(model);
    assert!(matches!(what, Symbolic::Changed { from: 1, .. }), "{what:?}");
    let Some(library) = onnxruntime() else { return changed };
    let frames = 3;
    let values: Vec<(&str, Vec<i64>, Vec<f32>)> = inputs
        .iter()
        .map(|&(name, dims)| {
            let len = dims.iter().product::<i64>() as usize;
            (name, [&[frames], dims].concat(), noise(frames as usize * len))
        })
        .collect();
    let all: Vec<_> = values.iter().map(|(name, dims, all)| (*name, &dims[..], &all[..])).collect();
    let (shape, together) = run(&library, &changed, &all, output).unwrap();
    assert_eq!(shape[0], frames);

    let mut alone = Vec::new();
    for frame in 0..frames as usize {
        let dims: Vec<Vec<i64>> =
            values.iter().map(|(_, dims, _)| [&[1], &dims[1..]].concat()).collect();
        let one: Vec<_> = values
            .iter()
            .zip(&dims)
            .map(|((name, _, all), dims)| {
                let len = all.len() / frames as usize;
                (*name, &dims[..], &all[frame * len..(frame + 1) * len])
            })
            .collect();
        alone.extend(run(&library, model, &one, output).unwrap().1);
    }
    assert_eq!(together.len(), alone.len());
    for (together, alone) in together.iter().zip(&alone) {
        assert!((together - alone).abs() <= 1e-6, "{together} for {alone}");
    }
    changed
}

#[test]
fn the_unet_gives_every_frame_what_it_gave_alone() {
    let inputs: &[(&str, &[i64])] = &[("input", &[6, 160, 160]), ("audio", &[32, 16, 16])];
    let model = unet(160, 2, Batch::Fixed(1)).unwrap();
    let changed = assert_frames_stay_apart(&model, inputs, "output");
    // Exactly the network that was exported with a symbolic batch.
    assert_eq!(changed, unet(160, 2, Batch::Symbolic).unwrap());
    let (again, what) = symbolic(&changed);
    assert_eq!((again, what), (changed, Symbolic::AlreadySymbolic));
}

#[test]
fn the_real_size_and_other_batches_change_too() {
    let (changed, what) = symbolic(&unet(320, 0, Batch::Fixed(4)).unwrap());
    let expected = Symbolic::Changed { from: 4, symbol: "N".into(), constants: 0 };
    assert_eq!(what, expected);
    assert_eq!(tensors(&changed)[2], "output float32 [N,3,320,320]");
    let (changed, _) = symbolic(&probe(32, Batch::Fixed(1)));
    assert_eq!(changed, probe(32, Batch::Symbolic));
}

#[test]
fn precision_and_batch_can_both_change() {
    let fixed = unet(160, 5, Batch::Fixed(1)).unwrap();
    let (mut batch_first, _) = symbolic(&fixed);
    to_half(&mut batch_first, Edges::default()).unwrap();
    let mut half_first = fixed;
    to_half(&mut half_first, Edges::default()).unwrap();
    make_batch_symbolic(&mut half_first).unwrap();
    assert_eq!(batch_first, half_first);
}

/// Attention over the pixels of an image, its shapes fixed as exporters fix them.
fn attention() -> Model {
    let largest = i64::MAX;
    let mut reshape_back = node("Reshape", &["mixed", "image_shape"], &["image"], &[]);
    reshape_back.name = Some("back".into());
    model(graph(
        &[float("x", &[1, 6, 4, 4])],
        &[
            ints("pixels", &[1, 6, 16]),
            ints("inferred", &[-1, 6, 16]),
            ints("image_shape", &[1, -1, 4, 4]),
            ints("like_x", &[1, 6, 4, 4]),
            ints("doubled", &[1, 6, 8, 8]),
            ints("flat", &[1, 384]),
            ints("start", &[0, 1]),
            ints("end", &[largest, 6]),
            ints("slice_axes", &[0, 1]),
            ints("pads", &[0, 1, 0, 0, 0, 0, 0, 0]),
            ints("axis_2", &[2]),
            floats("weights", &[6, 6], &noise(36)),
            floats("bias", &[1, 6, 1, 1], &noise(6)),
            floats("kernel", &[6, 6, 3, 3], &noise(324)),
            floats("last", &[384, 5], &noise(1920)),
            floats("offset", &[5], &noise(5)),
        ],
        &[
            node("Conv", &["x", "kernel"], &["conv"], &[list("pads", &[1, 1, 1, 1])]),
            node("Reshape", &["conv", "pixels"], &["rows"], &[]),
            node("Transpose", &["rows"], &["columns"], &[list("perm", &[0, 2, 1])]),
            node("MatMul", &["columns", "weights"], &["keys"], &[]),
            node("MatMul", &["keys", "rows"], &["scores"], &[]),
            node("Softmax", &["scores"], &["attention"], &[int("axis", -1)]),
            node("MatMul", &["attention", "columns"], &["values"], &[]),
            node("Transpose", &["values"], &["turned"], &[list("perm", &[0, 2, 1])]),
            node("Reshape", &["turned", "inferred"], &["mixed"], &[]),
            reshape_back,
            node("Slice", &["image", "start", "end", "slice_axes"], &["five"], &[]),
            node("Pad", &["five", "pads"], &["six"], &[]),
            node("ReduceMean", &["six"], &["mean"], &[list("axes", &[2, 3])]),
            node("Expand", &["mean", "like_x"], &["wide"], &[]),
            node("Concat", &["wide", "six"], &["twelve"], &[int("axis", 1)]),
            node("Split", &["twelve"], &["a", "b"], &[int("axis", 1)]),
            node("Sub", &["a", "b"], &["difference"], &[]),
            node("Add", &["difference", "bias"], &["shifted"], &[]),
            node("Resize", &["shifted", "", "", "doubled"], &["big"], &[text("mode", "linear")]),
            node("Unsqueeze", &["big", "axis_2"], &["five_dims"], &[]),
            node("Squeeze", &["five_dims", "axis_2"], &["four_dims"], &[]),
            node("Flatten", &["four_dims"], &["line"], &[]),
            node("Reshape", &["line", "flat"], &["same_line"], &[]),
            node("Gemm", &["same_line", "last", "offset"], &["y"], &[]),
        ],
        &[float("y", &[1, 5])],
    ))
}

#[test]
fn shapes_that_exporters_fixed_are_freed() {
    let mut model = attention();
    let graph = model.proto_mut().graph.as_mut().unwrap();
    graph.value_info = vec![float("rows", &[1, 6, 16]), float("image", &[1, 6, 4, 4])];
    let changed = assert_frames_stay_apart(&model, &[("x", &[6, 4, 4])], "y");
    assert_eq!(tensors(&changed), ["x float32 [N,6,4,4]", "y float32 [N,5]"]);
    let (_, what) = symbolic(&model);
    // Three targets of Reshape and the sizes of the Resize; a 1 stretches in Expand.
    assert_eq!(what, Symbolic::Changed { from: 1, symbol: "N".into(), constants: 4 });
    assert_eq!(initializer(&changed, "rows_any_batch").map(integers), Some(vec![0, 6, 16]));
    assert_eq!(initializer(&changed, "pixels").map(integers), Some(vec![1, 6, 16]));
    assert_eq!(initializer(&changed, "mixed_any_batch"), None);
    let graph = changed.proto().graph.as_ref().unwrap();
    assert!(
        graph.value_info.is_empty(),
        "declared shapes with the old batch: {:?}",
        graph.value_info
    );
}

fn integers(tensor: &TensorProto) -> Vec<i64> {
    match &tensor.raw_data {
        Some(raw) => raw.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect(),
        None => tensor.int64_data.clone(),
    }
}

#[test]
fn older_operator_sets_keep_their_axes_in_attributes() {
    let nodes: Vec<NodeProto> = vec![
        node("Unsqueeze", &["x"], &["five"], &[list("axes", &[1])]),
        node("Squeeze", &["five"], &["four"], &[list("axes", &[1])]),
        node("Upsample", &["four", "scales"], &["big"], &[]),
        node("Softmax", &["big"], &["y"], &[]),
    ];
    let mut model = model(graph(
        &[float("x", &[1, 2, 3, 3])],
        &[floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0])],
        &nodes,
        &[float("y", &[1, 2, 6, 6])],
    ));
    model.proto_mut().opset_import[0].version = Some(9);
    assert_frames_stay_apart(&model, &[("x", &[2, 3, 3])], "y");
}

#[test]
fn a_symbol_that_is_taken_is_not_taken_again() {
    use engine::onnx::proto::type_proto::Value;
    use engine::onnx::proto::{Dimension, DimensionValue};
    let mut model = model(graph(
        &[float("x", &[1, 4])],
        &[],
        &[node("Relu", &["x"], &["y"], &[])],
        &[float("y", &[1, 4])],
    ));
    let graph = model.proto_mut().graph.as_mut().unwrap();
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        if let Some(Value::TensorType(tensor)) = info.r#type.as_mut().unwrap().value.as_mut() {
            let value = Some(DimensionValue::DimParam("N".into()));
            tensor.shape.as_mut().unwrap().dim[1] = Dimension { value, denotation: None };
        }
    }
    let (changed, _) = symbolic(&model);
    assert_eq!(tensors(&changed), ["x float32 [batch_1,N]", "y float32 [batch_1,N]"]);
}
