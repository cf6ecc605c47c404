//! Operators that slide a window over the spatial axes: convolutions and pools.

use super::call::{Call, Outcome, Shape, Verdict};
use crate::onnx::names::attribute;

/// Convolutions, transposed or not. Weights are `[out, in/groups, ...]`, transposed ones
/// `[in, out/groups, ...]`.
pub(super) fn convolution(call: &Call<'_>, transposed: bool) -> Verdict {
    let data = call.data()?;
    let weights = call.input(1).and_then(|weights| weights.shape);
    let channels = weights.and_then(|weights| match transposed {
        true => (*weights.get(1)?)?.checked_mul(call.int("group", 1)),
        false => *weights.first()?,
    });
    let kernel = call.ints("kernel_shape").map(|sizes| sizes.iter().map(|&s| Some(s)).collect());
    let kernel: Option<Shape> = kernel.or_else(|| Some(weights?.get(2..)?.to_vec()));
    slide(call, data, channels, kernel, transposed)
}

/// Pools with a window.
pub(super) fn pool(call: &Call<'_>) -> Verdict {
    if call.node.output.get(1).is_some_and(|indices| !indices.is_empty()) {
        return Err("gives indices that count through the batch".into());
    }
    let data = call.data()?;
    let channels = data.get(1).copied().flatten();
    let kernel = call.ints("kernel_shape").map(|sizes| sizes.iter().map(|&s| Some(s)).collect());
    slide(call, data, channels, kernel, false)
}

/// Pools over everything that is left of a channel.
pub(super) fn global_pool(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let mut shape = vec![Some(1); data.len()];
    for (to, from) in shape.iter_mut().zip(data).take(2) {
        *to = *from;
    }
    Outcome::of(shape)
}

fn slide(
    call: &Call<'_>,
    data: &[Option<i64>],
    channels: Option<i64>,
    kernel: Option<Shape>,
    transposed: bool,
) -> Verdict {
    if data.len() < 3 {
        return Err(format!("works on {} dimensions; expected at least 3", data.len()));
    }
    // Where the formula below is not the whole truth, the sizes count as unknown.
    let auto = call.text("auto_pad").is_some_and(|mode| !mode.is_empty() && mode != b"NOTSET");
    let plain =
        !auto && call.int("ceil_mode", 0) == 0 && attribute(call.node, "output_shape").is_none();
    let spatial = data.len() - 2;
    let of = |name: &str, at: usize, default: i64| match call.ints(name) {
        Some(values) => values.get(at).copied(),
        None => Some(default),
    };
    let size = |at: usize| {
        let (size, kernel) = (data[at + 2]?, (*kernel.as_ref()?.get(at)?)?);
        let (stride, dilation) = (of("strides", at, 1)?, of("dilations", at, 1)?);
        let reach = kernel.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)?;
        let pads = of("pads", at, 0)?.checked_add(of("pads", at + spatial, 0)?)?;
        let size = match transposed {
            true => (size.checked_sub(1)?.checked_mul(stride)?)
                .checked_add(of("output_padding", at, 0)?)?
                .checked_add(reach)?
                .checked_sub(pads)?,
            false => (size.checked_add(pads)?.checked_sub(reach)?)
                .checked_div_euclid(stride)?
                .checked_add(1)?,
        };
        (size > 0).then_some(size)
    };
    let mut shape = vec![data[0], channels];
    shape.extend((0..spatial).map(|at| if plain { size(at) } else { None }));
    Outcome::of(shape)
}
