//! From an ONNX network to a TensorRT engine.
//!
//! ```text
//! model.onnx -> Network (graph rewritten) -> verify_graph -> build -> model.engine
//!                                                                     model.engine.json
//! ```
//!
//! [`Network::prepare`] writes precision and batch into the graph, [`verify_graph`] compares that
//! graph with the original on ONNX Runtime, [`build`] has TensorRT make an engine of it, and an
//! [`EngineRecord`] beside the engine says what it is made of, so that an engine that does not fit a
//! machine can be explained ([`EngineRecord::differences`]) and made again. [`verify_engine`]
//! compares the engine itself, once for each GPU. [`cache`] keeps engines that nobody named.

mod build;
pub mod cache;
mod error;
mod fit;
mod log_file;
mod network;
mod options;
mod record;
mod verify;

pub use build::{Tools, build};
pub use error::{Compared, ConvertError};
pub use fit::{Difference, Surroundings};
pub use log_file::LogFile;
pub use network::{GraphChanges, Network};
pub use options::EngineOptions;
pub use record::{Comparison, EngineRecord, Gpu};
pub use verify::{Reference, verify_engine, verify_graph};
