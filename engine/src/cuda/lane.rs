//! One way through the device: a stream, the buffers there, and whatever computes in between.
//!
//! The invariant that makes [`Lane`] safe to use: **while something is queued on the lane's stream,
//! the lane owns everything that it touches**. Device buffers, graphs and the computing object are
//! fields; a batch's host buffers move in with [`Lane::submit`] and only come out of
//! [`Lane::collect`], which has waited for the last event behind them. Nothing of it is freed before
//! the stream is known to be idle; where that cannot be found out, it is leaked.

use std::fmt;
use std::mem::{self, ManuallyDrop};

use super::memory::check;
use super::{
    Context, CudaError, DeviceBuffer, Event, Graph, PinnedBuffer, PinnedKind, Stream, download,
    upload,
};

/// A number of floats for each tensor of the network: what there is room for, or what to transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floats {
    /// The image input and the audio input.
    pub inputs: [usize; 2],
    /// The output.
    pub output: usize,
}

/// The pinned host buffers of one batch.
#[derive(Debug)]
pub struct Staging {
    /// The image input and the audio input.
    pub inputs: [PinnedBuffer; 2],
    /// The output.
    pub output: PinnedBuffer,
}

impl Staging {
    /// Zeros, with room for `floats`. The inputs are of `kind`, the output is cached.
    ///
    /// # Errors
    /// When the system has not that much to pin.
    pub fn zeroed(context: &Context, floats: Floats, kind: PinnedKind) -> Result<Self, CudaError> {
        let [image, audio] = floats.inputs;
        Ok(Self {
            inputs: [
                PinnedBuffer::zeroed(context, image, kind)?,
                PinnedBuffer::zeroed(context, audio, kind)?,
            ],
            output: PinnedBuffer::zeroed(context, floats.output, PinnedKind::Cached)?,
        })
    }
}

/// Where a lane's tensors are on the device, for whatever computes there.
#[derive(Debug)]
pub struct Bindings<'a> {
    /// The stream that everything of the lane is queued on.
    pub stream: &'a Stream,
    /// Addresses of the image input and the audio input.
    pub inputs: [u64; 2],
    /// Address of the output.
    pub output: u64,
    /// Floats that there is room for.
    pub room: Floats,
}

/// How long the device took for one batch, in milliseconds by its own clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceTimes {
    /// Copying the inputs to the device.
    pub upload_ms: f32,
    /// Computing.
    pub compute_ms: f32,
    /// Copying the output back.
    pub download_ms: f32,
    /// All of that, first to last.
    pub total_ms: f32,
}

/// What a lane owns.
struct Parts<C> {
    graphs: Vec<(usize, Graph)>,
    compute: C,
    /// The batch that is on its way.
    host: Option<Staging>,
    device: Device,
}

struct Device {
    inputs: [DeviceBuffer; 2],
    output: DeviceBuffer,
    /// Reached when the inputs begin to be uploaded, when they are there, when the output is there,
    /// and when it is back.
    events: [Event; 4],
    stream: Stream,
}

/// A stream with device buffers, and `C` which computes from the inputs to the output.
///
/// One batch at a time: [`submit`](Self::submit) queues upload, compute and download, and returns;
/// [`collect`](Self::collect) waits. Several lanes work at the same time. `C` is dropped after the
/// device is done with the lane and before the lane's memory goes; what it queues may touch the
/// lane's device buffers and memory that it keeps until then.
pub struct Lane<C> {
    parts: ManuallyDrop<Parts<C>>,
}

