//! What each operator does with the batch.

use super::call::{Call, Outcome, Shape, Verdict, words};
use super::{reshape, resize, window};

/// What a node with at least one carried input makes of it: outputs whose row `k` depends on row
/// `k` of the inputs only, in the same way for every `k`.
///
/// # Errors
/// In words that follow the node's name, where that is not so or cannot be told.
pub(super) fn outcome(call: &Call<'_>) -> Verdict {
    match call.node.op_type() {
        "Abs" | "Acos" | "Acosh" | "Asin" | "Asinh" | "Atan" | "Atanh" | "BitwiseNot" | "Cast"
        | "CastLike" | "Ceil" | "Celu" | "Clip" | "Cos" | "Cosh" | "Dropout" | "Elu" | "Erf"
        | "Exp" | "Floor" | "Gelu" | "HardSigmoid" | "HardSwish" | "Identity" | "IsInf"
        | "IsNaN" | "LRN" | "LeakyRelu" | "Log" | "Mish" | "Neg" | "Not" | "Reciprocal"
        | "Relu" | "Round" | "Selu" | "Shrink" | "Sigmoid" | "Sign" | "Sin" | "Sinh"
        | "Softplus" | "Softsign" | "Sqrt" | "Tan" | "Tanh" | "ThresholdedRelu" => {
            Outcome::of(call.data()?.to_vec())
        }
        "Add" | "And" | "BitShift" | "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" | "Div"
        | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Max" | "Mean"
        | "Min" | "Mod" | "Mul" | "Or" | "PRelu" | "Pow" | "Sub" | "Sum" | "Where" | "Xor" => {
            Outcome::of(broadcast(call)?)
        }
        "BatchNormalization" | "GroupNormalization" | "InstanceNormalization" => normalize(call),
        "LayerNormalization" | "RMSNormalization" | "LpNormalization" => along(call, -1),
        "Hardmax" | "LogSoftmax" | "Softmax" => along(call, if call.opset < 13 { 1 } else { -1 }),
        "MeanVarianceNormalization" => reduce(call, true),
        "QuantizeLinear" | "DequantizeLinear" => quantize(call),
        "Conv" => window::convolution(call, false),
        "ConvTranspose" => window::convolution(call, true),
        "AveragePool" | "LpPool" | "MaxPool" => window::pool(call),
        "GlobalAveragePool" | "GlobalLpPool" | "GlobalMaxPool" => window::global_pool(call),
        "Gemm" => gemm(call),
        "MatMul" => matmul(call),
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax"
        | "ReduceMean" | "ReduceMin" | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" => {
            reduce(call, false)
        }
        "ArgMax" | "ArgMin" => arg(call),
        "CumSum" => cumulate(call),
        "TopK" => resized(call, call.int("axis", -1)),
        "Split" => resized(call, call.int("axis", 0)),
        "Concat" => concat(call),
        "Gather" => gather(call),
        "GridSample" => grid_sample(call),
        "Pad" => pad(call),
        "Slice" => slice(call),
        "Tile" => tile(call),
        "DepthToSpace" | "SpaceToDepth" => {
            let data = call.data()?;
            Outcome::of(data.iter().enumerate().map(|(at, dim)| dim.filter(|_| at == 0)).collect())
        }
        "Resize" | "Upsample" => resize::resize(call),
        "Expand" => reshape::expand(call),
        "Flatten" => reshape::flatten(call),
        "Reshape" => reshape::reshape(call),
        "Squeeze" => reshape::squeeze(call),
        "Transpose" => reshape::transpose(call),
        "Unsqueeze" => reshape::unsqueeze(call),
        "Shape" | "Size" => Err("computes with the shape of a batch that was fixed".into()),
        _ => Err("is an operator of which it is not known here what it does with a batch".into()),
    }
}

