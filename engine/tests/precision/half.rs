//! Networks moved to half precision compute the same, nearly.

use engine::onnx::Model;
use engine::onnx::precision::{EdgeType, Edges, HalfReport, to_half};
use engine::onnx::proto::{
    FunctionProto, NodeProto, OperatorSetIdProto, TensorProto, attribute_type, data_type,
};
use engine::sample::{Batch, probe, unet};

use super::graphs::*;

const HALF_INPUTS: Edges = Edges { inputs: EdgeType::Fp16, outputs: EdgeType::Fp16 };

fn converted(model: &Model, edges: Edges) -> (Model, HalfReport) {
    let mut half = model.clone();
    let report = to_half(&mut half, edges).unwrap();
    (half, report)
}

/// Element types of the inputs and outputs, in words.
fn edges(model: &Model) -> Vec<String> {
    let all = model.inputs().into_iter().chain(model.outputs());
    all.map(|tensor| tensor.element_type.to_string()).collect()
}

/// Casts around 16-bit inputs and outputs, so that 32-bit values can be given.
fn with_float_edges(model: &Model) -> Model {
    let mut model = model.clone();
    let graph = model.proto_mut().graph.as_mut().unwrap();
    let mut casts = Vec::new();
    for info in &mut graph.input {
        let inner = info.name().to_owned();
        let name = format!("{inner}_outside");
        casts.push(node("Cast", &[&name], &[&inner], &[int("to", data_type::FLOAT16.into())]));
        *info = retyped(info, &name);
    }
    graph.node.splice(0..0, casts);
    for info in &mut graph.output {
        let inner = info.name().to_owned();
        let name = format!("{inner}_outside");
        graph.node.push(node("Cast", &[&inner], &[&name], &[int("to", data_type::FLOAT.into())]));
        *info = retyped(info, &name);
    }
    model
}

fn retyped(
    info: &engine::onnx::proto::ValueInfoProto,
    name: &str,
) -> engine::onnx::proto::ValueInfoProto {
    use engine::onnx::proto::type_proto::Value;
    let mut info = info.clone();
    info.name = Some(name.into());
    if let Some(Value::TensorType(tensor)) = info.r#type.as_mut().unwrap().value.as_mut() {
        assert_eq!(tensor.elem_type, Some(data_type::FLOAT16));
        tensor.elem_type = Some(data_type::FLOAT);
    }
    info
}

/// Runs `model` in both precisions on a `[2, 3, 4, 4]` input `x` and checks that `y` is the same up
/// to `tolerance`. Returns the converted model.
fn assert_same(model: &Model, tolerance: f32) -> Model {
    let (half, _) = converted(model, Edges::default());
    let (half_edges, _) = converted(model, HALF_INPUTS);
    assert_eq!(edges(&half), ["float32", "float32"]);
    assert_eq!(edges(&half_edges), ["float16", "float16"]);
    let Some(library) = onnxruntime() else { return half };
    let x = noise(96);
    let given: &[(&str, &[i64], &[f32])] = &[("x", &[2, 3, 4, 4], &x)];
    let expected = run(&library, model, given, "y").unwrap();
    let close = |found: (Vec<i64>, Vec<f32>)| {
        assert_eq!(found.0, expected.0);
        assert_ne!(found.1, vec![0.0; found.1.len()], "a test that computes nothing shows nothing");
        for (found, expected) in found.1.iter().zip(&expected.1) {
            assert!((found - expected).abs() <= tolerance, "{found} for {expected}");
        }
    };
    close(run(&library, &half, given, "y").unwrap());
    let outside = with_float_edges(&half_edges);
    let given: &[(&str, &[i64], &[f32])] = &[("x_outside", &[2, 3, 4, 4], &x)];
    close(run(&library, &outside, given, "y_outside").unwrap());
    half
}

fn x() -> engine::onnx::proto::ValueInfoProto {
    float("x", &[2, 3, 4, 4])
}

#[test]
fn the_unet_shrinks_to_half_and_keeps_its_edges() {
    let model = unet(160, 1, Batch::Symbolic).unwrap();
    let (half, report) = converted(&model, Edges::default());
    assert_eq!(edges(&half), ["float32"; 3]);
    // Weights and biases of 81 convolutions; the scales of the upsampling stay.
    assert_eq!(report.tensors, 162);
    assert_eq!(report.bytes_before, 4 * model.parameter_count());
    assert_eq!(report.bytes_after, report.bytes_before / 2 + 2 * 4);
    assert_eq!(report.casts, 3);
    assert!(report.largest_relative_error > 0.0 && report.worst_tensor.is_some(), "{report:?}");
    let scales = initializer(&half, "upsample.scales_fp32").unwrap();
    assert_eq!(scales.data_type, Some(data_type::FLOAT));
    assert_eq!(initializer(&half, "paint.weight").unwrap().data_type, Some(data_type::FLOAT16));
    // Its nodes keep their names, and every name is still its own.
    let graph = half.proto().graph.as_ref().unwrap();
    let mut names: Vec<&str> = graph.node.iter().map(NodeProto::name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), model.node_count() + 3);

    let (half, report) = converted(&model, HALF_INPUTS);
    assert_eq!(edges(&half), ["float16"; 3]);
    assert_eq!((report.casts, half.node_count()), (0, model.node_count()));
}

