//! Small graphs before and after.

use std::collections::HashMap;

use super::*;
use crate::onnx::Model;
use crate::onnx::proto::{
    AttributeProto, GraphProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    ValueInfoProto, attribute_type, data_type,
};

fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn with(mut node: NodeProto, name: &str, values: &[i64]) -> NodeProto {
    let (kind, i) = match values {
        [value] => (attribute_type::INT, Some(*value)),
        _ => (attribute_type::INTS, None),
    };
    node.attribute.push(AttributeProto {
        name: Some(name.into()),
        r#type: Some(kind),
        i,
        ints: if i.is_none() { values.to_vec() } else { Vec::new() },
        ..Default::default()
    });
    node
}

fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(data_type::FLOAT),
        float_data: values.to_vec(),
        ..Default::default()
    }
}

fn model(nodes: Vec<NodeProto>, initializers: Vec<TensorProto>) -> Model {
    let end = |name: &str| ValueInfoProto { name: Some(name.into()), ..Default::default() };
    Model::from(ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        graph: Some(GraphProto {
            node: nodes,
            initializer: initializers,
            input: vec![end("x")],
            output: vec![end("y")],
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// Two convolutions and one over each channel, with a residual connection around the last two.
fn residual() -> Model {
    model(
        vec![
            node("Conv", &["x", "wa", "ba"], "a"),
            node("Relu", &["a"], "ar"),
            with(node("Conv", &["ar", "wd", "bd"], "d"), "group", &[2]),
            node("Conv", &["d", "wc"], "c"),
            node("Add", &["ar", "c"], "sum"),
            node("Conv", &["sum", "wc"], "last"),
            node("Sigmoid", &["last"], "y"),
        ],
        vec![
            floats("wa", &[2, 2, 1, 1], &[1.27, 0.0, 0.0, -0.254]),
            floats("ba", &[2], &[0.1, 0.2]),
            floats("wd", &[2, 1, 1, 1], &[0.5, 0.25]),
            floats("bd", &[2], &[0.0, 0.0]),
            floats("wc", &[2, 2, 1, 1], &[1.0, 0.5, 0.25, 0.125]),
        ],
    )
}

/// Ranges as round numbers: 1/100 for each tensor, in their order.
fn ranges(network: &Quantizable) -> HashMap<String, Activation> {
    let range = |(at, name): (usize, String)| {
        let zero_point = if network.can_be_negative(&name) { 128 } else { 0 };
        (name, Activation { scale: (at + 1) as f32 / 100.0, zero_point })
    };
    network.tensors().into_iter().enumerate().map(range).collect()
}

/// Every node as `output = Operator(inputs)`.
fn lines(model: &Model) -> Vec<String> {
    let graph = model.proto().graph.as_ref().unwrap();
    let line = |node: &NodeProto| {
        format!("{} = {}({})", node.output.join(", "), node.op_type(), node.input.join(", "))
    };
    graph.node.iter().map(line).collect()
}

fn constant<'a>(model: &'a Model, name: &str) -> &'a TensorProto {
    let graph = model.proto().graph.as_ref().unwrap();
    graph.initializer.iter().find(|tensor| tensor.name() == name).unwrap()
}

fn bytes<'a>(model: &'a Model, name: &str) -> &'a [u8] {
    constant(model, name).raw_data.as_deref().unwrap()
}

