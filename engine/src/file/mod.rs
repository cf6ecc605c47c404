//! Reading files that someone named, writing files that appear when they are complete, and the place
//! for files that can be made again.

mod cache_folder;
pub(crate) mod regular;
mod whole;

pub use cache_folder::cache_folder;
pub use whole::{FileError, WholeFile};
