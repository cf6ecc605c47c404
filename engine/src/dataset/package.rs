//! The metadata of a package: what it holds and whether it fits together.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use super::images::{image_path, image_size};
use super::manifest::Manifest;
use super::reader::{TrackFiles, TrackSource};
use super::tracks::{PerTrack, Track};
use super::{DatasetError, Features, rectangles, video};
use crate::file::{FileHash, resolved};
use crate::frame::{ModelGeometry, Rect, Size};

/// Frames a second of a package that does not say.
const DEFAULT_FPS: f64 = 25.0;
/// Longest side of a background.
const MAX_SIDE: usize = 16384;

/// Where the network's image inputs come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inputs {
    /// The rois and masked rois that the package stores.
    #[default]
    Package,
    /// Both are made from the face crops. The bytes differ from stored ones where videos or JPEG
    /// files are lossy.
    Derived,
}

impl FromStr for Inputs {
    type Err = DatasetError;

    fn from_str(name: &str) -> Result<Self, DatasetError> {
        match name {
            "package" => Ok(Inputs::Package),
            "derived" => Ok(Inputs::Derived),
            _ => Err(DatasetError::UnknownName {
                setting: "inputs",
                found: name.to_owned(),
                expected: "package or derived",
            }),
        }
    }
}

impl fmt::Display for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Inputs::Package => "package",
            Inputs::Derived => "derived",
        })
    }
}

/// How a package keeps its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A video for each track.
    Videos,
    /// A folder of numbered image files for each track.
    Images,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Form::Videos => "videos",
            Form::Images => "images",
        })
    }
}

/// An avatar package whose metadata was checked: every track that is used exists, has the right
/// size, and has one frame for each rectangle. Holds no pixels.
#[derive(Clone, Debug)]
pub struct Package {
    root: PathBuf,
    name: String,
    form: Form,
    inputs: Inputs,
    geometry: ModelGeometry,
    fps: f64,
    rects: Vec<Rect>,
    tracks: PerTrack<TrackSource>,
    /// Known once it was asked for: a contest and a video's identity both want it.
    pub(super) fingerprint: OnceLock<FileHash>,
}

impl Package {
    /// Opens the package in the folder `root` for a network with `geometry`. A folder with
    /// `full_body_img` is taken as unpacked images, also where videos lie next to it.
    ///
    /// # Errors
    /// A package that is incomplete, of other sizes than the network needs, or whose counts,
    /// rectangles or manifests do not fit. Videos also need a build with OpenCV.
    pub fn open(
        root: &Path,
        geometry: ModelGeometry,
        inputs: Inputs,
    ) -> Result<Self, DatasetError> {
        let form = find_form(root, geometry)?;
        let manifest = Manifest::load(root)?;
        let finder = Finder { root, geometry, form };
        let stored = inputs == Inputs::Package;
        let found = PerTrack::new(stored).try_map(|&track| finder.find(track))?;
        let tracks = found.map(|found| found.source.clone());

        let rects_path = root.join("cache/crop_rectangles.json");
        if !rects_path.is_file() {
            let needed = "it says where in each frame the face crop belongs".to_owned();
            return Err(DatasetError::Missing { path: rects_path, needed });
        }
        let rects = rectangles::load(&rects_path, tracks.background.size)?;
        for track in found.iter() {
            track.check_count(rects.len())?;
        }

        let folder = root.canonicalize().ok();
        let folder = folder.as_deref().unwrap_or(root).file_name();
        Ok(Self {
            root: root.to_owned(),
            name: manifest
                .name
                .or_else(|| folder.map(|name| name.to_string_lossy().into_owned()))
                .unwrap_or_else(|| root.display().to_string()),
            form,
            inputs,
            geometry,
            fps: manifest.fps.or(found.background.fps).unwrap_or(DEFAULT_FPS),
            rects,
            tracks,
            fingerprint: OnceLock::new(),
        })
    }

    /// The network that comes with the package: the file that a manifest names under `onnx.file`,
    /// or `checkpoint/model_best.onnx` where none names one. `None` where that file does not exist.
    ///
    /// # Errors
    /// A manifest that cannot be read.
    pub fn find_model(root: &Path) -> Result<Option<PathBuf>, DatasetError> {
        let named = Manifest::load(root)?.model;
        let path = root.join(named.as_deref().unwrap_or(Path::new("checkpoint/model_best.onnx")));
        Ok(path.is_file().then_some(path))
    }

