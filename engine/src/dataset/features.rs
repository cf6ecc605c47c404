//! Audio features: one row of 512 floats for each output frame.

use std::path::Path;
use std::sync::Arc;

use super::npy::NpyFile;
use super::{DatasetError, Pace};
use crate::file::FileHash;

/// Audio features, `[rows, 512]`. Clones share the values.
#[derive(Clone, Debug)]
pub struct Features {
    /// The rows that are stored, one after another. A slice would have to be copied into the `Arc`,
    /// and an hour of rows is 184 MB.
    stored: Arc<Vec<f32>>,
    /// Rows of the sequence; the stored ones repeat where it is longer.
    rows: usize,
    pace: Pace,
}

impl Features {
    /// Values in a row.
    pub const ROW: usize = 512;
    /// Rows that the network sees for one frame: 8 before it, its own, and 7 after it.
    pub const WINDOW_ROWS: usize = 16;
    /// Values in a window.
    pub const WINDOW_LEN: usize = Self::WINDOW_ROWS * Self::ROW;
    pub(super) const ROWS_BEFORE: u64 = 8;

    /// Reads a .npy file (header versions 1 to 3) with a little-endian f32 or f64 array of shape
    /// `[T, 512]` in C order, T at least 1. f64 values are rounded to f32.
    ///
    /// # Errors
    /// A file that is no such array, is cut short, has bytes left over, or contains a value that is
    /// not finite as f32; hubert and wenet features are recognised by their shape and named.
    pub fn load(path: &Path) -> Result<Self, DatasetError> {
        let file = NpyFile::open(path)?;
        let problem = |problem: String| DatasetError::Features { path: path.to_owned(), problem };
        let item = match file.header.descr.as_str() {
            "<f4" => 4,
            "<f8" => 8,
            other => {
                return Err(problem(format!(
                    "dtype {other}; expected little-endian float32 (<f4) or float64 (<f8)"
                )));
            }
        };
        if file.header.fortran_order {
            return Err(problem(
                "fortran_order is True; expected C order: save numpy.ascontiguousarray(features)"
                    .to_owned(),
            ));
        }
        let shape = &file.header.shape;
        let rows = match file.header.shape[..] {
            [rows, 512] if rows > 0 => rows,
            _ => return Err(problem(unsupported_shape(shape))),
        };
        let needed = rows.checked_mul((Self::ROW * item) as u64).ok_or_else(|| {
            problem(format!("shape {shape:?} overflows; expected [T, 512] that fits in memory"))
        })?;
        if file.data_bytes != needed {
            let fault =
                if file.data_bytes < needed { "cut short" } else { "longer than its shape" };
            return Err(problem(format!(
                "{fault}: {} bytes of data; expected {needed} for shape {shape:?}",
                file.data_bytes
            )));
        }
        let data = file.read_data(path)?;
        let values: Vec<f32> = if item == 4 {
            data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
        } else {
            data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect()
        };
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(problem(format!(
                "row {}, column {} is {}; expected finite numbers",
                at / Self::ROW,
                at % Self::ROW,
                values[at]
            )));
        }
        Ok(Self::from_rows(values))
    }

    /// Features from `rows * 512` values in row order.
    ///
    /// # Panics
    /// When there is no whole row or a part of one.
    pub fn from_rows(values: Vec<f32>) -> Self {
        assert!(
            !values.is_empty() && values.len().is_multiple_of(Self::ROW),
            "features are whole rows of {} values, at least one",
            Self::ROW
        );
        Self { rows: values.len() / Self::ROW, stored: Arc::new(values), pace: Pace::default() }
    }

    /// No rows at all: every window is silence.
    pub fn empty() -> Self {
        Self { rows: 0, stored: Arc::default(), pace: Pace::default() }
    }

    /// Number of rows, repeated ones included.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The same rows over and over, `rows` of them in all, without copying: row `k` is stored row
    /// `k` modulo the number stored. Of no rows there are no more. Never shorter than before, so a run of fewer frames than there
    /// are rows still sees the rows that follow its last frame.
    #[must_use]
    pub fn repeat_to(&self, rows: usize) -> Self {
        let rows = if self.rows == 0 { 0 } else { self.rows.max(rows) };
        Self { rows, ..self.clone() }
    }

    /// The same rows, which come 25 times a second, for an output of another pace.
    #[must_use]
    pub fn at_pace(&self, pace: Pace) -> Self {
        Self { pace, ..self.clone() }
    }

    /// What identifies the rows, wherever they come from.
    pub fn fingerprint(&self) -> FileHash {
        let bytes: Vec<u8> = self.stored.iter().flat_map(|value| value.to_le_bytes()).collect();
        FileHash::of(&bytes)
    }

    /// Output frames that begin while the rows last: as many as there are rows, unless the pace is
    /// another.
    pub fn frames(&self) -> u64 {
        self.pace.frames_in(self.rows as u64)
    }

    /// Writes rows `k - 8` to `k + 7` to `out`, one after another. Rows before the first and after
    /// the last are zeros.
    ///
    /// At another pace `k` is a frame of the output, and the rows are those around its time, still
    /// 1/25 s apart, interpolated linearly where it falls between two.
    ///
    /// # Panics
    /// When `out` does not hold [`Self::WINDOW_LEN`] values.
    pub fn window(&self, k: u64, out: &mut [f32]) {
        assert_eq!(out.len(), Self::WINDOW_LEN, "a window is 16 rows of 512 values");
        let (row, part) = self.pace.position(k);
        self.rows_around(row, out);
        if part > 0.0 {
            for (offset, slot) in (1..).zip(out.chunks_exact_mut(Self::ROW)) {
                let next = self.row_at(row, offset);
                for (column, value) in slot.iter_mut().enumerate() {
                    *value += part * (next.map_or(0.0, |next| next[column]) - *value);
                }
            }
        }
    }

    /// The row that is `offset` after the first of the window of row `k`.
    fn row_at(&self, k: u64, offset: u64) -> Option<&[f32]> {
        let stored_rows = (self.stored.len() / Self::ROW) as u64;
        let row = k.checked_add(offset).and_then(|row| row.checked_sub(Self::ROWS_BEFORE));
        row.filter(|&row| row < self.rows as u64).map(|row| {
            let start = (row % stored_rows) as usize * Self::ROW;
            &self.stored[start..start + Self::ROW]
        })
    }

    fn rows_around(&self, k: u64, out: &mut [f32]) {
        for (offset, slot) in (0..).zip(out.chunks_exact_mut(Self::ROW)) {
            copy_or_silence(self.row_at(k, offset), slot);
        }
    }

    /// Whether frame `k` is driven by row `k`, so that windows of frames that follow each other have
    /// all rows but one in common.
    pub(super) fn is_a_row_a_frame(&self) -> bool {
        self.pace == Pace::default()
    }

    /// Writes the last row of the window of frame `k` to `out`, where there is
    /// [a row a frame](Self::is_a_row_a_frame).
    pub(super) fn last_row(&self, k: u64, out: &mut [f32]) {
        copy_or_silence(self.row_at(k, Self::WINDOW_ROWS as u64 - 1), out);
    }
}

