//! What a sample package is to contain.

use std::path::PathBuf;

use crate::frame::Size;
use crate::sink::ImageFormat;

/// The batch dimension of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Any size, named N.
    Symbolic,
    /// This size and no other.
    Fixed(usize),
}

/// How a package stores its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One mp4 file for each kind of frame. Needs the feature `opencv`.
    Videos,
    /// One file for each frame.
    Images(ImageFormat),
}

/// The network in a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkKind {
    /// [`unet`](super::unet): the work of a real one.
    Unet,
    /// [`probe`](super::probe): exact arithmetic.
    Probe,
    /// [`demo`](super::demo): a mouth that opens with the sound. In the package's own frames it
    /// stays closed.
    Demo,
}

/// What a sample package is to contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleOptions {
    /// Number of frames, at 25 a second, and of feature rows.
    pub frames: usize,
    /// Size of the background frames.
    pub size: Size,
    /// Side of the network's image input; crops are 8 pixels wider.
    pub side: usize,
    /// How frames are stored.
    pub form: Form,
    /// The network.
    pub network: NetworkKind,
    /// The network's batch dimension.
    pub batch: Batch,
    /// Seed of the movements, the features and the network's weights.
    pub seed: u64,
    /// A crop_rectangles.json to take the rectangles from, played forwards and backwards where it
    /// has fewer than `frames`. Without one, a head that sways is made up.
    pub rects: Option<PathBuf>,
}

impl Default for SampleOptions {
    /// 100 frames of 1280x720 as videos, with a U-Net of side 320.
    fn default() -> Self {
        Self {
            frames: 100,
            size: Size::new(1280, 720),
            side: 320,
            form: Form::Videos,
            network: NetworkKind::Unet,
            batch: Batch::Symbolic,
            seed: 0,
            rects: None,
        }
    }
}
