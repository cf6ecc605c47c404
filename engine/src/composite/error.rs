//! What can go wrong while planning or compositing.

use crate::frame::{Rect, Size};

use super::{Interpolation, KernelLevel};

/// Why a compositor could not be made, or a frame not be composited.
#[derive(Debug, thiserror::Error)]
pub enum CompositeError {
    /// The CPU lacks the instructions of the level that was asked for.
    #[error(
        "compositor {level} was asked for, but this CPU cannot run it; use auto, which takes the \
         fastest one that it can run"
    )]
    UnsupportedByCpu {
        /// The level that was asked for.
        level: KernelLevel,
    },

    /// The OpenCV reference was asked for in a build without it.
    #[error(
        "compositor opencv was asked for, but this build has no OpenCV; build with the cargo \
         feature \"opencv\", or use auto, which gives the same bytes"
    )]
    BuiltWithoutOpenCv,

    /// The level that was asked for has no kernel for the interpolation that was asked for.
    #[error(
        "compositor {level} has no kernel for {interpolation} interpolation; use auto, scalar or \
         opencv"
    )]
    UnsupportedInterpolation {
        /// The level that was asked for.
        level: KernelLevel,
        /// The interpolation that was asked for.
        interpolation: Interpolation,
    },

    /// The GPU was to composite, and the backend gave predictions.
    #[error(
        "compositor cuda was asked for, but the backend gave predictions instead of composited \
         patches"
    )]
    NotOnDevice,

    /// A rectangle given for planning is empty, inverted or leaves the frame.
    #[error(
        "the rectangle of frame {number} is {rect} (x1, y1, x2, y2), which is not inside a {frame} \
         frame or has no pixels"
    )]
    RectOutsideFrame {
        /// Position in the list of rectangles, from 0.
        number: usize,
        /// The rectangle.
        rect: Rect,
        /// Size of the frames.
        frame: Size,
    },

    /// A rectangle passed for compositing is outside the frame or of a size that was not planned.
    #[error(
        "cannot composite into the rectangle {rect} (x1, y1, x2, y2) of a {frame} frame: no \
         rectangle of that size inside the frame was planned for"
    )]
    Unplanned {
        /// The rectangle.
        rect: Rect,
        /// Size of the frames.
        frame: Size,
    },

    /// A buffer has another length than the plan's sizes imply.
    #[error("cannot composite: the {buffer} holds {found} {unit}, expected {expected}")]
    BufferLength {
        /// Which buffer: prediction, crop or frame.
        buffer: &'static str,
        /// What its elements are: floats or bytes.
        unit: &'static str,
        /// Elements passed.
        found: usize,
        /// Elements needed.
        expected: usize,
    },

    /// The scratch was made by a compositor of another level or with smaller plans.
    #[error("cannot composite: the scratch memory was made by another compositor")]
    ForeignScratch,

    /// OpenCV refused to work on the calling thread alone.
    #[cfg(feature = "opencv")]
    #[error("cannot prepare compositor opencv: OpenCV refused to be limited to one thread")]
    OpenCvThreads {
        /// What OpenCV said.
        source: ::opencv::Error,
    },

    /// OpenCV refused.
    #[cfg(feature = "opencv")]
    #[error("cannot composite with OpenCV into a rectangle of {size} pixels")]
    OpenCv {
        /// Size of the rectangle.
        size: Size,
        /// What OpenCV said.
        source: ::opencv::Error,
    },
}

/// A word that names none of the values of a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {setting} \"{found}\", expected one of: {expected}")]
pub struct UnknownName {
    /// What was to be named.
    pub(super) setting: &'static str,
    /// The word.
    pub(super) found: String,
    /// The words that would do.
    pub(super) expected: &'static str,
}
