//! Writes a sample package to disk.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Rgb};
use npyz::WriterBuilder;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::frame::{ModelGeometry, Rect, Size};

use super::audio_encoder::{audio_encoder, loudness};
use super::draw::Painter;
use super::features::{self, features};
use super::images::ImageWriter;
use super::motion::{Motion, Pose, read_rectangles};
use super::speech::Speech;
#[cfg(feature = "opencv")]
use super::videos::VideoSetWriter;
use super::{
    AUDIO_DIMS, Batch, FPS, Form, NetworkKind, SampleError, SampleOptions, demo, probe, unet,
};

/// Frames drawn before they are written.
const CHUNK: usize = 16;
const MANIFEST: &str = "package_info.json";
const FEATURES: &str = "aud_ave.npy";
const SPEECH: &str = "speech.wav";
const RECTANGLES: &str = "cache/crop_rectangles.json";
const NETWORK: &str = "checkpoint/model_best.onnx";
const AUDIO_ENCODER: &str = "checkpoint/audio_encoder.onnx";

/// A BGR image for the image crate, which has no name for that order.
type Bgr = ImageBuffer<Rgb<u8>, Vec<u8>>;

/// One of the four images that a package has of every frame, and where they go.
pub(super) struct Kind {
    /// Name in the manifest.
    name: String,
    pub(super) size: Size,
    /// Video file, in the package.
    pub(super) video: String,
    /// Folder of single images, in the package.
    pub(super) folder: String,
    /// What follows the frame number in an image's name.
    pub(super) suffix: &'static str,
}

impl Kind {
    fn all(frame: Size, geometry: ModelGeometry) -> [Self; 4] {
        let (crops, rois) =
            (format!("crops_{}", geometry.crop_side()), format!("rois_{}", geometry.side()));
        let kind = |name: &str, size, video: &str, folder: &str, suffix| Self {
            name: name.into(),
            size,
            video: format!("{video}_video.mp4"),
            folder: folder.into(),
            suffix,
        };
        [
            kind("full_body_img", frame, "full_body", "full_body_img", ""),
            kind(&crops, geometry.crop(), &crops, &format!("cache/{crops}"), ""),
            kind(&rois, geometry.roi(), &rois, &format!("cache/{rois}"), ""),
            kind("model_inputs", geometry.roi(), "model_inputs", "cache/model_inputs", "_masked"),
        ]
    }
}

/// The four images of a frame, packed BGR, in the order of [`Kind::all`].
pub(super) struct FrameSet([Vec<u8>; 4]);

