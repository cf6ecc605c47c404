//! OpenVINO through its C interface: a library that is loaded at run time, networks that it compiles
//! for the processor, and requests that compute in memory of the caller's.
//!
//! The bindings are those of the crate openvino-sys. The safe crate over them has no tensors over
//! memory of somebody else's, and no parts of a batch; both are what keeps a batch from being copied.

mod call;
mod core;
mod error;
mod library;
mod request;
mod tensors;

pub use self::core::{Compiled, Core, Network};
pub use self::error::OpenVinoError;
pub use self::library::OpenVino;
pub use self::request::{Bindings, Buffers, Requests};
pub use self::tensors::Tensors;
