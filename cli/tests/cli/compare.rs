//! `compare`.

use std::fs;
use std::io::{BufRead, BufReader};

use engine::dataset::{Inputs, Package};
use engine::frame::{ModelGeometry, Rect, Size};
use engine::onnx::Model;
use engine::sample::{Batch, NetworkKind, SampleOptions, probe, unet};
use serde_json::Value;

use crate::support::{
    Answer, FRAMES, Workplace, bgr, frame_names, has_onnxruntime, interrupt, small,
};

const MODEL: &str = "pkg/checkpoint/model_best.onnx";
/// Both on a backend that needs nothing installed.
const SIMULATED: [&str; 6] =
    ["--backend", "simulated", "--reference-backend", "simulated", "--simulated-ms", "0.1"];

fn compare(work: &Workplace, candidate: &str, args: &[&str]) -> Answer {
    work.run(&[&["compare", MODEL, candidate, "--package", "pkg"], args].concat())
}

/// A package with a small network of the real architecture.
fn real() -> Workplace {
    Workplace::with(&SampleOptions {
        size: Size::new(256, 256),
        side: 160,
        network: NetworkKind::Unet,
        ..small()
    })
}

/// Adds a copy of the network with the weights of its convolution number `layer` multiplied.
fn damage(work: &Workplace, name: &str, layer: usize, factor: f32) {
    let mut model = Model::load(work.path(MODEL)).unwrap();
    let graph = model.proto_mut().graph.as_mut().unwrap();
    let mut convolutions = graph.node.iter().filter(|node| node.op_type() == "Conv");
    let weights = convolutions.nth(layer).unwrap().input[1].clone();
    let tensor = graph.initializer.iter_mut().find(|tensor| tensor.name() == weights).unwrap();
    for bytes in tensor.raw_data.as_mut().unwrap().chunks_exact_mut(4) {
        let value = f32::from_le_bytes(bytes.try_into().unwrap()) * factor;
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    model.save(work.path(name)).unwrap();
}

/// The pixels of a frame's rectangle.
fn cut(frame: &[u8], width: usize, rect: Rect) -> Vec<u8> {
    let rows = rect.y1..rect.y2;
    rows.flat_map(|y| frame[(y * width + rect.x1) * 3..(y * width + rect.x2) * 3].to_vec())
        .collect()
}

/// Renders both networks into files, and gives the rectangles of all frames from those.
fn rendered(work: &Workplace, candidate: &str, side: usize) -> Vec<(Rect, Vec<u8>, Vec<u8>)> {
    for (model, folder) in [(MODEL, "a"), (candidate, "b")] {
        let backend = ["--backend", "onnxruntime", "--batch", "1"];
        work.run(&[&["render", "pkg", "-o", folder, "--model", model], &backend[..]].concat())
            .assert_ok();
    }
    let geometry = ModelGeometry::new(side).unwrap();
    let package = Package::open(&work.path("pkg"), geometry, Inputs::Package).unwrap();
    let frames = frame_names(FRAMES, "png").into_iter().zip(package.rects());
    let cut = |folder: &str, name: &str, rect| {
        cut(&bgr(&work.path(folder).join(name)), package.frame_size().width, rect)
    };
    frames.map(|(name, &rect)| (rect, cut("a", &name, rect), cut("b", &name, rect))).collect()
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
    let mean = a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

#[test]
fn a_network_is_identical_to_itself() {
    let work = Workplace::new();
    let answer = compare(&work, MODEL, &SIMULATED).assert_ok();
    assert!(answer.text().contains("verdict     identical: no byte differs in 6 frames"));
    assert!(answer.text().contains("all 6     equal   1.00000"), "{}", answer.text());
    if has_onnxruntime() {
        let batch =
            compare(&work, MODEL, &["--backend", "onnxruntime", "--frames", "4"]).assert_ok();
        assert!(batch.text().contains("no byte differs in 4 frames"), "{}", batch.text());
        assert!(batch.stderr.contains("reference   pkg/checkpoint/model_best.onnx on onnxruntime"));
    }
    assert_eq!(work.names("."), ["pkg"]);
}

#[test]
fn a_damaged_network_is_refused_by_its_worst_frame() {
    if !has_onnxruntime() {
        return;
    }
    let work = real();
    damage(&work, "damaged.onnx", 0, 0.0);
    let files = ["--json", "quality.json", "--picture", "worst.png", "--worst", "2"];
    let answer = compare(&work, "damaged.onnx", &[&files[..], &["--all"]].concat());

    let frames = rendered(&work, "damaged.onnx", 160);
    let expected: Vec<f64> = frames.iter().map(|(_, a, b)| psnr(a, b)).collect();
    let mut order: Vec<usize> = (0..FRAMES).collect();
    order.sort_by(|a, b| expected[*a].total_cmp(&expected[*b]));
    let worst = order[0];
    assert!(expected[order[1]] - expected[worst] > 0.001, "no frame is worse: {expected:?}");
    answer.assert_failed(
        1,
        &[
            "damaged.onnx is too far from pkg/checkpoint/model_best.onnx: ",
            &format!("frame {worst} is the worst, with {:.2} dB", expected[worst]),
            "expected at least 40 dB (--min-psnr)",
        ],
    );

    let json: Value =
        serde_json::from_slice(&fs::read(work.path("quality.json")).unwrap()).unwrap();
    assert_eq!(json["passed"], false);
    assert_eq!(json["quality"]["overall"]["worst_frame"], worst);
    for (frame, (_, a, b)) in frames.iter().enumerate() {
        let found = &json["quality"]["frames"][frame];
        assert_eq!(found["frame"], frame);
        assert!((found["psnr_db"].as_f64().unwrap() - expected[frame]).abs() < 1e-9, "{found}");
        let differences = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
        assert_eq!(found["differing_bytes"], differences.clone().filter(|d| *d > 0).count());
        assert_eq!(found["largest_difference"], differences.max().unwrap());
    }

    // The two worst, at the sizes of their rectangles, below a line of text each.
    let picture = bgr(&work.path("worst.png"));
    let shown: Vec<_> = order[..2].iter().map(|&frame| &frames[frame]).collect();
    let widest = shown.iter().map(|(rect, ..)| rect.size().width).max().unwrap();
    let heights: usize = shown.iter().map(|(rect, ..)| rect.size().height).sum();
    let width = 8 + 3 * (widest + 8);
    assert_eq!(picture.len(), 3 * width * (8 + heights + 2 * (22 + 8)));
    let mut top = 8 + 22;
    for (rect, a, b) in shown {
        let size = rect.size();
        let amplified = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b).saturating_mul(8)).collect();
        for (column, image) in [a, b, &amplified].into_iter().enumerate() {
            let x1 = 8 + column * (widest + 8);
            let place = Rect { x1, y1: top, x2: x1 + size.width, y2: top + size.height };
            assert!(cut(&picture, width, place) == *image, "image {column} at {top}");
        }
        top += size.height + 22 + 8;
    }
}

