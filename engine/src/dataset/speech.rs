//! What a run speaks.

use std::ops::Range;

use crossbeam_channel::Receiver;

use super::feed::Supply;
use super::{FeatureReader, Features};

/// The feature rows of one run. Output frame k is driven by row k and its neighbours.
#[derive(Debug)]
pub enum Speech {
    /// All rows are there.
    Known {
        /// The rows.
        features: Features,
        /// Frames to make; beyond the last row there is silence.
        shown: Range<u64>,
    },
    /// Rows come in while frames are made: a frame is made as soon as the seven rows after its own
    /// have come, or the input has ended.
    Fed(FeatureReader),
}

impl Speech {
    /// The frames that it has at most.
    pub(crate) fn shown(&self) -> Range<u64> {
        match self {
            Self::Known { shown, .. } => shown.clone(),
            Self::Fed(_) => 0..u64::MAX,
        }
    }

    /// Whether frame `k` can be made. Frames are asked for in ascending order.
    pub(crate) fn poll(&mut self, k: u64) -> Supply {
        match self {
            Self::Known { shown, .. } => known(k, shown.end),
            Self::Fed(reader) => reader.poll(k),
        }
    }

    /// The same, waiting for rows as long as both of `stops` are connected.
    pub(crate) fn wait(&mut self, k: u64, stops: [&Receiver<()>; 2]) -> Supply {
        match self {
            Self::Known { shown, .. } => known(k, shown.end),
            Self::Fed(reader) => reader.wait(k, stops),
        }
    }

    /// Whether each frame's window is that of the frame before without its first row, and with one
    /// more at its end.
    pub(crate) fn is_a_row_a_frame(&self) -> bool {
        match self {
            Self::Known { features, .. } => features.is_a_row_a_frame(),
            Self::Fed(_) => true,
        }
    }

    /// Writes the last of the rows that the network hears for frame `k` to `out`, [`Features::ROW`]
    /// values, where there is [a row a frame](Self::is_a_row_a_frame).
    pub(crate) fn last_row(&self, k: u64, out: &mut [f32]) {
        match self {
            Self::Known { features, .. } => features.last_row(k, out),
            Self::Fed(reader) => reader.last_row(k, out),
        }
    }

    /// Writes the rows that the network hears for frame `k` to `out`, [`Features::WINDOW_LEN`]
    /// values.
    pub(crate) fn window(&self, k: u64, out: &mut [f32]) {
        match self {
            Self::Known { features, .. } => features.window(k, out),
            Self::Fed(reader) => reader.window(k, out),
        }
    }
}

fn known(k: u64, frames: u64) -> Supply {
    if k < frames { Supply::Ready } else { Supply::Over }
}
