//! Operators that give the same values another shape.

use super::call::{Call, Outcome, Replacement, Shape, Verdict, words};

/// `Reshape`. Elements keep their order, so the batch survives where its size stays in front; the
/// constant that says so is replaced by "as before".
pub(super) fn reshape(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let target = call.constant_ints(1)?.ok_or("has no target shape as an input")?;
    let literal_zero = call.int("allowzero", 0) != 0;
    let moves = || {
        let target: Vec<_> = target.iter().map(|&size| Some(size)).collect();
        format!("turns {} into {}, which may mix frames", words(data), words(&target))
    };
    let (&first, rest) = target.split_first().ok_or_else(moves)?;
    // A zero stands for the size at the same place, unless it means a zero.
    let size = |(at, &size): (usize, &i64)| match size {
        0 if !literal_zero => data.get(at + 1).copied().flatten(),
        -1 => None,
        size => Some(size),
    };
    let mut shape: Shape = vec![Some(call.batch)];
    shape.extend(rest.iter().enumerate().map(size));
    let inferred = rest.iter().position(|&size| size == -1);
    if let (Some(at), Some(all)) = (inferred, product(&data[1..])) {
        let mut others = shape[1..].to_vec();
        others[at] = Some(1);
        let others = product(&others).filter(|&others| others > 0);
        shape[at + 1] = others.map(|others| all / others);
    }
    match first {
        0 if !literal_zero => Outcome::of(shape),
        // What is left for the first axis must be the batch and nothing else.
        -1 if inferred.is_none() => match (product(&shape[1..]), product(&data[1..])) {
            (Some(row), Some(frame)) if row == frame && row > 0 => Outcome::of(shape),
            _ => Err(moves()),
        },
        first if first == call.batch => {
            let free = match (literal_zero, inferred) {
                (false, _) => 0,
                (true, None) => -1,
                (true, Some(_)) => return Err(moves()),
            };
            let values = [&[free], rest].concat();
            let replacement = Some(Replacement::Ints { slot: 1, values });
            Ok(Outcome { shape, replacement })
        }
        _ => Err(moves()),
    }
}

/// `Expand`: axis 0 may only be stretched to the batch that it is.
pub(super) fn expand(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let target = call.constant_ints(1)?.ok_or("has no target shape")?;
    if target.len() > data.len() {
        return Err(format!("adds dimensions in front of the batch of {}", words(data)));
    }
    let offset = data.len() - target.len();
    let mut shape = data.to_vec();
    for (dim, &size) in shape[offset..].iter_mut().zip(&target) {
        *dim = if size > 1 { Some(size) } else { *dim };
    }
    shape[0] = data[0];
    match target.first() {
        Some(&first) if offset == 0 && first != 1 => {
            if first != call.batch {
                return Err(format!("repeats the batch {first} times"));
            }
            let values = [&[1], &target[1..]].concat();
            Ok(Outcome { shape, replacement: Some(Replacement::Ints { slot: 1, values }) })
        }
        _ => Outcome::of(shape),
    }
}

/// `Flatten`: everything but the batch becomes one axis.
pub(super) fn flatten(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let axis = call.int("axis", 1);
    // The axis may lie behind the last dimension.
    let axis = if axis < 0 { axis.saturating_add(data.len() as i64) } else { axis };
    match axis {
        1 => Outcome::of(vec![data[0], product(&data[1..])]),
        _ => Err(format!("flattens {} at axis {axis}; expected 1", words(data))),
    }
}

/// `Squeeze`: the batch must not be what is taken away.
pub(super) fn squeeze(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let axes = call.ints_or_input("axes", 1)?.filter(|axes| !axes.is_empty());
    let axes = axes.ok_or("removes every dimension of size 1, the batch among them")?;
    let mut gone = vec![false; data.len()];
    for axis in axes {
        gone[call.inner_axis(axis, data.len())?] = true;
    }
    Outcome::of(data.iter().zip(gone).filter(|(_, gone)| !gone).map(|(dim, _)| *dim).collect())
}

/// `Unsqueeze`: the batch must stay in front.
pub(super) fn unsqueeze(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let axes = call.ints_or_input("axes", 1)?.ok_or("has no axes")?;
    let rank = data.len() + axes.len();
    let mut new = vec![false; rank];
    for axis in axes {
        new[call.inner_axis(axis, rank)?] = true;
    }
    let mut old = data.iter().copied();
    Outcome::of(new.iter().map(|&new| if new { Some(1) } else { old.next().flatten() }).collect())
}

/// `Transpose`: the batch must stay in front.
pub(super) fn transpose(call: &Call<'_>) -> Verdict {
    let data = call.data()?;
    let order = call.ints("perm").ok_or("reverses all axes, the batch among them")?;
    if order.first() != Some(&0) || order.len() != data.len() {
        return Err(format!("reorders {} by {order:?}, which moves the batch", words(data)));
    }
    let dim = |&axis: &i64| call.axis(axis, data.len()).map(|axis| data[axis]);
    Outcome::of(order.iter().map(dim).collect::<Result<_, _>>()?)
}

fn product(shape: &[Option<i64>]) -> Option<i64> {
    shape.iter().try_fold(1_i64, |product, dim| product.checked_mul((*dim)?))
}