#[test]
fn what_is_printed_is_what_the_file_says() {
    if !has_onnxruntime() {
        return;
    }
    let work = real();
    damage(&work, "other.onnx", 0, 0.999);
    let args = ["--json", "quality.json", "--min-psnr", "1", "--worst", "20", "--frames", "4"];
    let answer = compare(&work, "other.onnx", &args).assert_ok();
    let json: Value =
        serde_json::from_slice(&fs::read(work.path("quality.json")).unwrap()).unwrap();
    assert_eq!(
        (&json["schema"], &json["passed"], &json["min_psnr_db"]),
        (&1.into(), &true.into(), &1.0.into())
    );
    assert_eq!(json["reference"]["model"], MODEL);
    assert_eq!(json["candidate"]["model"], "other.onnx");
    assert_eq!(json["reference"]["backend"], "onnxruntime");

    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('│').split_whitespace().map(str::to_owned).collect()
    };
    let table: Vec<Vec<String>> = answer.text().lines().skip(3).take(5).map(cells).collect();
    let row = |name: &str, quality: &Value, ssim: &Value| {
        let db = quality["psnr_db"].as_f64().map_or("equal".to_owned(), |db| format!("{db:.2}"));
        let ssim = format!("{:.5}", ssim.as_f64().unwrap());
        let mut row: Vec<String> = name.split(' ').map(str::to_owned).collect();
        row.extend([
            db,
            ssim,
            quality["largest_difference"].to_string(),
            quality["differing_bytes"].to_string(),
        ]);
        row
    };
    let quality = &json["quality"];
    let mut frames = quality["frames"].as_array().unwrap().clone();
    let numbers: Vec<u64> = frames.iter().map(|frame| frame["frame"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 3, 5]);
    frames
        .sort_by(|a, b| a["psnr_db"].as_f64().unwrap().total_cmp(&b["psnr_db"].as_f64().unwrap()));
    for (row_found, frame) in table.iter().zip(&frames) {
        assert_eq!(*row_found, row(&frame["frame"].to_string(), frame, &frame["ssim"]));
    }
    assert_eq!(table[4], row("all 4", &quality["overall"], &quality["mean_ssim"]));
    let worst = &quality["overall"];
    let verdict = format!(
        "verdict     passed: the worst frame, {}, has {:.2} dB",
        worst["worst_frame"],
        worst["worst_psnr_db"].as_f64().unwrap()
    );
    assert!(answer.text().contains(&verdict), "no {verdict:?} in {}", answer.text());
}