#[test]
fn the_probe_is_exact_in_half_precision_where_its_inputs_are() {
    let model = probe(16, Batch::Symbolic);
    let (half, report) = converted(&model, Edges::default());
    assert_eq!((report.tensors, report.largest_relative_error), (3, 0.0));
    assert_eq!(report.worst_tensor, None);
    let Some(library) = onnxruntime() else { return };
    let image: Vec<f32> = (0..6 * 256).map(|i| (i % 17) as f32 / 16.0).collect();
    let audio: Vec<f32> = (0..8192).map(|i| (i % 4) as f32 / 4.0).collect();
    let given: &[(&str, &[i64], &[f32])] =
        &[("input", &[1, 6, 16, 16], &image), ("audio", &[1, 32, 16, 16], &audio)];
    let expected = run(&library, &model, given, "output").unwrap();
    assert_eq!(run(&library, &half, given, "output").unwrap(), expected);
}

#[test]
fn nodes_without_names_get_casts_with_names_of_their_own() {
    // Names that the casts would like to have are taken, in the graph and in a subgraph.
    let branch = |taken: &str| {
        graph(&[], &[], &[node("Neg", &["x"], &[taken], &[])], &[float(taken, &[2, 3, 4, 4])])
    };
    let branches =
        [subgraph("then_branch", branch("x_fp16")), subgraph("else_branch", branch("y_fp16"))];
    let truth = TensorProto {
        name: Some("truth".into()),
        data_type: Some(data_type::BOOL),
        int32_data: vec![1],
        ..Default::default()
    };
    let model = model(graph(
        &[x()],
        &[truth],
        &[
            node("If", &["truth"], &["chosen"], &branches),
            node("Add", &["chosen", "x"], &["x_fp16_2"], &[]),
            node("Exp", &["x_fp16_2"], &["x_fp16_cast"], &[]),
            node("Sub", &["x_fp16_cast", "x"], &["y"], &[]),
        ],
        &[float("y", &[2, 3, 4, 4])],
    ));
    let half = assert_same(&model, 4e-3);
    let graph = half.proto().graph.as_ref().unwrap();
    let mut made: Vec<&str> =
        graph.node.iter().flat_map(|node| &node.output).map(|name| &name[..]).collect();
    made.sort_unstable();
    let count = made.len();
    made.dedup();
    assert_eq!(made.len(), count, "{made:?}");
    assert!(!made.contains(&"x_fp16"), "the branch has that name: {made:?}");
}

#[test]
fn constants_of_every_form_are_converted() {
    let third = |name: &str| floats(name, &[], &[1.0 / 3.0]);
    let value_float = engine::onnx::proto::AttributeProto {
        name: Some("value_float".into()),
        r#type: Some(attribute_type::FLOAT),
        f: Some(0.1),
        ..Default::default()
    };
    let value_floats = engine::onnx::proto::AttributeProto {
        name: Some("value_floats".into()),
        // AttributeProto.FLOATS
        r#type: Some(6),
        floats: vec![0.1, 0.2, 0.3, 0.4],
        ..Default::default()
    };
    let packed = TensorProto {
        raw_data: Some([0.7_f32; 3].iter().flat_map(|v| v.to_le_bytes()).collect()),
        float_data: vec![],
        ..floats("packed", &[1, 3, 1, 1], &[])
    };
    let model = model(graph(
        &[x()],
        &[third("scalar"), packed],
        &[
            node("Constant", &[], &["a"], &[tensor("value", third(""))]),
            node("Constant", &[], &["b"], &[value_float]),
            node("Constant", &[], &["c"], &[value_floats]),
            // Depends on data, so it is filled with 16-bit ones; without a value, with zeros.
            node("NonZero", &["x"], &["where"], &[]),
            node("ReduceMax", &["where"], &["last"], &[list("axes", &[1]), int("keepdims", 0)]),
            node(
                "ConstantOfShape",
                &["last"],
                &["ones"],
                &[tensor("value", floats("", &[1], &[1.0]))],
            ),
            node("ConstantOfShape", &["last"], &["zeros"], &[]),
            node("Add", &["ones", "zeros"], &["filled"], &[]),
            node("ReduceSum", &["filled"], &["sum"], &[]),
            node("Mul", &["x", "scalar"], &["x1"], &[]),
            node("Add", &["x1", "a"], &["x2"], &[]),
            node("Add", &["x2", "b"], &["x3"], &[]),
            node("Mul", &["x3", "c"], &["x4"], &[]),
            node("Mul", &["x4", "packed"], &["x5"], &[]),
            node("Greater", &["x5", "zeros_everywhere"], &["positive"], &[]),
            node("Cast", &["positive"], &["ones_and_zeros"], &[int("to", 1)]),
            node("Mul", &["x5", "ones_and_zeros"], &["x6"], &[]),
            node("Add", &["x6", "sum"], &["y"], &[]),
        ],
        &[float("y", &[2, 3, 4, 4])],
    ));
    let mut model = model;
    let zero = floats("zeros_everywhere", &[], &[0.0]);
    model.proto_mut().graph.as_mut().unwrap().initializer.push(zero);
    let half = assert_same(&model, 0.02);
    assert!(!has_float_constants(&half), "a constant was left behind");
}

