//! Batches in lanes of a GPU, whatever runs the network there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine_sys::{Log, Severity};

use super::{BackendError, DevicePlan};
use crate::batch::{
    AUDIO_LEN, Completed, DeviceParts, DeviceTimes, HostBatch, HostBuffers, InFlight, Patches,
    Predictions, Span,
};
use crate::cuda::kernels::Kernels;
use crate::cuda::{
    Context, DeviceInfo, Floats, JOB_WORDS, Lane, Network, PinnedKind, Prepared, Queue, Regions,
    ResidentPlan, Stage, Staging, Stream,
};
use crate::frame::ModelGeometry;

/// The most lanes; more would only take memory.
pub(super) const MAX_LANES: usize = 8;

/// What lanes are for.
pub(super) struct LanePlan {
    /// Sizes of the network.
    pub(super) geometry: ModelGeometry,
    /// How many lanes there are, 1 to [`MAX_LANES`].
    pub(super) count: usize,
    /// The smallest batch that the network takes.
    pub(super) least: usize,
    /// The largest batch that there is room for.
    pub(super) most: usize,
    /// Whether a batch runs at the size that it has room for, however many frames it holds: where a
    /// new size costs more than what the spare frames do. What those predict is not read.
    pub(super) whole: bool,
    /// Whether batches are replayed as CUDA graphs, and what takes the warning where that does not
    /// work.
    pub(super) graphs: Option<Arc<dyn Log>>,
}

/// As many lanes as batches may be in flight. Where it is [told to](Self::composite_on_device), a
/// lane also assembles the inputs and composites.
///
/// A lane (network, stream, device buffers, events, graphs) stays here. Pinned host batches travel:
/// their buffers belong to a lane while the device may touch them, and go back into the batch when it
/// is done, so that no lane is held while the CPU composites.
pub(super) struct Lanes<N: Network>
where
    BackendError: From<N::Error>,
{
    plan: LanePlan,
    slots: Vec<Slot<N>>,
    /// Networks between two lanes on their streams.
    idle: Vec<(N, Stream)>,
    /// The frames on the device, where it composites.
    regions: Option<Regions>,
    /// The lane that the next batch takes; batches go round, so the oldest is the one after it.
    next: usize,
    /// When the device was done with the batch before.
    previous_end: Instant,
    context: Context,
}

/// A lane and what has run in it.
struct Slot<N> {
    lane: Lane<Stage<N>>,
    /// The regions that the batch that is under way uses.
    held: Vec<usize>,
    /// What is sent there for it, how much of that is kept there, and what comes back, in bytes.
    bytes: [u64; 3],
    /// Batch sizes that have run without a graph, which a capture needs to have happened.
    warm: Vec<usize>,
    /// When the batch that is under way was enqueued.
    started: Instant,
}

/// Makes a network for lanes on a stream.
pub(super) type MakeNetwork<'a, N> = dyn Fn(&Stream) -> Result<N, BackendError> + 'a;

