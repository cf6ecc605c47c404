//! Frames decoded ahead, in output order, on a thread of their own.
//!
//! Videos decode forwards only. Where the output goes backwards, a window of frames is decoded
//! forwards and handed out in reverse. The buffers bound how far ahead that is:
//!
//! A pool holds `in_flight + window + SPARE` buffers. While the consumer waits for a sample, the
//! channel is empty and it holds at most `in_flight` buffers, the decoder fewer than `window`; so at
//! least one is free and the decoder cannot wait forever. The channel has room for every sample
//! there are buffers for: a finished window is queued whole, and the decoder is at once free to go
//! to the next one and to fill it while this one plays and its buffers come back.
//!
//! Going back costs the frames between a key frame and the window, which are decoded but neither
//! converted nor copied. At 1280x720 with all four tracks and windows of 31 frames, on two shared
//! cores, forwards and backwards took 1.8 and 1.9 ms a frame for OpenCV's own videos (a key frame
//! in 12), 1.8 and 6.0 ms for H.264 with one in 250. That is why nothing is spooled to disk.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::checksum::checksum;
use super::order::{Segment, Segments};
use super::pace::Pace;
use super::package::{Form, Package};
use super::reader::Reader;
use super::sample::{Pixels, Sample};
use super::tracks::PerTrack;
use super::{DatasetError, DecodeStats};
use crate::frame::{BufferPool, Closed, PooledBuffer};

/// Bytes that a stream's buffers may take, unless its least window and the frames in flight need
/// more.
const BUDGET: u64 = 192 << 20;
/// Frames in the shortest window: going back costs a seek for each.
const LEAST_WINDOW: usize = 8;
/// Frames decoded ahead where no window is needed.
const AHEAD: usize = 4;
/// Buffers beyond what is needed to go on, so that a window's end does not wait for the one before.
const SPARE: usize = 2;

/// A running decoder and the samples it has ready.
pub(super) struct Stream {
    root: PathBuf,
    /// `None` once the stream has ended.
    samples: Option<Receiver<Result<Sample, DatasetError>>>,
    pools: PerTrack<BufferPool>,
    thread: Option<JoinHandle<()>>,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Tally {
    frames: AtomicU64,
    busy_ns: AtomicU64,
}

impl Stream {
    /// Starts to decode the samples of the output frames `shown` for a consumer that holds at most
    /// `in_flight` of them while it waits. `window` overrides the length of reversed windows.
    pub(super) fn start(
        package: &Package,
        pace: Pace,
        shown: Range<u64>,
        in_flight: usize,
        window: Option<usize>,
    ) -> Result<Self, DatasetError> {
        let frames = package.frame_count();
        let in_flight = in_flight.max(1);
        let steps = match shown.end.checked_sub(1) {
            Some(last) if last >= shown.start => pace.step(shown.start)..pace.step(last) + 1,
            _ => 0..0,
        };
        let window = window.unwrap_or_else(|| best_window(package, steps.end, in_flight));
        let buffers = in_flight + window.max(AHEAD) + SPARE;
        let pools =
            package.tracks().try_map(|source| BufferPool::new(buffers, source.size.bytes()))?;
        // Frames that are decoded once, from the beginning on, need no comparison, and an image file
        // is its own proof.
        let inside = steps.start > 0;
        let verify = package.form() == Form::Videos && (inside || steps.end > frames as u64);
        let (sender, samples) = bounded(buffers + 1);
        let tally = Arc::new(Tally::default());
        let decoder = Decoder {
            tracks: package.tracks().try_map(|source| {
                let reader = Reader::open(source, frames)?;
                let path = source.first_file();
                let seen = verify.then(|| Vec::with_capacity(frames));
                Ok::<_, DatasetError>(TrackDecoder { reader, path, seen, position: 0 })
            })?,
            pools: pools.clone(),
            samples: sender,
            pace,
            shown,
            tally: Arc::clone(&tally),
        };
        let segments = Segments::new(steps, frames, window);
        let learned = if verify && inside { frames } else { 0 };
        let thread = thread::Builder::new()
            .name("decoder".to_owned())
            .spawn(move || decoder.run(segments, window, learned))
            .map_err(|error| DatasetError::Thread { source: error.into() })?;
        Ok(Self {
            root: package.root().to_owned(),
            samples: Some(samples),
            pools,
            thread: Some(thread),
            tally,
        })
    }

