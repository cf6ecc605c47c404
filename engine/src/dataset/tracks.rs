//! The four image tracks of a package, and where each form keeps them.

use crate::frame::{ModelGeometry, Size};

/// One image per frame, in one of four roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    Background,
    Crop,
    Roi,
    Masked,
}

impl Track {
    /// File name of the track's video.
    pub(super) fn video_file(self, geometry: ModelGeometry) -> String {
        match self {
            Track::Background => "full_body_video.mp4".to_owned(),
            Track::Crop => format!("crops_{}_video.mp4", geometry.crop_side()),
            Track::Roi => format!("rois_{}_video.mp4", geometry.side()),
            Track::Masked => "model_inputs_video.mp4".to_owned(),
        }
    }

    /// Folder of the track's image files, relative to the package.
    pub(super) fn image_folder(self, geometry: ModelGeometry) -> String {
        match self {
            Track::Background => "full_body_img".to_owned(),
            Track::Crop => format!("cache/crops_{}", geometry.crop_side()),
            Track::Roi => format!("cache/rois_{}", geometry.side()),
            Track::Masked => "cache/model_inputs".to_owned(),
        }
    }

    /// What stands between a frame's number and the extension in the name of its image file.
    pub(super) fn image_suffix(self) -> &'static str {
        match self {
            Track::Masked => "_masked",
            _ => "",
        }
    }

    /// Size that the geometry asks for; backgrounds may have any.
    pub(super) fn required_size(self, geometry: ModelGeometry) -> Option<Size> {
        match self {
            Track::Background => None,
            Track::Crop => Some(geometry.crop()),
            Track::Roi | Track::Masked => Some(geometry.roi()),
        }
    }
}

/// One value for each track that a package uses.
#[derive(Clone, Debug)]
pub(super) struct PerTrack<T> {
    pub(super) background: T,
    pub(super) crop: T,
    /// Present where the stored inputs are used.
    pub(super) stored: Option<StoredInputs<T>>,
}

/// One value for each of the two stored input tracks.
#[derive(Clone, Debug)]
pub(super) struct StoredInputs<T> {
    pub(super) roi: T,
    pub(super) masked: T,
}

impl PerTrack<Track> {
    /// The tracks to load, with or without the stored inputs.
    pub(super) fn new(stored: bool) -> Self {
        Self {
            background: Track::Background,
            crop: Track::Crop,
            stored: stored.then_some(StoredInputs { roi: Track::Roi, masked: Track::Masked }),
        }
    }
}

impl<T> PerTrack<T> {
    /// The values, background first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let stored = self.stored.iter().flat_map(|stored| [&stored.roi, &stored.masked]);
        [&self.background, &self.crop].into_iter().chain(stored)
    }

    /// The values, background first.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let stored =
            self.stored.iter_mut().flat_map(|stored| [&mut stored.roi, &mut stored.masked]);
        [&mut self.background, &mut self.crop].into_iter().chain(stored)
    }

    /// A new value for each track.
    pub(super) fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> PerTrack<U> {
        PerTrack {
            background: f(&self.background),
            crop: f(&self.crop),
            stored: self
                .stored
                .as_ref()
                .map(|stored| StoredInputs { roi: f(&stored.roi), masked: f(&stored.masked) }),
        }
    }

    /// A new value for each track, or the first error.
    pub(super) fn try_map<U, E>(
        &self,
        mut f: impl FnMut(&T) -> Result<U, E>,
    ) -> Result<PerTrack<U>, E> {
        Ok(PerTrack {
            background: f(&self.background)?,
            crop: f(&self.crop)?,
            stored: match &self.stored {
                Some(stored) => {
                    Some(StoredInputs { roi: f(&stored.roi)?, masked: f(&stored.masked)? })
                }
                None => None,
            },
        })
    }
}
