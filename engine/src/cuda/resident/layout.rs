//! Where the pixels of one frame lie in its region on the device.

use crate::dataset::{InputPixels, Sample};
use crate::frame::ModelGeometry;

/// Images begin where a wide access may.
const ALIGNMENT: usize = 16;

/// A region: the crop, and the stored inputs where they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RegionLayout {
    geometry: ModelGeometry,
    stored: bool,
}

impl RegionLayout {
    pub(super) fn new(geometry: ModelGeometry, stored: bool) -> Self {
        Self { geometry, stored }
    }

    /// Bytes of a region.
    pub(super) fn bytes(&self) -> usize {
        match self.stored {
            true => self.masked() + self.geometry.roi().bytes().next_multiple_of(ALIGNMENT),
            false => self.roi(),
        }
    }

    /// Where the stored roi begins.
    fn roi(&self) -> usize {
        self.geometry.crop().bytes().next_multiple_of(ALIGNMENT)
    }

    /// Where the stored masked roi begins.
    fn masked(&self) -> usize {
        self.roi() + self.geometry.roi().bytes().next_multiple_of(ALIGNMENT)
    }

    /// Writes the region of `sample`. `false` where it has other images than the layout.
    pub(super) fn fill(&self, region: &mut [u8], sample: &Sample) -> bool {
        let mut put = |at: usize, image: &[u8], bytes: usize| {
            let fits = image.len() == bytes;
            if fits {
                region[at..at + bytes].copy_from_slice(image);
            }
            fits
        };
        let roi_bytes = self.geometry.roi().bytes();
        let crop = put(0, sample.crop(), self.geometry.crop().bytes());
        match (sample.inputs(), self.stored) {
            (InputPixels::Stored { roi, masked }, true) => {
                crop && put(self.roi(), roi, roi_bytes) && put(self.masked(), masked, roi_bytes)
            }
            (InputPixels::Derived { .. }, false) => crop,
            _ => false,
        }
    }

    /// Offsets of the roi and, where there is one, the masked roi, with the stride of both.
    pub(super) fn inputs(&self) -> (usize, Option<usize>, usize) {
        match self.stored {
            true => (self.roi(), Some(self.masked()), self.geometry.roi().stride()),
            false => {
                let stride = self.geometry.crop().stride();
                (ModelGeometry::BORDER * (stride + 3), None, stride)
            }
        }
    }
}
