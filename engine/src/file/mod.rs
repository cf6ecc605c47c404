//! Reading files that someone named, writing files that appear when they are complete, and the place
//! for files that can be made again.

mod cache_folder;
mod hash;
mod json;
mod lock;
mod quoted;
pub(crate) mod regular;
mod same;
mod whole;

pub use cache_folder::cache_folder;
pub use hash::FileHash;
pub(crate) use json::from_json;
pub use lock::{Lock, LockError};
pub use quoted::shell_quoted;
pub use same::{resolved, same_file};
pub use whole::{FileError, WholeFile};
