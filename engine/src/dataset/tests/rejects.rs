//! Damaged packages: one error each, naming file, field and expectation.

use std::fs;
use std::path::Path;

use super::support::{
    self, FRAME, assert_refused, assert_says, describe, good_rects, pixels, write_image, write_npy,
    write_npy_header, write_rects,
};
use crate::dataset::{Features, Form, FrameStore, Inputs, Package, StoreMode, StoreOptions};
use crate::frame::Size;

#[test]
fn folders_that_are_no_packages() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    assert_refused(&absent, Inputs::Package, &["cannot read", "absent", "No such file"]);
    let parts = ["the folder is empty", "full_body_video.mp4", "full_body_img", "crops_24"];
    assert_refused(dir.path(), Inputs::Package, &parts);
    fs::write(dir.path().join("notes.txt"), "").unwrap();
    assert_refused(dir.path(), Inputs::Package, &["not an avatar package", "neither"]);
    let file = dir.path().join("notes.txt");
    assert_refused(&file, Inputs::Package, &["cannot read", "notes.txt"]);
}

#[test]
fn missing_images() {
    let dir = support::package(Form::Images, 4);
    let remove = |name: &str| fs::rename(dir.path().join(name), dir.path().join("away")).unwrap();
    let restore = |name: &str| fs::rename(dir.path().join("away"), dir.path().join(name)).unwrap();
    for (name, parts) in [
        ("full_body_img/0.png", ["full_body_img/0.jpg is missing", "0.png"]),
        ("cache/crops_24", ["cache/crops_24/0.jpg is missing", "crops of 24x24"]),
        ("cache/rois_16", ["cache/rois_16/0.jpg is missing", "--inputs derived"]),
        ("cache/model_inputs", ["cache/model_inputs/0_masked.jpg is missing", "--inputs derived"]),
        ("cache/crop_rectangles.json", ["cache/crop_rectangles.json is missing", "belongs"]),
        ("full_body_img/2.png", ["full_body_img has 3 frames (2.png is missing)", "4 rectangles"]),
    ] {
        remove(name);
        assert_refused(dir.path(), Inputs::Package, &parts);
        restore(name);
    }
    fs::remove_dir_all(dir.path().join("cache/rois_16")).unwrap();
    support::open(&dir, Inputs::Derived);
    fs::remove_file(dir.path().join("aud_ave.npy")).unwrap();
    let error = support::open(&dir, Inputs::Derived).features().unwrap_err();
    assert_says(&error, &["cannot read", "aud_ave.npy"]);
}

#[test]
fn more_images_than_rectangles() {
    let dir = support::package(Form::Images, 4);
    write_rects(dir.path(), &good_rects(2));
    assert_refused(dir.path(), Inputs::Package, &["full_body_img has 4 frames", "2 rectangles"]);
}

#[test]
fn images_twice() {
    let dir = support::package(Form::Images, 1);
    write_image(&dir.path().join("full_body_img/0.jpg"), FRAME, pixels(FRAME, 0, 0));
    assert_refused(dir.path(), Inputs::Package, &["full_body_img", "0.jpg and 0.png", "either"]);
}

#[test]
fn images_of_other_sizes() {
    let dir = support::package(Form::Images, 3);
    let other = Size::new(24, 20);
    write_image(&dir.path().join("cache/crops_24/0.png"), other, pixels(other, 0, 1));
    let parts = ["cache/crops_24/0.png: frame 0 is 24x20", "expected 24x24"];
    assert_refused(dir.path(), Inputs::Package, &parts);

    let dir = support::package(Form::Images, 3);
    write_image(&dir.path().join("full_body_img/2.png"), other, pixels(other, 0, 1));
    let error = support::store(&support::open(&dir, Inputs::Package), StoreMode::Ram).err();
    assert_says(&error.unwrap(), &["full_body_img/2.png: frame 2 is 24x20", "expected 64x48"]);
}

