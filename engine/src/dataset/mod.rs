//! The avatar package on disk, and its frames in output order.
//!
//! [`Package`] validates the metadata (form, sizes, counts, rectangles) without keeping pixels.
//! [`FrameStore`] holds the decoded frames in RAM or streams them; either way a run takes its
//! [`Sample`]s from a [`FrameSource`]. [`Features`] are the audio rows that go with them; a
//! [`feature_feed`] takes rows while a run goes on.
//!
//! Output frame `k` shows background [`ping_pong`]`(k)` and is driven by feature row `k`; at another
//! rate than 25 frames a second [`Pace`] says which.

mod checksum;
mod error;
mod features;
mod feed;
mod fingerprint;
mod images;
mod manifest;
mod npy;
mod order;
mod pace;
mod package;
mod ram;
mod reader;
mod rectangles;
mod sample;
mod speech;
mod store;
mod stream;
mod tracks;
#[cfg(feature = "opencv")]
mod video;
#[cfg(not(feature = "opencv"))]
#[path = "video_absent.rs"]
mod video;

#[cfg(test)]
mod tests;

pub use error::DatasetError;
pub use features::Features;
pub(crate) use feed::Supply;
pub use feed::{FeatureReader, FeatureWriter, FeedError, feature_feed};
pub use order::ping_pong;
pub use pace::Pace;
pub use package::{Form, Inputs, Package};
pub use sample::{InputPixels, Sample};
pub use speech::Speech;
pub use store::{DecodeStats, FrameSource, FrameStore, StoreMode, StoreOptions};
