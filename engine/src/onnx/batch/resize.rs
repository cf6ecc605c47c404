//! `Resize` and `Upsample`.

use super::call::{Call, Outcome, Replacement, Verdict, floats, words};

/// By scales, whose first is 1, or by sizes, which become scales where those are exact.
pub(super) fn resize(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    if call.text("coordinate_transformation_mode") == Some(b"tf_crop_and_resize") {
        return Err("crops while it resizes".into());
    }
    if let Some(axes) = call.ints("axes") {
        return by_axes(call, data, axes);
    }
    // Upsample, and Resize in its first version, have the scales in the second input.
    let slot = if call.node.op_type() == "Upsample" || call.opset < 11 { 1 } else { 2 };
    if let Some(sizes) = call.constant_ints(3)?.filter(|sizes| !sizes.is_empty()) {
        return by_sizes(call, data, &sizes);
    }
    let given = call.input(slot).map(|scales| scales.tensor.and_then(floats));
    let scales = match given {
        Some(scales) => scales.ok_or("computes its scales; expected constants")?,
        None => crate::onnx::names::attribute(call.node, "scales")
            .map(|attribute| attribute.floats.clone())
            .ok_or("has no scales")?,
    };
    if scales.len() != data.len() || scales[0] != 1.0 {
        return Err(format!("resizes {} by {scales:?}; expected 1 for the batch", words(data)));
    }
    let scaled = |(dim, scale): (&Option<i64>, &f32)| {
        let size = (dim.as_ref().copied()? as f64 * f64::from(*scale)).floor();
        (1.0..1e9).contains(&size).then_some(size as i64)
    };
    let mut shape: Vec<_> = data.iter().zip(&scales).map(scaled).collect();
    shape[0] = data[0];
    Outcome::of(shape)
}

/// The batch is left out where it is not among the axes.
fn by_axes(call: &Call<'_>, data: &[Option<i64>], axes: &[i64]) -> Verdict {
    let mut shape = data.to_vec();
    for &axis in axes {
        shape[call.inner_axis(axis, data.len())?] = None;
    }
    Outcome::of(shape)
}

fn by_sizes(call: &Call<'_>, data: &[Option<i64>], sizes: &[i64]) -> Verdict {
    let refuse = || {
        let sizes: Vec<_> = sizes.iter().map(|&size| Some(size)).collect();
        format!("resizes {} to the sizes {}, batch included", words(data), words(&sizes))
    };
    let stretched = call.text("keep_aspect_ratio_policy").is_none_or(|p| p == b"stretch");
    if sizes.len() != data.len() || sizes[0] != call.batch || !stretched {
        return Err(refuse());
    }
    // A whole ratio is exact as a float, so scales and sizes then mean the same.
    let ratio = |(dim, &size): (&Option<i64>, &i64)| match *dim {
        Some(dim) if dim > 0 && size > 0 && size % dim == 0 && size / dim <= 1 << 20 => {
            Some((size / dim) as f32)
        }
        _ => None,
    };
    let scales: Option<Vec<f32>> = data.iter().zip(sizes).map(ratio).collect();
    let bits = scales.ok_or_else(refuse)?.into_iter().map(f32::to_bits).collect();
    let shape = sizes.iter().map(|&size| Some(size)).collect();
    Ok(Outcome { shape, replacement: Some(Replacement::Scales { bits }) })
}
