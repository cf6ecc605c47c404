//! The specification of a composited frame, in plain Rust.

use crate::composite::plan::{Axes, CompositePlan, Taps};
use crate::frame::{ModelGeometry, Rect, Size};

/// Elements that OpenCV's bicubic takes at a time with vector instructions; see [`cubic_row`].
const CUBIC_VECTOR: usize = 8;

/// What the scalar kernel writes to on its way.
#[derive(Debug)]
pub(crate) struct ScalarScratch {
    /// The crop with the prediction inside it.
    patched: Vec<u8>,
    /// Horizontally resized rows, BGR interleaved; as many as there are taps.
    rows: Vec<Vec<i32>>,
}

impl ScalarScratch {
    pub(crate) fn new(geometry: ModelGeometry, widest: usize) -> Self {
        Self { patched: vec![0; geometry.crop().bytes()], rows: vec![vec![0; 3 * widest]; 4] }
    }

    /// Whether the memory suffices for a crop of `geometry` and rectangles up to `widest` pixels.
    pub(crate) fn suits(&self, geometry: ModelGeometry, widest: usize) -> bool {
        self.patched.len() == geometry.crop().bytes()
            && self.rows.iter().all(|row| row.len() >= 3 * widest)
    }
}

/// Composites one frame. Buffers have the lengths that `geometry` and `frame_size` imply, and
/// `rect` lies in the frame and has the plan's size.
pub(crate) fn composite(
    plan: &CompositePlan,
    geometry: ModelGeometry,
    scratch: &mut ScalarScratch,
    prediction: &[f32],
    crop: &[u8],
    target: Target<'_>,
) {
    let ScalarScratch { patched, rows } = scratch;
    patch(geometry, prediction, crop, patched);
    let stride = geometry.crop().stride();
    match plan {
        CompositePlan::Linear(axes) => resize(axes, patched, stride, rows, target, linear_row),
        CompositePlan::Cubic(axes) => resize(axes, patched, stride, rows, target, cubic_row),
    }
}

/// The byte of a predicted value: its fraction of 255, truncated; NaN is 0.
pub(crate) fn to_byte(value: f32) -> u8 {
    // `as` saturates and turns NaN into 0.
    (value * 255.0) as u8
}

/// Writes the crop with the prediction inside it to `patched`.
pub(crate) fn patch(geometry: ModelGeometry, prediction: &[f32], crop: &[u8], patched: &mut [u8]) {
    patched.copy_from_slice(crop);
    let side = geometry.side();
    let inner = 3 * ModelGeometry::BORDER..3 * (ModelGeometry::BORDER + side);
    let rows = patched
        .chunks_exact_mut(geometry.crop().stride())
        .skip(ModelGeometry::BORDER)
        .map(|row| &mut row[inner.clone()]);
    for (y, row) in rows.take(side).enumerate() {
        for (channel, plane) in prediction.chunks_exact(side * side).enumerate() {
            let values = &plane[y * side..(y + 1) * side];
            for (pixel, &value) in row.chunks_exact_mut(3).zip(values) {
                pixel[channel] = to_byte(value);
            }
        }
    }
}

/// The rectangle of a frame that is to be overwritten.
pub(crate) struct Target<'a> {
    pub(crate) frame: &'a mut [u8],
    pub(crate) frame_size: Size,
    pub(crate) rect: Rect,
}

impl<'a> Target<'a> {
    /// The rectangle's rows from top to bottom, without the rest of the frame's.
    pub(crate) fn rows(self) -> impl Iterator<Item = &'a mut [u8]> {
        let Rect { x1, y1, x2, y2 } = self.rect;
        self.frame
            .chunks_exact_mut(self.frame_size.stride())
            .skip(y1)
            .take(y2 - y1)
            .map(move |row| &mut row[3 * x1..3 * x2])
    }
}

/// Resizes `source` into `target`: first along the rows, then across them with `combine`.
fn resize<const K: usize>(
    axes: &Axes<K>,
    source: &[u8],
    stride: usize,
    rows: &mut [Vec<i32>],
    target: Target<'_>,
    combine: impl Fn([&[i32]; K], [i16; K], &mut [u8]),
) {
    // A source row y waits in rows[y % K], where the K taps of an output row never collide.
    let mut held = [None; K];
    for (taps, out) in axes.rows.iter().zip(target.rows()) {
        for y in taps.index {
            if held[y % K] != Some(y) {
                horizontal(&axes.columns, &source[y * stride..(y + 1) * stride], &mut rows[y % K]);
                held[y % K] = Some(y);
            }
        }
        combine(taps.index.map(|y| &rows[y % K][..]), taps.weights, out);
    }
}

fn horizontal<const K: usize>(columns: &[Taps<K>], row: &[u8], out: &mut [i32]) {
    for (taps, pixel) in columns.iter().zip(out.chunks_exact_mut(3)) {
        for (channel, sum) in pixel.iter_mut().enumerate() {
            *sum = (0..K)
                .map(|k| i32::from(row[3 * taps.index[k] + channel]) * i32::from(taps.weights[k]))
                .sum();
        }
    }
}

/// OpenCV drops four bits before the second product and sixteen after it, and rounds the last two.
fn linear_row([top, bottom]: [&[i32]; 2], weights: [i16; 2], out: &mut [u8]) {
    let [a, b] = weights.map(i32::from);
    for ((out, &top), &bottom) in out.iter_mut().zip(top).zip(bottom) {
        let sum = ((a * (top >> 4)) >> 16) + ((b * (bottom >> 4)) >> 16);
        *out = ((sum + 2) >> 2).clamp(0, 255) as u8;
    }
}

/// OpenCV sums in `f32`, the last row first, for as many groups of eight elements as the row has,
/// and in fixed point for the rest. The two round differently, so both belong to the
/// specification.
fn cubic_row(rows: [&[i32]; 4], weights: [i16; 4], out: &mut [u8]) {
    const BITS: u32 = 22;
    let vectors = out.len() - out.len() % CUBIC_VECTOR;
    let fractions = weights.map(|weight| f32::from(weight) / (1 << BITS) as f32);
    for (x, out) in out.iter_mut().enumerate() {
        let sums = rows.map(|row| row[x]);
        let value = if x < vectors {
            let [a, b, c, d] = std::array::from_fn(|k| sums[k] as f32 * fractions[k]);
            (a + (b + (c + d))).round_ties_even() as i32
        } else {
            let sum: i32 = (0..4).map(|k| sums[k] * i32::from(weights[k])).sum();
            (sum + (1 << (BITS - 1))) >> BITS
        };
        *out = value.clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_truncated_and_clamped() {
        for (value, byte) in [
            (0.0, 0),
            (-0.0, 0),
            (-1.0, 0),
            (f32::NEG_INFINITY, 0),
            (f32::NAN, 0),
            (f32::MIN_POSITIVE / 2.0, 0),
            (0.999 / 255.0, 0),
            (0.5, 127),
            (254.999 / 255.0, 254),
            (1.0, 255),
            (1.5, 255),
            (f32::INFINITY, 255),
        ] {
            assert_eq!(to_byte(value), byte, "{value}");
        }
    }
}
