//! The frames that are on the device: a cache with a budget.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use super::layout::RegionLayout;
use super::rows::Rows;
use super::{JOB_WORDS, Shared};
use crate::batch::OnDevice;
use crate::composite::patch_stride;
use crate::cuda::kernels::{Job, Kernels, Sizes, Taps, taps};
use crate::cuda::memory::upload_at;
use crate::cuda::{CudaError, DeviceBuffer, Event, PinnedBuffer, PinnedKind, Stream, upload};
use crate::dataset::{Features, Sample};
use crate::frame::{ModelGeometry, Rect, Size};

/// What regions are of, and how many may be on the device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResidentPlan<'a> {
    /// The network's sizes.
    pub(crate) geometry: ModelGeometry,
    /// Where each of the package's frames has its rectangle.
    pub(crate) rects: &'a [Rect],
    /// Whether samples have stored inputs.
    pub(crate) stored: bool,
    /// Bytes that regions may take.
    pub(crate) budget: u64,
    /// Batches that can be in flight at one time.
    pub(crate) lanes: usize,
    /// Frames that a batch has room for.
    pub(crate) batch: usize,
}

/// What a rectangle's size gives, the same for all frames that have it.
#[derive(Clone, Copy)]
struct Shape {
    size: Size,
    /// Addresses of its taps.
    columns: u64,
    rows: u64,
}

/// Room for one region on the device.
struct Slot {
    /// The frame whose region is there.
    frame: Option<usize>,
    /// Reached when it is.
    ready: Event,
    /// Whether that is known to be so.
    settled: bool,
    /// Batches in flight that use it.
    users: u32,
    /// When it was last asked for.
    used: u64,
}

/// A region on its way to the device.
struct Staged {
    buffer: PinnedBuffer,
    /// Reached when it has left.
    sent: Event,
}

/// The regions on the device, by frame.
pub(crate) struct Regions {
    shared: Arc<Shared>,
    layout: RegionLayout,
    /// One for each of the package's frames.
    shapes: Vec<Shape>,
    slots: Vec<Slot>,
    /// Where each frame's region is.
    of_frame: Vec<Option<usize>>,
    clock: u64,
    uploads: ManuallyDrop<Uploads>,
}

/// What the device may read while an upload is on its way.
struct Uploads {
    stream: Stream,
    rows: Rows,
    staged: Vec<Staged>,
    next: usize,
}

/// What became of a batch's frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// Words that their patches take.
    pub(crate) patch_words: usize,
    /// Bytes of regions that had to be uploaded.
    pub(crate) regions: u64,
    /// Bytes of feature rows that had to be.
    pub(crate) rows: u64,
}

impl Regions {
    /// No region yet, with room for as many as the budget allows, the package has, and a budget of
    /// less does not go below: those of the frames in flight.
    ///
    /// # Errors
    /// [`CudaError::Regions`] when the budget is too small; when the device has not that much memory,
    /// or refuses.
    pub(crate) fn new(kernels: Kernels, plan: &ResidentPlan<'_>) -> Result<Self, CudaError> {
        let context = &kernels.context().clone();
        let layout = RegionLayout::new(plan.geometry, plan.stored);
        let frames = plan.rects.len();
        let affordable = usize::try_from(plan.budget).unwrap_or(usize::MAX) / layout.bytes();
        let needed = frames.min(plan.lanes * plan.batch).max(1);
        if affordable < needed {
            let bytes = layout.bytes() as u64;
            return Err(CudaError::Regions { budget: plan.budget, needed, bytes });
        }
        let count = affordable.min(frames.max(1));

        let (words, places) = tables(plan);
        let stream = Stream::new(context)?;
        let tables = DeviceBuffer::new(context, words.len())?;
        let mut host = PinnedBuffer::zeroed(context, words.len(), PinnedKind::Cached)?;
        host.copy_from_slice(bytemuck::cast_slice(&words));
        // SAFETY: both buffers stay until the stream has passed this.
        unsafe { upload(&stream, &tables, &host, words.len()) }?;
        if let Err(error) = stream.settle() {
            std::mem::forget((host, tables));
            return Err(error);
        }

        let at = |place: usize| tables.pointer() + (place * 4) as u64;
        let shapes = places
            .iter()
            .map(|&(size, columns, rows)| Shape { size, columns: at(columns), rows: at(rows) })
            .collect();
        let rows = Rows::new(context, plan.lanes, plan.batch)?;
        let most = |of: fn(Size) -> usize| plan.rects.iter().map(|r| of(r.size())).max();
        let shared = Shared {
            kernels,
            regions: DeviceBuffer::new(context, count * layout.bytes() / 4)?,
            _tables: tables,
            rows: DeviceBuffer::new(context, rows.floats())?,
            sizes: Sizes::of(plan.geometry),
            largest: [most(|s| s.width).unwrap_or(0), most(|s| s.height).unwrap_or(0)],
        };
        let slot = |_| {
            let ready = Event::new(context)?;
            Ok(Slot { frame: None, ready, settled: true, users: 0, used: 0 })
        };
        let staged = |_| {
            let words = layout.bytes() / 4;
            let buffer = PinnedBuffer::zeroed(context, words, PinnedKind::WriteCombined)?;
            Ok(Staged { buffer, sent: Event::new(context)? })
        };
        // A batch may be staged while the one before it is on its way.
        let staged = (0..needed.min(16)).map(staged).collect::<Result<_, CudaError>>()?;
        Ok(Self {
            shared: Arc::new(shared),
            layout,
            shapes,
            slots: (0..count).map(slot).collect::<Result<_, CudaError>>()?,
            of_frame: vec![None; frames],
            clock: 0,
            uploads: ManuallyDrop::new(Uploads { stream, rows, staged, next: 0 }),
        })
    }

