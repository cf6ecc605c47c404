//! Small packages in both forms: 64x48 backgrounds, 24x24 crops, 16x16 rois.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::dataset::{DatasetError, Form, FrameStore, Inputs, Package, StoreMode, StoreOptions};
use crate::frame::{ModelGeometry, Size};

pub(in crate::dataset) const FRAME: Size = Size::new(64, 48);

pub(in crate::dataset) fn geometry() -> ModelGeometry {
    ModelGeometry::new(16).unwrap()
}

/// Track names in the order of their salt, with size, video and image files.
pub(super) const TRACKS: [(Size, &str, &str, &str); 4] = [
    (FRAME, "full_body_video.mp4", "full_body_img", ""),
    (Size::square(24), "crops_24_video.mp4", "cache/crops_24", ""),
    (Size::square(16), "rois_16_video.mp4", "cache/rois_16", ""),
    (Size::square(16), "model_inputs_video.mp4", "cache/model_inputs", "_masked"),
];

/// BGR pixels that differ between frames and tracks.
pub(super) fn pixels(size: Size, frame: usize, track: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size.bytes());
    for y in 0..size.height {
        for x in 0..size.width {
            for channel in 0..3 {
                let block = (x / 4 + frame) * 37 + (y / 4) * (11 + frame % 5) + track * 71;
                out.push((block * (channel + 2) + frame * 13) as u8);
            }
        }
    }
    out
}

/// A complete package of `frames` frames; images are PNG files.
pub(in crate::dataset) fn package(form: Form, frames: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("cache")).unwrap();
    for (track, (size, video, folder, suffix)) in TRACKS.into_iter().enumerate() {
        let images = (0..frames).map(|frame| pixels(size, frame, track));
        match form {
            Form::Videos => write_video(&dir.path().join(video), size, images),
            Form::Images => {
                let folder = dir.path().join(folder);
                fs::create_dir(&folder).unwrap();
                for (frame, image) in images.enumerate() {
                    write_image(&folder.join(format!("{frame}{suffix}.png")), size, image);
                }
            }
        }
    }
    write_rects(dir.path(), &good_rects(frames));
    write_npy(&dir.path().join("aud_ave.npy"), "<f4", "(3, 512)", &[0; 3 * 512 * 4]);
    dir
}

/// A rectangle for each frame as they stand in the JSON file.
pub(super) fn good_rects(frames: usize) -> Vec<String> {
    (0..frames)
        .map(|i| format!(r#""{i}": {{"rect": [{}, 5, 40, 33], "original_path": "x"}}"#, i % 8))
        .collect()
}

pub(super) fn write_rects(root: &Path, entries: &[String]) {
    fs::write(root.join("cache/crop_rectangles.json"), format!("{{{}}}", entries.join(", ")))
        .unwrap();
}

/// Writes BGR pixels in the format of the path's extension.
pub(super) fn write_image(path: &Path, size: Size, mut bgr: Vec<u8>) {
    bgr.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
    image::RgbImage::from_raw(size.width as u32, size.height as u32, bgr)
        .unwrap()
        .save(path)
        .unwrap();
}

#[cfg(feature = "opencv")]
pub(super) fn write_video(path: &Path, size: Size, images: impl Iterator<Item = Vec<u8>>) {
    use opencv::core::{Mat, Vec3b};
    use opencv::videoio::{CAP_FFMPEG, VideoWriter, VideoWriterTrait, VideoWriterTraitConst};

    let (width, height) = (size.width as i32, size.height as i32);
    let fourcc = VideoWriter::fourcc('m', 'p', '4', 'v').unwrap();
    let mut writer = VideoWriter::new_with_backend(
        path.to_str().unwrap(),
        CAP_FFMPEG,
        fourcc,
        25.0,
        (width, height).into(),
        true,
    )
    .unwrap();
    assert!(writer.is_opened().unwrap());
    for image in images {
        writer
            .write(&Mat::new_rows_cols_with_bytes::<Vec3b>(height, width, &image).unwrap())
            .unwrap();
    }
    writer.release().unwrap();
}

#[cfg(not(feature = "opencv"))]
pub(super) fn write_video(path: &Path, _size: Size, _images: impl Iterator<Item = Vec<u8>>) {
    fs::write(path, "never opened").unwrap();
}

pub(super) fn write_npy(path: &Path, descr: &str, shape: &str, data: &[u8]) {
    write_npy_header(
        path,
        (1, 0),
        &format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"),
        data,
    );
}

pub(super) fn write_npy_header(path: &Path, version: (u8, u8), header: &str, data: &[u8]) {
    let mut file = fs::File::create(path).unwrap();
    file.write_all(b"\x93NUMPY").unwrap();
    file.write_all(&[version.0, version.1]).unwrap();
    match version.0 {
        1 => file.write_all(&(header.len() as u16).to_le_bytes()),
        _ => file.write_all(&(header.len() as u32).to_le_bytes()),
    }
    .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(data).unwrap();
}

pub(in crate::dataset) fn open(dir: &TempDir, inputs: Inputs) -> Arc<Package> {
    Arc::new(Package::open(dir.path(), geometry(), inputs).unwrap())
}

pub(super) fn store(package: &Arc<Package>, mode: StoreMode) -> Result<FrameStore, DatasetError> {
    let options = StoreOptions { mode, ram_budget: 64 << 20, decode_threads: 2 };
    FrameStore::open(Arc::clone(package), &options, &mut |_, _| {})
}

/// The forms that this build reads.
pub(super) fn forms() -> &'static [Form] {
    if cfg!(feature = "opencv") { &[Form::Images, Form::Videos] } else { &[Form::Images] }
}

/// The error's message with those of its causes.
pub(super) fn describe(error: &DatasetError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Asserts that opening the package fails with a message that has all of `parts`.
pub(super) fn assert_refused(root: &Path, inputs: Inputs, parts: &[&str]) {
    let error = Package::open(root, geometry(), inputs).unwrap_err();
    assert_says(&error, parts);
}

pub(super) fn assert_says(error: &DatasetError, parts: &[&str]) {
    let text = describe(error);
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

/// Cuts a file to `keep` of its bytes.
pub(super) fn truncate(path: &Path, keep: f64) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..(bytes.len() as f64 * keep) as usize]).unwrap();
}

/// Moves an mp4 file's index in front of its data, so that a cut file still opens.
#[cfg(feature = "opencv")]
pub(super) fn move_index_to_front(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let mut boxes: Vec<(&[u8], Vec<u8>)> = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        boxes.push((&rest[4..8], rest[..length].to_vec()));
        rest = &rest[length..];
    }
    let at = boxes.iter().position(|(kind, _)| *kind == b"moov").unwrap();
    let mut moov = boxes.remove(at).1;
    let shift = moov.len() as u32;
    let table = moov.windows(4).position(|name| name == b"stco").unwrap() + 4;
    let count = u32::from_be_bytes(moov[table + 4..table + 8].try_into().unwrap()) as usize;
    for entry in moov[table + 8..].chunks_exact_mut(4).take(count) {
        let offset = u32::from_be_bytes((&*entry).try_into().unwrap()) + shift;
        entry.copy_from_slice(&offset.to_be_bytes());
    }
    boxes.insert(1, (b"moov", moov));
    fs::write(path, boxes.into_iter().flat_map(|(_, content)| content).collect::<Vec<_>>())
        .unwrap();
}
