//! Feature rows that come in while a run goes on.
//!
//! Rows travel in recycled buffers through a bounded channel, as frames do: writing copies a row
//! into an empty buffer, and the buffer goes back once no window needs its row any more. Buffers are
//! made when there is none to take, up to a limit. So memory is bounded, and once rows flow nothing
//! allocates or locks.

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select_biased};

use super::Features;
use super::features::copy_or_silence;

/// One row of [`Features::ROW`] values.
type Row = Box<[f32]>;

/// Rows before a frame's own that it needs, and rows after it.
const BEFORE: u64 = Features::ROWS_BEFORE;
const AFTER: u64 = Features::WINDOW_ROWS as u64 - 1 - BEFORE;

/// Rows that were not taken, and why.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// No whole number of rows.
    #[error("{found} values are no whole number of feature rows; expected {} a row", Features::ROW)]
    Length {
        /// Values that were given.
        found: usize,
    },
    /// A value that the network cannot make anything of.
    #[error("feature row {row}, column {column} is {value}; expected finite numbers")]
    NotFinite {
        /// Row among those that were given, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        value: f32,
    },
    /// No memory for another row.
    #[error("cannot allocate memory for a feature row")]
    Memory,
    /// The run has ended; nobody reads rows any more.
    #[error("the run that reads these feature rows has ended")]
    Closed,
}

/// A feed of feature rows in which at least `room` rows, at least 1, can wait to be used.
pub fn feature_feed(room: usize) -> (FeatureWriter, FeatureReader) {
    // A window's rows wait with the reader.
    let count = room.max(1).saturating_add(Features::WINDOW_ROWS);
    let (home, empty) = bounded(count);
    let (sender, rows) = bounded(count);
    let window = VecDeque::with_capacity(Features::WINDOW_ROWS);
    let writer = FeatureWriter { empty, unmade: count, rows: sender, written: 0 };
    (writer, FeatureReader { rows, home, window, received: 0, ended: false })
}

/// The end of a feed that rows are written to. Dropping it ends the speech.
#[derive(Debug)]
pub struct FeatureWriter {
    empty: Receiver<Row>,
    /// Buffers that may still be made.
    unmade: usize,
    rows: Sender<Row>,
    written: u64,
}

impl FeatureWriter {
    /// Appends as many of the rows in `values` (512 values each) as there is room for, without
    /// waiting, and says how many those were.
    ///
    /// # Errors
    /// [`FeedError`]; no row was taken then, except where the run or the memory ended in the middle.
    pub fn write(&mut self, values: &[f32]) -> Result<usize, FeedError> {
        self.put(values, None)
    }

    /// The same, waiting for room until all rows are taken or `stop` is disconnected.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_all(&mut self, values: &[f32], stop: &Receiver<()>) -> Result<usize, FeedError> {
        self.put(values, Some(stop))
    }

    /// Whether `values` are rows that can be written.
    ///
    /// # Errors
    /// [`FeedError::Length`] and [`FeedError::NotFinite`].
    pub fn check(values: &[f32]) -> Result<(), FeedError> {
        if !values.len().is_multiple_of(Features::ROW) {
            return Err(FeedError::Length { found: values.len() });
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(at) => {
                let (row, column) = (at / Features::ROW, at % Features::ROW);
                Err(FeedError::NotFinite { row, column, value: values[at] })
            }
        }
    }

    /// Rows that were taken so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn put(&mut self, values: &[f32], stop: Option<&Receiver<()>>) -> Result<usize, FeedError> {
        Self::check(values)?;
        let rows = values.as_chunks::<{ Features::ROW }>().0;
        for (taken, row) in rows.iter().enumerate() {
            let Some(mut buffer) = self.buffer(stop)? else { return Ok(taken) };
            buffer.copy_from_slice(row);
            // There is room for every buffer that exists.
            self.rows.send(buffer).map_err(|_| FeedError::Closed)?;
            self.written += 1;
        }
        Ok(rows.len())
    }

    /// An empty buffer; where all are in use, `None` once `stop` is disconnected or if there is none.
    fn buffer(&mut self, stop: Option<&Receiver<()>>) -> Result<Option<Row>, FeedError> {
        match self.empty.try_recv() {
            Ok(buffer) => return Ok(Some(buffer)),
            Err(TryRecvError::Disconnected) => return Err(FeedError::Closed),
            Err(TryRecvError::Empty) => {}
        }
        if self.unmade > 0 {
            let mut buffer = Vec::new();
            buffer.try_reserve_exact(Features::ROW).map_err(|_| FeedError::Memory)?;
            buffer.resize(Features::ROW, 0.0);
            self.unmade -= 1;
            return Ok(Some(buffer.into_boxed_slice()));
        }
        let Some(stop) = stop else { return Ok(None) };
        select_biased! {
            recv(stop) -> _ => Ok(None),
            recv(self.empty) -> buffer => buffer.map(Some).map_err(|_| FeedError::Closed),
        }
    }
}