fn has_float_constants(model: &Model) -> bool {
    let graph = model.proto().graph.as_ref().unwrap();
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let tensors = attributes.filter_map(|attribute| attribute.t.as_ref());
    graph.initializer.iter().chain(tensors).any(|tensor| tensor.data_type() == data_type::FLOAT)
}

#[test]
fn a_constant_that_two_types_read_is_stored_twice() {
    let model = model(graph(
        &[x()],
        &[floats("factors", &[4], &[1.0, 1.0, 1.3, 1.3])],
        &[
            node("Mul", &["x", "factors"], &["scaled"], &[]),
            node("Resize", &["scaled", "", "factors"], &["y"], &[text("mode", "nearest")]),
        ],
        &[float("y", &[2, 3, 5, 5])],
    ));
    let half = assert_same(&model, 2e-3);
    let types =
        ["factors", "factors_fp32"].map(|name| initializer(&half, name).unwrap().data_type());
    assert_eq!(types, [data_type::FLOAT16, data_type::FLOAT]);
}

#[test]
fn what_follows_from_shapes_stays_in_32_bits() {
    // 4 * 1000.5 + 2 is 4004 in 32 bits; in 16 bits it is rounded to a multiple of 4 or 2.
    let model = model(graph(
        &[x()],
        &[
            floats("scale", &[1], &[1000.5]),
            floats("more", &[1], &[1.0]),
            ints("three", &[3]),
            floats("zero", &[], &[0.0]),
            floats("thousandth", &[], &[0.001]),
            floats("step", &[], &[1.0]),
        ],
        &[
            node("Shape", &["x"], &["shape"], &[]),
            node("Gather", &["shape", "three"], &["width"], &[]),
            node("Cast", &["width"], &["width_float"], &[int("to", 1)]),
            node("Mul", &["width_float", "scale"], &["wide"], &[]),
            node("Add", &["wide", "more"], &["wider"], &[]),
            node("Cast", &["wider"], &["length"], &[int("to", 7)]),
            node("ReduceMean", &["x"], &["mean"], &[int("keepdims", 0)]),
            node("Expand", &["mean", "length"], &["means"], &[]),
            node("ReduceSum", &["wider"], &["end"], &[int("keepdims", 0)]),
            node("Range", &["zero", "end", "step"], &["count"], &[]),
            node("Mul", &["count", "thousandth"], &["ramp"], &[]),
            node("Add", &["means", "ramp"], &["y"], &[]),
        ],
        &[float("y", &[-1])],
    ));
    let half = assert_same(&model, 4e-3);
    assert_eq!(initializer(&half, "scale_fp32").unwrap().float_data, [1000.5]);
    let Some(library) = onnxruntime() else { return };
    let given: &[(&str, &[i64], &[f32])] = &[("x", &[2, 3, 4, 4], &noise(96))];
    assert_eq!(run(&library, &half, given, "y").unwrap().0, [4003]);
}

#[test]
fn statistics_that_an_operator_keeps_in_32_bits_are_read_as_they_are_wanted() {
    let model = model(graph(
        &[x()],
        &[floats("scale", &[4], &[1.5; 4])],
        &[
            node("LayerNormalization", &["x", "scale"], &["normal", "mean"], &[int("axis", -1)]),
            node("Add", &["normal", "mean"], &["y"], &[]),
        ],
        &[float("y", &[2, 3, 4, 4])],
    ));
    assert_same(&model, 0.02);
}

