//! What one output frame is made from.

use std::fmt;
use std::sync::Arc;

use super::ram::Preloaded;
use super::tracks::StoredInputs;
use crate::frame::PooledBuffer;

/// The images of one output frame: background, face crop, and the stored inputs where they are
/// used. All are packed BGR rows of the sizes that the package and its geometry give.
pub struct Sample {
    /// Position in the output, from 0. The frame is driven by feature row `index`.
    pub index: u64,
    /// The package's frame that is shown, from 0.
    pub frame: usize,
    pub(super) pixels: Pixels,
}

/// Who owns the images.
pub(super) enum Pixels {
    Shared(Arc<Preloaded>),
    Owned {
        /// `None` once taken.
        background: Option<PooledBuffer>,
        crop: PooledBuffer,
        stored: Option<StoredInputs<PooledBuffer>>,
    },
}

/// The images from which the network's input is assembled.
#[derive(Clone, Copy, Debug)]
pub enum InputPixels<'a> {
    /// The package's own, each S x S.
    Stored {
        /// The region that the network sees.
        roi: &'a [u8],
        /// The same with the mouth blacked out.
        masked: &'a [u8],
    },
    /// To be made from the crop: the roi is the crop without its border, the masked roi is that with
    /// [`ModelGeometry::mask`](crate::frame::ModelGeometry::mask) black.
    Derived {
        /// The face crop, (S+8) x (S+8).
        crop: &'a [u8],
    },
}

impl Sample {
    /// The face crop, (S+8) x (S+8).
    pub fn crop(&self) -> &[u8] {
        match &self.pixels {
            Pixels::Shared(frames) => frames.crop(self.frame),
            Pixels::Owned { crop, .. } => crop,
        }
    }

    /// What the network's input is made from.
    pub fn inputs(&self) -> InputPixels<'_> {
        let stored = match &self.pixels {
            Pixels::Shared(frames) => frames.stored(self.frame),
            Pixels::Owned { stored, .. } => {
                stored.as_ref().map(|stored| (&stored.roi[..], &stored.masked[..]))
            }
        };
        match stored {
            Some((roi, masked)) => InputPixels::Stored { roi, masked },
            None => InputPixels::Derived { crop: self.crop() },
        }
    }

    /// The background where all frames share it: to be copied into an output buffer.
    pub fn shared_background(&self) -> Option<&[u8]> {
        match &self.pixels {
            Pixels::Shared(frames) => Some(frames.background(self.frame)),
            Pixels::Owned { .. } => None,
        }
    }

    /// The background where it was decoded for this frame alone: the output buffer itself. It can
    /// be taken once.
    pub fn take_background(&mut self) -> Option<PooledBuffer> {
        match &mut self.pixels {
            Pixels::Shared(_) => None,
            Pixels::Owned { background, .. } => background.take(),
        }
    }
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample")
            .field("index", &self.index)
            .field("frame", &self.frame)
            .finish_non_exhaustive()
    }
}