    pub(super) fn next(&mut self) -> Option<Result<Sample, DatasetError>> {
        if let Ok(sample) = self.samples.as_ref()?.recv() {
            return Some(sample);
        }
        self.samples = None;
        match self.thread.take()?.join() {
            Ok(()) => None,
            Err(_) => Some(Err(DatasetError::DecoderPanicked { root: self.root.clone() })),
        }
    }

    pub(super) fn stats(&self) -> DecodeStats {
        DecodeStats {
            frames: self.tally.frames.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.tally.busy_ns.load(Ordering::Relaxed)),
        }
    }

    /// Buffers that are free, and buffers in all, over all tracks.
    #[cfg(test)]
    pub(super) fn buffers(&self) -> (usize, usize) {
        let free = self.pools.iter().map(BufferPool::available).sum();
        (free, self.pools.iter().map(BufferPool::count).sum())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The decoder waits for buffers only: its channel always has room.
        self.pools.iter().for_each(BufferPool::close);
        self.samples = None;
        if let Some(thread) = self.thread.take() {
            // Whoever drops a stream midway no longer wants to know how it ended.
            let _ended = thread.join();
        }
    }
}

/// The longest window that the budget has room for, as far as this run needs one at all.
fn best_window(package: &Package, count: u64, in_flight: usize) -> usize {
    let frames = package.frame_count();
    let backward = frames.saturating_sub(2);
    if package.form() == Form::Images || count <= frames as u64 || backward == 0 {
        return 1;
    }
    let room = usize::try_from(BUDGET / package.frame_bytes()).unwrap_or(usize::MAX);
    room.saturating_sub(in_flight + SPARE).max(LEAST_WINDOW).min(backward)
}

/// Why the decoder stops early.
enum Stop {
    Failed(DatasetError),
    /// Nobody waits for its samples any more.
    Dropped,
}

impl From<DatasetError> for Stop {
    fn from(error: DatasetError) -> Self {
        Stop::Failed(error)
    }
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Self {
        Stop::Dropped
    }
}

struct Decoder {
    tracks: PerTrack<TrackDecoder>,
    pools: PerTrack<BufferPool>,
    samples: Sender<Result<Sample, DatasetError>>,
    pace: Pace,
    shown: Range<u64>,
    tally: Arc<Tally>,
}

impl Decoder {
    fn run(mut self, mut segments: Segments, window: usize, learned: usize) {
        let mut held = Vec::with_capacity(window);
        let played = self
            .learn(learned)
            .and_then(|()| segments.try_for_each(|segment| self.play(segment, &mut held)));
        if let Err(Stop::Failed(error)) = played {
            // Refused only when nobody waits for it any more.
            let _unwanted = self.samples.send(Err(error));
        }
    }

    /// Decodes the first `frames` frames in order, for their checksums alone.
    fn learn(&mut self, frames: usize) -> Result<(), Stop> {
        for _ in 0..frames {
            let mut buffers = self.pools.try_map(BufferPool::take)?;
            self.read(&mut buffers)?;
        }
        Ok(())
    }

