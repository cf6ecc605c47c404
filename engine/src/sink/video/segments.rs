//! The folder of finished segments beside a video.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::VideoError;
use super::manifest::Manifest;
use crate::file::{FileHash, WholeFile, regular};

/// `out.mp4.segments` beside `out.mp4`.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
}

/// What a file in the folder is.
#[derive(PartialEq, Eq)]
enum Kind {
    Segment(u64),
    /// What a segment hashes to.
    Hash(u64),
    /// Left by a process that was killed, or a list for joining.
    Leftover,
    Manifest,
    Foreign,
}

impl Segments {
    pub(super) fn beside(output: &Path) -> Self {
        let mut name = OsString::from(output);
        name.push(".segments");
        Self { folder: PathBuf::from(name) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where segment `number` is once it is whole.
    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.folder.join(Self::name(number))
    }

    /// Its name within the folder.
    pub(super) fn name(number: u64) -> String {
        format!("{number:05}.mp4")
    }

    /// What is known about the segments that are there; `None` where there are none yet.
    pub(super) fn manifest(&self) -> Result<Option<Manifest>, VideoError> {
        let refuse = |problem: &str| VideoError::NotSegments {
            path: self.folder.clone(),
            problem: problem.to_owned(),
        };
        match fs::metadata(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", error)),
            Ok(found) if !found.is_dir() => return Err(refuse("is no folder of segments")),
            Ok(_) => {}
        }
        if self.folder.join(Manifest::NAME).is_file() {
            return Manifest::load(&self.folder).map(Some);
        }
        match self.files()?.iter().all(|(kind, _)| *kind == Kind::Leftover) {
            // Somebody was killed between making the folder and writing the manifest.
            true => Ok(None),
            false => Err(refuse("holds other things than segments")),
        }
    }

    /// Makes the folder with a manifest and nothing else in it.
    pub(super) fn begin(&self, manifest: &Manifest) -> Result<(), VideoError> {
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.remove_files()?,
            made => made.map_err(|source| self.failed("make the folder", source))?,
        }
        manifest.save(&self.folder)
    }

    /// Notes what the segment at `path` hashes to, which is in the file `contents` before it gets its
    /// name: so a segment that was damaged later is known as such.
    pub(super) fn note_hash(path: &Path, contents: &Path) -> Result<(), VideoError> {
        let hash = FileHash::of_file(contents).map_err(|source| VideoError::Io {
            attempt: "read",
            path: contents.to_owned(),
            source,
        })?;
        Ok(WholeFile::replace(&path.with_extension(HASH), hash.sha256.as_bytes())?)
    }

    /// Whether segment `number` is what it was when it was written.
    fn is_as_written(&self, number: u64) -> bool {
        let path = self.path(number);
        let noted = regular::read(&path.with_extension(HASH));
        match (noted, FileHash::of_file(&path)) {
            (Ok(noted), Ok(hash)) => noted == hash.sha256.as_bytes(),
            _ => false,
        }
    }

    /// Segments that are there, counted up to the first that is missing.
    pub(super) fn count(&self) -> Result<u64, VideoError> {
        let files = self.files()?;
        let has = |number| files.iter().any(|(kind, _)| *kind == Kind::Segment(number));
        Ok((0..).take_while(|&number| has(number)).count() as u64)
    }

    /// Segments that are whole and as they were written, counted up to the first that is not. Removes
    /// what comes after them and what was left half-written. `damaged` hears of a segment that is
    /// there and not used.
    pub(super) fn keep_whole(&self, damaged: impl FnOnce(&Path)) -> Result<u64, VideoError> {
        let there = self.count()?;
        let whole = (0..there).take_while(|&number| self.is_as_written(number)).count() as u64;
        if whole < there {
            damaged(&self.path(whole));
        }
        for (kind, path) in self.files()? {
            match kind {
                Kind::Segment(number) | Kind::Hash(number) if number >= whole => {
                    self.remove(&path)?;
                }
                Kind::Leftover => self.remove(&path)?,
                _ => {}
            }
        }
        Ok(whole)
    }

