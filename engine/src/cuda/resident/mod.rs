//! Frames whose pixels stay on the device, feature rows that are sent there once, and what a lane makes
//! of them: the network's inputs are assembled there and the predictions composited, so that only
//! patches come back.
//!
//! [`Regions`] belongs to the thread that owns the lanes. It uploads a frame's region when a batch
//! first needs it, on a stream of its own, and keeps it while there is room; a region that a batch in
//! flight uses is never replaced. What the lanes touch (regions, rows, tables, kernels) is [`Shared`], which
//! every lane's [`Stage`] holds, so that it outlives whatever is queued there.

mod layout;
mod regions;
mod rows;
mod stage;

pub(crate) use regions::{Prepared, Regions, ResidentPlan};
pub(crate) use stage::{Queue, Stage};

use super::DeviceBuffer;
use super::kernels::{Kernels, RowRing, Sizes};
use crate::dataset::Features;

/// What queued work of any lane may refer to.
pub(crate) struct Shared {
    kernels: Kernels,
    /// Regions, one behind the other.
    regions: DeviceBuffer,
    /// Taps of every size of rectangle, which jobs have addresses of.
    _tables: DeviceBuffer,
    /// Feature rows, a ring.
    rows: DeviceBuffer,
    sizes: Sizes,
    /// Width and height that no rectangle exceeds.
    largest: [usize; 2],
}

impl Shared {
    fn row_ring(&self) -> RowRing {
        let slots = (self.rows.len() / Features::ROW) as u32;
        RowRing { address: self.rows.pointer(), slots }
    }
}

/// Words of 4 bytes in one of [`Job`](super::kernels::Job).
pub(crate) const JOB_WORDS: usize = size_of::<super::kernels::Job>() / 4;