#[test]
fn loops_and_their_captured_values_are_converted() {
    let body = graph(
        &[
            value("i", data_type::INT64, &[]),
            value("go", data_type::BOOL, &[]),
            float("carried", &[2, 3, 4, 4]),
        ],
        &[],
        &[
            node("Constant", &[], &["inner"], &[tensor("value", floats("", &[], &[0.25]))]),
            node("Mul", &["carried", "inner"], &["quarter"], &[]),
            // From two graphs further out: an input, and a constant.
            node("Add", &["quarter", "x"], &["sum"], &[]),
            node("Mul", &["sum", "outer"], &["next"], &[]),
            node("Identity", &["go"], &["go_on"], &[]),
            node("ReduceMean", &["next"], &["seen"], &[int("keepdims", 0)]),
        ],
        &[value("go_on", data_type::BOOL, &[]), float("next", &[2, 3, 4, 4]), float("seen", &[])],
    );
    let times = TensorProto { dims: vec![], ..ints("times", &[3]) };
    let truth = TensorProto {
        name: Some("truth".into()),
        data_type: Some(data_type::BOOL),
        int32_data: vec![1],
        ..Default::default()
    };
    let model = model(graph(
        &[x()],
        &[times, truth, floats("outer", &[], &[0.9])],
        &[
            node("Loop", &["times", "truth", "x"], &["end", "all"], &[subgraph("body", body)]),
            node("ReduceMean", &["all"], &["mean"], &[int("keepdims", 0)]),
            node("Add", &["end", "mean"], &["y"], &[]),
        ],
        &[float("y", &[2, 3, 4, 4])],
    ));
    let half = assert_same(&model, 4e-3);
    assert_eq!(initializer(&half, "outer").unwrap().data_type(), data_type::FLOAT16);
}

#[test]
fn functions_of_the_model_are_converted() {
    let constant = tensor("value", floats("", &[], &[0.3]));
    let function = FunctionProto {
        name: Some("Scaled".into()),
        domain: Some("local".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: vec![
            node("Constant", &[], &["factor"], &[constant]),
            node("Mul", &["a", "factor"], &["b"], &[]),
        ],
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        ..Default::default()
    };
    let call = |input: &str, output: &str| NodeProto {
        domain: Some("local".into()),
        ..node("Scaled", &[input], &[output], &[])
    };
    let mut model = model(graph(
        &[x()],
        &[],
        &[call("x", "once"), call("once", "y")],
        &[float("y", &[2, 3, 4, 4])],
    ));
    let proto = model.proto_mut();
    proto.functions.push(function);
    proto.opset_import.push(OperatorSetIdProto { domain: Some("local".into()), version: Some(1) });
    let half = assert_same(&model, 1e-3);
    let constant = &half.proto().functions[0].node[0].attribute[0].t;
    assert_eq!(constant.as_ref().unwrap().data_type(), data_type::FLOAT16);
}

#[test]
fn an_output_that_other_nodes_read_keeps_its_name() {
    let model = model(graph(
        &[x()],
        &[],
        &[node("Tanh", &["x"], &["y"], &[]), node("Exp", &["y"], &["z"], &[])],
        &[float("y", &[2, 3, 4, 4]), float("z", &[2, 3, 4, 4])],
    ));
    let (half, report) = converted(&model, Edges::default());
    assert_eq!(operators(&half), ["Cast", "Tanh", "Cast", "Exp", "Cast"]);
    assert_eq!(report.casts, 3);
    let Some(library) = onnxruntime() else { return };
    let given: &[(&str, &[i64], &[f32])] = &[("x", &[2, 3, 4, 4], &noise(96))];
    for name in ["y", "z"] {
        let expected = run(&library, &model, given, name).unwrap().1;
        let found = run(&library, &half, given, name).unwrap().1;
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 3e-3));
    }
}

#[test]
fn declared_types_follow_and_old_models_stop_listing_their_constants() {
    let mut model = model(graph(
        &[x(), float("w", &[4])],
        &[floats("w", &[4], &[0.5; 4])],
        &[node("Mul", &["x", "w"], &["m"], &[]), node("Relu", &["m"], &["y"], &[])],
        &[float("y", &[2, 3, 4, 4])],
    ));
    let proto = model.proto_mut();
    proto.ir_version = Some(3);
    let graph = proto.graph.as_mut().unwrap();
    graph.value_info = vec![float("m", &[2, 3, 4, 4]), float("gone", &[1])];
    let half = assert_same(&model, 1e-3);
    let graph = half.proto().graph.as_ref().unwrap();
    assert_eq!(graph.input.len(), 1);
    assert_eq!(graph.value_info, [value("m", data_type::FLOAT16, &[2, 3, 4, 4])]);
    assert_eq!(half.proto().ir_version, Some(4));
}

#[test]
fn a_network_of_other_types_stays_as_it_is() {
    let model = model(graph(
        &[value("x", data_type::INT64, &[2])],
        &[ints("two", &[2])],
        &[node("Mul", &["x", "two"], &["y"], &[])],
        &[value("y", data_type::INT64, &[2])],
    ));
    let (half, report) = converted(&model, HALF_INPUTS);
    assert_eq!((half, report), (model, HalfReport::default()));
}
