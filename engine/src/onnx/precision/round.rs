//! 32-bit constants rounded to 16 bits.

use half::f16;

use super::{HalfReport, PrecisionError};
use crate::onnx::proto::{TensorProto, data_type};

/// Number of elements of a 32-bit float constant, whose data is in the model and has that size.
///
/// # Errors
/// [`PrecisionError::External`] and [`PrecisionError::Malformed`].
pub(in crate::onnx) fn check(tensor: &TensorProto) -> Result<usize, PrecisionError> {
    let name = || tensor.name().to_owned();
    if tensor.is_external() {
        return Err(PrecisionError::External { tensor: name() });
    }
    let malformed = |problem| PrecisionError::Malformed { tensor: name(), problem };
    if tensor.segment.is_some() {
        return Err(malformed("is stored in parts; expected all of it in one".into()));
    }
    let elements = tensor
        .dims
        .iter()
        .try_fold(1_usize, |product, &dim| product.checked_mul(usize::try_from(dim).ok()?));
    let elements = elements.ok_or_else(|| {
        malformed(format!("has shape {:?}; expected sizes that fit in memory", tensor.dims))
    })?;
    let (found, unit) = match &tensor.raw_data {
        Some(raw) if tensor.float_data.is_empty() => (raw.len(), size_of::<f32>()),
        Some(raw) if !raw.is_empty() => {
            return Err(malformed("has its values twice; expected raw_data or float_data".into()));
        }
        _ => (tensor.float_data.len(), 1),
    };
    match elements.checked_mul(unit) {
        Some(expected) if expected == found => Ok(elements),
        _ => Err(malformed(format!(
            "has {found} {} for shape {:?}; expected {elements} floats",
            if unit == 1 { "values" } else { "bytes" },
            tensor.dims
        ))),
    }
}

/// `tensor` with its values rounded to the nearest 16-bit float, ties to even.
///
/// Infinities and NaN stay what they are: fp16 has them, and masks are made of them. A finite value
/// beyond ±65504 is refused rather than clamped: whether the largest half is as good as, say, -1e9
/// in a mask is for whoever exports the model to say.
///
/// # Errors
/// [`PrecisionError::Overflow`], and those of [`check`].
pub(super) fn rounded(
    tensor: &TensorProto,
    report: &mut HalfReport,
) -> Result<TensorProto, PrecisionError> {
    let elements = check(tensor)?;
    let raw = tensor.raw_data.as_deref().unwrap_or_default();
    let from_raw = raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
    let mut bytes = Vec::with_capacity(elements * size_of::<f16>());
    // Only one of the two has values.
    for (element, value) in from_raw.chain(tensor.float_data.iter().copied()).enumerate() {
        if value.is_finite() && value.abs() > f16::MAX.to_f32() {
            return Err(PrecisionError::Overflow {
                tensor: tensor.name().to_owned(),
                element,
                value,
            });
        }
        let half = f16::from_f32(value);
        bytes.extend(half.to_le_bytes());
        note(report, tensor.name(), value, half.to_f32());
    }
    report.tensors += 1;
    Ok(TensorProto {
        name: tensor.name.clone(),
        dims: tensor.dims.clone(),
        data_type: Some(data_type::FLOAT16),
        raw_data: Some(bytes),
        doc_string: tensor.doc_string.clone(),
        metadata_props: tensor.metadata_props.clone(),
        ..Default::default()
    })
}

fn note(report: &mut HalfReport, tensor: &str, value: f32, half: f32) {
    if !value.is_finite() || value == half {
        return;
    }
    if half == 0.0 {
        report.flushed_to_zero += 1;
        return;
    }
    let error = (f64::from(half) - f64::from(value)).abs() / f64::from(value).abs();
    if error > report.largest_relative_error {
        report.largest_relative_error = error;
        report.worst_tensor = Some(tensor.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> TensorProto {
        TensorProto {
            name: Some("w".into()),
            dims: vec![values.len() as i64],
            data_type: Some(data_type::FLOAT),
            float_data: values.to_vec(),
            ..Default::default()
        }
    }

    fn halves(tensor: &TensorProto) -> Vec<u16> {
        let raw = tensor.raw_data.as_deref().unwrap();
        raw.as_chunks().0.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect()
    }

    #[test]
    fn rounds_to_nearest_even_and_keeps_what_is_special() {
        let mut report = HalfReport::default();
        // 2049 and 2051 lie half-way between two halves; 2^-25 half-way between 0 and the smallest.
        let values = [1.0, 2049.0, 2051.0, -65504.0, f32::INFINITY, f32::NEG_INFINITY, -0.0];
        let half = rounded(&tensor(&values), &mut report).unwrap();
        assert_eq!(half.data_type, Some(data_type::FLOAT16));
        assert_eq!(halves(&half), [0x3c00, 0x6800, 0x6802, 0xfbff, 0x7c00, 0xfc00, 0x8000]);
        assert_eq!((report.flushed_to_zero, report.tensors), (0, 1));
        assert_eq!(report.largest_relative_error, 1.0 / 2049.0);
        assert_eq!(report.worst_tensor.as_deref(), Some("w"));

        let tiny = [2_f32.powi(-24), 2_f32.powi(-25), -2_f32.powi(-26), f32::NAN];
        let half = halves(&rounded(&tensor(&tiny), &mut report).unwrap());
        assert_eq!(half[..3], [1, 0, 0x8000]);
        assert!(f16::from_bits(half[3]).is_nan());
        assert_eq!(report.flushed_to_zero, 2);
    }

    #[test]
    fn reads_both_forms_alike() {
        let values = [0.1_f32, -3.7, 1e-6];
        let packed = TensorProto {
            float_data: vec![],
            raw_data: Some(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            ..tensor(&values)
        };
        let mut report = HalfReport::default();
        let (a, b) = (rounded(&packed, &mut report), rounded(&tensor(&values), &mut report));
        assert_eq!(a.unwrap(), b.unwrap());
    }

    #[test]
    fn refuses_what_half_cannot_hold() {
        for value in [65505.0, -1e9, f32::MAX] {
            let error = rounded(&tensor(&[0.0, value]), &mut HalfReport::default()).unwrap_err();
            let expected = PrecisionError::Overflow { tensor: "w".into(), element: 1, value };
            assert_eq!(error, expected);
            assert!(error.to_string().contains(&value.to_string()), "{error}");
        }
    }

    #[test]
    fn refuses_data_that_does_not_fit_the_shape() {
        let good = tensor(&[1.0, 2.0]);
        let cases = [
            (TensorProto { dims: vec![3], ..good.clone() }, "2 values for shape [3]"),
            (TensorProto { dims: vec![-2], ..good.clone() }, "shape [-2]"),
            (TensorProto { dims: vec![i64::MAX, 4], ..good.clone() }, "fit in memory"),
            (TensorProto { raw_data: Some(vec![0; 8]), ..good.clone() }, "twice"),
            (
                TensorProto { raw_data: Some(vec![0; 7]), float_data: vec![], ..good.clone() },
                "7 bytes for shape [2]; expected 2 floats",
            ),
            (TensorProto { data_location: Some(1), ..good }, "outside the model file"),
        ];
        for (tensor, expected) in cases {
            let error = rounded(&tensor, &mut HalfReport::default()).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("\"w\""), "{error}");
        }
    }
}