impl<C> Lane<C> {
    /// A lane on a stream of its own; otherwise as [`on_stream`](Self::on_stream).
    ///
    /// # Errors
    /// As [`on_stream`](Self::on_stream).
    pub fn new<E: From<CudaError>>(
        context: &Context,
        room: Floats,
        compute: impl FnOnce(&Bindings<'_>) -> Result<C, E>,
    ) -> Result<Self, E> {
        Self::on_stream(Stream::new(context)?, room, compute)
    }

    /// A lane on `stream`, which is idle, with room for `room`. `compute` makes what computes there; it
    /// may keep the addresses, which stay valid until after it is dropped, or until the lane
    /// [ends](Self::end).
    ///
    /// # Errors
    /// What `compute` says, or when the device has not that much memory or refuses.
    pub fn on_stream<E: From<CudaError>>(
        stream: Stream,
        room: Floats,
        compute: impl FnOnce(&Bindings<'_>) -> Result<C, E>,
    ) -> Result<Self, E> {
        let device = Device::new(stream, room)?;
        match compute(&device.bindings()) {
            Ok(compute) => Ok(Self::assemble(device, compute)),
            Err(error) => {
                // It may have queued something: as a lane, the device's part waits for that.
                drop(Lane::assemble(device, ()));
                Err(error)
            }
        }
    }

    fn assemble(device: Device, compute: C) -> Self {
        let parts = Parts { graphs: Vec::new(), compute, host: None, device };
        Self { parts: ManuallyDrop::new(parts) }
    }

    /// The context that the lane lives in.
    pub fn context(&self) -> &Context {
        self.parts.device.stream.context()
    }

    /// The stream that everything of the lane is queued on.
    pub fn stream(&self) -> &Stream {
        &self.parts.device.stream
    }

    /// What computes.
    pub fn compute(&self) -> &C {
        &self.parts.compute
    }

    /// Reached by the latest batch when its inputs are on the device, and when its output is
    /// computed.
    pub fn compute_marks(&self) -> [&Event; 2] {
        let [_, uploaded, computed, _] = &self.parts.device.events;
        [uploaded, computed]
    }

    /// Whether a batch is on its way.
    pub fn is_busy(&self) -> bool {
        self.parts.host.is_some()
    }

    /// Queues `queue` alone, on whatever the device's buffers hold, and waits for it: a warm-up.
    ///
    /// # Errors
    /// What `queue` says; when a batch is on its way; or when the device refuses.
    pub fn run<E: From<CudaError>>(
        &mut self,
        queue: impl FnOnce(&mut C, &Bindings<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.idle("a warm-up")?;
        let Parts { compute, device, .. } = &mut *self.parts;
        device.stream.context().bind()?;
        let queued = queue(compute, &device.bindings());
        let done = device.stream.settle();
        queued?;
        Ok(done?)
    }

    /// Captures what `queue` puts on the stream as the graph for batches of `frames`, in place of an
    /// earlier one. Nothing is computed by that.
    ///
    /// # Errors
    /// What `queue` says; when a batch is on its way; or when something cannot be captured.
    pub fn capture<E: From<CudaError>>(
        &mut self,
        frames: usize,
        queue: impl FnOnce(&mut C, &Bindings<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.idle("a capture")?;
        let Parts { graphs, compute, device, .. } = &mut *self.parts;
        let bindings = device.bindings();
        let graph = device.stream.capture(|| queue(compute, &bindings))?;
        graphs.retain(|(of, _)| *of != frames);
        graphs.push((frames, graph));
        Ok(())
    }

    /// Whether there is a graph for batches of `frames`.
    pub fn has_graph(&self, frames: usize) -> bool {
        self.parts.graphs.iter().any(|(of, _)| *of == frames)
    }

    /// Takes the batch's buffers and queues: upload of the inputs, whatever `queue` puts on the
    /// stream, download of the output; `floats` of each. Returns without waiting.
    ///
    /// # Errors
    /// What `queue` says; when another batch is on its way; when `floats` exceeds a buffer; or when
    /// the device refuses. The buffers are then gone, and the lane is idle.
    pub fn submit<E: From<CudaError>>(
        &mut self,
        host: Staging,
        floats: Floats,
        queue: impl FnOnce(&mut C, &Bindings<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.start(host, floats, |parts| queue(&mut parts.compute, &parts.device.bindings()))
    }

    /// [`submit`](Self::submit) with the graph that was captured for `frames`.
    ///
    /// # Errors
    /// As for [`submit`](Self::submit), and when there is no such graph.
    pub fn submit_graph(
        &mut self,
        host: Staging,
        floats: Floats,
        frames: usize,
    ) -> Result<(), CudaError> {
        self.start(host, floats, |parts| {
            let graph = parts.graphs.iter().find(|(of, _)| *of == frames);
            let (_, graph) = graph.ok_or(CudaError::Lane {
                attempt: "a batch by graph",
                state: "no graph was captured for its size",
            })?;
            // SAFETY: the graph was captured on this lane, from what computes here, so that the
            // memory it refers to is the lane's. It is launched on the lane's stream only.
            unsafe { graph.launch(&parts.device.stream) }
        })
    }

    fn start<E: From<CudaError>>(
        &mut self,
        host: Staging,
        floats: Floats,
        compute: impl FnOnce(&mut Parts<C>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.idle("a batch")?;
        let parts = &mut *self.parts;
        // From here on the lane owns the buffers, also while `compute` unwinds.
        parts.host = Some(host);
        let queued = parts.queue_batch(floats, compute);
        if queued.is_err()
            && let Some(host) = parts.host.take()
        {
            parts.device.discard(host);
        }
        queued
    }

    /// Whether the batch that was submitted is done, so that [`collect`](Self::collect) does not
    /// wait; also when there is none.
    ///
    /// # Errors
    /// When the device failed.
    pub fn is_done(&self) -> Result<bool, CudaError> {
        let [.., downloaded] = &self.parts.device.events;
        if self.is_busy() { downloaded.is_done() } else { Ok(true) }
    }

    /// Waits for the batch that was submitted and gives its buffers back, the output filled.
    ///
    /// # Errors
    /// When none was submitted, or the device failed. The buffers are then gone, and the lane is
    /// idle.
    pub fn collect(&mut self) -> Result<(Staging, DeviceTimes), CudaError> {
        let parts = &mut *self.parts;
        let Some(host) = parts.host.take() else {
            return Err(CudaError::Lane {
                attempt: "a finished batch",
                state: "none was submitted",
            });
        };
        match parts.device.wait() {
            Ok(times) => Ok((host, times)),
            Err(error) => {
                parts.device.discard(host);
                Err(error)
            }
        }
    }

    /// Ends the lane, once nothing is left on its stream, and gives back what computed and the stream,
    /// to be used with another lane's buffers.
    ///
    /// # Errors
    /// When the device cannot be waited for; what the lane owns is then leaked.
    pub fn end(self) -> Result<(C, Stream), CudaError> {
        self.parts.device.stream.settle()?;
        let mut lane = ManuallyDrop::new(self);
        // SAFETY: the lane is not used again, and not dropped.
        let Parts { graphs, compute, host, device } =
            unsafe { ManuallyDrop::take(&mut lane.parts) };
        drop((graphs, host));
        Ok((compute, device.stream))
    }

    fn idle(&self, attempt: &'static str) -> Result<(), CudaError> {
        match self.is_busy() {
            true => Err(CudaError::Lane { attempt, state: "a batch is on its way" }),
            false => Ok(()),
        }
    }
}

impl<C> Drop for Lane<C> {
    fn drop(&mut self) {
        // A device that cannot be waited for may still be at work on what the lane owns.
        if self.parts.device.stream.settle().is_err() {
            return;
        }
        // SAFETY: the parts are taken here, once, and the lane is not used again.
        let Parts { graphs, compute, host, device } =
            unsafe { ManuallyDrop::take(&mut self.parts) };
        drop((graphs, compute));
        // On its way out, what computed may have queued something.
        if device.stream.settle().is_err() {
            mem::forget((host, device));
        }
    }
}

impl<C> fmt::Debug for Lane<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("stream", &self.parts.device.stream)
            .field("busy", &self.is_busy())
            .finish_non_exhaustive()
    }
}

impl<C> Parts<C> {
    fn queue_batch<E: From<CudaError>>(
        &mut self,
        floats: Floats,
        compute: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(host) = &self.host {
            self.device.upload(host, floats)?;
        }
        compute(self)?;
        if let Some(host) = &mut self.host {
            self.device.download(host, floats.output)?;
        }
        Ok(())
    }
}

impl Device {
    fn new(stream: Stream, room: Floats) -> Result<Self, CudaError> {
        let context = stream.context();
        let [image, audio] = room.inputs;
        let event = || Event::new(context);
        Ok(Self {
            inputs: [DeviceBuffer::new(context, image)?, DeviceBuffer::new(context, audio)?],
            output: DeviceBuffer::new(context, room.output)?,
            events: [event()?, event()?, event()?, event()?],
            stream,
        })
    }

    fn bindings(&self) -> Bindings<'_> {
        let [image, audio] = &self.inputs;
        Bindings {
            stream: &self.stream,
            inputs: [image.pointer(), audio.pointer()],
            output: self.output.pointer(),
            room: Floats { inputs: [image.len(), audio.len()], output: self.output.len() },
        }
    }

    /// The first part of a batch. `host` must be kept by the lane until the stream has passed it.
    fn upload(&self, host: &Staging, floats: Floats) -> Result<(), CudaError> {
        let [begin, uploaded, ..] = &self.events;
        // All sizes are looked at before anything is queued.
        check("output", floats.output, self.output.len().min(host.output.len()))?;
        let inputs = || self.inputs.iter().zip(&host.inputs).zip(floats.inputs);
        for ((to, from), floats) in inputs() {
            check("input", floats, to.len().min(from.len()))?;
        }
        begin.record(&self.stream)?;
        for ((to, from), floats) in inputs() {
            // SAFETY: the lane owns both buffers until `settle` or `wait` has waited for the stream,
            // and gives out no references to them. No other stream uses the lane's buffers.
            unsafe { upload(&self.stream, to, from, floats) }?;
        }
        uploaded.record(&self.stream)
    }

    /// The last part of a batch. `host` must be kept by the lane until the stream has passed it.
    fn download(&self, host: &mut Staging, floats: usize) -> Result<(), CudaError> {
        let [.., computed, downloaded] = &self.events;
        computed.record(&self.stream)?;
        // SAFETY: as for `upload`.
        unsafe { download(&self.stream, &mut host.output, &self.output, floats) }?;
        downloaded.record(&self.stream)
    }

    /// Waits for the batch that was queued last.
    fn wait(&self) -> Result<DeviceTimes, CudaError> {
        let [begin, uploaded, computed, downloaded] = &self.events;
        downloaded.synchronize()?;
        Ok(DeviceTimes {
            upload_ms: Event::elapsed_ms(begin, uploaded)?,
            compute_ms: Event::elapsed_ms(uploaded, computed)?,
            download_ms: Event::elapsed_ms(computed, downloaded)?,
            total_ms: Event::elapsed_ms(begin, downloaded)?,
        })
    }

    /// Frees the buffers of a batch that failed once the device is done with them. Leaks them where
    /// that cannot be found out.
    fn discard(&self, host: Staging) {
        if self.stream.settle().is_err() {
            mem::forget(host);
        }
    }
}