/// The shape of all inputs together; axis 0 of the result is that of the carried ones.
fn broadcast(call: &Call<'_>) -> Result<Shape, String> {
    let carried = || call.inputs.iter().flatten().filter(|input| input.carried);
    let rank = carried().filter_map(|input| input.shape).map(<[_]>::len).max().unwrap_or(0);
    if carried().any(|input| input.shape.map(<[_]>::len) != Some(rank)) {
        return Err(
            "combines inputs of different rank, which pairs the batch with other axes".into()
        );
    }
    let mut shape = vec![Some(1); rank];
    for input in call.inputs.iter().flatten() {
        let dims = input.shape.ok_or("takes a constant whose shape is not known")?;
        let spread = dims.len() < rank || dims.first() == Some(&Some(1));
        if !input.carried && (dims.len() > rank || !spread) {
            return Err(format!(
                "combines the batch with a constant {}; expected 1 in the place of the batch",
                words(dims)
            ));
        }
        let offset = rank - dims.len();
        for (all, dim) in shape[offset..].iter_mut().zip(dims) {
            *all = match (*all, *dim) {
                (Some(1), dim) => dim,
                (all, Some(1)) => all,
                (Some(size), _) | (None, Some(size)) => Some(size),
                (None, None) => None,
            };
        }
    }
    shape[0] = Some(call.batch);
    Ok(shape)
}

/// Norms over a frame, or with statistics that are constant.
fn normalize(call: &Call<'_>) -> Verdict {
    if call.int("training_mode", 0) != 0 {
        return Err("is in training mode and normalises over the batch".into());
    }
    let data = call.data()?;
    // Training mode was told by further outputs, once.
    match call.node.output.iter().skip(1).any(|output| !output.is_empty()) {
        true => Err("gives statistics of the whole batch".into()),
        false => Outcome::of(data.to_vec()),
    }
}

/// One scale for all, or one for each index of an axis that is not the batch.
fn quantize(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let scales = call.input(1).and_then(|scale| scale.shape);
    let one = scales.is_some_and(|scales| scales.iter().all(|size| *size == Some(1)));
    match one && call.int("block_size", 0) == 0 {
        true => Outcome::of(data.to_vec()),
        false => along(call, 1),
    }
}

/// Works along an axis and keeps the shape.
fn along(call: &Call<'_>, default: i64) -> Verdict {
    let data = call.data()?;
    call.inner_axis(call.int("axis", default), data.len())?;
    Outcome::of(data.to_vec())
}

fn cumulate(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let axis =
        call.constant_ints(1)?.and_then(|axis| axis.first().copied()).ok_or("has no axis")?;
    call.inner_axis(axis, data.len())?;
    Outcome::of(data.to_vec())
}

/// Changes the size of one axis.
fn resized(call: &Call<'_>, axis: i64) -> Verdict {
    let mut shape = call.data()?.to_vec();
    let axis = call.inner_axis(axis, shape.len())?;
    shape[axis] = None;
    Outcome::of(shape)
}

/// Reductions; `keeps` where the result has the shape of the input.
fn reduce(call: &Call<'_>, keeps: bool) -> Verdict {
    let data = call.data()?;
    let axes = match call.ints_or_input("axes", 1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => axes,
        None if !keeps && call.int("noop_with_empty_axes", 0) != 0 => {
            return Outcome::of(data.to_vec());
        }
        None => return Err("reduces over all axes, the batch among them".into()),
    };
    let mut reduced = vec![false; data.len()];
    for axis in axes {
        reduced[call.inner_axis(axis, data.len())?] = true;
    }
    Outcome::of(if keeps { data.to_vec() } else { without(call, data, &reduced) })
}

fn arg(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let mut reduced = vec![false; data.len()];
    reduced[call.inner_axis(call.int("axis", 0), data.len())?] = true;
    Outcome::of(without(call, data, &reduced))
}