    /// Where a package has the encoder that makes its features of sound, if it has one.
    pub fn audio_encoder(root: &Path) -> PathBuf {
        root.join("checkpoint/audio_encoder.onnx")
    }

    /// Whether `path` is, or has the name of, a file that a package in `root` is made of: manifests,
    /// features, networks and their quantized forms, frames.
    pub fn holds(root: &Path, path: &Path) -> bool {
        let (root, path) = (resolved(root), resolved(path));
        let Ok(inside) = path.strip_prefix(root) else { return false };
        let Some(inside) = inside.to_str() else { return false };
        match inside.split_once('/') {
            None => {
                matches!(inside, "package_info.json" | "dataset_manifest.json" | "aud_ave.npy")
                    || inside.ends_with("_video.mp4")
            }
            Some(("cache" | "full_body_img", _)) => true,
            Some(("checkpoint", file)) => file.ends_with(".onnx"),
            Some(_) => false,
        }
    }

    /// Whether `path` is, or has the name of, a quantized form of a network of the package in `root`.
    pub fn holds_quantized(root: &Path, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        Self::holds(root, path) && name.is_some_and(|name| name.ends_with(".int8.onnx"))
    }

    /// The package's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The manifest's `dataset_name`, else the folder's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Videos or image files.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Where the network's inputs come from.
    pub fn inputs(&self) -> Inputs {
        self.inputs
    }

    /// The sizes that follow from the network.
    pub fn geometry(&self) -> ModelGeometry {
        self.geometry
    }

    /// Size of the backgrounds, and of the output.
    pub fn frame_size(&self) -> Size {
        self.tracks.background.size
    }

    /// Number of frames, at least 1.
    pub fn frame_count(&self) -> usize {
        self.rects.len()
    }

    /// Where each frame's crop belongs; all inside [`Self::frame_size`].
    pub fn rects(&self) -> &[Rect] {
        &self.rects
    }

    /// Frames a second, from a manifest, else the background video, else 25.
    pub fn fps(&self) -> f64 {
        self.fps
    }

    /// Bytes of all decoded frames of all tracks that are used.
    pub fn decoded_bytes(&self) -> u64 {
        (self.frame_count() as u64).saturating_mul(self.frame_bytes())
    }

    /// Reads the package's audio features, `aud_ave.npy`.
    ///
    /// # Errors
    /// As [`Features::load`].
    pub fn features(&self) -> Result<Features, DatasetError> {
        Features::load(&self.root.join("aud_ave.npy"))
    }

    /// Bytes of one frame, all tracks together.
    pub(super) fn frame_bytes(&self) -> u64 {
        self.tracks.iter().map(|source| source.size.bytes() as u64).sum()
    }

    pub(super) fn tracks(&self) -> &PerTrack<TrackSource> {
        &self.tracks
    }
}

fn find_form(root: &Path, geometry: ModelGeometry) -> Result<Form, DatasetError> {
    let entries =
        fs::read_dir(root).map_err(|source| DatasetError::Io { path: root.to_owned(), source })?;
    if root.join(Track::Background.image_folder(geometry)).is_dir() {
        return Ok(Form::Images);
    }
    if root.join(Track::Background.video_file(geometry)).is_file() {
        return Ok(Form::Videos);
    }
    let found = match entries.count() {
        0 => "the folder is empty",
        _ => "it has neither full_body_img/ nor full_body_video.mp4",
    };
    Err(DatasetError::NotAPackage {
        root: root.to_owned(),
        found: found.to_owned(),
        crops: format!("crops_{}", geometry.crop_side()),
    })
}

/// A track as found on disk; its count is checked once the rectangles are known.
struct FoundTrack {
    source: TrackSource,
    fps: Option<f64>,
    /// What the header of a video says.
    declared_frames: Option<usize>,
}

struct Finder<'a> {
    root: &'a Path,
    geometry: ModelGeometry,
    form: Form,
}