impl<N: Network> Lanes<N>
where
    BackendError: From<N::Error>,
{
    /// Lanes on the GPU of `context`.
    ///
    /// # Errors
    /// What `make` says, or when memory on the device cannot be had.
    pub(super) fn new(
        context: &Context,
        plan: LanePlan,
        make: &MakeNetwork<'_, N>,
    ) -> Result<Self, BackendError> {
        let mut lanes = Self {
            plan: LanePlan { count: plan.count.clamp(1, MAX_LANES), ..plan },
            slots: Vec::new(),
            idle: Vec::new(),
            regions: None,
            next: 0,
            previous_end: Instant::now(),
            context: context.clone(),
        };
        lanes.fill(None, make)?;
        Ok(lanes)
    }

    /// Makes the lanes, where there are none, and keeps `regions` for them.
    fn fill(
        &mut self,
        regions: Option<Regions>,
        make: &MakeNetwork<'_, N>,
    ) -> Result<(), BackendError> {
        let LanePlan { geometry, count, most, .. } = self.plan;
        let network_room = floats(geometry, most);
        let room = match &regions {
            None => network_room,
            Some(regions) => resident_floats(most, most * regions.largest_patch()),
        };
        for _ in 0..count {
            let (network, stream) = match self.idle.pop() {
                Some(kept) => kept,
                None => {
                    let stream = Stream::new(&self.context)?;
                    (make(&stream)?, stream)
                }
            };
            let lane = Lane::on_stream::<BackendError>(stream, room, |lane| match &regions {
                None => Ok(Stage::new(network, lane)?),
                Some(regions) => Stage::resident(network, lane, network_room, regions.shared()),
            })?;
            self.slots.push(Slot::new(lane, most));
        }
        self.regions = regions;
        self.next = 0;
        Ok(())
    }

    /// Ends all lanes, so that others have their memory, and keeps their networks.
    fn end(&mut self) -> Result<(), BackendError> {
        if self.slots.iter().any(|slot| slot.lane.is_busy()) {
            return Err(BackendError::Misused {
                attempt: "compositing was to move",
                state: "batches are in flight",
            });
        }
        self.idle.extend(self.slots.drain(..).filter_map(Slot::end));
        self.regions = None;
        Ok(())
    }

    /// The GPU.
    pub(super) fn device(&self) -> &DeviceInfo {
        self.context.device()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.plan.count
    }

    /// As [`Backend::composite_on_device`](super::Backend::composite_on_device).
    pub(super) fn composite_on_device(
        &mut self,
        plan: &DevicePlan<'_>,
        make: &MakeNetwork<'_, N>,
    ) -> Result<String, BackendError> {
        let kernels = Kernels::open(&self.context, plan.cache)?;
        self.end()?;
        let regions = Regions::new(
            kernels,
            &ResidentPlan {
                geometry: self.plan.geometry,
                rects: plan.rects,
                stored: plan.stored,
                budget: plan.budget.unwrap_or(self.context.device().memory / 4),
                lanes: self.plan.count,
                batch: self.plan.most,
            },
        )?;
        let text = format!(
            "room for {} of {} frames on the GPU ({} bytes each)",
            regions.room(),
            plan.rects.len(),
            regions.region_bytes()
        );
        self.fill(Some(regions), make)?;
        Ok(text)
    }

    /// As [`Backend::composite_on_host`](super::Backend::composite_on_host).
    pub(super) fn composite_on_host(
        &mut self,
        make: &MakeNetwork<'_, N>,
    ) -> Result<(), BackendError> {
        self.end()?;
        self.fill(None, make)
    }

    /// As [`Backend::allocate`](super::Backend::allocate).
    pub(super) fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError> {
        if capacity > self.plan.most {
            return Err(BackendError::Misused {
                attempt: "a batch was to be allocated",
                state: "it is larger than the largest that the lanes were made for",
            });
        }
        let geometry = self.plan.geometry;
        let frames = capacity.max(self.plan.least);
        let mut room = match &self.regions {
            None => floats(geometry, frames),
            Some(regions) => resident_floats(frames, capacity * regions.largest_patch()),
        };
        // Windows, or new feature rows, which are at most a window a frame.
        room.inputs[1] = frames * AUDIO_LEN;
        // The assembler reads back what it wrote where it derives the masked half from the other.
        let staging = Staging::zeroed(&self.context, room, PinnedKind::Cached)?;
        let HostBuffers { image, audio, predictions } = staging.into();
        Ok(match &self.regions {
            None => {
                let predictions = Predictions::Host(predictions);
                HostBatch::with_buffers(geometry, capacity, image, audio, predictions)
            }
            Some(_) => {
                let starts = Vec::with_capacity(capacity);
                let patches = Predictions::Patches(Patches { words: predictions, starts });
                HostBatch::on_device(geometry, capacity, image, audio, patches)
            }
        })
    }

    /// As [`Backend::enqueue`](super::Backend::enqueue).
    pub(super) fn enqueue(&mut self, mut batch: HostBatch) -> Result<InFlight, BackendError> {
        let index = self.next;
        let Self { plan, slots, regions, .. } = self;
        let slot = &mut slots[index];
        if slot.lane.is_busy() {
            return Err(BackendError::Misused {
                attempt: "a batch was enqueued",
                state: "all lanes are taken",
            });
        }
        let staging = batch.take_buffers().and_then(|buffers| buffers.into_staging().ok());
        let foreign = BackendError::Misused {
            attempt: "a batch was enqueued",
            state: "its memory is not what this backend allocated",
        };
        let Some(mut staging) = staging else { return Err(foreign) };
        let given = if plan.whole { batch.capacity() } else { batch.len() };
        let frames = given.max(plan.least);
        let (floats, Prepared { regions: kept, rows, .. }) =
            match (regions, batch.on_device_parts()) {
                (None, None) => (floats(plan.geometry, frames), Prepared::default()),
                (Some(regions), Some(parts)) => {
                    let [jobs, rows] = &mut staging.inputs;
                    let Slot { lane, held, .. } = slot;
                    let prepared =
                        regions.prepare(parts, rows, jobs, frames, lane.stream(), held)?;
                    (resident_floats(frames, prepared.patch_words), prepared)
                }
                _ => return Err(foreign),
            };
        let bytes = |floats: usize| (4 * floats) as u64;
        slot.bytes = [bytes(floats.inputs.iter().sum()) + rows + kept, kept, bytes(floats.output)];
        slot.submit(staging, floats, frames, &mut plan.graphs)?;
        self.next = (index + 1) % self.slots.len();
        Ok(batch.into_flight(index as u64))
    }

    /// As [`Backend::wait`](super::Backend::wait).
    pub(super) fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError> {
        let slot = usize::try_from(in_flight.ticket()).ok().and_then(|i| self.slots.get_mut(i));
        let slot = slot.ok_or(BackendError::Misused {
            attempt: "a batch was waited for",
            state: "another backend has it",
        })?;
        let (staging, times) = slot.lane.collect()?;
        if let Some(regions) = &mut self.regions {
            regions.release(&mut slot.held);
        }
        let [bytes_up, bytes_kept, bytes_down] = slot.bytes;
        let parts = slot.lane.compute().parts(slot.lane.compute_marks())?;
        let milliseconds = |ms: f32| Duration::from_secs_f64(f64::from(ms).max(0.0) / 1e3);
        // The device may have been done long before anybody asked. Batches overlap on it; what counts
        // is how much later than the one before this one was done.
        let end = slot.started + milliseconds(times.total_ms);
        let end = end.max(self.previous_end).min(Instant::now());
        let start = slot.started.max(self.previous_end).min(end);
        self.previous_end = end;
        let mut completed = in_flight.complete_with(Span { start, end }, staging.into());
        completed.trace_mut().device = Some(DeviceTimes {
            upload: milliseconds(times.upload_ms),
            compute: milliseconds(times.compute_ms),
            download: milliseconds(times.download_ms),
            parts: parts.map(|parts| {
                let [assemble, network, composite] = parts.map(milliseconds);
                DeviceParts { assemble, network, composite }
            }),
            bytes_up,
            bytes_kept,
            bytes_down,
        });
        Ok(completed)
    }
}