/// The shape with the reduced axes at 1, or gone where `keepdims` says so.
fn without(call: &Call<'_>, data: &[Option<i64>], reduced: &[bool]) -> Shape {
    let kept = call.int("keepdims", 1) != 0;
    let axes = data.iter().zip(reduced).filter(|(_, reduced)| kept || !**reduced);
    axes.map(|(dim, &reduced)| if reduced { Some(1) } else { *dim }).collect()
}

fn gemm(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    if call.int("transA", 0) != 0 {
        return Err("transposes its data, which moves the batch".into());
    }
    if let Some(bias) = call.input(2) {
        let dims = bias.shape.ok_or("takes a constant whose shape is not known")?;
        if dims.len() > 1 && dims[0] != Some(1) {
            return Err(format!("adds a constant {} with a value for each frame", words(dims)));
        }
    }
    let columns = if call.int("transB", 0) != 0 { 0 } else { 1 };
    let weights = call.input(1).and_then(|weights| weights.shape);
    Outcome::of(vec![data[0], weights.and_then(|dims| dims.get(columns).copied().flatten())])
}

fn matmul(call: &Call<'_>) -> Verdict {
    let (Some(a), Some(b)) = (call.input(0), call.input(1)) else {
        return Err("has no two inputs".into());
    };
    let (Some(rows), Some(columns)) = (a.shape, b.shape) else {
        return Err("takes a constant whose shape is not known".into());
    };
    let (m, n) = (rows.len(), columns.len());
    // The axes before the last two are broadcast; those two are the matrix.
    let spreads = |dims: &[Option<i64>], rank: usize| {
        dims.len() < rank || (dims.len() == rank && dims[0] == Some(1))
    };
    let separate = match (a.carried, b.carried) {
        (true, true) => m == n && m >= 3,
        (true, false) => m >= 2 && ((n <= 2 && n > 0) || spreads(columns, m)),
        (false, true) => n >= 3 && (m <= 2 && m > 0 || spreads(rows, n)),
        (false, false) => false,
    };
    if !separate {
        let (a, b) = (words(rows), words(columns));
        return Err(format!("multiplies {a} by {b}, which may mix frames"));
    }
    // A vector as the second factor takes the last axis away.
    let rank = if n == 1 {
        m - 1
    } else if m == 1 {
        n - 1
    } else {
        m.max(n)
    };
    let mut shape = vec![None; rank];
    if m > 1 && n > 1 {
        // The axes before the matrices are those of the factor that has more.
        let longer = if m >= n { rows } else { columns };
        shape[..rank - 2].copy_from_slice(&longer[..rank - 2]);
        if m == n && rows[..m - 2] != columns[..m - 2] {
            shape[..rank - 2].fill(None);
        }
        (shape[rank - 2], shape[rank - 1]) = (rows[m - 2], columns[n - 1]);
    }
    shape[0] = Some(call.batch);
    Outcome::of(shape)
}

fn concat(call: &Call<'_>) -> Verdict {
    let inputs: Vec<_> = call.inputs.iter().flatten().collect();
    if let Some(constant) = inputs.iter().find(|input| !input.carried) {
        let dims = constant.shape.map_or_else(|| "of unknown shape".into(), words);
        return Err(format!("joins the batch with a constant {dims}, which has one batch"));
    }
    let shapes: Vec<&[Option<i64>]> = inputs.iter().filter_map(|input| input.shape).collect();
    let mut shape = shapes.first().ok_or("has no inputs")?.to_vec();
    if shapes.iter().any(|dims| dims.len() != shape.len()) {
        return Err("joins inputs of different rank".into());
    }
    let axis = crate::onnx::names::attribute(call.node, "axis").map(|axis| axis.i());
    // Left out, it was 1 in the first operator set.
    let axis = call.inner_axis(axis.unwrap_or(1), shape.len())?;
    shape[axis] =
        shapes.iter().try_fold(0_i64, |sum, dims| dims[axis].and_then(|dim| sum.checked_add(dim)));
    Outcome::of(shape)
}

