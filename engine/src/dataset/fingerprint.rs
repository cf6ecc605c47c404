//! What identifies a package's contents.

use std::path::PathBuf;

use rayon::prelude::*;

use super::images::image_path;
use super::reader::TrackFiles;
use super::{DatasetError, Package};
use crate::file::FileHash;

impl Package {
    /// A hash over everything of the package that decides the output's pixels: the frames of the
    /// tracks that are used, and the rectangles. Reads all of them, the first time.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn fingerprint(&self) -> Result<FileHash, DatasetError> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known.clone());
        }
        let mut files: Vec<PathBuf> = vec![self.root().join("cache/crop_rectangles.json")];
        for source in self.tracks().iter() {
            match &source.files {
                TrackFiles::Video(path) => files.push(path.clone()),
                TrackFiles::Images { folder, suffix } => {
                    let frames = 0..self.frame_count();
                    files.extend(frames.map(|frame| image_path(folder, frame, suffix)));
                }
            }
        }
        let hashes = files
            .par_iter()
            .map(|path| {
                let hash = FileHash::of_file(path);
                hash.map_err(|source| DatasetError::Io { path: path.clone(), source })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let all: String = hashes.into_iter().map(|hash| hash.sha256).collect();
        Ok(self.fingerprint.get_or_init(|| FileHash::of(all.as_bytes())).clone())
    }
}
