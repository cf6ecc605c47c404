//! The sample network `probe` in as few bytes as the stand-ins' parser needs.

/// One field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut len = bytes.len();
    while len > 127 {
        out.push((len & 127) as u8 | 128);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(bytes);
    out
}

/// A tensor of floats; dimension 0 has no value.
fn value(name: &str, dims: [usize; 4]) -> Vec<u8> {
    let dim = |dim: usize| field(1, &if dim == 0 { vec![] } else { vec![8, dim as u8] });
    let shape = dims.map(dim).concat();
    let tensor = [vec![8, 1], field(2, &shape)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

/// An ONNX model with the probe's inputs, outputs and nodes, of which `ReduceMean` is in `domain`.
/// `side` is below 128.
pub(crate) fn probe(side: usize, domain: &str) -> Vec<u8> {
    let operators =
        ["Slice", "Slice", "Mul", "Mul", "Add", "Greater", "Cast", "ReduceMean", "Mul", "Add"];
    let mut graph = Vec::new();
    for (at, operator) in operators.into_iter().enumerate() {
        let last = at + 1 == operators.len();
        let output = if last { "output".to_owned() } else { format!("t{at}") };
        let name = format!("node_{at}");
        let domain = if operator == "ReduceMean" { domain } else { "" };
        let fields = [(2, output.as_str()), (3, &name), (4, operator), (7, domain)];
        let node = fields.map(|(number, text)| field(number, text.as_bytes()));
        graph.extend(field(1, &node.concat()));
    }
    graph.extend(field(11, &value("input", [0, 6, side, side])));
    graph.extend(field(11, &value("audio", [0, 32, 16, 16])));
    graph.extend(field(12, &value("output", [0, 3, side, side])));
    field(7, &graph)
}