/// The end of a feed that a run reads.
#[derive(Debug)]
pub struct FeatureReader {
    rows: Receiver<Row>,
    home: Sender<Row>,
    /// The latest rows, the last of which is row `received - 1`.
    window: VecDeque<Row>,
    received: u64,
    ended: bool,
}

/// What is known about a frame that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supply {
    /// Its rows are there.
    Ready,
    /// More rows have to come first.
    Later,
    /// The speech is over before it.
    Over,
}

impl FeatureReader {
    /// Whether frame `k` can be made: the rows up to `k + 7` have come, or the speech has ended
    /// after row `k`. Frames are asked for in ascending order.
    pub(crate) fn poll(&mut self, k: u64) -> Supply {
        self.supply(k, |rows| match rows.try_recv() {
            Ok(row) => Some(Some(row)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        })
    }

    /// The same, waiting for rows as long as both of `stops` are connected.
    pub(crate) fn wait(&mut self, k: u64, stops: [&Receiver<()>; 2]) -> Supply {
        self.supply(k, |rows| {
            select_biased! {
                recv(stops[0]) -> _ => None,
                recv(stops[1]) -> _ => None,
                recv(rows) -> row => Some(row.ok()),
            }
        })
    }

    /// Writes rows `k - 8` to `k + 7` to `out`. Rows before the first and after the last are zeros.
    pub(crate) fn window(&self, k: u64, out: &mut [f32]) {
        for (offset, slot) in (0..).zip(out.chunks_exact_mut(Features::ROW)) {
            copy_or_silence(self.row_at(k, offset), slot);
        }
    }

    /// Writes row `k + 7` to `out`, zeros after the last.
    pub(super) fn last_row(&self, k: u64, out: &mut [f32]) {
        copy_or_silence(self.row_at(k, BEFORE + AFTER), out);
    }

    /// The row that is `offset` after the first of the window of row `k`.
    fn row_at(&self, k: u64, offset: u64) -> Option<&[f32]> {
        let first = self.received - self.window.len() as u64;
        let row = (k + offset).checked_sub(BEFORE).and_then(|row| row.checked_sub(first));
        row.and_then(|row| self.window.get(usize::try_from(row).ok()?)).map(|row| &**row)
    }

    /// `receive` gives the next row, `Some(None)` at the end, `None` when there is none yet.
    fn supply(
        &mut self,
        k: u64,
        mut receive: impl FnMut(&Receiver<Row>) -> Option<Option<Row>>,
    ) -> Supply {
        // A writer that is far ahead must not run out of buffers, so old rows go home first.
        while self.received - (self.window.len() as u64) < k.saturating_sub(BEFORE) {
            let Some(row) = self.window.pop_front() else { break };
            self.release(row);
        }
        while !self.ended && self.received <= k + AFTER {
            match receive(&self.rows) {
                None => return Supply::Later,
                Some(None) => self.ended = true,
                Some(Some(row)) => {
                    self.received += 1;
                    self.window.push_back(row);
                }
            }
        }
        if self.received > k { Supply::Ready } else { Supply::Over }
    }

    fn release(&self, row: Row) {
        // The channel has room for every buffer; it refuses only when the writer is gone.
        let _freed_if_refused = self.home.try_send(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows `first..first + count`; row r holds r + 1 everywhere.
    fn rows(first: usize, count: usize) -> Vec<f32> {
        (first * 512..(first + count) * 512).map(|i| (i / 512 + 1) as f32).collect()
    }

    fn window(reader: &FeatureReader, k: u64) -> Vec<f32> {
        let mut out = vec![f32::NAN; Features::WINDOW_LEN];
        reader.window(k, &mut out);
        assert!(out.chunks(512).all(|row| row.iter().all(|value| *value == row[0])));
        out.chunks(512).map(|row| row[0]).collect()
    }

    #[test]
    fn a_frame_is_ready_with_the_seventh_row_after_its_own() {
        let (mut writer, mut reader) = feature_feed(64);
        assert_eq!(writer.write(&rows(0, 7)), Ok(7));
        assert_eq!(reader.poll(0), Supply::Later);
        assert_eq!(writer.write(&rows(7, 1)), Ok(1));
        assert_eq!((reader.poll(0), reader.poll(1)), (Supply::Ready, Supply::Later));
        drop(writer);
        for k in 1..8 {
            assert_eq!(reader.poll(k), Supply::Ready, "frame {k}");
        }
        assert_eq!(reader.poll(8), Supply::Over);
    }

    #[test]
    fn windows_equal_those_of_the_whole_array() {
        for count in [1, 7, 8, 9, 40] {
            let whole = Features::from_rows(rows(0, count));
            let (mut writer, mut reader) = feature_feed(3);
            let (mut written, mut k) = (0, 0);
            while written < count {
                let chunk = 5.min(count - written);
                written += writer.write(&rows(written, chunk)).unwrap();
                while reader.poll(k) == Supply::Ready {
                    let mut expected = vec![0.0; Features::WINDOW_LEN];
                    whole.window(k, &mut expected);
                    let expected: Vec<f32> = expected.chunks(512).map(|row| row[0]).collect();
                    assert_eq!(window(&reader, k), expected, "frame {k} of {count}");
                    k += 1;
                }
            }
            assert_eq!(k, (count as u64).saturating_sub(7));
            drop(writer);
            while reader.poll(k) == Supply::Ready {
                let mut expected = vec![0.0; Features::WINDOW_LEN];
                whole.window(k, &mut expected);
                assert_eq!(
                    window(&reader, k),
                    expected.chunks(512).map(|r| r[0]).collect::<Vec<_>>()
                );
                k += 1;
            }
            assert_eq!(k, count as u64);
        }
    }

    #[test]
    fn a_full_feed_takes_no_more_until_rows_are_used() {
        let (mut writer, mut reader) = feature_feed(4);
        assert_eq!(writer.write(&rows(0, 100)), Ok(20));
        assert_eq!(writer.write(&rows(20, 100)), Ok(0));
        // The window of frame 8 is rows 0 to 15, so nothing comes back before frame 9.
        assert_eq!((reader.poll(8), writer.write(&rows(20, 100))), (Supply::Ready, Ok(0)));
        assert_eq!((reader.poll(9), writer.write(&rows(20, 100))), (Supply::Ready, Ok(1)));
        assert_eq!(writer.written(), 21);
    }

    #[test]
    fn what_is_wrong_is_refused_whole() {
        let (mut writer, mut reader) = feature_feed(4);
        assert_eq!(writer.write(&[0.0; 513]), Err(FeedError::Length { found: 513 }));
        let mut values = rows(0, 2);
        values[512 + 3] = f32::INFINITY;
        let error = writer.write(&values).unwrap_err().to_string();
        assert_eq!(error, "feature row 1, column 3 is inf; expected finite numbers");
        assert_eq!((writer.write(&[]), writer.written()), (Ok(0), 0));
        drop(writer);
        assert_eq!(reader.poll(0), Supply::Over);
    }

    #[test]
    fn a_reader_that_is_gone_closes_the_feed() {
        let (mut writer, reader) = feature_feed(4);
        drop(reader);
        assert_eq!(writer.write(&rows(0, 1)), Err(FeedError::Closed));
        let (_open, stop) = bounded(0);
        assert_eq!(writer.write_all(&rows(0, 1), &stop), Err(FeedError::Closed));
    }

    #[test]
    fn waits_end_when_told_to() {
        let (mut writer, mut reader) = feature_feed(4);
        let (open, stop) = bounded::<()>(0);
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| reader.wait(0, [&crossbeam_channel::never(), &stop]));
            drop(open);
            assert_eq!(reading.join().unwrap(), Supply::Later);
        });
        // Room is used; only waiting for more ends.
        assert_eq!(writer.write_all(&rows(0, 30), &stop), Ok(20));
        assert_eq!(writer.write_all(&rows(20, 1), &stop), Ok(0));
    }
}
