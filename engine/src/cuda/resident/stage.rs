//! What one lane computes.

use std::sync::Arc;

use super::Shared;
use crate::cuda::kernels::{Element, Jobs};
use crate::cuda::{Bindings, CudaError, DeviceBuffer, Event, Floats, Network, Stream};

/// A network on a lane; where regions are resident, with what comes before and after it.
pub(crate) struct Stage<N> {
    // Dropped first: it is bound to the buffers below.
    network: N,
    resident: Option<Resident>,
}

/// The network's tensors that never leave the device, and what they are made from.
struct Resident {
    image: DeviceBuffer,
    audio: DeviceBuffer,
    predictions: DeviceBuffer,
    /// Reached when the inputs are there, and when the predictions are.
    marks: [Event; 2],
    shared: Arc<Shared>,
}

/// How work gets onto a lane's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// To be done.
    Now,
    /// To be captured, and done whenever the graph runs.
    Graph,
}

impl Queue {
    fn record(self, mark: &Event, stream: &Stream) -> Result<(), CudaError> {
        match self {
            Self::Now => mark.record(stream),
            Self::Graph => mark.record_in_graph(stream),
        }
    }
}

impl Resident {
    /// Where the network finds its tensors on a lane whose input is jobs and whose output is patches.
    fn bindings<'a>(&self, lane: &Bindings<'a>) -> Bindings<'a> {
        Bindings {
            stream: lane.stream,
            inputs: [self.image.pointer(), self.audio.pointer()],
            output: self.predictions.pointer(),
            room: Floats {
                inputs: [self.image.len(), self.audio.len()],
                output: self.predictions.len(),
            },
        }
    }
}

impl<N: Network> Stage<N> {
    /// The network between a lane's inputs and its output.
    pub(crate) fn new(mut network: N, lane: &Bindings<'_>) -> Result<Self, N::Error> {
        network.bind(lane)?;
        Ok(Self { network, resident: None })
    }

    /// The network between resident regions and patches, on a lane whose input is jobs. `room` is that
    /// of the network's own tensors.
    pub(crate) fn resident<E: From<CudaError> + From<N::Error>>(
        mut network: N,
        lane: &Bindings<'_>,
        room: Floats,
        shared: &Arc<Shared>,
    ) -> Result<Self, E> {
        let context = lane.stream.context();
        let resident = Resident {
            image: DeviceBuffer::new(context, room.inputs[0])?,
            audio: DeviceBuffer::new(context, room.inputs[1])?,
            predictions: DeviceBuffer::new(context, room.output)?,
            marks: [Event::new(context)?, Event::new(context)?],
            shared: Arc::clone(shared),
        };
        network.bind(&resident.bindings(lane))?;
        Ok(Self { network, resident: Some(resident) })
    }

    /// The network alone, for another lane on its stream, which is idle.
    pub(crate) fn into_network(self) -> N {
        self.network
    }

    /// Whether the next run needs no change of shapes.
    pub(crate) fn is_set_to(&self, frames: usize) -> bool {
        self.network.is_set_to(frames)
    }

    /// Puts the network alone on the lane's stream, on whatever its inputs hold.
    pub(crate) fn warm_up(&mut self, frames: usize, lane: &Bindings<'_>) -> Result<(), N::Error> {
        match &self.resident {
            Some(resident) => self.network.enqueue(frames, &resident.bindings(lane)),
            None => self.network.enqueue(frames, lane),
        }
    }

    /// Has the network give up what it keeps for the device.
    pub(crate) fn retire(&mut self) -> Result<(), N::Error> {
        self.network.retire()
    }

    /// Puts everything on the lane's stream, for `frames` frames. Where regions are resident, the
    /// lane's first input holds as many jobs by [`Regions`](super::Regions) that has this stage's
    /// memory.
    pub(crate) fn enqueue<E: From<CudaError> + From<N::Error>>(
        &mut self,
        frames: usize,
        lane: &Bindings<'_>,
        queue: Queue,
    ) -> Result<(), E> {
        let Self { network, resident } = self;
        let Some(resident) = resident else { return Ok(network.enqueue(frames, lane)?) };
        let Shared { kernels, sizes, largest, .. } = &*resident.shared;
        let jobs = Jobs { address: lane.inputs[0], frames, largest: *largest };
        let image = (resident.image.pointer(), Element::Float);
        // SAFETY: jobs are only made by `Regions`: their regions, rows and tables are those of `shared`,
        // which this value keeps until the lane's stream has passed all of it, and a region or a row is
        // not written while a batch that uses it is in flight. Image, audio and predictions have room
        // for the largest batch; only this stream touches them.
        unsafe { kernels.assemble(lane.stream, jobs, image, *sizes) }?;
        let (rows, audio) = (resident.shared.row_ring(), resident.audio.pointer());
        // SAFETY: as above.
        unsafe { kernels.windows(lane.stream, jobs, rows, audio) }?;
        let [assembled, predicted] = &resident.marks;
        queue.record(assembled, lane.stream)?;
        network.enqueue(frames, &resident.bindings(lane))?;
        queue.record(predicted, lane.stream)?;
        let predictions = (resident.predictions.pointer(), Element::Float);
        // SAFETY: as above; the lane's output has room for the largest rectangle of each frame.
        unsafe { kernels.composite(lane.stream, jobs, predictions, lane.output, *sizes) }?;
        Ok(())
    }

    /// Milliseconds that assembling, the network and compositing took of the latest batch, which is
    /// done and whose computing began and ended at the marks of its lane; `None` where the network is
    /// all there is.
    pub(crate) fn parts(&self, [began, ended]: [&Event; 2]) -> Result<Option<[f32; 3]>, CudaError> {
        let Some(Resident { marks: [assembled, predicted], .. }) = &self.resident else {
            return Ok(None);
        };
        Ok(Some([
            Event::elapsed_ms(began, assembled)?,
            Event::elapsed_ms(assembled, predicted)?,
            Event::elapsed_ms(predicted, ended)?,
        ]))
    }
}