fn gather(call: &Call<'_>) -> Verdict {
    let (Some(data), Some(indices)) = (call.input(0), call.input(1)) else {
        return Err("has no two inputs".into());
    };
    let (Some(from), Some(picked)) = (data.shape, indices.shape) else {
        return Err("takes a constant whose shape is not known".into());
    };
    let axis = call.axis(call.int("axis", 0), from.len())?;
    match (data.carried, indices.carried) {
        (true, false) if axis > 0 => {
            Outcome::of([&from[..axis], picked, &from[axis + 1..]].concat())
        }
        // A table that every frame looks things up in.
        (false, true) if axis == 0 => Outcome::of([picked, &from[1..]].concat()),
        _ => Err("picks frames out of the batch".into()),
    }
}

fn grid_sample(call: &Call<'_>) -> Verdict {
    match (call.input(0), call.input(1)) {
        (Some(data), Some(grid)) if data.carried && grid.carried => {
            let (data, grid) = (data.shape.unwrap_or_default(), grid.shape.unwrap_or_default());
            if data.len() < 3 || data.len() != grid.len() {
                return Err(format!("samples {} at {}", words(data), words(grid)));
            }
            Outcome::of([&data[..2], &grid[1..grid.len() - 1]].concat())
        }
        _ => Err("samples with a constant that has one batch".into()),
    }
}

fn pad(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let pads = call.ints_or_input("pads", 1)?.ok_or("has no pads")?;
    let all = (0..data.len() as i64).collect();
    let axes = call.constant_ints(3)?.unwrap_or(all);
    if pads.len() != 2 * axes.len() {
        return Err(format!("has {} pads for {} axes", pads.len(), axes.len()));
    }
    let mut shape = data.to_vec();
    let (before, after) = pads.split_at(axes.len());
    for ((&axis, &before), &after) in axes.iter().zip(before).zip(after) {
        let axis = call.axis(axis, data.len())?;
        if axis == 0 && (before, after) != (0, 0) {
            return Err("pads the batch".into());
        }
        shape[axis] = shape[axis].and_then(|dim| dim.checked_add(before)?.checked_add(after));
    }
    Outcome::of(shape)
}

fn slice(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let starts = call.ints_or_input("starts", 1)?.ok_or("has no starts")?;
    let ends = call.ints_or_input("ends", 2)?.ok_or("has no ends")?;
    let all = (0..starts.len() as i64).collect();
    let axes = call.ints_or_input("axes", 3)?.unwrap_or(all);
    let steps = call.constant_ints(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("has different numbers of starts, ends, axes and steps".into());
    }
    let mut shape = data.to_vec();
    for (at, &axis) in axes.iter().enumerate() {
        let axis = call.axis(axis, data.len())?;
        let (start, end, step) = (starts[at], ends[at], steps[at]);
        if axis == 0 {
            // Exporters write the largest integer for "to the end".
            if (start, step) != (0, 1) || end < i64::from(i32::MAX) {
                return Err(format!("cuts frames {start} to {end} out of the batch"));
            }
            continue;
        }
        shape[axis] = shape[axis].filter(|_| step == 1).map(|dim| {
            let place = |to: i64| (if to < 0 { to.saturating_add(dim) } else { to }).clamp(0, dim);
            (place(end) - place(start)).max(0)
        });
    }
    Outcome::of(shape)
}

fn tile(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let repeats = call.constant_ints(1)?.ok_or("has no repeats")?;
    if repeats.len() != data.len() || repeats[0] != 1 {
        return Err(format!("repeats {} by {repeats:?}; expected 1 for the batch", words(data)));
    }
    let times = |(dim, &times): (&Option<i64>, &i64)| dim.and_then(|dim| dim.checked_mul(times));
    Outcome::of(data.iter().zip(&repeats).map(times).collect())
}
