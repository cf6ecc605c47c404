//! A fixed batch dimension made symbolic, where every operator provably keeps frames apart.

mod call;
mod error;
mod operators;
mod reshape;
mod resize;
mod walk;
mod window;

pub use error::BatchError;
pub use walk::make_batch_symbolic;

/// What [`make_batch_symbolic`] found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Symbolic {
    /// No input has a fixed batch; the model is as it was.
    AlreadySymbolic,
    /// The batch was fixed and no longer is.
    Changed {
        /// The batch that it was fixed to.
        from: i64,
        /// Name of the dimension now: `N`, unless the model names another one so.
        symbol: String,
        /// Constants that held the fixed batch and were replaced, such as the target of a `Reshape`.
        constants: usize,
    },
}