    /// Reads the next frame of each track.
    fn read(&mut self, buffers: &mut PerTrack<PooledBuffer>) -> Result<(), DatasetError> {
        self.timed(|tracks| {
            tracks
                .iter_mut()
                .zip(buffers.iter_mut())
                .try_for_each(|(track, buffer)| track.read_next(buffer))
        })?;
        self.tally.frames.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn play(&mut self, segment: Segment, held: &mut Vec<Sample>) -> Result<(), Stop> {
        // Before any buffer is needed, because most of a seek can pass while none is free.
        self.timed(|tracks| tracks.iter_mut().try_for_each(|track| track.seek(segment.first)))?;
        for i in 0..segment.len {
            let mut buffers = self.pools.try_map(BufferPool::take)?;
            self.read(&mut buffers)?;
            let PerTrack { background, crop, stored } = buffers;
            let sample = Sample {
                index: segment.index_of(i),
                frame: segment.first + i,
                pixels: Pixels::Owned { background: Some(background), crop, stored },
            };
            if segment.reversed {
                held.push(sample);
            } else {
                self.hand_out(sample)?;
            }
        }
        while let Some(sample) = held.pop() {
            self.hand_out(sample)?;
        }
        Ok(())
    }

    /// Queues the sample of one step, once for each output frame that shows it.
    fn hand_out(&self, mut sample: Sample) -> Result<(), Stop> {
        let Range { start, end } = self.pace.frames_of(sample.index);
        let (start, end) = (start.max(self.shown.start), end.min(self.shown.end));
        for index in start..end {
            let copy = match index + 1 < end {
                true => Some(self.copy(&sample)?),
                false => None,
            };
            sample.index = index;
            self.samples.send(Ok(sample)).map_err(|_| Stop::Dropped)?;
            match copy {
                Some(copy) => sample = copy,
                None => break,
            }
        }
        Ok(())
    }

    /// The same images in buffers of their own. There is a spare one for that: whoever waits for a
    /// sample holds no more than it said, and the window that is being handed out no more than the
    /// rest.
    fn copy(&self, sample: &Sample) -> Result<Sample, Stop> {
        let Pixels::Owned { background: Some(background), crop, stored } = &sample.pixels else {
            return Err(Stop::Dropped);
        };
        let mut buffers = self.pools.try_map(BufferPool::take)?;
        buffers.background.copy_from_slice(background);
        buffers.crop.copy_from_slice(crop);
        if let (Some(to), Some(from)) = (&mut buffers.stored, stored) {
            to.roi.copy_from_slice(&from.roi);
            to.masked.copy_from_slice(&from.masked);
        }
        let PerTrack { background, crop, stored } = buffers;
        let pixels = Pixels::Owned { background: Some(background), crop, stored };
        Ok(Sample { pixels, ..*sample })
    }

    fn timed(
        &mut self,
        work: impl FnOnce(&mut PerTrack<TrackDecoder>) -> Result<(), DatasetError>,
    ) -> Result<(), DatasetError> {
        let start = Instant::now();
        let result = work(&mut self.tracks);
        let spent = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.tally.busy_ns.fetch_add(spent, Ordering::Relaxed);
        result
    }
}

/// A reader that makes sure a frame decodes to the same pixels each time.
struct TrackDecoder {
    reader: Reader,
    path: PathBuf,
    /// Checksums of the frames from 0 on, as first decoded.
    seen: Option<Vec<u64>>,
    position: usize,
}

impl TrackDecoder {
    fn seek(&mut self, frame: usize) -> Result<(), DatasetError> {
        self.position = frame;
        self.reader.seek(frame)
    }

    fn read_next(&mut self, out: &mut [u8]) -> Result<(), DatasetError> {
        self.reader.read_next(out)?;
        let frame = self.position;
        self.position += 1;
        let Some(seen) = &mut self.seen else { return Ok(()) };
        let sum = checksum(out);
        match seen.get(frame) {
            Some(&first) if first != sum => {
                Err(DatasetError::Reread { path: self.path.clone(), frame })
            }
            Some(_) => Ok(()),
            None => {
                // The first pass goes through the frames in order.
                debug_assert_eq!(seen.len(), frame);
                seen.push(sum);
                Ok(())
            }
        }
    }
}

#[cfg(all(test, feature = "opencv"))]
mod tests {
    use super::*;
    use crate::dataset::tests::support;
    use crate::dataset::{Form, Inputs};

    #[test]
    fn a_frame_that_decodes_differently_is_an_error() {
        let dir = support::package(Form::Videos, 6);
        let package = support::open(&dir, Inputs::Derived);
        let source = &package.tracks().background;
        let mut decoder = TrackDecoder {
            reader: Reader::open(source, 6).unwrap(),
            path: source.first_file(),
            seen: Some(Vec::new()),
            position: 0,
        };
        let mut pixels = vec![0; source.size.bytes()];
        for _ in 0..6 {
            decoder.read_next(&mut pixels).unwrap();
        }
        decoder.seek(3).unwrap();
        decoder.read_next(&mut pixels).unwrap();
        // As though the frame had been another one the first time.
        decoder.seen.as_mut().unwrap()[4] ^= 1;
        let error = decoder.read_next(&mut pixels).unwrap_err().to_string();
        for part in ["frame 4", "full_body_video.mp4", "--frame-store ram", "unpack"] {
            assert!(error.contains(part), "{part} in: {error}");
        }
    }
}
