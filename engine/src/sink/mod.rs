//! Where finished frames go: nowhere, image files, raw bytes, and a contact sheet on the side.
//!
//! A [`SinkTarget`] is what a user names (`png:out`, `raw:-`); opening it gives a [`Sink`]. Files
//! appear under their names when they are complete, or not at all.

mod background;
mod contact_sheet;
mod encode;
mod error;
mod frame_sink;
mod images;
mod inline;
mod null;
mod raw;
mod saver;
mod target;
pub mod video;

pub use contact_sheet::ContactSheetSink;
pub(crate) use encode::encode_png;
pub use error::SinkError;
pub use frame_sink::{SaveObserver, Sink};
pub(crate) use null::NullSink;
pub use target::{ImageFormat, SinkOptions, SinkTarget, is_video};
