//! All frames of a package, decoded into RAM.

use std::collections::TryReserveError;
use std::thread;

use crossbeam_channel::{Sender, unbounded};
use rayon::prelude::*;

use super::DatasetError;
use super::images::ImageFolder;
use super::package::Package;
use super::reader::{TrackFiles, TrackSource};
use super::tracks::PerTrack;
use super::video::VideoReader;
use crate::frame::zeroed;

/// Every frame of every track; immutable once made.
pub(super) struct Preloaded {
    tracks: PerTrack<Plane>,
}

/// The frames of one track, one after another.
struct Plane {
    frame_bytes: usize,
    data: Vec<u8>,
}

impl Plane {
    /// Black frames. The budget is the user's word, so the system may well refuse.
    fn zeroed(frame_bytes: usize, frames: usize) -> Result<Self, TryReserveError> {
        Ok(Self { frame_bytes, data: zeroed(frame_bytes.saturating_mul(frames))? })
    }

    fn frame(&self, frame: usize) -> &[u8] {
        let start = frame * self.frame_bytes;
        &self.data[start..start + self.frame_bytes]
    }
}

impl Preloaded {
    /// Decodes the package on `threads` threads. `progress` is called on the calling thread with the
    /// number of images decoded so far and in all.
    pub(super) fn load(
        package: &Package,
        threads: usize,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, DatasetError> {
        let thread_error =
            |source: Box<dyn std::error::Error + Send + Sync>| DatasetError::Thread { source };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|i| format!("preload-{i}"))
            .build()
            .map_err(|error| thread_error(error.into()))?;
        let frames = package.frame_count();
        let mut tracks = package
            .tracks()
            .try_map(|source| Plane::zeroed(source.size.bytes(), frames))
            .map_err(|source| DatasetError::Memory {
                root: package.root().to_owned(),
                needed: package.decoded_bytes(),
                source,
            })?;
        let mut jobs: Vec<_> = package.tracks().iter().zip(tracks.iter_mut()).collect();
        let total = (jobs.len() * frames) as u64;
        let (done, ticks) = unbounded();
        thread::scope(|scope| {
            let work = move || {
                pool.install(|| {
                    jobs.par_iter_mut()
                        .try_for_each(|(source, plane)| fill(source, frames, plane, &done))
                })
            };
            let worker = thread::Builder::new()
                .name("preload".to_owned())
                .spawn_scoped(scope, work)
                .map_err(|error| thread_error(error.into()))?;
            // Ends when the worker, and with it the last sender, is gone.
            for (decoded, ()) in (1..).zip(ticks) {
                progress(decoded, total);
            }
            worker
                .join()
                .map_err(|_| DatasetError::DecoderPanicked { root: package.root().to_owned() })?
        })?;
        Ok(Self { tracks })
    }

    pub(super) fn background(&self, frame: usize) -> &[u8] {
        self.tracks.background.frame(frame)
    }

    pub(super) fn crop(&self, frame: usize) -> &[u8] {
        self.tracks.crop.frame(frame)
    }

    /// Roi and masked roi, where the package's own are used.
    pub(super) fn stored(&self, frame: usize) -> Option<(&[u8], &[u8])> {
        self.tracks
            .stored
            .as_ref()
            .map(|stored| (stored.roi.frame(frame), stored.masked.frame(frame)))
    }
}

/// Decodes one track: a video in order, images in parallel.
fn fill(
    source: &TrackSource,
    frames: usize,
    plane: &mut Plane,
    done: &Sender<()>,
) -> Result<(), DatasetError> {
    let tick = || {
        // Nobody counts any more only when the loading thread is on its way out.
        let _uncounted = done.send(());
    };
    match &source.files {
        TrackFiles::Video(path) => {
            let mut video = VideoReader::open(path, source.size, frames)?;
            for out in plane.data.chunks_exact_mut(plane.frame_bytes) {
                video.read_next(out)?;
                tick();
            }
            Ok(())
        }
        TrackFiles::Images { folder, suffix } => {
            plane.data.par_chunks_exact_mut(plane.frame_bytes).enumerate().try_for_each_init(
                || ImageFolder::new(folder, suffix, source.size),
                |images, (frame, out)| {
                    images.seek(frame);
                    images.read_next(out)?;
                    tick();
                    Ok(())
                },
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        assert!(Plane::zeroed(usize::MAX / 2, 1).is_err());
        assert!(Plane::zeroed(usize::MAX / 2, 4).is_err());
        assert_eq!(Plane::zeroed(6, 2).map(|plane| plane.frame(1).len()), Ok(6));
    }
}
