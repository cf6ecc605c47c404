//! Packages made on the spot, whole and damaged.

mod package;
mod playback;
mod rejects;
pub(super) mod support;