impl Finder<'_> {
    fn find(&self, track: Track) -> Result<FoundTrack, DatasetError> {
        let found = match self.form {
            Form::Videos => self.find_video(track),
            Form::Images => self.find_images(track),
        }?;
        self.check_size(&found.source)?;
        Ok(found)
    }

    fn find_video(&self, track: Track) -> Result<FoundTrack, DatasetError> {
        let path = self.root.join(track.video_file(self.geometry));
        if !path.is_file() {
            return Err(DatasetError::Missing { path, needed: self.reason(track) });
        }
        let info = video::probe(&path)?;
        Ok(FoundTrack {
            source: TrackSource { track, size: info.size, files: TrackFiles::Video(path) },
            fps: info.fps,
            declared_frames: Some(info.declared_frames),
        })
    }

    fn find_images(&self, track: Track) -> Result<FoundTrack, DatasetError> {
        let folder = self.root.join(track.image_folder(self.geometry));
        let suffixes = ["jpg", "png"].map(|end| format!("{}.{end}", track.image_suffix()));
        let present = suffixes.each_ref().map(|suffix| image_path(&folder, 0, suffix).is_file());
        let [jpg, png] = suffixes;
        let suffix = match present {
            [true, false] => jpg,
            [false, true] => png,
            [false, false] => {
                return Err(DatasetError::Missing {
                    path: image_path(&folder, 0, &jpg),
                    needed: format!("{} (0{png} would do too)", self.reason(track)),
                });
            }
            [true, true] => {
                return Err(DatasetError::Field {
                    path: folder,
                    field: "frame 0".to_owned(),
                    found: format!("there twice, as 0{jpg} and 0{png}"),
                    expected: "either JPEG or PNG files".to_owned(),
                });
            }
        };
        let size = image_size(&image_path(&folder, 0, &suffix))?;
        Ok(FoundTrack {
            source: TrackSource { track, size, files: TrackFiles::Images { folder, suffix } },
            fps: None,
            declared_frames: None,
        })
    }

    fn check_size(&self, source: &TrackSource) -> Result<(), DatasetError> {
        let path = source.first_file();
        match source.track.required_size(self.geometry) {
            Some(expected) if source.size != expected => Err(DatasetError::FrameSize {
                path,
                frame: 0,
                found: source.size.to_string(),
                expected,
            }),
            None if !(1..=MAX_SIDE).contains(&source.size.width)
                || !(1..=MAX_SIDE).contains(&source.size.height) =>
            {
                Err(DatasetError::Field {
                    path,
                    field: "the frame size".to_owned(),
                    found: source.size.to_string(),
                    expected: format!("1 to {MAX_SIDE} pixels a side"),
                })
            }
            _ => Ok(()),
        }
    }

    /// Why a track is needed.
    fn reason(&self, track: Track) -> String {
        let (roi, crop) = (self.geometry.roi(), self.geometry.crop());
        match track {
            Track::Background => "the output frames are made from it".to_owned(),
            Track::Crop => format!("a network with {roi} input needs face crops of {crop}"),
            Track::Roi | Track::Masked => {
                "the network's inputs are to come from the package; --inputs derived makes them \
                 from the crops"
                    .to_owned()
            }
        }
    }
}

impl FoundTrack {
    /// Fails unless the track has `expected` frames.
    fn check_count(&self, expected: usize) -> Result<(), DatasetError> {
        match &self.source.files {
            TrackFiles::Video(path) => {
                if self.declared_frames == Some(expected) {
                    return Ok(());
                }
                // Headers may be wrong, so they are not enough to refuse a package.
                let found = video::count_frames(path)?;
                if found == expected {
                    return Ok(());
                }
                Err(DatasetError::FrameCount {
                    path: path.clone(),
                    found: format!("{found} frames"),
                    expected,
                })
            }
            TrackFiles::Images { folder, suffix } => {
                let exists = |&frame: &usize| image_path(folder, frame, suffix).is_file();
                let found = match (0..expected).find(|frame| !exists(frame)) {
                    Some(missing) => {
                        let count = (0..expected).filter(exists).count();
                        format!("{count} frames ({missing}{suffix} is missing)")
                    }
                    None if exists(&expected) => {
                        format!("{} frames", (0..).take_while(exists).count())
                    }

                    None => return Ok(()),
                };
                Err(DatasetError::FrameCount { path: folder.clone(), found, expected })
            }
        }
    }
}
