//! Models that cannot be rewritten: each is refused with the name of what is wrong, unchanged.

use engine::onnx::Model;
use engine::onnx::batch::make_batch_symbolic;
use engine::onnx::precision::{Edges, to_half};
use engine::onnx::proto::{FunctionProto, GraphProto, NodeProto, TensorProto, data_type};

use super::graphs::*;

fn refused(mut model: Model) -> String {
    let before = model.clone();
    let error = to_half(&mut model, Edges::default()).unwrap_err();
    assert_eq!(model, before, "a refused model was changed");
    error.to_string()
}

fn with_nodes(nodes: &[NodeProto]) -> Model {
    model(graph(&[float("x", &[1, 4])], &[], nodes, &[float("y", &[1, 4])]))
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

#[test]
fn quantized_models_and_unknown_operators() {
    let message = refused(with_nodes(&[
        node("Relu", &["x"], &["r"], &[]),
        node("QuantizeLinear", &["r", "x"], &["y"], &[]),
    ]));
    assert_says(&message, &["QuantizeLinear that makes \"y\"", "already carries its precision"]);

    let custom =
        NodeProto { domain: Some("com.example".into()), ..node("Fancy", &["x"], &["y"], &[]) };
    assert_says(&refused(with_nodes(&[custom])), &["Fancy", "com.example", "--precision fp32"]);

    let named = NodeProto { name: Some("odd".into()), ..node("Fancy", &["x"], &["y"], &[]) };
    assert_says(&refused(with_nodes(&[named])), &["node Fancy \"odd\""]);
}

#[test]
fn graphs_that_do_not_hang_together() {
    let message = refused(with_nodes(&[node("Add", &["x", "nowhere"], &["y"], &[])]));
    assert_says(&message, &["Add that makes \"y\" reads \"nowhere\""]);

    let cycle = [node("Add", &["x", "b"], &["a"], &[]), node("Relu", &["a"], &["b"], &[])];
    assert_says(&refused(with_nodes(&cycle)), &["reads \"b\"", "after those"]);

    let twice = [node("Relu", &["x"], &["y"], &[]), node("Neg", &["x"], &["y"], &[])];
    assert_says(&refused(with_nodes(&twice)), &["\"y\" is made twice"]);

    assert_says(&refused(with_nodes(&[])), &["the graph's outputs reads \"y\""]);

    let mut headless = with_nodes(&[]);
    headless.proto_mut().graph = None;
    assert_says(&refused(headless), &["no graph"]);

    let handed_through =
        model(graph(&[float("x", &[1])], &[floats("c", &[1], &[1.0])], &[], &[float("c", &[1])]));
    assert_says(&refused(handed_through), &["output \"c\" is an input or a constant"]);
}

#[test]
fn attributes_that_are_missing_or_of_another_type() {
    for (bad, parts) in [
        (node("Cast", &["x"], &["y"], &[]), &["the type of \"y\""][..]),
        (node("Cast", &["x"], &["y"], &[int("to", -3)]), &["attribute \"to\" is no type"]),
        (node("Cast", &["x"], &["y"], &[int("to", i64::MAX)]), &["attribute \"to\" is no type"]),
        (node("Constant", &[], &["y"], &[]), &["attribute \"value\" is missing"]),
        (node("Constant", &[], &["y"], &[int("value", 1)]), &["holds no tensor"]),
        (node("ConstantOfShape", &["x"], &["y"], &[int("value", 1)]), &["holds no tensor"]),
        (node("If", &["x"], &["y"], &[]), &["attribute \"body\" is missing"]),
        (node("Where", &["x"], &["y"], &[]), &["the type of \"y\""]),
        (node("Relu", &[], &["y"], &[]), &["the type of \"y\""]),
    ] {
        assert_says(&refused(with_nodes(&[bad])), parts);
    }
}

#[test]
fn constants_that_half_cannot_hold_or_that_are_damaged() {
    let with = |w: TensorProto| {
        let inputs = [float("x", &[1, 4])];
        model(graph(
            &inputs,
            &[w],
            &[node("Mul", &["x", "w"], &["y"], &[])],
            &[float("y", &[1, 4])],
        ))
    };
    let message = refused(with(floats("w", &[2, 2], &[1.0, -3.0, -1e9, 2.0])));
    assert_says(&message, &["\"w\" holds -1000000000 at element 2", "65504"]);
    assert_says(&refused(with(floats("w", &[5], &[1.0]))), &["\"w\" has 1 values for shape [5]"]);
    let outside = TensorProto { data_location: Some(1), ..floats("w", &[1], &[]) };
    assert_says(&refused(with(outside)), &["\"w\" is stored outside", "without external data"]);
    // A constant that stays in 32 bits may be as large as it likes, but not damaged.
    let far = floats("w", &[4], &[1.0, 1.0, 1e6, f32::NAN]);
    let mut model = model(graph(
        &[float("x", &[1, 1, 1, 1])],
        &[far],
        &[node("Resize", &["x", "", "w"], &["y"], &[])],
        &[float("y", &[1, 1, 1, 1])],
    ));
    to_half(&mut model, Edges::default()).unwrap();
    assert_eq!(initializer(&model, "w_fp32").unwrap().data_type(), data_type::FLOAT);
}

#[test]
fn a_constant_inside_a_node_is_named_by_its_output() {
    let constant = tensor("value", floats("", &[], &[1e30]));
    let nodes =
        [node("Constant", &[], &["big"], &[constant]), node("Mul", &["x", "big"], &["y"], &[])];
    assert_says(&refused(with_nodes(&nodes)), &["\"big\" holds 1000000000000000000000000000000"]);
}

#[test]
fn functions_that_call_themselves_or_change_types() {
    let call = |input: &str, output: &str| NodeProto {
        domain: Some("local".into()),
        ..node("F", &[input], &[output], &[])
    };
    let function = |nodes: &[NodeProto]| FunctionProto {
        name: Some("F".into()),
        domain: Some("local".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: nodes.to_vec(),
        ..Default::default()
    };
    let mut model = with_nodes(&[call("x", "y")]);
    model.proto_mut().functions.push(function(&[call("a", "b")]));
    assert_says(&refused(model), &["calls itself"]);

    let cast = node("Cast", &["x"], &["i"], &[int("to", 7)]);
    let mut model = with_nodes(&[cast, call("x", "y"), call("i", "z")]);
    model.proto_mut().functions.push(function(&[node("Neg", &["a"], &["b"], &[])]));
    assert_says(&refused(model), &["also called with other types"]);
}

fn refused_batch(graph: GraphProto) -> String {
    let mut model = model(graph);
    let before = model.clone();
    let error = make_batch_symbolic(&mut model).unwrap_err();
    assert_eq!(model, before, "a refused model was changed");
    error.to_string()
}

#[test]
fn operators_that_mix_the_frames_of_a_batch() {
    let x = || float("x", &[1, 6, 4, 4]);
    let constants = [
        ints("first", &[0]),
        ints("joined", &[6, 16]),
        ints("split", &[2, 3, 4, 4]),
        ints("pads", &[1, 0, 0, 0, 0, 0, 0, 0]),
        floats("four", &[4, 4, 4, 1, 1], &[0.0; 64]),
        floats("two", &[2, 6, 4, 4], &[0.0; 192]),
        floats("scales", &[4], &[2.0, 1.0, 1.0, 1.0]),
        floats("matrix", &[1, 6, 4, 4], &[0.0; 96]),
        ints("zero", &[0]),
        ints("one", &[1]),
    ];
    let axis = |axis| int("axis", axis);
    let cases = [
        (node("Softmax", &["x"], &["y"], &[axis(0)]), "works along axis 0"),
        (node("Softmax", &["x"], &["y"], &[axis(-4)]), "works along axis 0"),
        (node("Softmax", &["x"], &["y"], &[axis(9)]), "axis 9 for 4 dimensions"),
        (node("Softmax", &["x"], &["y"], &[axis(i64::MIN)]), "for 4 dimensions"),
        (node("ReduceMean", &["x"], &["y"], &[]), "over all axes"),
        (node("ReduceMean", &["x"], &["y"], &[list("axes", &[0, 1])]), "axis 0"),
        (node("Concat", &["x", "x"], &["y"], &[axis(0)]), "axis 0"),
        (node("Concat", &["x", "matrix"], &["y"], &[axis(1)]), "a constant [1,6,4,4]"),
        (node("Transpose", &["x"], &["y"], &[list("perm", &[1, 0, 2, 3])]), "moves the batch"),
        (node("Transpose", &["x"], &["y"], &[]), "reverses all axes"),
        (node("Squeeze", &["x"], &["y"], &[]), "every dimension of size 1"),
        (node("Squeeze", &["x", "first"], &["y"], &[]), "axis 0"),
        (node("Unsqueeze", &["x", "first"], &["y"], &[]), "axis 0"),
        (node("Flatten", &["x"], &["y"], &[axis(2)]), "at axis 2"),
        (node("Reshape", &["x", "joined"], &["y"], &[]), "[1,6,4,4] into [6,16]"),
        (node("Reshape", &["x", "split"], &["y"], &[]), "may mix frames"),
        (node("Pad", &["x", "pads"], &["y"], &[]), "pads the batch"),
        (node("Add", &["x", "two"], &["y"], &[]), "a constant [2,6,4,4]"),
        (node("Add", &["x", "four"], &["y"], &[]), "a constant [4,4,4,1,1]"),
        (node("Resize", &["x", "", "scales"], &["y"], &[]), "expected 1 for the batch"),
        (node("Gather", &["x", "first"], &["y"], &[]), "picks frames"),
        (node("Slice", &["x", "zero", "one", "zero"], &["y"], &[]), "cuts frames 0 to 1"),
        (node("Split", &["x"], &["y"], &[]), "axis 0"),
        (node("MatMul", &["x", "two"], &["y"], &[]), "multiplies [1,6,4,4] by [2,6,4,4]"),
        (node("Einsum", &["x"], &["y"], &[]), "not known here"),
        (node("Shape", &["x"], &["y"], &[]), "computes with the shape"),
        (node("Conv", &["matrix", "x"], &["y"], &[]), "depend on the network's inputs"),
        (node("MaxPool", &["x"], &["y", "i"], &[list("kernel_shape", &[2, 2])]), "indices"),
    ];
    for (bad, expected) in cases {
        let op = bad.op_type().to_owned();
        let message = refused_batch(graph(&[x()], &constants, &[bad], &[float("y", &[1])]));
        assert_says(&message, &[&format!("node {op} that makes \"y\""), expected, "dynamic batch"]);
    }
}

#[test]
fn inputs_that_disagree_and_graphs_that_do_not_hang_together() {
    let add = || [node("Add", &["x", "z"], &["y"], &[])];
    let disagree = |a: &[i64], b: &[i64]| {
        refused_batch(graph(&[float("x", a), float("z", b)], &[], &add(), &[float("y", &[1])]))
    };
    assert_says(&disagree(&[1, 3], &[2, 3]), &["x float32 [1,3], z float32 [2,3]"]);
    assert_says(&disagree(&[1, 3], &[-1, 3]), &["z float32 [d1,3]"]);
    assert_says(&disagree(&[0, 3], &[0, 3]), &["fixed first dimension"]);
    assert_says(&disagree(&[], &[]), &["fixed first dimension"]);
    assert_says(&disagree(&[1], &[1, 1]), &["different rank"]);

    let missing = graph(&[float("x", &[1, 3])], &[], &add(), &[float("y", &[1, 3])]);
    assert_says(&refused_batch(missing), &["reads \"z\""]);
    let constant = graph(
        &[float("x", &[1, 3])],
        &[floats("c", &[1, 3], &[0.0; 3])],
        &[node("Neg", &["c"], &["y"], &[])],
        &[float("y", &[1, 3])],
    );
    assert_says(&refused_batch(constant), &["output \"y\" does not depend on the inputs"]);
}