    /// What the lanes keep.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Regions that there is room for.
    pub(crate) fn room(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of one region.
    pub(crate) fn region_bytes(&self) -> usize {
        self.layout.bytes()
    }

    /// Words that the patch of one frame takes at most.
    pub(crate) fn largest_patch(&self) -> usize {
        let [width, height] = self.shared.largest;
        patch_stride(width) / 4 * height
    }

    /// Sees to it that the samples of `batch` have their regions and feature rows on the device before
    /// `lane` goes on, and writes `frames` jobs for them to `jobs`, the last one's again where there are
    /// more. `rows` are those that the batch brings. `held` gets the regions, for
    /// [`release`](Self::release) once the batch is back.
    ///
    /// # Errors
    /// When a sample is none of the package that this was made for, all room is taken, or the device
    /// refuses.
    pub(crate) fn prepare(
        &mut self,
        batch: OnDevice<'_>,
        rows: &[f32],
        jobs: &mut [f32],
        frames: usize,
        lane: &Stream,
        held: &mut Vec<usize>,
    ) -> Result<Prepared, CudaError> {
        let OnDevice { samples, starts, row_ends } = batch;
        starts.clear();
        let mut prepared = Prepared::default();
        let mut last = None;
        let jobs: &mut [Job] = bytemuck::cast_slice_mut(&mut jobs[..frames * JOB_WORDS]);
        for ((sample, row_end), job) in samples.iter().zip(row_ends).zip(&mut *jobs) {
            let shape = *self.shapes.get(sample.frame).ok_or(FOREIGN)?;
            let (slot, uploaded) = self.acquire(sample)?;
            held.push(slot);
            let Slot { ready, settled, .. } = &mut self.slots[slot];
            if !*settled {
                *settled = ready.is_done()?;
            }
            if !*settled {
                lane.wait_for(ready)?;
            }
            let start = 4 * prepared.patch_words;
            *job = self.job(slot, shape, start, *row_end);
            last = Some(*job);
            starts.push(start);
            prepared.patch_words += patch_stride(shape.size.width) / 4 * shape.size.height;
            prepared.regions += uploaded;
        }
        let brought = row_ends.last().map_or(0, |rows| rows * Features::ROW);
        let rows = rows.get(..brought).ok_or(FOREIGN)?;
        let Uploads { stream, rows: ring, .. } = &mut *self.uploads;
        // SAFETY: `shared` is kept until the lanes' streams and this one are idle, which whoever drops
        // it waits for. The lanes are those of the plan: one that has a batch takes no other.
        unsafe { ring.append(rows, &self.shared.rows, stream, lane) }?;
        prepared.rows += size_of_val(rows) as u64;
        // The device computes whole batches; what it makes too much lies behind the others and stays
        // there.
        let last = last.ok_or(FOREIGN)?;
        let spare = jobs.iter_mut().skip(samples.len());
        for (job, nth) in spare.zip(0..) {
            let patch = (4 * (prepared.patch_words + nth * self.largest_patch())) as u64;
            *job = Job { patch, ..last };
        }
        Ok(prepared)
    }

    /// Gives up what `prepare` took for a batch that is back, and empties `held`.
    pub(crate) fn release(&mut self, held: &mut Vec<usize>) {
        for slot in held.drain(..) {
            self.slots[slot].users -= 1;
        }
    }

    fn job(&self, slot: usize, shape: Shape, patch: usize, row_end: usize) -> Job {
        let region = self.shared.regions.pointer() + (slot * self.layout.bytes()) as u64;
        let (roi, masked, stride) = self.layout.inputs();
        Job {
            roi: region + roi as u64,
            masked: masked.map_or(0, |masked| region + masked as u64),
            roi_stride: stride as u32,
            masked_stride: stride as u32,
            crop: region,
            columns: shape.columns,
            rows: shape.rows,
            width: shape.size.width as u32,
            height: shape.size.height as u32,
            patch: patch as u64,
            window: self.uploads.rows.window(row_end),
            unused: 0,
        }
    }

    /// The slot that has, or will have, the region of `sample`; and the bytes that are uploaded for
    /// that.
    fn acquire(&mut self, sample: &Sample) -> Result<(usize, u64), CudaError> {
        self.clock += 1;
        let (slot, uploaded) = match self.of_frame[sample.frame] {
            Some(slot) => (slot, 0),
            None => (self.fetch(sample)?, self.layout.bytes() as u64),
        };
        let taken = &mut self.slots[slot];
        taken.users += 1;
        taken.used = self.clock;
        Ok((slot, uploaded))
    }

    /// Uploads the region of `sample` to where nobody has asked for longest.
    fn fetch(&mut self, sample: &Sample) -> Result<usize, CudaError> {
        let free = self.slots.iter().enumerate().filter(|(_, slot)| slot.users == 0);
        let (number, _) = free.min_by_key(|(_, slot)| slot.used).ok_or(CudaError::Lane {
            attempt: "a region",
            state: "batches in flight use all there is room for",
        })?;
        let Uploads { stream, staged, next, .. } = &mut *self.uploads;
        *next = (*next + 1) % staged.len();
        let Staged { buffer, sent } = &mut staged[*next];
        sent.synchronize()?;
        if !self.layout.fill(bytemuck::cast_slice_mut(buffer), sample) {
            return Err(FOREIGN);
        }
        let slot = &mut self.slots[number];
        if let Some(before) = slot.frame.take() {
            self.of_frame[before] = None;
        }
        let words = self.layout.bytes() / 4;
        // SAFETY: the staged buffer is not touched before `sent` is reached and not freed before the
        // stream is idle. No batch in flight uses the slot, and batches that are queued later wait
        // for `ready`; the memory is kept by `shared`, which is dropped after the stream is idle.
        unsafe { upload_at(stream, &self.shared.regions, number * words, buffer, 0, words) }?;
        sent.record(stream)?;
        slot.ready.record(stream)?;
        slot.settled = false;
        slot.frame = Some(sample.frame);
        self.of_frame[sample.frame] = Some(number);
        Ok(number)
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        match self.uploads.stream.settle() {
            // SAFETY: dropped here, once, and not used again.
            Ok(()) => unsafe { ManuallyDrop::drop(&mut self.uploads) },
            // The device may still be at work on it: what it reads and writes stays.
            Err(_) => std::mem::forget(Arc::clone(&self.shared)),
        }
    }
}

/// A sample that this cannot be about.
const FOREIGN: CudaError = CudaError::Lane {
    attempt: "a batch",
    state: "it is not of the package that the GPU was prepared for",
};

/// The taps of all sizes as words, and for each frame its size and the words at which its columns' and
/// its rows' taps begin.
fn tables(plan: &ResidentPlan<'_>) -> (Vec<u32>, Vec<(Size, usize, usize)>) {
    let mut words: Vec<u32> = Vec::new();
    let mut known: Vec<(Size, usize, usize)> = Vec::new();
    let mut add = |taps: &[Taps]| {
        let start = words.len();
        words.extend_from_slice(bytemuck::cast_slice(taps));
        start
    };
    let places = plan.rects.iter().map(|rect| {
        let size = rect.size();
        if let Some(place) = known.iter().find(|(of, ..)| *of == size) {
            return *place;
        }
        let [columns, rows] = taps(plan.geometry.crop_side(), size);
        known.push((size, add(&columns), add(&rows)));
        known[known.len() - 1]
    });
    let places = places.collect();
    (words, places)
}