    /// Removes the folder. What is not of a render's making stays, and the folder with it.
    pub(super) fn remove_all(&self) -> Result<(), VideoError> {
        self.remove_files()?;
        match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
                Err(self.failed("remove the folder", error))
            }
            _ => Ok(()),
        }
    }

    fn remove_files(&self) -> Result<(), VideoError> {
        for (kind, path) in self.files()? {
            if kind != Kind::Foreign {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), VideoError> {
        fs::remove_file(path).map_err(|source| VideoError::Io {
            attempt: "remove",
            path: path.to_owned(),
            source,
        })
    }

    fn files(&self) -> Result<Vec<(Kind, PathBuf)>, VideoError> {
        let entries = fs::read_dir(&self.folder).map_err(|source| self.failed("read", source))?;
        entries
            .map(|entry| {
                let path = entry.map_err(|source| self.failed("read", source))?.path();
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                Ok((kind(&name.unwrap_or_default()), path))
            })
            .collect()
    }

    fn failed(&self, attempt: &'static str, source: io::Error) -> VideoError {
        VideoError::Io { attempt, path: self.folder.clone(), source }
    }
}

/// The ending of files that have a segment's hash.
const HASH: &str = "sha256";

fn kind(name: &str) -> Kind {
    if name == Manifest::NAME {
        return Kind::Manifest;
    }
    if name.starts_with('.') && name.ends_with(".part") {
        return Kind::Leftover;
    }
    let number = |ending| name.strip_suffix(ending)?.strip_suffix('.')?.parse().ok();
    match (number("mp4"), number(HASH)) {
        (Some(number), _) if Segments::name(number) == name => Kind::Segment(number),
        (_, Some(number)) if format!("{number:05}.{HASH}") == name => Kind::Hash(number),
        _ => Kind::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::video::Identity;

    fn folder(files: &[&str]) -> (tempfile::TempDir, Segments) {
        let folder = tempfile::tempdir().unwrap();
        let segments = Segments::beside(&folder.path().join("out.mp4"));
        segments.begin(&Manifest::new(10, 5, Identity::default())).unwrap();
        for file in files {
            let path = segments.folder().join(file);
            fs::write(&path, "").unwrap();
            if matches!(kind(file), Kind::Segment(_)) {
                Segments::note_hash(&path, &path).unwrap();
            }
        }
        (folder, segments)
    }

    fn names(segments: &Segments) -> Vec<String> {
        let entries = fs::read_dir(segments.folder()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_comes_before_the_first_gap_is_kept() {
        let files = ["00000.mp4", "00001.mp4", ".00002.mp4.x.part", "00003.mp4", "100000.mp4"];
        let (_folder, segments) = folder(&files);
        assert_eq!(segments.count().unwrap(), 2);
        assert_eq!(segments.keep_whole(|path| panic!("{}", path.display())).unwrap(), 2);
        let kept = ["00000.mp4", "00000.sha256", "00001.mp4", "00001.sha256", "manifest.json"];
        assert_eq!(names(&segments), kept);
        assert!(segments.manifest().unwrap().is_some());
        segments.remove_all().unwrap();
        assert!(!segments.folder().exists() && segments.manifest().unwrap().is_none());
    }

    #[test]
    fn what_was_damaged_later_is_not_kept() {
        for damage in ["another content", "no hash"] {
            let (_folder, segments) = folder(&["00000.mp4", "00001.mp4", "00002.mp4"]);
            match damage {
                "no hash" => fs::remove_file(segments.folder().join("00001.sha256")).unwrap(),
                _ => fs::write(segments.path(1), "other bytes").unwrap(),
            }
            let mut told = None;
            let whole = segments.keep_whole(|path| told = Some(path.to_owned())).unwrap();
            assert_eq!((whole, told), (1, Some(segments.path(1))), "{damage}");
            assert_eq!(names(&segments), ["00000.mp4", "00000.sha256", "manifest.json"]);
        }
    }

    #[test]
    fn what_is_foreign_stays() {
        let (_folder, segments) = folder(&["00000.mp4", "holiday.mp4", "1.mp4"]);
        segments.remove_all().unwrap();
        assert_eq!(names(&segments), ["1.mp4", "holiday.mp4"]);
        let error = segments.manifest().unwrap_err().to_string();
        assert!(error.contains("out.mp4.segments: holds other things than segments"), "{error}");
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let segments = Segments::beside(&folder.path().join("out.mp4"));
        fs::write(segments.folder(), "").unwrap();
        let error = segments.manifest().unwrap_err().to_string();
        assert!(error.contains("out.mp4.segments: is no folder"), "{error}");
    }
}
