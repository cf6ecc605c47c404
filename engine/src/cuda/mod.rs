//! CUDA's driver, as little of it as the engine needs, with owners for everything.
//!
//! libcuda is loaded at run time; without it [`devices`] says so and nothing else can be reached.
//! Every owner keeps its [`Context`] alive and makes it current on the calling thread before it
//! touches the driver, so all of them may be moved to, and dropped on, any thread.
//!
//! What a queued operation touches must stay alive until the device has passed it. [`Lane`] sees to
//! that for a network's inputs and outputs; whoever queues operations without it has to argue it in
//! an `unsafe` block.
#![expect(unsafe_code, reason = "the driver's interface is handles and addresses")]

mod context;
mod device;
mod error;
mod event;
mod graph;
pub mod kernels;
mod lane;
mod memory;
mod network;
mod nvrtc;
mod pinned;
mod resident;
mod signals;
mod stream;

pub use context::Context;
pub use device::{DeviceInfo, devices};
pub use error::CudaError;
pub use event::Event;
pub use graph::Graph;
pub use lane::{Bindings, DeviceTimes, Floats, Lane, Staging};
pub use memory::{DeviceBuffer, download, upload};
#[cfg(feature = "tensorrt")]
pub(crate) use network::{EngineNetwork, Tensors};
pub(crate) use network::{Network, SessionError, SessionNetwork, SessionTensors};
pub use nvrtc::Compiler;
pub use pinned::{PinnedBuffer, PinnedKind};
pub(crate) use resident::{JOB_WORDS, Prepared, Queue, Regions, ResidentPlan, Stage};
pub use stream::Stream;
