//! Where a run's frames come from: RAM, or a decoder that runs ahead.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::DatasetError;
use super::order::ping_pong;
use super::pace::Pace;
use super::package::Package;
use super::ram::Preloaded;
use super::sample::{Pixels, Sample};
use super::stream::Stream;

/// Whether decoded frames are held in RAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreMode {
    /// In RAM where they fit the budget, else streamed.
    #[default]
    Auto,
    /// In RAM; an error where they exceed the budget.
    Ram,
    /// Decoded ahead while the run goes on.
    Stream,
}

impl FromStr for StoreMode {
    type Err = DatasetError;

    fn from_str(name: &str) -> Result<Self, DatasetError> {
        match name {
            "auto" => Ok(StoreMode::Auto),
            "ram" => Ok(StoreMode::Ram),
            "stream" => Ok(StoreMode::Stream),
            _ => Err(DatasetError::UnknownName {
                setting: "frame store",
                found: name.to_owned(),
                expected: "auto, ram or stream",
            }),
        }
    }
}

impl fmt::Display for StoreMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StoreMode::Auto => "auto",
            StoreMode::Ram => "ram",
            StoreMode::Stream => "stream",
        })
    }
}

/// How frames are to be stored.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// In RAM or not.
    pub mode: StoreMode,
    /// Bytes of decoded frames that RAM may hold.
    pub ram_budget: u64,
    /// Threads that fill the RAM store, at least 1. A stream always has one of its own. FFmpeg's own
    /// threads inside a video come on top: OpenCV 4.6 has no setting for them.
    pub decode_threads: usize,
}

/// A package's frames, ready to be read any number of times.
pub struct FrameStore {
    package: Arc<Package>,
    preloaded: Option<Arc<Preloaded>>,
    preload_time: Duration,
    pace: Pace,
}

impl FrameStore {
    /// Decodes the package into RAM, or prepares to stream it. `progress` is called on this thread
    /// with the number of images decoded so far and in all; not at all when streaming.
    ///
    /// # Errors
    /// Frames that cannot be decoded, and [`StoreMode::Ram`] over the budget.
    pub fn open(
        package: Arc<Package>,
        options: &StoreOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, DatasetError> {
        let needed = package.decoded_bytes();
        let fits = needed <= options.ram_budget;
        let in_ram = match options.mode {
            StoreMode::Auto => fits,
            StoreMode::Stream => false,
            StoreMode::Ram if fits => true,
            StoreMode::Ram => {
                return Err(DatasetError::OverBudget {
                    root: package.root().to_owned(),
                    needed,
                    budget: options.ram_budget,
                });
            }
        };
        if !in_ram {
            let (preload_time, pace) = (Duration::ZERO, Pace::default());
            return Ok(Self { package, preloaded: None, preload_time, pace });
        }
        let start = Instant::now();
        let preloaded = Preloaded::load(&package, options.decode_threads, progress)?;
        let (preload_time, pace) = (start.elapsed(), Pace::default());
        Ok(Self { package, preloaded: Some(Arc::new(preloaded)), preload_time, pace })
    }

    /// The package whose frames these are.
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// Has later sources play at `pace`: an output of more than 25 frames a second shows frames
    /// several times, one of less leaves some out.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Whether the frames are in RAM.
    pub fn in_ram(&self) -> bool {
        self.preloaded.is_some()
    }

    /// Bytes of decoded frames held; 0 when streaming, where each source has its own buffers.
    pub fn ram_bytes(&self) -> u64 {
        if self.in_ram() { self.package.decoded_bytes() } else { 0 }
    }

    /// How long decoding into RAM took; zero when streaming.
    pub fn preload_time(&self) -> Duration {
        self.preload_time
    }

    /// The samples of the output frames `shown`, in order. `in_flight` is the largest number of
    /// frames of which the caller holds anything, sample or background, while it waits for the next
    /// one; a stream that was promised too few waits forever.
    ///
    /// A streamed video that is not shown from the beginning is decoded once first, since only that
    /// tells whether a jump into its middle is exact.
    ///
    /// # Errors
    /// Videos that cannot be opened.
    pub fn source(&self, shown: Range<u64>, in_flight: usize) -> Result<FrameSource, DatasetError> {
        let supply = match &self.preloaded {
            Some(frames) => Supply::Ram {
                frames: Arc::clone(frames),
                frame_count: self.package.frame_count(),
                pace: self.pace,
                shown,
            },
            None => {
                Supply::Stream(Stream::start(&self.package, self.pace, shown, in_flight, None)?)
            }
        };
        Ok(FrameSource { supply })
    }
}

/// A run's samples in output order. After an error there are none.
///
/// Dropping it stops the decoder and waits for its thread.
pub struct FrameSource {
    supply: Supply,
}

enum Supply {
    Ram { frames: Arc<Preloaded>, frame_count: usize, pace: Pace, shown: Range<u64> },
    Stream(Stream),
}

impl FrameSource {
    /// What the decoder has done so far; nothing for frames in RAM.
    pub fn stats(&self) -> DecodeStats {
        match &self.supply {
            Supply::Ram { .. } => DecodeStats::default(),
            Supply::Stream(stream) => stream.stats(),
        }
    }
}

impl Iterator for FrameSource {
    type Item = Result<Sample, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.supply {
            Supply::Ram { frames, frame_count, pace, shown } => {
                let index = shown.next()?;
                Some(Ok(Sample {
                    index,
                    frame: ping_pong(pace.step(index), *frame_count),
                    pixels: Pixels::Shared(Arc::clone(frames)),
                }))
            }
            Supply::Stream(stream) => stream.next(),
        }
    }
}

/// Work done by a stream's decoder thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeStats {
    /// Frames decoded, all tracks of a frame counting once.
    pub frames: u64,
    /// Time spent seeking and decoding, without waits for buffers.
    pub busy: Duration,
}
