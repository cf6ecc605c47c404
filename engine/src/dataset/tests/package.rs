//! What a good package says about itself.

use std::fs;

use super::support::{self, FRAME, TRACKS, forms, geometry, pixels};
use crate::dataset::{
    Features, Form, FrameStore, InputPixels, Inputs, Package, StoreMode, StoreOptions,
};
use crate::frame::Rect;

#[test]
fn metadata_of_both_forms() {
    for &form in forms() {
        let dir = support::package(form, 5);
        let package = Package::open(dir.path(), geometry(), Inputs::Package).unwrap();
        assert_eq!(package.form(), form);
        assert_eq!((package.frame_count(), package.frame_size()), (5, FRAME));
        assert_eq!(package.rects()[3], Rect { x1: 3, y1: 5, x2: 40, y2: 33 });
        assert_eq!(package.fps(), 25.0);
        assert_eq!(package.name(), dir.path().file_name().unwrap().to_str().unwrap());
        let frame = (64 * 48 + 24 * 24) * 3;
        assert_eq!(package.decoded_bytes(), 5 * (frame + 2 * 16 * 16 * 3));
        let derived = Package::open(dir.path(), geometry(), Inputs::Derived).unwrap();
        assert_eq!(derived.decoded_bytes(), 5 * frame);
        assert_eq!(package.features().unwrap().rows(), 3);
    }
}

#[test]
fn manifests_name_the_avatar_and_its_network() {
    let dir = support::package(Form::Images, 1);
    assert_eq!(Package::find_model(dir.path()).unwrap(), None);
    fs::create_dir(dir.path().join("checkpoint")).unwrap();
    let usual = dir.path().join("checkpoint/model_best.onnx");
    fs::write(&usual, "").unwrap();
    assert_eq!(Package::find_model(dir.path()).unwrap(), Some(usual));

    fs::write(
        dir.path().join("package_info.json"),
        r#"{"dataset_name": "anna", "videos": {"full_body_img": {"fps": 30}}}"#,
    )
    .unwrap();
    fs::write(
        dir.path().join("dataset_manifest.json"),
        r#"{"dataset_name": "other", "onnx": {"file": "net.onnx"}}"#,
    )
    .unwrap();
    let package = support::open(&dir, Inputs::Package);
    assert_eq!((package.name(), package.fps()), ("anna", 30.0));
    // The file that is named, or none: never another one.
    assert_eq!(Package::find_model(dir.path()).unwrap(), None);
    fs::write(dir.path().join("net.onnx"), "").unwrap();
    assert_eq!(Package::find_model(dir.path()).unwrap(), Some(dir.path().join("net.onnx")));
}

#[test]
fn images_load_as_they_were_written() {
    let dir = support::package(Form::Images, 3);
    for mode in [StoreMode::Ram, StoreMode::Stream] {
        let store = support::store(&support::open(&dir, Inputs::Package), mode).unwrap();
        assert_eq!(store.in_ram(), mode == StoreMode::Ram);
        for sample in store.source(0..3, 1).unwrap() {
            let mut sample = sample.unwrap();
            let of = |track: usize| pixels(TRACKS[track].0, sample.frame, track);
            let InputPixels::Stored { roi, masked } = sample.inputs() else { panic!("derived") };
            assert!(sample.crop() == of(1) && roi == of(2) && masked == of(3));
            let expected = of(0);
            let owned = sample.take_background();
            assert_eq!(owned.is_none(), store.in_ram());
            let pixels = owned.as_deref().or(sample.shared_background()).unwrap();
            assert!(pixels == expected);
        }
    }
}

#[test]
fn grey_and_transparent_images_become_bgr() {
    let dir = support::package(Form::Images, 2);
    let grey = image::GrayImage::from_pixel(64, 48, image::Luma([77]));
    grey.save(dir.path().join("full_body_img/0.png")).unwrap();
    let clear = image::RgbaImage::from_pixel(64, 48, image::Rgba([1, 2, 3, 0]));
    clear.save(dir.path().join("full_body_img/1.png")).unwrap();
    let store = support::store(&support::open(&dir, Inputs::Derived), StoreMode::Ram).unwrap();
    for (sample, expected) in store.source(0..2, 1).unwrap().zip([[77, 77, 77], [3, 2, 1]]) {
        let sample = sample.unwrap();
        assert!(matches!(sample.inputs(), InputPixels::Derived { crop } if crop == sample.crop()));
        let pixels = sample.shared_background().unwrap();
        assert!(pixels.chunks_exact(3).all(|pixel| pixel == expected));
    }
}

