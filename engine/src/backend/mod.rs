//! Whatever runs the network, behind one trait.

mod error;
#[cfg(feature = "cuda")]
mod lanes;
mod library;
mod onnxruntime;
#[cfg(feature = "openvino")]
mod openvino;
mod simulated;
mod spec;
#[cfg(feature = "tensorrt")]
mod tensorrt;

pub use error::BackendError;
pub use library::{LibraryError, find_onnxruntime};
pub use onnxruntime::{OnnxRuntime, OnnxRuntimeOptions};
#[cfg(feature = "cuda")]
pub use onnxruntime::{OnnxRuntimeCuda, OnnxRuntimeCudaOptions};
pub(crate) use onnxruntime::{open_session, session_of, tensor_infos};
#[cfg(feature = "openvino")]
pub use openvino::{OpenVino, OpenVinoCpu, OpenVinoOptions, OpenVinoPrecision};
pub use simulated::Simulated;
pub(crate) use spec::TensorInfo;
pub use spec::{BatchLimit, ModelSpec};
#[cfg(feature = "tensorrt")]
pub use tensorrt::{TensorRt, TensorRtOptions};

use std::path::Path;

use crate::batch::{Completed, HostBatch, InFlight};
use crate::frame::{ModelGeometry, Rect};

/// What a backend has to know to composite by itself.
#[derive(Clone, Copy, Debug)]
pub struct DevicePlan<'a> {
    /// Where each of the package's frames has its rectangle.
    pub rects: &'a [Rect],
    /// Whether samples bring [stored inputs](crate::dataset::InputPixels::Stored).
    pub stored: bool,
    /// Bytes of the device's memory that the frames' regions may take; by default a quarter of it.
    pub budget: Option<u64>,
    /// The folder where compiled kernels are kept.
    pub cache: Option<&'a Path>,
}

/// Runs batches through the network, in the order in which they were enqueued.
///
/// One thread owns a backend. A batch moves in by value, cannot be touched while it is in flight,
/// and comes back by value with its predictions.
pub trait Backend: Send {
    /// Short name, as in `--backend`.
    fn name(&self) -> &'static str;

    /// What executes the network under that name, such as `CPUExecutionProvider`.
    fn provider(&self) -> &str;

    /// Name and version of the library that runs the network, as far as it tells; `None` where there
    /// is no library.
    fn library(&self) -> Option<String> {
        None
    }

    /// Sizes of the network.
    fn geometry(&self) -> ModelGeometry;

    /// Which batch sizes the network takes.
    fn batch_limit(&self) -> BatchLimit;

    /// CPU threads that are busy while the network runs.
    fn cpu_threads(&self) -> usize;

    /// How many batches of `batch` frames may be in flight at one time, at least 1.
    fn max_in_flight(&self, batch: usize) -> usize;

    /// Time per frame that is known beforehand because it is simulated, in milliseconds.
    fn nominal_ms(&self) -> Option<f64> {
        None
    }

    /// Whether predictions can be composited where they are made.
    fn can_composite(&self) -> bool {
        false
    }

    /// Has predictions composited where they are made, so that batches come back with
    /// [patches](crate::batch::Predicted::Patch). Batches that were allocated before are of no more
    /// use. Returns what is to be said about it.
    ///
    /// # Errors
    /// [`BackendError::NoDeviceCompositing`] where the backend cannot do that; or when what it takes
    /// cannot be had, after which the backend can no longer be used.
    fn composite_on_device(&mut self, plan: &DevicePlan<'_>) -> Result<String, BackendError> {
        let _nothing_to_prepare = plan;
        Err(BackendError::NoDeviceCompositing { backend: self.name() })
    }

    /// Has batches come back with predictions again, after
    /// [`composite_on_device`](Self::composite_on_device), also where that failed. Batches that were
    /// allocated before are of no more use.
    ///
    /// # Errors
    /// When what it takes cannot be had, after which the backend can no longer be used.
    fn composite_on_host(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    /// A batch in whatever memory suits the backend, for up to `capacity` frames.
    ///
    /// # Errors
    /// When the memory cannot be had.
    fn allocate(&self, capacity: usize) -> Result<HostBatch, BackendError>;

    /// Starts on a batch, or makes a note of it if the runtime only works while it is waited for.
    ///
    /// # Errors
    /// When the runtime refuses; the backend can then no longer be used.
    fn enqueue(&mut self, batch: HostBatch) -> Result<InFlight, BackendError>;

    /// Waits for the oldest batch in flight.
    ///
    /// # Errors
    /// When the runtime fails; the backend can then no longer be used.
    fn wait(&mut self, in_flight: InFlight) -> Result<Completed, BackendError>;
}
