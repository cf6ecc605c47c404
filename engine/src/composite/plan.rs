//! Where each output pixel comes from: OpenCV's sampling positions and fixed-point weights.

use crate::frame::Size;

use super::Interpolation;

/// What a weight of 1 is in fixed point.
const ONE: f32 = 2048.0;

/// The source pixels of one output column or row, and what each counts.
///
/// Source pixels lie within `K` consecutive ones and are clamped to the image, so that two
/// different ones always differ modulo `K`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taps<const K: usize> {
    /// Source columns or rows, ascending.
    pub(super) index: [usize; K],
    /// Fixed-point weights; 2048 is 1.
    pub(super) weights: [i16; K],
}

/// Everything that depends on a rectangle's size only.
#[derive(Debug)]
pub(super) enum CompositePlan {
    /// Two taps each way.
    Linear(Axes<2>),
    /// Four taps each way.
    Cubic(Axes<4>),
}

/// The taps of all output columns and of all output rows.
#[derive(Debug)]
pub(super) struct Axes<const K: usize> {
    pub(super) columns: Vec<Taps<K>>,
    pub(super) rows: Vec<Taps<K>>,
}

impl CompositePlan {
    /// A plan for resizing a square of `crop_side` pixels to `size`.
    pub(super) fn new(interpolation: Interpolation, crop_side: usize, size: Size) -> Self {
        match interpolation {
            Interpolation::Linear => Self::Linear(Axes::linear(crop_side, size)),
            Interpolation::Cubic => Self::Cubic(Axes::cubic(crop_side, size)),
        }
    }
}

impl Axes<2> {
    /// Taps for resizing a square of `crop_side` pixels to `size`.
    ///
    /// OpenCV halves with `INTER_AREA` where `INTER_LINEAR` is asked for, and copies an image that
    /// keeps its size. Neither needs taps of its own: in the first case all weights here are 1024,
    /// in the second 2048 and 0, and the arithmetic then is the rounded mean of four and the
    /// identity, exactly.
    pub(super) fn linear(crop_side: usize, size: Size) -> Self {
        Self {
            columns: linear_columns(crop_side, size.width),
            rows: linear_rows(crop_side, size.height),
        }
    }
}

impl Axes<4> {
    fn cubic(crop_side: usize, size: Size) -> Self {
        Self { columns: cubic(crop_side, size.width), rows: cubic(crop_side, size.height) }
    }
}

/// Source pixels and weights of all columns, and of all rows, of a linear resize.
#[cfg(feature = "cuda")]
pub(crate) fn linear_taps(crop_side: usize, size: Size) -> [Vec<([usize; 2], [i16; 2])>; 2] {
    let Axes { columns, rows } = Axes::linear(crop_side, size);
    [columns, rows].map(|axis| axis.into_iter().map(|t| (t.index, t.weights)).collect())
}

/// The source positions of `target` output pixels, as whole pixels and the part between them.
///
/// The detour over the inverse scale and the narrowing to `f32` are OpenCV's; both move weights.
fn positions(source: usize, target: usize) -> impl Iterator<Item = (isize, f32)> {
    let inverse_scale = target as f64 / source as f64;
    let scale = 1.0 / inverse_scale;
    (0..target).map(move |i| {
        let position = ((i as f64 + 0.5) * scale - 0.5) as f32;
        let whole = position.floor();
        (whole as isize, position - whole)
    })
}

fn fixed_point<const K: usize>(weights: [f32; K]) -> [i16; K] {
    weights.map(|weight| (weight * ONE).round_ties_even() as i16)
}

/// Columns outside the image take the edge pixel alone.
fn linear_columns(source: usize, target: usize) -> Vec<Taps<2>> {
    let last = source as isize - 1;
    positions(source, target)
        .map(|(whole, part)| {
            let (whole, part) = if whole < 0 || whole >= last {
                (whole.clamp(0, last), 0.0)
            } else {
                (whole, part)
            };
            Taps {
                index: [whole, whole + 1].map(|i| i.min(last) as usize),
                weights: fixed_point([1.0 - part, part]),
            }
        })
        .collect()
}

/// Rows outside the image take the edge row twice, with both weights. The products are truncated
/// one by one, so this is not the same as taking it once.
fn linear_rows(source: usize, target: usize) -> Vec<Taps<2>> {
    let last = source as isize - 1;
    positions(source, target)
        .map(|(whole, part)| Taps {
            index: [whole, whole + 1].map(|i| i.clamp(0, last) as usize),
            weights: fixed_point([1.0 - part, part]),
        })
        .collect()
}

fn cubic(source: usize, target: usize) -> Vec<Taps<4>> {
    let last = source as isize - 1;
    positions(source, target)
        .map(|(whole, part)| Taps {
            index: [whole - 1, whole, whole + 1, whole + 2].map(|i| i.clamp(0, last) as usize),
            weights: fixed_point(cubic_weights(part)),
        })
        .collect()
}

/// Keys' cubic with a = -0.75, in OpenCV's order of operations.
fn cubic_weights(x: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let before = ((A * (x + 1.0) - 5.0 * A) * (x + 1.0) + 8.0 * A) * (x + 1.0) - 4.0 * A;
    let left = ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let right = ((A + 2.0) * (1.0 - x) - (A + 3.0)) * (1.0 - x) * (1.0 - x) + 1.0;
    [before, left, right, 1.0 - before - left - right]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_weighs_both_pixels_alike() {
        let taps = linear_columns(8, 4);
        let expected = |i: usize| Taps { index: [2 * i, 2 * i + 1], weights: [1024, 1024] };
        assert_eq!(taps, (0..4).map(expected).collect::<Vec<_>>());
        assert_eq!(linear_rows(8, 4), taps);
    }

    #[test]
    fn keeping_the_size_is_the_identity() {
        let taps = linear_columns(3, 3);
        assert!(taps.iter().enumerate().all(|(i, t)| t.index[0] == i && t.weights == [2048, 0]));
        let taps = cubic(3, 3);
        assert!(taps.iter().enumerate().all(|(i, t)| t.index[1] == i));
        assert!(taps.iter().all(|t| t.weights == [0, 2048, 0, 0]));
    }

    #[test]
    fn edges_differ_between_columns_and_rows() {
        // Doubling samples a quarter pixel outside the image.
        assert_eq!(linear_columns(4, 8)[0], Taps { index: [0, 1], weights: [2048, 0] });
        assert_eq!(linear_columns(4, 8)[7], Taps { index: [3, 3], weights: [2048, 0] });
        assert_eq!(linear_rows(4, 8)[0], Taps { index: [0, 0], weights: [512, 1536] });
        assert_eq!(linear_rows(4, 8)[7], Taps { index: [3, 3], weights: [1536, 512] });
    }

    #[test]
    fn distinct_taps_differ_modulo_their_number() {
        for target in [1, 2, 7, 16, 17, 40] {
            for taps in cubic(17, target) {
                for (a, b) in taps.index.iter().zip(&taps.index[1..]) {
                    assert!(a == b || b - a == 1, "{target}: {taps:?}");
                }
            }
        }
    }
}