/// Writes a row to `out`, zeros where there is none.
pub(super) fn copy_or_silence(row: Option<&[f32]>, out: &mut [f32]) {
    match row {
        Some(row) => out.copy_from_slice(row),
        None => out.fill(0.0),
    }
}

fn unsupported_shape(shape: &[u64]) -> String {
    let kind = match shape {
        [_, inner @ ..] if inner.contains(&1024) => " (these look like hubert features)",
        [_, inner @ ..] if inner.contains(&256) => " (these look like wenet features)",
        _ => "",
    };
    format!(
        "shape {shape:?}{kind}; expected [T, 512] with T at least 1: only ave features, 512 values a \
         row, are supported"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row r holds r + 1 everywhere.
    fn numbered(rows: usize) -> Features {
        Features::from_rows((0..rows * 512).map(|i| (i / 512 + 1) as f32).collect())
    }

    fn window(features: &Features, k: u64) -> Vec<f32> {
        let mut out = vec![f32::NAN; Features::WINDOW_LEN];
        features.window(k, &mut out);
        assert!(out.chunks(512).all(|row| row.iter().all(|value| *value == row[0])));
        out.chunks(512).map(|row| row[0]).collect()
    }

    #[test]
    fn rows_outside_are_zeros() {
        let features = numbered(10);
        let mut expected = [0.0; 16];
        expected[8..].copy_from_slice(&[1., 2., 3., 4., 5., 6., 7., 8.]);
        assert_eq!(window(&features, 0), expected);
        let mut expected = [0.0; 16];
        expected[..9].copy_from_slice(&[2., 3., 4., 5., 6., 7., 8., 9., 10.]);
        assert_eq!(window(&features, 9), expected);
        assert_eq!(window(&features, u64::MAX), [0.0; 16]);
    }

    #[test]
    fn frames_between_rows_are_interpolated() {
        let features = numbered(3).at_pace(Pace::of("50".parse().unwrap()));
        assert_eq!((features.rows(), features.frames()), (3, 6));
        assert_eq!(window(&features, 2), window(&numbered(3), 1));
        // Half way from row 0 to row 1, and from the last row to nothing.
        let mut expected = [0.0; 16];
        expected[7..11].copy_from_slice(&[0.5, 1.5, 2.5, 1.5]);
        assert_eq!(window(&features, 1), expected);
        let slow = numbered(9).at_pace(Pace::of("12.5".parse().unwrap()));
        assert_eq!((slow.frames(), window(&slow, 3)), (5, window(&numbered(9), 6)));
    }

    #[test]
    fn repeated_rows_wrap_and_end() {
        let features = numbered(3).repeat_to(11);
        assert_eq!(features.rows(), 11);
        // Rows 2 to 10 of the sequence, then nothing.
        let mut expected = [0.0; 16];
        expected[..9].copy_from_slice(&[3., 1., 2., 3., 1., 2., 3., 1., 2.]);
        assert_eq!(window(&features, 10), expected);
        assert_eq!(numbered(3).repeat_to(2).rows(), 3);
    }
}