impl FrameSet {
    pub(super) fn images(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// Writes a complete avatar package to the folder `dir`: a drawn head that moves and speaks, its
/// crops, a network, and as many seconds of sound that is like speech, with an audio encoder and
/// made-up features. The sound, the features and the drawn mouth follow the same syllables.
/// `progress` is called with the number of frames that are done, and may end the work.
///
/// The package appears whole or not at all. An earlier sample package in `dir` is replaced.
///
/// # Errors
/// Options that cannot be met, a `dir` that holds anything but a sample package, everything that can
/// go wrong with files, each naming the file, and [`SampleError::Stopped`] by `progress`.
pub fn write_package(
    dir: impl AsRef<Path>,
    options: &SampleOptions,
    mut progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<(), SampleError> {
    let dir = dir.as_ref();
    let plan = Plan::new(options)?;
    refuse_other_contents(dir)?;

    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(SampleError::write(parent))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sample-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let staging = builder.tempdir_in(parent).map_err(SampleError::write(parent))?;

    let package = staging.path().join("package");
    plan.write(&package, &mut progress)?;
    let replaced = staging.path().join("replaced");
    if dir.exists() {
        fs::rename(dir, replaced).map_err(SampleError::write(dir))?;
    }
    fs::rename(&package, dir).map_err(SampleError::write(dir))
}

/// Whether `dir` holds a sample package that was written with exactly these options.
pub fn is_current(dir: impl AsRef<Path>, options: &SampleOptions) -> bool {
    let manifest = fs::read(dir.as_ref().join(MANIFEST)).ok();
    let manifest: Option<Value> = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    manifest.is_some_and(|manifest| manifest.get("sample") == Some(&describe(options)))
}

/// A folder may be replaced when it is empty, or when it says that it is a sample package and
/// nobody has put anything else beside its files.
fn refuse_other_contents(dir: &Path) -> Result<(), SampleError> {
    let occupied = |found: String| Err(SampleError::Occupied { path: dir.to_owned(), found });
    if !dir.exists() {
        return Ok(());
    }
    if !dir.is_dir() {
        return occupied("a file of that name".into());
    }
    let manifest = fs::read(dir.join(MANIFEST)).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    let is_sample = manifest.get("sample").is_some();
    let top = |name: &str| {
        matches!(name, MANIFEST | FEATURES | SPEECH | "cache" | "checkpoint" | "full_body_img")
            || name.ends_with("_video.mp4")
    };
    let cache = |name: &str| {
        matches!(name, "crop_rectangles.json" | "model_inputs")
            || name.starts_with("crops_")
            || name.starts_with("rois_")
    };
    let checkpoint = |name: &str| matches!(name, "model_best.onnx" | "audio_encoder.onnx");
    let top = |name: &str| is_sample && top(name);
    let found = [
        foreign(dir, top)?,
        foreign(&dir.join("cache"), cache)?,
        foreign(&dir.join("checkpoint"), checkpoint)?,
    ];
    found.into_iter().flatten().next().map_or(Ok(()), occupied)
}

/// The first name in `folder` that is not one of `ours`; none where there is no such folder.
fn foreign(folder: &Path, ours: impl Fn(&str) -> bool) -> Result<Option<String>, SampleError> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(SampleError::write(folder))? {
        let entry = entry.map_err(SampleError::write(folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.into_iter().find(|name| !ours(name)))
}

/// Everything that is decided before anything is written.
struct Plan<'a> {
    options: &'a SampleOptions,
    geometry: ModelGeometry,
    kinds: [Kind; 4],
    rects: Vec<Rect>,
    motion: Motion,
}

impl<'a> Plan<'a> {
    fn new(options: &'a SampleOptions) -> Result<Self, SampleError> {
        let SampleOptions { frames, size, side, .. } = *options;
        if frames == 0 {
            return Err(SampleError::NoFrames);
        }
        if [size.width, size.height].iter().any(|edge| !(64..=16384).contains(edge)) {
            return Err(SampleError::FrameSize { size });
        }
        let geometry = ModelGeometry::new(side).ok_or(SampleError::Side { side })?;
        if options.network == NetworkKind::Unet && !matches!(side, 160 | 320) {
            return Err(SampleError::NetworkSide { side });
        }
        if options.form == Form::Videos && cfg!(not(feature = "opencv")) {
            return Err(SampleError::NoVideos);
        }
        let motion = Motion::new(options.seed);
        let rects = match &options.rects {
            Some(path) => read_rectangles(path, frames, size)?,
            None => motion.rectangles(frames, size),
        };
        Ok(Self { options, geometry, kinds: Kind::all(size, geometry), rects, motion })
    }

    fn write(
        &self,
        root: &Path,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<(), SampleError> {
        for folder in ["cache", "checkpoint"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(SampleError::write(folder))?;
        }
        self.write_frames(root, progress)?;
        self.write_sound(root)?;
        self.network()?.save(root.join(NETWORK))?;
        audio_encoder(self.options.seed, self.options.batch).save(root.join(AUDIO_ENCODER))?;
        let rects = self.rects.iter().enumerate().map(|(frame, rect)| {
            (frame.to_string(), json!({ "rect": [rect.x1, rect.y1, rect.x2, rect.y2] }))
        });
        write_json(root, RECTANGLES, &Value::Object(rects.collect()))?;
        write_json(root, MANIFEST, &self.manifest())
    }

    fn write_frames(
        &self,
        root: &Path,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<(), SampleError> {
        let painter = Painter::new(self.options.size);
        let mut poses = self.motion.poses(&self.rects);
        if self.options.network == NetworkKind::Demo {
            poses.iter_mut().for_each(|pose| pose.mouth = 0.0);
        }
        let mut writer = FrameWriter::create(root, &self.kinds, self.options.form)?;
        for (i, chunk) in poses.chunks(CHUNK).enumerate() {
            let first = i * CHUNK;
            let rects = &self.rects[first..];
            let sets: Vec<FrameSet> = chunk
                .par_iter()
                .zip(rects)
                .map(|(pose, &r)| self.draw(&painter, pose, r))
                .collect();
            writer.write(first, &sets)?;
            if progress(first + chunk.len()).is_break() {
                return Err(SampleError::Stopped);
            }
        }
        writer.finish()
    }

    fn draw(&self, painter: &Painter, pose: &Pose, rect: Rect) -> FrameSet {
        let frame = painter.paint(pose);
        let face = cut(&frame, self.options.size, rect);
        let crop = resize(face, rect.size(), self.geometry.crop());
        let border = ModelGeometry::BORDER;
        let inside = border + self.geometry.side();
        let roi = Rect { x1: border, y1: border, x2: inside, y2: inside };
        let roi = cut(&crop, self.geometry.crop(), roi);
        let mut masked = roi.clone();
        let mask = self.geometry.mask();
        for row in masked.chunks_exact_mut(self.geometry.roi().stride()).take(mask.y2).skip(mask.y1)
        {
            row[3 * mask.x1..3 * mask.x2].fill(0);
        }
        FrameSet([frame, crop, roi, masked])
    }

    fn write_sound(&self, root: &Path) -> Result<(), SampleError> {
        let SampleOptions { frames, seed, .. } = *self.options;
        let speech = Speech::new(frames, seed, &self.motion);
        let path = root.join(SPEECH);
        fs::write(&path, speech.wav()).map_err(SampleError::write(&path))?;

        let path = root.join(FEATURES);
        let rows = features(&loudness(&speech.sound(), frames), seed, &self.motion);
        let write = || {
            let mut data = Vec::new();
            let shape = [frames as u64, features::WIDTH as u64];
            let header = npyz::WriteOptions::new().default_dtype().shape(&shape);
            let mut npy = header.writer(&mut data).begin_nd()?;
            npy.extend(rows)?;
            npy.finish()?;
            fs::write(&path, data)
        };
        write().map_err(SampleError::write(&path))
    }

    fn network(&self) -> Result<crate::onnx::Model, SampleError> {
        let SampleOptions { side, seed, network, batch, .. } = *self.options;
        match network {
            NetworkKind::Unet => unet(side, seed, batch),
            NetworkKind::Probe => Ok(probe(side, batch)),
            NetworkKind::Demo => Ok(demo(side, batch)),
        }
    }

    fn manifest(&self) -> Value {
        let SampleOptions { frames, side, form, batch, .. } = *self.options;
        let (n, dynamic) = match batch {
            Batch::Symbolic => (1, &["batch"][..]),
            Batch::Fixed(n) => (n, &[][..]),
        };
        let videos = self.kinds.iter().map(|kind| {
            let entry = json!({ "video_file": kind.video, "frame_count": frames, "fps": FPS });
            (kind.name.clone(), entry)
        });
        let mut manifest = json!({
            "package_type": "mp4_video_package",
            "package_version": "2.0",
            "dataset_name": "sample",
            "original_shape": [self.geometry.crop_side(), self.geometry.crop_side()],
            "videos": Value::Object(videos.collect()),
            "onnx": {
                "file": NETWORK,
                "opset": 17,
                "asr_mode": "ave",
                "input_shapes": {
                    "input": [n, 6, side, side],
                    "audio": [n, AUDIO_DIMS[0], AUDIO_DIMS[1], AUDIO_DIMS[2]],
                },
                "dynamic_axes": dynamic,
            },
            "sample": describe(self.options),
        });
        if let (Form::Images(_), Some(fields)) = (form, manifest.as_object_mut()) {
            fields.insert("package_type".into(), "image_package".into());
            fields.remove("videos");
        }
        manifest
    }
}

/// The options as the manifest records them.
fn describe(options: &SampleOptions) -> Value {
    json!({
        "frames": options.frames,
        "size": options.size.to_string(),
        "side": options.side,
        "form": match options.form {
            Form::Videos => "videos",
            Form::Images(format) => format.extension(),
        },
        "network": match options.network {
            NetworkKind::Unet => "unet",
            NetworkKind::Probe => "probe",
            NetworkKind::Demo => "demo",
        },
        "batch": match options.batch {
            Batch::Symbolic => None,
            Batch::Fixed(n) => Some(n),
        },
        "seed": options.seed,
        "sound": SPEECH,
        "rects": options.rects,
    })
}

/// Where frames go.
enum FrameWriter<'a> {
    #[cfg(feature = "opencv")]
    Videos(VideoSetWriter),
    Images(ImageWriter<'a>),
}

impl<'a> FrameWriter<'a> {
    fn create(root: &'a Path, kinds: &'a [Kind; 4], form: Form) -> Result<Self, SampleError> {
        match form {
            #[cfg(feature = "opencv")]
            Form::Videos => VideoSetWriter::create(root, kinds).map(Self::Videos),
            #[cfg(not(feature = "opencv"))]
            Form::Videos => Err(SampleError::NoVideos),
            Form::Images(format) => ImageWriter::create(root, kinds, format).map(Self::Images),
        }
    }

    fn write(&mut self, first: usize, sets: &[FrameSet]) -> Result<(), SampleError> {
        match self {
            #[cfg(feature = "opencv")]
            Self::Videos(videos) => videos.write(sets),
            Self::Images(images) => images.write(first, sets),
        }
    }

    fn finish(self) -> Result<(), SampleError> {
        match self {
            #[cfg(feature = "opencv")]
            Self::Videos(videos) => videos.finish(),
            Self::Images(_) => Ok(()),
        }
    }
}

fn write_json(root: &Path, name: &str, value: &Value) -> Result<(), SampleError> {
    let path = root.join(name);
    fs::write(&path, format!("{value:#}\n")).map_err(SampleError::write(path))
}

/// The pixels of `rect` in an image of `size`.
fn cut(image: &[u8], size: Size, rect: Rect) -> Vec<u8> {
    let rows = image.chunks_exact(size.stride()).take(rect.y2).skip(rect.y1);
    rows.flat_map(|row| &row[3 * rect.x1..3 * rect.x2]).copied().collect()
}

fn resize(image: Vec<u8>, from: Size, to: Size) -> Vec<u8> {
    match Bgr::from_raw(from.width as u32, from.height as u32, image) {
        Some(image) => {
            imageops::resize(&image, to.width as u32, to.height as u32, FilterType::CatmullRom)
                .into_raw()
        }
        None => unreachable!("a cut has exactly the pixels of its rectangle"),
    }
}