#[test]
fn networks_that_cannot_be_compared() {
    let work = Workplace::new();
    let with = |args: &[&str]| work.run(&[&["compare"], args, &SIMULATED[..]].concat());
    probe(64, Batch::Symbolic).save(work.path("64.onnx")).unwrap();
    with(&[MODEL, "64.onnx", "--package", "pkg"]).assert_refused(&[
        "model_best.onnx is for 32 x 32 pixels, 64.onnx for 64 x 64",
        "expected two forms of one network",
    ]);
    with(&["64.onnx", "64.onnx", "--package", "pkg"]).assert_refused(&["pkg/cache/crops", "72x72"]);
    fs::copy(work.path(MODEL), work.path("cut.onnx")).unwrap();
    work.halve("cut.onnx");
    for (reference, candidate) in [(MODEL, "cut.onnx"), ("cut.onnx", MODEL)] {
        with(&[reference, candidate, "--package", "pkg"])
            .assert_refused(&["cut.onnx", "is not an ONNX model, or it is truncated"]);
    }
    with(&[MODEL, "none.onnx", "--package", "pkg"]).assert_refused(&["none.onnx", "No such file"]);
    with(&["pkg", MODEL, "--package", "pkg"]).assert_refused(&["pkg", "Is a directory"]);
    with(&[MODEL, MODEL, "--package", "none"]).assert_refused(&["none"]);
    with(&[MODEL, "x.engine", "--package", "pkg"])
        .assert_refused(&["x.engine: is an engine, which only --backend tensorrt runs"]);
    unet(160, 1, Batch::Symbolic).unwrap().save(work.path("160.onnx")).unwrap();
    with(&["160.onnx", MODEL, "--package", "pkg"]).assert_refused(&["160 x 160", "32 x 32"]);
}

#[test]
fn settings_and_files_that_are_refused() {
    let work = Workplace::new();
    let before = fs::read(work.path(MODEL)).unwrap();
    let with = |args: &[&str]| compare(&work, MODEL, &[args, &SIMULATED[..]].concat());
    for db in ["-1", "101", "nan", "inf", "loud"] {
        with(&["--min-psnr", db]).assert_usage(&["--min-psnr", "expected decibels, 0 to 100"]);
    }
    with(&["--frames", "0"]).assert_usage(&["--frames"]);
    with(&["--worst", "21"]).assert_usage(&["--worst"]);
    with(&["--all", "--frames", "3"]).assert_usage(&["--all"]);
    with(&["--model", MODEL]).assert_usage(&["--model"]);
    with(&["--picture", "worst.jpg"]).assert_refused(&["--picture is worst.jpg", "ends in .png"]);
    with(&["--picture", "a.png", "--json", "a.png"]).assert_refused(&["one file, a.png"]);
    with(&["--json", MODEL]).assert_refused(&["--json is", "which is the reference"]);
    with(&["--json", "pkg/aud_ave.npy"]).assert_refused(&["--json is", "belongs to the package"]);
    with(&["--json", "none/q.json"]).assert_refused(&["none/q.json", "there is no folder none"]);
    with(&["--json", "pkg"]).assert_refused(&["pkg is a folder"]);
    assert_eq!(work.names("."), ["pkg"]);
    assert!(fs::read(work.path(MODEL)).unwrap() == before);
}

#[test]
fn an_interrupted_comparison_writes_nothing() {
    let work = Workplace::new();
    // Six frames take longer than anybody waits.
    let slow =
        ["--backend", "simulated", "--reference-backend", "simulated", "--simulated-ms", "2000"];
    let files = ["--json", "quality.json", "--picture", "worst.png"];
    let args = [&["compare", MODEL, MODEL, "--package", "pkg"], &slow[..], &files[..]].concat();
    let mut child = work.start(&args);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.by_ref().any(|line| line.unwrap().starts_with("reference")));
    interrupt(&child);
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:?}");
    assert!(!rest.iter().any(|line| line.contains("error:")), "{rest:?}");
    assert_eq!(work.names("."), ["pkg"]);
}