/// Floats of a lane's tensors where regions are resident: jobs and patches. Feature rows go another
/// way.
fn resident_floats(frames: usize, patch_words: usize) -> Floats {
    Floats { inputs: [frames * JOB_WORDS, 0], output: patch_words }
}

/// Floats of each tensor for a batch of `frames`.
fn floats(geometry: ModelGeometry, frames: usize) -> Floats {
    Floats {
        inputs: [frames * geometry.image_len(), frames * AUDIO_LEN],
        output: frames * geometry.prediction_len(),
    }
}

impl<N: Network> Slot<N>
where
    BackendError: From<N::Error>,
{
    fn new(lane: Lane<Stage<N>>, most: usize) -> Self {
        let held = Vec::with_capacity(most);
        Self { lane, held, bytes: [0; 3], warm: Vec::new(), started: Instant::now() }
    }

    /// Ends the lane, whatever it was at. `None` where the device failed.
    fn end(mut self) -> Option<(N, Stream)> {
        // What fails here failed before, or is found out when the lane waits for its stream.
        if self.lane.is_busy() {
            drop(self.lane.collect());
        }
        self.lane.run(|stage, _| Ok::<_, BackendError>(stage.retire()?)).ok()?;
        let (stage, stream) = self.lane.end().ok()?;
        Some((stage.into_network(), stream))
    }

    /// Puts a batch of `frames` on the device: by graph from the second time on that the size comes
    /// to this lane, since a capture needs a warm-up and a size that comes once is not worth one.
    fn submit(
        &mut self,
        host: Staging,
        floats: Floats,
        frames: usize,
        graphs: &mut Option<Arc<dyn Log>>,
    ) -> Result<(), BackendError> {
        if let Some(log) = graphs
            && !self.lane.has_graph(frames)
            && self.warm.contains(&frames)
            && !self.capture(frames, &**log)?
        {
            *graphs = None;
        }
        self.started = Instant::now();
        if graphs.is_some() && self.lane.has_graph(frames) {
            return Ok(self.lane.submit_graph(host, floats, frames)?);
        }
        if graphs.is_some() && !self.warm.contains(&frames) {
            self.warm.push(frames);
        }
        self.lane
            .submit(host, floats, |stage, bindings| stage.enqueue(frames, bindings, Queue::Now))
    }

    /// Captures the network for batches of `frames`. `false` where that cannot be done here.
    fn capture(&mut self, frames: usize, log: &dyn Log) -> Result<bool, BackendError> {
        // After a change of shapes the first run does what must not be captured.
        if !self.lane.compute().is_set_to(frames) {
            self.lane
                .run(|stage, bindings| Ok::<_, BackendError>(stage.warm_up(frames, bindings)?))?;
        }
        let captured: Result<_, BackendError> =
            self.lane.capture(frames, |stage, lane| stage.enqueue(frames, lane, Queue::Graph));
        if let Err(error) = &captured {
            let text = format!(
                "CUDA graphs are off, since the network cannot be captured for a batch of {frames}: \
                 {error}"
            );
            log.message(Severity::Warning, &text);
        }
        Ok(captured.is_ok())
    }
}

impl<N: Network> Drop for Lanes<N>
where
    BackendError: From<N::Error>,
{
    fn drop(&mut self) {
        // Each network before its stream, and all of them before what they share.
        self.slots.drain(..).for_each(|slot| drop(slot.end()));
    }
}
