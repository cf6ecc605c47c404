//! One pass from floats to the frame, over whatever vector instructions do the rows.
//!
//! Only source rows that some output row needs are converted, each once, and nothing larger than
//! a row is written but the rectangle itself.

use crate::composite::plan::{Axes, Taps};
use crate::frame::ModelGeometry;

use super::buffer::{AlignedBuffer, CACHE_LINE};
use super::scalar::Target;
use super::shuffle::{Layout, Shuffles};

/// Colour planes.
pub(super) const PLANES: usize = 3;

/// Unused bytes before column 0 of a plane, so that the prediction starts on a cache line.
const LEAD: usize = CACHE_LINE - ModelGeometry::BORDER;

/// The three steps of a row, in some instruction set. A value proves that the CPU has it.
pub(crate) trait RowKernel: Copy {
    /// How [`Self::horizontal`] divides a row.
    const LAYOUT: Layout;

    /// Calls `work` from a function that has the instruction set enabled. Only what is inlined there
    /// is compiled for it, and only there can the other methods be inlined.
    fn vectorize(self, work: impl FnOnce());

    /// Splits BGR pixels into planes, each of which has a byte for every pixel.
    fn split(self, pixels: &[u8], planes: [&mut [u8]; PLANES]);

    /// Like [`Self::split`], but all but the first and last [`ModelGeometry::BORDER`] bytes of each
    /// plane come from its `values`, converted as [`to_byte`] does.
    ///
    /// [`to_byte`]: super::scalar::to_byte
    fn convert(self, values: [&[f32]; PLANES], pixels: &[u8], planes: [&mut [u8]; PLANES]);

    /// Resizes a row of each plane along the row and drops four bits, plane after plane, each a
    /// third of `out` and a whole number of blocks.
    fn horizontal(self, shuffles: &Shuffles<Self>, planes: [&[u8]; PLANES], out: &mut [i16]);

    /// Combines two resized rows and interleaves the planes to the BGR bytes of `out`.
    fn vertical(self, top: &[i16], bottom: &[i16], weights: [i16; 2], out: &mut [u8]);
}

/// A plan, with the columns in the kernel's form.
#[derive(Debug)]
pub(crate) struct FusedPlan<K> {
    axes: Axes<2>,
    /// `None` where the rectangle is so narrow that taps lie too far apart for shuffles.
    shuffles: Option<Shuffles<K>>,
}

impl<K: RowKernel> FusedPlan<K> {
    pub(crate) fn new(axes: Axes<2>) -> Self {
        let shuffles = Shuffles::new(&axes.columns);
        Self { axes, shuffles }
    }
}

/// What the fused kernels write to on their way.
#[derive(Debug)]
pub(crate) struct FusedScratch {
    /// One source row as planes of bytes.
    planes: [AlignedBuffer<u8>; PLANES],
    /// Two resized rows of three planes each; row y of the crop goes to `rows[y % 2]`.
    rows: [AlignedBuffer<i16>; 2],
}

impl FusedScratch {
    pub(crate) fn new<K: RowKernel>(geometry: ModelGeometry, widest: usize) -> Self {
        let row = PLANES * widest.next_multiple_of(K::LAYOUT.block);
        Self {
            planes: std::array::from_fn(|_| AlignedBuffer::new(plane_bytes(geometry))),
            rows: [AlignedBuffer::new(row), AlignedBuffer::new(row)],
        }
    }

    /// Whether the memory suffices for a crop of `geometry` and rectangles up to `widest` pixels.
    pub(crate) fn suits<K: RowKernel>(&self, geometry: ModelGeometry, widest: usize) -> bool {
        let row = PLANES * widest.next_multiple_of(K::LAYOUT.block);
        self.planes.iter().all(|plane| plane.len() == plane_bytes(geometry))
            && self.rows.iter().all(|held| held.len() >= row)
    }
}

/// Bytes of a plane in the scratch: a window that starts at the last column still lies in it.
fn plane_bytes(geometry: ModelGeometry) -> usize {
    (LEAD + geometry.crop_side() + CACHE_LINE).next_multiple_of(CACHE_LINE)
}

/// Composites one frame. Buffers have the lengths that `geometry` and the target's frame size
/// imply, and the target's rectangle lies in the frame and has the plan's size.
pub(crate) fn composite<K: RowKernel>(
    kernel: K,
    plan: &FusedPlan<K>,
    geometry: ModelGeometry,
    scratch: &mut FusedScratch,
    prediction: &[f32],
    crop: &[u8],
    target: Target<'_>,
) {
    kernel.vectorize(
        #[inline(always)]
        || composite_rows(kernel, plan, geometry, scratch, prediction, crop, target),
    );
}

#[inline(always)]
fn composite_rows<K: RowKernel>(
    kernel: K,
    plan: &FusedPlan<K>,
    geometry: ModelGeometry,
    scratch: &mut FusedScratch,
    prediction: &[f32],
    crop: &[u8],
    target: Target<'_>,
) {
    let crop_side = geometry.crop_side();
    let row = PLANES * plan.axes.columns.len().next_multiple_of(K::LAYOUT.block);
    let FusedScratch { planes, rows: [even, odd] } = scratch;
    let rows = [&mut even[..row], &mut odd[..row]];
    let mut held = [None; 2];
    for (taps, out) in plan.axes.rows.iter().zip(target.rows()) {
        for y in taps.index {
            if held[y % 2] != Some(y) {
                let inside = planes.each_mut().map(|plane| &mut plane[LEAD..LEAD + crop_side]);
                load_row(kernel, geometry, prediction, crop, y, inside);
                let planes = planes.each_ref().map(|plane| &plane[LEAD..]);
                match &plan.shuffles {
                    Some(shuffles) => kernel.horizontal(shuffles, planes, rows[y % 2]),
                    None => horizontal(&plan.axes.columns, planes, rows[y % 2]),
                }
                held[y % 2] = Some(y);
            }
        }
        let [top, bottom] = taps.index.map(|y| &rows[y % 2][..]);
        kernel.vertical(top, bottom, taps.weights, out);
    }
}

/// Writes row `y` of the crop, with the prediction inside it, to `planes`.
#[inline(always)]
fn load_row<K: RowKernel>(
    kernel: K,
    geometry: ModelGeometry,
    prediction: &[f32],
    crop: &[u8],
    y: usize,
    planes: [&mut [u8]; PLANES],
) {
    let side = geometry.side();
    let stride = geometry.crop().stride();
    let pixels = &crop[y * stride..(y + 1) * stride];
    match y.checked_sub(ModelGeometry::BORDER) {
        Some(y) if y < side => {
            let values = [0, 1, 2].map(|channel| {
                let start = (channel * side + y) * side;
                &prediction[start..start + side]
            });
            kernel.convert(values, pixels, planes);
        }
        _ => kernel.split(pixels, planes),
    }
}

/// [`RowKernel::horizontal`] without vector instructions, for taps that are far apart.
fn horizontal(columns: &[Taps<2>], planes: [&[u8]; PLANES], out: &mut [i16]) {
    let plane_len = out.len() / PLANES;
    for (plane, out) in planes.into_iter().zip(out.chunks_exact_mut(plane_len)) {
        for (Taps { index, weights }, out) in columns.iter().zip(out) {
            let [left, right] = [0, 1].map(|k| i32::from(plane[index[k]]) * i32::from(weights[k]));
            *out = ((left + right) >> 4) as i16;
        }
    }
}