#[test]
fn damaged_images() {
    let dir = support::package(Form::Images, 2);
    fs::write(dir.path().join("full_body_img/0.png"), "no image").unwrap();
    assert_refused(dir.path(), Inputs::Package, &["cannot decode frame 0", "full_body_img/0.png"]);

    let dir = support::package(Form::Images, 2);
    let folder = dir.path().join("full_body_img");
    for i in 0..2 {
        fs::remove_file(folder.join(format!("{i}.png"))).unwrap();
        write_image(&folder.join(format!("{i}.jpg")), FRAME, pixels(FRAME, i, 0));
    }
    support::truncate(&folder.join("1.jpg"), 0.7);
    let error = support::store(&support::open(&dir, Inputs::Package), StoreMode::Ram).err();
    assert_says(&error.unwrap(), &["cannot decode frame 1", "full_body_img/1.jpg", "cut short"]);
}

#[test]
fn rectangles() {
    let dir = support::package(Form::Images, 3);
    let file = "cache/crop_rectangles.json";
    let inside = "0 <= x1 < x2 <= 64 and 0 <= y1 < y2 <= 48, for frames of 64x48";
    let whole = "four whole numbers [x1, y1, x2, y2] inside the 64x48 frame";
    let entry = |rect: &str| format!(r#""1": {{"rect": {rect}}}"#);
    for (rect, found, expected) in [
        ("[1.5, 2, 3, 4]", "[1.5,2,3,4]", whole),
        ("[1.0, 2, 3, 4]", "[1.0,2,3,4]", whole),
        ("[-1, 2, 3, 4]", "[-1,2,3,4]", whole),
        ("[1, 2, 3]", "[1,2,3]", whole),
        ("[1, 2, 3, 4, 5]", "[1,2,3,4,5]", whole),
        ("[1, 2, 3, \"4\"]", "[1,2,3,\"4\"]", whole),
        ("[1, 2, 3, 99999999999999999999999]", "[1,2,3,1e+23]", whole),
        ("\"1 2 3 4\"", "\"1 2 3 4\"", whole),
        ("null", "null", whole),
        ("[5, 2, 3, 4]", "[5,2,3,4]", inside),
        ("[1, 4, 3, 2]", "[1,4,3,2]", inside),
        ("[3, 2, 3, 4]", "[3,2,3,4]", inside),
        ("[1, 4, 3, 4]", "[1,4,3,4]", inside),
        ("[1, 2, 65, 4]", "[1,2,65,4]", inside),
        ("[1, 2, 3, 49]", "[1,2,3,49]", inside),
        ("[0, 0, 18446744073709551615, 4]", "[0,0,18446744073709551615,4]", inside),
    ] {
        let mut entries = good_rects(3);
        entries[1] = entry(rect);
        write_rects(dir.path(), &entries);
        let found = format!("frame 1 \"rect\" is {found}; expected {expected}");
        assert_refused(dir.path(), Inputs::Package, &[file, &found]);
    }
}

#[test]
fn lists_of_rectangles() {
    let dir = support::package(Form::Images, 3);
    let [zero, one, two] = good_rects(3).try_into().unwrap();
    let numbered = |number: &str| two.replacen("\"2\"", &format!("\"{number}\""), 1);
    for (entries, parts) in [
        (vec![], ["is empty", "\"0\" first"]),
        (vec![zero.clone(), two.clone()], ["without frame 1", "without a gap"]),
        (vec![zero.clone(), one.clone(), numbered("7")], ["without frame 2", "frame 7"]),
        (vec![zero.clone(), one.clone(), one.clone()], ["frame 1 twice", "once"]),
        (vec![zero.clone(), one.clone(), numbered("02")], ["\"02\"", "\"0\", \"1\""]),
        (vec![zero.clone(), one.clone(), numbered("-2")], ["\"-2\"", "\"0\", \"1\""]),
        (vec![zero.clone(), one.clone(), numbered("end")], ["\"end\"", "\"0\", \"1\""]),
        (vec![zero.clone(), "\"1\": [1, 2, 3, 4]".into()], ["frame 1 is [1,2,3,4]", "\"rect\""]),
        (vec![zero.clone(), "\"1\": {\"box\": 1}".into()], ["frame 1 is {\"box\"", "\"rect\""]),
        (vec![zero.clone(), one.clone()], ["full_body_img has 3 frames", "2 rectangles"]),
        (
            vec![zero.clone(), one.clone(), two.clone(), numbered("3")],
            ["(3.png is missing)", "4 rect"],
        ),
    ] {
        write_rects(dir.path(), &entries);
        assert_refused(dir.path(), Inputs::Package, &["crop_rectangles.json", parts[0], parts[1]]);
    }
    for text in ["", "{\"0\": ", "[1, 2]", "3", "{\"0\": {\"rect\": [1, 2, 3, NaN]}}", "\u{1}"] {
        fs::write(dir.path().join("cache/crop_rectangles.json"), text).unwrap();
        let parts = ["cache/crop_rectangles.json is not valid JSON", "at line 1 column"];
        assert_refused(dir.path(), Inputs::Package, &parts);
    }
}

#[test]
fn manifests() {
    let dir = support::package(Form::Images, 1);
    for name in ["package_info.json", "dataset_manifest.json"] {
        for (text, parts) in [
            ("{", ["is not valid JSON", "line 1"]),
            ("[]", ["the file is []", "a JSON object"]),
            (r#"{"dataset_name": 7}"#, ["dataset_name is 7", "a string"]),
            (r#"{"videos": []}"#, ["videos is []", "a JSON object"]),
            (r#"{"videos": {"full_body_img": 1}}"#, ["videos.full_body_img is 1", "JSON object"]),
            (
                r#"{"videos": {"full_body_img": {"fps": 0}}}"#,
                ["videos.full_body_img.fps is 0", "a number above 0"],
            ),
            (
                r#"{"videos": {"full_body_img": {"fps": "25"}}}"#,
                ["videos.full_body_img.fps is \"25\"", "a number above 0"],
            ),
            (r#"{"onnx": {"file": 1}}"#, ["onnx.file is 1", "a string"]),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
            assert_refused(dir.path(), Inputs::Package, &[name, parts[0], parts[1]]);
            assert_says(&Package::find_model(dir.path()).unwrap_err(), &[name, parts[0]]);
        }
        fs::remove_file(dir.path().join(name)).unwrap();
    }
}

#[test]
fn frames_over_the_budget() {
    let dir = support::package(Form::Images, 3);
    let package = support::open(&dir, Inputs::Package);
    let options = StoreOptions { mode: StoreMode::Ram, ram_budget: 0, decode_threads: 1 };
    let error = FrameStore::open(package, &options, &mut |_, _| {}).err().unwrap();
    let parts = ["need 1 MiB", "budget is 0 MiB", "--ram-budget", "--frame-store stream"];
    assert_says(&error, &parts);
}

#[test]
#[cfg(feature = "opencv")]
fn videos() {
    let dir = support::package(Form::Videos, 5);
    let root = dir.path();
    for (name, parts) in [
        ("crops_24_video.mp4", ["crops_24_video.mp4 is missing", "crops of 24x24"]),
        ("rois_16_video.mp4", ["rois_16_video.mp4 is missing", "--inputs derived"]),
        ("model_inputs_video.mp4", ["model_inputs_video.mp4 is missing", "--inputs derived"]),
    ] {
        fs::rename(root.join(name), root.join("away")).unwrap();
        assert_refused(root, Inputs::Package, &parts);
        fs::rename(root.join("away"), root.join(name)).unwrap();
    }
    // Another network's geometry asks for other crops.
    let error =
        Package::open(root, crate::frame::ModelGeometry::new(160).unwrap(), Inputs::Package)
            .unwrap_err();
    assert_says(&error, &["crops_168_video.mp4 is missing", "160x160", "168x168"]);

    for (rects, count) in [(4, "4 rectangles"), (6, "6 rectangles")] {
        write_rects(root, &good_rects(rects));
        assert_refused(root, Inputs::Package, &["full_body_video.mp4 has 5 frames", count]);
    }
    write_rects(root, &good_rects(5));

    let crops = root.join("crops_24_video.mp4");
    fs::copy(root.join("rois_16_video.mp4"), &crops).unwrap();
    assert_refused(root, Inputs::Package, &["crops_24_video.mp4", "is 16x16", "expected 24x24"]);
    let images = (0..3).map(|frame| pixels(Size::square(24), frame, 1));
    support::write_video(&crops, Size::square(24), images);
    assert_refused(root, Inputs::Package, &["crops_24_video.mp4 has 3 frames", "5 rectangles"]);

    // The index of such a file is at its end.
    support::truncate(&root.join("full_body_video.mp4"), 0.6);
    assert_refused(root, Inputs::Package, &["cannot open", "full_body_video.mp4", "cut short"]);
    fs::write(root.join("full_body_video.mp4"), "no video").unwrap();
    assert_refused(root, Inputs::Package, &["cannot open", "full_body_video.mp4", "damaged"]);
}

#[test]
#[cfg(not(feature = "opencv"))]
fn videos_need_opencv() {
    let dir = support::package(Form::Videos, 5);
    let parts = ["full_body_video.mp4", "built without OpenCV; unpack", "--features opencv"];
    assert_refused(dir.path(), Inputs::Package, &parts);
}

fn assert_npy_refused(path: &Path, parts: &[&str]) {
    let error = Features::load(path).unwrap_err();
    assert!(describe(&error).contains("aud_ave.npy"));
    assert_says(&error, parts);
}

#[test]
fn feature_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = &dir.path().join("aud_ave.npy");
    assert_npy_refused(path, &["cannot read", "No such file"]);
    for (content, parts) in [
        (&b""[..], &["not a .npy file", "numpy.save"][..]),
        (b"PK\x03\x04 zip", &["not a .npy file"]),
        (b"\x93NUMPY\x01", &["ends inside the .npy header"]),
        (b"\x93NUMPY\x01\x00\xff", &["ends inside the .npy header"]),
        (b"\x93NUMPY\x01\x00\xff\x00{'descr'", &["ends inside the .npy header"]),
        (b"\x93NUMPY\x09\x00\x02\x00{}", &[".npy version 9.0", "expected 1.0, 2.0 or 3.0"]),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", &["4294967295 bytes", "expected at most"]),
        (b"\x93NUMPY\x01\x00\x02\x00{}", &["header that cannot be read", "'shape'"]),
        (b"\x93NUMPY\x01\x00\x02\x00\xff\xff", &["header that cannot be read"]),
    ] {
        fs::write(path, content).unwrap();
        assert_npy_refused(path, parts);
    }

    let row = [0; 512 * 4];
    for (descr, found) in [("<i4", "dtype <i4"), (">f4", "dtype >f4"), ("<f2", "dtype <f2")] {
        write_npy(path, descr, "(1, 512)", &row);
        assert_npy_refused(path, &[found, "expected little-endian float32 (<f4)"]);
    }
    let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 512), }";
    write_npy_header(path, (1, 0), header, &row);
    assert_npy_refused(path, &["fortran_order is True", "expected C order"]);

    for (shape, parts) in [
        ("(512,)", &["shape [512]"][..]),
        ("()", &["shape []"]),
        ("(1, 1, 512)", &["shape [1, 1, 512]"]),
        ("(0, 512)", &["shape [0, 512]", "T at least 1"]),
        ("(1, 513)", &["shape [1, 513]"]),
        ("(9, 1024)", &["shape [9, 1024]", "hubert"]),
        ("(9, 2, 1024)", &["shape [9, 2, 1024]", "hubert"]),
        ("(9, 20, 256)", &["shape [9, 20, 256]", "wenet"]),
    ] {
        write_npy(path, "<f4", shape, &row);
        assert_npy_refused(path, &[parts, &["expected [T, 512]"]].concat());
    }
    write_npy(path, "<f4", "(18446744073709551615, 512)", &row);
    assert_npy_refused(path, &["shape [18446744073709551615, 512] overflows"]);

    write_npy(path, "<f4", "(2, 512)", &row);
    assert_npy_refused(path, &["cut short: 2048 bytes of data", "expected 4096"]);
    write_npy(path, "<f4", "(1, 512)", &[&row[..], &[0]].concat());
    assert_npy_refused(path, &["longer than its shape: 2049 bytes", "expected 2048"]);

    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut rows = [row, row];
        rows[1][7 * 4..8 * 4].copy_from_slice(&value.to_le_bytes());
        write_npy(path, "<f4", "(2, 512)", rows.as_flattened());
        let found = format!("row 1, column 7 is {text}");
        assert_npy_refused(path, &[&found, "expected finite numbers"]);
    }
    let mut wide = [0; 512 * 8];
    wide[..8].copy_from_slice(&1e300f64.to_le_bytes());
    write_npy(path, "<f8", "(1, 512)", &wide);
    assert_npy_refused(path, &["row 0, column 0 is inf"]);
}
