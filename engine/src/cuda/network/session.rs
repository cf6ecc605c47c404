//! A session of ONNX Runtime on a lane.

use std::ffi::{CString, c_void};

use ort::AsPointer;
use ort::ep::CUDA;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{RunOptions, Session};
use ort::value::{Shape, TensorRefMut};

use super::{Bindings, Network};
use crate::cuda::{Floats, Stream};

/// The network's tensors: the image input, the audio input and the output, 32-bit floats each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionTensors {
    /// What the network calls them.
    pub(crate) names: [&'static str; 3],
    /// Shapes of one frame behind the batch dimension.
    pub(crate) frames: [[usize; 3]; 3],
}

/// ONNX Runtime refused something.
#[derive(Debug)]
pub(crate) struct SessionError {
    /// What was being done, in words that complete "failed ...".
    pub(crate) attempt: &'static str,
    /// What it said.
    pub(crate) source: ort::Error,
}

/// Tells an error that comes of `attempt`.
fn failed(attempt: &'static str) -> impl Fn(ort::Error) -> SessionError {
    move |source| SessionError { attempt, source }
}

/// A session whose CUDA provider computes on a lane's stream, from and to the lane's buffers.
pub(crate) struct SessionNetwork {
    bound: Option<Bound>,
    session: Session,
    tensors: SessionTensors,
    names: [CString; 3],
    memory: MemoryInfo<'static>,
    /// For runs that return before the stream has passed them, and for those that wait for it.
    options: [RunOptions; 2],
    /// Runs since one that waited.
    unsettled: u32,
    /// Addresses of the lane's buffers, and the room there.
    addresses: [u64; 3],
    room: Floats,
    /// The stream that it runs on.
    stream: usize,
}

/// The lane's buffers as tensors.
struct Bound {
    frames: usize,
    values: [TensorRefMut<'static, f32>; 3],
}

/// Runs that return at once between two that wait. Some of the provider's operators (`Concat` of
/// unequal inputs) send tables from host memory, which it only gives up when a run waits.
const UNSETTLED: u32 = 255;

impl SessionNetwork {
    /// A new session for lanes on `stream`, of the GPU `device` as CUDA counts them. `open` makes it,
    /// with the provider that it is given and no other.
    pub(crate) fn new<E: From<SessionError>>(
        tensors: SessionTensors,
        device: i32,
        stream: &Stream,
        open: impl FnOnce(CUDA) -> Result<Session, E>,
    ) -> Result<Self, E> {
        // SAFETY: whoever has this value, and with it the session, keeps the stream until after it.
        let cuda = unsafe { CUDA::default().with_compute_stream(stream.raw() as *mut ()) };
        let session = open(cuda.with_device_id(device))?;
        Ok(Self::of(session, tensors, device, stream.raw())
            .map_err(failed("preparing its runs"))?)
    }

    fn of(
        session: Session,
        tensors: SessionTensors,
        device: i32,
        stream: usize,
    ) -> ort::Result<Self> {
        let mut options = [RunOptions::new()?, RunOptions::new()?];
        options[0].disable_device_sync()?;
        let name = |name: &str| CString::new(name).map_err(ort::Error::from);
        let [image, audio, output] = tensors.names;
        let (kind, memory) = (AllocatorType::Device, MemoryType::Default);
        Ok(Self {
            bound: None,
            session,
            tensors,
            names: [name(image)?, name(audio)?, name(output)?],
            memory: MemoryInfo::new(AllocationDevice::CUDA, device, kind, memory)?,
            options,
            unsettled: 0,
            addresses: [0; 3],
            room: Floats { inputs: [0; 2], output: 0 },
            stream,
        })
    }

    /// The lane's buffers as tensors of `frames` frames.
    fn shaped(&self, frames: usize) -> ort::Result<Bound> {
        let [image, audio] = self.room.inputs;
        let room = [image, audio, self.room.output];
        let value = |tensor: usize| {
            let shape = [&[frames], &self.tensors.frames[tensor][..]].concat();
            let floats: usize = shape.iter().product();
            assert!(floats <= room[tensor], "a batch is larger than its lane");
            let shape = Shape::new(shape.into_iter().map(|size| size as i64));
            let address = self.addresses[tensor] as *mut c_void;
            // SAFETY: the lane's buffer has room for these, and is freed after this value, which is the
            // lane's, has been dropped or bound to others.
            unsafe { TensorRefMut::from_raw(self.memory.clone(), address, shape) }
        };
        Ok(Bound { frames, values: [value(0)?, value(1)?, value(2)?] })
    }

    /// Puts the network on the lane's stream, and waits for it where that is due.
    fn run(&mut self, settle: bool) -> Result<(), SessionError> {
        let Some(Bound { values: [image, audio, output], .. }) = &self.bound else { return Ok(()) };
        let [at_once, waits] = &self.options;
        let options = if settle { waits } else { at_once };
        let names = self.names.each_ref().map(|name| name.as_ptr());
        let inputs = [image.ptr(), audio.ptr()];
        let mut outputs = [output.ptr().cast_mut()];
        // SAFETY: all arrays hold as many elements as is said, and the session, its options and the
        // tensors are this value's. What the tensors refer to the lane keeps to itself until the
        // stream has passed this, and everything of this session goes through that stream. An output
        // that is given is written, not replaced.
        let status = unsafe {
            (ort::api().Run)(
                self.session.ptr().cast_mut(),
                options.ptr(),
                names.as_ptr(),
                inputs.as_ptr(),
                inputs.len(),
                names[inputs.len()..].as_ptr(),
                outputs.len(),
                outputs.as_mut_ptr(),
            )
        };
        // SAFETY: the status is what the call before gave, and is looked at once.
        let done = unsafe { ort::Error::result_from_status(status) };
        match (settle, &done) {
            (true, Ok(())) => self.unsettled = 0,
            // Whatever was left by then still is.
            (true, Err(_)) => {}
            (false, _) => self.unsettled += 1,
        }
        done.map_err(failed("running the network"))
    }
}

impl Network for SessionNetwork {
    type Error = SessionError;

    fn bind(&mut self, lane: &Bindings<'_>) -> Result<(), SessionError> {
        assert_eq!(lane.stream.raw(), self.stream, "a network was moved to another stream");
        self.bound = None;
        let [image, audio] = lane.inputs;
        self.addresses = [image, audio, lane.output];
        self.room = lane.room;
        Ok(())
    }

    fn is_set_to(&self, frames: usize) -> bool {
        self.bound.as_ref().is_some_and(|bound| bound.frames == frames)
    }

    fn enqueue(&mut self, frames: usize, lane: &Bindings<'_>) -> Result<(), SessionError> {
        assert_eq!(lane.stream.raw(), self.stream, "a network was moved to another stream");
        if !self.is_set_to(frames) {
            let bound = self.shaped(frames).map_err(failed("binding its inputs and its output"))?;
            self.bound = Some(bound);
        }
        self.run(self.unsettled >= UNSETTLED)
    }

    fn retire(&mut self) -> Result<(), SessionError> {
        // A session that goes with tables left gives them up on the stream, when nothing waits for it
        // any more. The lane's buffers hold some input or other.
        if self.unsettled == 0 { Ok(()) } else { self.run(true) }
    }
}