fn scales(model: &Model, name: &str) -> Vec<f32> {
    bytes(model, name).as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// What `QuantizeLinear` and `DequantizeLinear` of a tensor look like.
fn pair(name: &str) -> [String; 2] {
    let constants = format!("{name}_scale, {name}_zero_point");
    [
        format!("{name}_quantized = QuantizeLinear({name}, {constants})"),
        format!("{name}_dequantized = DequantizeLinear({name}_quantized, {constants})"),
    ]
}

fn held(name: &str, made: &str) -> String {
    format!("{name}_{made} = DequantizeLinear({name}_quantized, {name}_scale, {name}_zero_point)")
}

#[test]
fn integers_go_from_layer_to_layer() {
    let network = Quantizable::new(residual()).unwrap();
    let names: Vec<&str> = network.layers().iter().map(|layer| &layer.name[..]).collect();
    assert_eq!(names, ["a", "d", "c", "last"]);
    assert_eq!(network.tensors(), ["x", "ar", "d", "c", "sum"]);

    let rewritten = network.rewrite(&[true; 4], &ranges(&network)).unwrap();
    let mut expected: Vec<String> = pair("x").into();
    expected.push(held("wa", "dequantized"));
    expected.push("a = Conv(x_dequantized, wa_dequantized, ba)".into());
    expected.push("ar = Relu(a)".into());
    expected.extend(pair("ar"));
    expected.push(held("wd", "dequantized"));
    expected.push("d = Conv(ar_dequantized, wd_dequantized, bd)".into());
    expected.extend(pair("d"));
    expected.push(held("wc", "dequantized"));
    expected.push("c = Conv(d_dequantized, wc_dequantized)".into());
    // The residual connection reads what was quantized for the convolution.
    expected.extend(pair("c"));
    expected.push("sum = Add(ar_dequantized, c_dequantized)".into());
    expected.extend(pair("sum"));
    let again = "wc_dequantized_2 = DequantizeLinear(wc_quantized_2, wc_scale_2, wc_zero_point_2)";
    expected.push(again.into());
    expected.push("last = Conv(sum_dequantized, wc_dequantized_2)".into());
    expected.push("y = Sigmoid(last)".into());
    assert_eq!(lines(&rewritten), expected);
}

#[test]
fn constants_are_what_the_ranges_say() {
    let network = Quantizable::new(residual()).unwrap();
    let rewritten = network.rewrite(&[true; 4], &ranges(&network)).unwrap();
    assert_eq!(
        (scales(&rewritten, "x_scale"), bytes(&rewritten, "x_zero_point")),
        (vec![0.01], &[128][..])
    );
    assert_eq!(
        (scales(&rewritten, "ar_scale"), bytes(&rewritten, "ar_zero_point")),
        (vec![0.02], &[0][..])
    );
    assert_eq!(constant(&rewritten, "ar_zero_point").data_type(), data_type::UINT8);

    assert_eq!(scales(&rewritten, "wa_scale"), [1.27 / 127.0, 0.254 / 127.0]);
    assert_eq!(bytes(&rewritten, "wa_quantized"), [127, 0, 0, 129], "-127 as a byte is 129");
    assert_eq!(constant(&rewritten, "wa_quantized").dims, [2, 2, 1, 1]);
    assert_eq!(constant(&rewritten, "wa_quantized").data_type(), data_type::INT8);
    assert_eq!(bytes(&rewritten, "wc_quantized"), [127, 64, 127, 64]);
    let graph = rewritten.proto().graph.as_ref().unwrap();
    let weights = graph.node.iter().find(|node| node.output == ["wa_dequantized"]).unwrap();
    assert_eq!((weights.attribute[0].name(), weights.attribute[0].i()), ("axis", 0));
    let left: Vec<&str> = graph.initializer.iter().map(TensorProto::name).collect();
    assert!(left.contains(&"ba") && !left.contains(&"wa"), "{left:?}");
}

#[test]
fn layers_that_stay_in_floats_read_floats() {
    let network = Quantizable::new(residual()).unwrap();
    // Only the convolution over each channel: its input is quantized, and nobody else reads that.
    let one = network.rewrite(&[false, true, false, false], &ranges(&network)).unwrap();
    let mut expected = vec!["a = Conv(x, wa, ba)".to_owned(), "ar = Relu(a)".to_owned()];
    expected.extend(pair("ar"));
    expected.push(held("wd", "dequantized"));
    expected.extend(
        [
            "d = Conv(ar_dequantized, wd_dequantized, bd)",
            "c = Conv(d, wc)",
            "sum = Add(ar, c)",
            "last = Conv(sum, wc)",
            "y = Sigmoid(last)",
        ]
        .map(String::from),
    );
    assert_eq!(lines(&one), expected);
    let none = network.rewrite(&[false; 4], &ranges(&network)).unwrap();
    assert_eq!(&none, network.model());
    // Without the range of its input a layer cannot compute in 8 bits.
    let unknown = network.rewrite(&[true; 4], &HashMap::new()).unwrap();
    assert_eq!(&unknown, network.model());
}

#[test]
fn what_lies_between_layers_is_quantized_only_where_a_layer_follows() {
    let nodes = vec![
        node("Conv", &["x", "w"], "a"),
        node("Relu", &["a"], "b"),
        node("Resize", &["b", "", "sizes"], "big"),
        node("MaxPool", &["x"], "pooled"),
        node("Concat", &["big", "pooled"], "both"),
        node("Conv", &["both", "w"], "c"),
        node("Add", &["c", "offset"], "shifted"),
        node("Conv", &["shifted", "w"], "d"),
        node("Concat", &["d", "c"], "y"),
    ];
    let weights = vec![
        floats("w", &[1, 1, 1, 1], &[1.0]),
        floats("offset", &[1], &[1.0]),
        floats("sizes", &[4], &[1.0, 1.0, 2.0, 2.0]),
    ];
    let network = Quantizable::new(model(nodes, weights)).unwrap();
    // Not c and the constant that is added to it, and not what only the output reads.
    assert_eq!(network.tensors(), ["x", "b", "big", "pooled", "both", "shifted"]);
    let signs = network.tensors().into_iter().map(|name| network.can_be_negative(&name));
    assert_eq!(signs.collect::<Vec<_>>(), [true, false, false, true, true, true]);
    let only_last = network.rewrite(&[false, false, true], &ranges(&network)).unwrap();
    let quantized: Vec<_> =
        lines(&only_last).into_iter().filter(|line| line.contains("QuantizeLinear(")).collect();
    assert_eq!(quantized, [pair("shifted")[0].clone()]);
}

#[test]
fn batch_normalisation_becomes_part_of_the_convolution() {
    let norm = |input: &str, output: &str| {
        node("BatchNormalization", &[input, "gamma", "beta", "mean", "var"], output)
    };
    let mut fold = norm("a", "an");
    fold.attribute.push(AttributeProto {
        name: Some("epsilon".into()),
        r#type: Some(attribute_type::FLOAT),
        f: Some(0.0),
        ..Default::default()
    });
    let network = Quantizable::new(model(
        vec![
            node("Conv", &["x", "w", "b"], "a"),
            fold,
            node("Conv", &["an", "w"], "c"),
            // Somebody else reads c, too.
            norm("c", "cn"),
            node("Add", &["c", "cn"], "y"),
        ],
        vec![
            floats("w", &[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0]),
            floats("b", &[2], &[1.0, 2.0]),
            floats("gamma", &[2], &[2.0, 3.0]),
            floats("beta", &[2], &[0.5, 0.25]),
            floats("mean", &[2], &[4.0, 1.0]),
            floats("var", &[2], &[4.0, 0.25]),
        ],
    ))
    .unwrap();
    assert_eq!(
        lines(network.model()),
        [
            "an = Conv(x, a_weight_folded, a_bias_folded)",
            "c = Conv(an, w)",
            "cn = BatchNormalization(c, gamma, beta, mean, var)",
            "y = Add(c, cn)",
        ]
    );
    // Gains 2/2 and 3/0.5; biases (1 - 4) 1 + 0.5 and (2 - 1) 6 + 0.25.
    assert_eq!(scales(network.model(), "a_weight_folded"), [1.0, 2.0, 18.0, 24.0]);
    assert_eq!(scales(network.model(), "a_bias_folded"), [-2.5, 6.25]);
    assert_eq!(constant(network.model(), "a_weight_folded").dims, [2, 2, 1, 1]);
}

#[test]
fn what_a_layer_costs_follows_from_its_weights() {
    let conv = with(with(node("Conv", &["x", "w"], "a"), "strides", &[2, 2]), "group", &[2]);
    let weights =
        vec![floats("w", &[6, 2, 3, 3], &[1.0; 108]), floats("t", &[6, 5, 2, 2], &[1.0; 120])];
    let transposed = with(node("ConvTranspose", &["a", "t"], "y"), "strides", &[2, 2]);
    let network = Quantizable::new(model(vec![conv, transposed], weights)).unwrap();
    let [conv, transposed] = network.layers() else { panic!() };
    // Three outputs a group, nine places of the window, every fourth place; 6 channels from 4.
    assert_eq!((conv.products, conv.made), (27.0 / 4.0, 6.0 / 4.0 / 4.0));
    assert_eq!((transposed.products, transposed.made), (20.0, 5.0 / 6.0 * 4.0));
    let rewritten = network.rewrite(&[true; 2], &ranges(&network)).unwrap();
    let graph = rewritten.proto().graph.as_ref().unwrap();
    let axes = graph.node.iter().filter(|node| node.op_type() == "DequantizeLinear");
    let axes: Vec<_> = axes.flat_map(|node| &node.attribute).map(AttributeProto::i).collect();
    assert_eq!(axes, [0, 1]);
    assert_eq!(scales(&rewritten, "t_scale").len(), 5);
}

#[test]
fn tensorrt_gets_signed_tensors_around_zero() {
    let network = Quantizable::new(residual()).unwrap();
    let unsigned = network.rewrite(&[true; 4], &ranges(&network)).unwrap();
    let mut signed = unsigned.clone();
    assert_eq!(to_symmetric(&mut signed), 5);
    let graph = signed.proto().graph.as_ref().unwrap();
    let types = graph.initializer.iter().map(TensorProto::data_type);
    assert_eq!(types.filter(|kind| *kind == data_type::UINT8).count(), 0);
    // What could be negative has the scale that it had, the rest 127 steps for 255.
    assert_eq!(scales(&signed, "x_int8_scale"), [0.01]);
    assert_eq!(scales(&signed, "ar_int8_scale"), [0.02 * (255.0 / 127.0)]);
    assert_eq!(bytes(&signed, "ar_int8_zero_point"), [0]);
    let both = ["QuantizeLinear(ar, ar_int8_scale", "DequantizeLinear(ar_quantized, ar_int8_scale"];
    for part in both {
        assert!(lines(&signed).iter().any(|line| line.contains(part)), "{part}");
    }
    assert_eq!(bytes(&signed, "wa_quantized"), bytes(&unsigned, "wa_quantized"));
    let once = signed.clone();
    assert_eq!(to_symmetric(&mut signed), 0);
    assert_eq!(signed, once);
    assert_eq!(to_symmetric(&mut residual()), 0);
}

fn refusal(model: Model) -> String {
    Quantizable::new(model).unwrap_err().to_string()
}

#[test]
fn networks_that_carry_a_precision_are_refused() {
    let network = Quantizable::new(residual()).unwrap();
    let twice = network.rewrite(&[true; 4], &ranges(&network)).unwrap();
    let message = refusal(twice);
    assert!(message.contains("is quantized already; start from the fp32 network"), "{message}");
    let mut labelled = residual();
    labelled.proto_mut().metadata_props.push(StringStringEntryProto {
        key: Some(QUANTIZED_FROM.into()),
        value: Some("abc".into()),
    });
    assert!(refusal(labelled).contains("made from abc"));

    let mut half = residual();
    half.proto_mut().graph.as_mut().unwrap().initializer[1].data_type = Some(data_type::FLOAT16);
    let message = refusal(half);
    assert!(message.contains("\"ba\" is float16") && message.contains("fp32"), "{message}");
    let mut cast = residual();
    let nodes = &mut cast.proto_mut().graph.as_mut().unwrap().node;
    nodes.push(with(node("Cast", &["y"], "z"), "to", &[16]));
    let message = refusal(cast);
    assert!(message.contains("makes \"z\" is a cast to bfloat16"), "{message}");
}

#[test]
fn weights_that_cannot_be_read_are_named() {
    let edited = |edit: &dyn Fn(&mut TensorProto)| {
        let mut model = residual();
        edit(&mut model.proto_mut().graph.as_mut().unwrap().initializer[0]);
        refusal(model)
    };
    let message = edited(&|wa| wa.float_data[1] = f32::NAN);
    assert_eq!(message, "\"wa\" holds NaN; expected finite numbers");
    assert!(edited(&|wa| wa.dims[0] = 3).contains("\"wa\" has 4 values"));
    assert!(edited(&|wa| wa.dims = vec![4]).contains("weights [4]"));
    assert!(edited(&|wa| wa.data_location = Some(1)).contains("outside the model file"));
    assert!(edited(&|wa| wa.dims[0] = i64::MIN).contains("expected sizes"));

    let network = Quantizable::new({
        let mut model = residual();
        let tensors = &mut model.proto_mut().graph.as_mut().unwrap().initializer;
        tensors[1] = floats("ba", &[3], &[0.0; 3]);
        model
    });
    let network = network.unwrap();
    let error = network.rewrite(&[true; 4], &ranges(&network)).unwrap_err().to_string();
    assert!(error.contains("[2, 2, 1, 1] with 3 biases"), "{error}");

    assert!(refusal(model(vec![node("Relu", &["x"], "y")], vec![])).contains("no convolution"));
    assert!(refusal(Model::from(ModelProto::default())).contains("no graph"));
}

#[test]
fn narrow_channels_become_as_wide_as_their_tensor() {
    let network = Quantizable::new(residual()).unwrap();
    let largest = [
        ("x", vec![1.0, 0.1]),
        // The residual connection ties ar, c and sum together: each channel has the factor with which
        // it is nowhere wider than its tensor.
        ("ar", vec![4.0, 1.0]),
        ("d", vec![0.5, 2.0]),
        ("c", vec![8.0, 1.0]),
        ("sum", vec![8.0, 4.0]),
    ];
    let largest = largest.map(|(name, values)| (name.to_owned(), values)).into();
    let equalized = network.equalized(&largest).unwrap();
    assert_eq!(lines(equalized.model()).len(), lines(network.model()).len());
    let values = |layer: usize, slot: usize| {
        let graph = equalized.model().proto().graph.as_ref().unwrap();
        let node = &graph.node[equalized.layers()[layer].node];
        scales(equalized.model(), &node.input[slot])
    };
    // Factors: a and ar (1, 1/2), of the sum's second channel; d (1/4, 1).
    assert_eq!(values(0, 1), [1.27, 0.0, 0.0, -0.508], "reads x, which stays as it is");
    assert_eq!(values(0, 2), [0.1, 0.4]);
    assert_eq!(values(1, 1), [2.0, 0.125]);
    assert_eq!(values(2, 1), [0.25, 0.5, 0.125, 0.25], "makes c, which is added to ar");
    assert_eq!(values(3, 1), [1.0, 0.25, 0.25, 0.0625], "what the output follows from stays");
    assert_eq!(network.equalized(&HashMap::new()).unwrap().model(), network.model());
}