#[test]
fn jpeg_packages_load() {
    let dir = support::package(Form::Images, 2);
    for (track, (size, _, folder, suffix)) in TRACKS.into_iter().enumerate() {
        for frame in 0..2 {
            let name = dir.path().join(format!("{folder}/{frame}{suffix}"));
            fs::remove_file(name.with_extension("png")).unwrap();
            support::write_image(&name.with_extension("jpg"), size, pixels(size, frame, track));
        }
    }
    let store = support::store(&support::open(&dir, Inputs::Package), StoreMode::Stream).unwrap();
    let shown: Vec<_> =
        store.source(0..5, 1).unwrap().map(|sample| sample.unwrap().frame).collect();
    assert_eq!(shown, [0, 1, 0, 1, 0]);
}

#[test]
fn auto_keeps_to_the_budget() {
    let dir = support::package(Form::Images, 4);
    let package = support::open(&dir, Inputs::Package);
    let needed = package.decoded_bytes();
    for (ram_budget, fits) in [(needed, true), (needed - 1, false)] {
        let options = StoreOptions { mode: StoreMode::Auto, ram_budget, decode_threads: 1 };
        let mut steps = Vec::new();
        let mut record = |done, total| steps.push((done, total));
        let store = FrameStore::open(package.clone(), &options, &mut record).unwrap();
        assert_eq!(store.in_ram(), fits);
        assert_eq!(store.ram_bytes(), if fits { needed } else { 0 });
        let expected: Vec<_> = if fits { (1..=16).map(|i| (i, 16)).collect() } else { vec![] };
        assert_eq!(steps, expected);
    }
}

#[test]
fn settings_have_names() {
    for inputs in [Inputs::Package, Inputs::Derived] {
        assert_eq!(inputs.to_string().parse::<Inputs>().unwrap(), inputs);
    }
    for mode in [StoreMode::Auto, StoreMode::Ram, StoreMode::Stream] {
        assert_eq!(mode.to_string().parse::<StoreMode>().unwrap(), mode);
    }
    support::assert_says(&"disk".parse::<StoreMode>().unwrap_err(), &["\"disk\"", "auto, ram"]);
    support::assert_says(&"video".parse::<Inputs>().unwrap_err(), &["\"video\"", "derived"]);
}

#[test]
fn features_of_every_header_version_and_both_widths() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("aud_ave.npy");
    let values: Vec<f32> = (0..2 * 512).map(|i| i as f32 * 0.5).collect();
    let narrow: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let wide: Vec<u8> = values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    for version in 1..=3 {
        for (descr, data) in [("<f4", &narrow), ("<f8", &wide)] {
            let header =
                format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 512), }}  \n");
            support::write_npy_header(&path, (version, 0), &header, data);
            let features = Features::load(&path).unwrap();
            assert_eq!(features.rows(), 2);
            let mut window = vec![f32::NAN; Features::WINDOW_LEN];
            features.window(0, &mut window);
            assert!(window[..8 * 512].iter().all(|value| *value == 0.0));
            assert_eq!(window[8 * 512..10 * 512], values[..]);
        }
    }
}

#[test]
fn the_fingerprint_is_of_the_pixels_that_are_used() {
    for &form in forms() {
        let dir = support::package(form, 3);
        let of = |inputs| support::open(&dir, inputs).fingerprint().unwrap();
        let before = of(Inputs::Package);
        assert_eq!(of(Inputs::Package), before);
        assert_ne!(of(Inputs::Derived), before);
        let other = support::package(form, 3);
        assert_eq!(support::open(&other, Inputs::Package).fingerprint().unwrap(), before);
        let rects = dir.path().join("cache/crop_rectangles.json");
        let text = std::fs::read_to_string(&rects).unwrap();
        std::fs::write(&rects, format!("{text} ")).unwrap();
        assert_ne!(of(Inputs::Package), before);
    }
}
