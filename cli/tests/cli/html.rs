//! `bench --html`: the page says what the JSON says, whatever is in it.

use std::fs;

use serde_json::Value;

use crate::page::{Element, check_numbers, parse, report};
use crate::support::{SIMULATED, Workplace, small};

/// A grid with all that a page can show, quick to run.
const GRID: [&str; 8] =
    ["--batch", "1,4", "--workers", "1,2", "--frames", "60", "--html", "grid.html"];

fn bench(work: &Workplace, args: &[&str]) -> Element {
    work.run(&[&["bench", "--package", "pkg"], args, &SIMULATED].concat()).assert_ok();
    page(work, "grid.html")
}

fn page(work: &Workplace, file: &str) -> Element {
    parse(&fs::read_to_string(work.path(file)).unwrap())
}

fn json(work: &Workplace, file: &str) -> Value {
    serde_json::from_slice(&fs::read(work.path(file)).unwrap()).unwrap()
}

#[test]
fn every_number_of_the_page_is_in_its_json() {
    let work = Workplace::new();
    let more = ["--json", "grid.json", "--repeat", "2", "--sink", "jpg:out"];
    let page = bench(&work, &[&GRID[..], &more].concat());
    let report = report(&page);
    assert_eq!(report, json(&work, "grid.json"));
    let compared = check_numbers(&page, &report);
    // Each of the 5 runs has more than 20 numbers in tables alone.
    assert!(compared > 100, "{compared}");

    let ids: Vec<_> =
        page.all().iter().filter_map(|e| e.attribute("id")).map(str::to_owned).collect();
    for id in ["grid", "runs", "stages", "timeline", "latency", "machine"] {
        assert!(ids.iter().any(|found| found == id), "no section {id}");
    }
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    // Nothing is loaded from anywhere.
    for element in page.all() {
        assert!(element.attribute("src").is_none(), "{}", element.tag);
        assert!(matches!(element.attribute("href"), None | Some("data:,")), "{}", element.tag);
    }
    let style = page.all().into_iter().find(|element| element.tag == "style").unwrap().text();
    assert!(!style.contains("url(") && !style.contains("@import"));

    let best = report["best"].as_u64().unwrap() as usize;
    let runs = report["runs"].as_array().unwrap();
    let fps = |run: &Value| run["fps"].as_f64().unwrap();
    assert!(runs.iter().all(|run| fps(run) <= fps(&runs[best])));
    let framed = page.with_class("heat")[0].with_class("best");
    assert_eq!(framed.len(), usize::from(best > 0));
    assert_eq!(page.with_class("heat")[0].with_class("n").len(), 4);
}

#[test]
fn bars_add_up_to_the_wall_time() {
    let work = Workplace::new();
    let page = bench(&work, &[&GRID[..], &["--sink", "jpg:out"]].concat());
    let report = report(&page);
    let runs = report["runs"].as_array().unwrap();
    let width = |element: &Element| -> f64 {
        let style = element.attribute("style").unwrap();
        style.strip_prefix("width:").unwrap().strip_suffix('%').unwrap().parse().unwrap()
    };
    let bars = page.with_class("bar");
    assert_eq!(bars.len(), runs.len());
    let per_frame = |run: &Value| run["wall_s"].as_f64().unwrap() / run["frames"].as_f64().unwrap();
    let longest = runs.iter().map(per_frame).fold(0.0, f64::max);
    for (index, (bar, run)) in bars.iter().zip(runs).enumerate() {
        assert!((width(bar) - 100.0 * per_frame(run) / longest).abs() < 1e-3);
        let wall = run["wall_s"].as_f64().unwrap();
        let parts = run["attribution"].as_object().unwrap();
        let seconds: f64 = parts.values().map(|part| part.as_f64().unwrap()).sum();
        // To the microsecond, in seconds.
        assert!((seconds - wall).abs() < 1e-6, "run {index}: {seconds} of {wall}");
        let marks = bar.with_class("mark");
        let widths: f64 = marks.iter().map(|mark| width(mark)).sum();
        assert!((widths - 100.0).abs() < 1e-2, "run {index}: {widths} %");
        for mark in &marks {
            let name = mark.attribute("data-path").unwrap().rsplit('.').next().unwrap();
            let share = 100.0 * parts[name].as_f64().unwrap() / wall;
            assert!((width(mark) - share).abs() < 1e-3, "run {index}, {name}");
        }
        let shown: Vec<_> = parts.iter().filter(|(_, part)| part.as_f64() != Some(0.0)).collect();
        assert_eq!(marks.len(), shown.len());
    }
}

#[test]
fn histograms_count_every_batch_and_the_timeline_has_the_first() {
    let work = Workplace::new();
    let page = bench(&work, &GRID);
    let report = report(&page);
    for run in report["runs"].as_array().unwrap() {
        let batches = run["frames"].as_u64().unwrap().div_ceil(run["batch"].as_u64().unwrap());
        for name in ["inference_ms", "composite_ms"] {
            let histogram = &run["histograms"][name];
            let counts = histogram["counts"].as_array().unwrap();
            assert!(counts.len() <= 40);
            let counted: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
            assert_eq!(counted + histogram["above"].as_u64().unwrap(), batches);
        }
        let timeline = &run["timeline"];
        assert_eq!(timeline["of_batches"], batches);
        let kept = timeline["batches"].as_array().unwrap();
        assert_eq!(kept.len() as u64, batches.min(48));
        let mut frames = 0;
        for batch in kept {
            assert_eq!(batch["first_frame"], frames);
            frames += batch["frames"].as_u64().unwrap();
            let stages = ["assemble", "infer", "composite", "save"].map(|stage| {
                let [start, end] = [0, 1].map(|side| batch[stage][side].as_f64().unwrap());
                assert!(start <= end, "{batch}");
                start
            });
            assert!(stages.is_sorted(), "{batch}");
        }
    }
    let best = report["best"].as_u64().unwrap();
    let drawn = page.with_class("timeline");
    assert_eq!(drawn.len(), if best == 0 { 1 } else { 2 });
    for stage in ["assemble", "infer", "composite", "save"] {
        let slices = drawn[drawn.len() - 1].with_class(stage);
        assert!(slices.len() >= 10, "{} of {stage}", slices.len());
    }
}

#[test]
fn whatever_names_hold_is_text() {
    let work = Workplace::empty();
    let name = "<script>alert(1)<";
    let hostile = format!("{name}/<!-- \"&amp;' é\u{202e}日本 <b>");
    work.sample(&hostile, &small());
    let args = ["bench", "--package", &hostile, "--frames", "8", "--html", "grid.html"];
    work.run(&[&args[..], &SIMULATED].concat()).assert_ok();
    let page = page(&work, "grid.html");
    let report = report(&page);
    check_numbers(&page, &report);
    assert_eq!(report["package"]["path"], *hostile);
    assert!(report["command"].as_str().unwrap().contains("<script>"));
    let shown: Vec<_> = page
        .all()
        .into_iter()
        .filter(|e| e.attribute("data-path") == Some("package.path"))
        .collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].text(), hostile);
    assert_eq!(page.all().iter().filter(|element| element.tag == "script").count(), 2);
}

#[test]
fn pages_and_traces_are_no_inputs_and_whole_or_not_there() {
    let work = Workplace::new();
    let bench =
        |args: &[&str]| work.run(&[&["bench", "--package", "pkg"], args, &SIMULATED].concat());
    fs::create_dir(work.path("o")).unwrap();
    bench(&["--html", "o/frame_00001.png", "--sink", "png:o"])
        .assert_refused(&["--html is o/frame_00001.png", "one of the frames"]);
    for option in ["--html", "--trace"] {
        bench(&[option, "pkg/checkpoint/model_best.int8.onnx"])
            .assert_refused(&["model_best.int8.onnx", "belongs to the package"]);
        bench(&[option, "pkg/aud_ave.npy"])
            .assert_refused(&[&format!("{option} is pkg/aud_ave.npy"), "belongs to the package"]);
        bench(&[option, "none/out"]).assert_refused(&["cannot create the file none/out"]);
        bench(&[option, "pkg"]).assert_refused(&["pkg is a folder"]);
        bench(&["--json", "out", option, "./out"]).assert_refused(&[option, "--json are one file"]);
        fs::copy(work.path("pkg/aud_ave.npy"), work.path("rows.npy")).unwrap();
        bench(&["--features", "rows.npy", option, "rows.npy"])
            .assert_refused(&["rows.npy, which is the features"]);
    }
    bench(&["--html", "out", "--trace", "out"])
        .assert_refused(&["--trace and --html are one file"]);
    bench(&["--trace-batches", "5"]).assert_usage(&["--trace"]);
    bench(&["--trace", "t.json", "--trace-batches", "0"]).assert_usage(&["expected 1 to 1000000"]);
    assert_eq!(
        (work.names("."), work.names("o").len()),
        (["o", "pkg", "rows.npy"].map(str::to_owned).to_vec(), 0)
    );
}

#[test]
fn a_page_is_there_after_the_first_run_already() {
    let work = Workplace::new();
    let pipe = work.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Takes one run whole, and goes away in the second.
    let reader = std::thread::spawn(move || {
        let whole = fs::read(&pipe).unwrap().len();
        let mut byte = [0];
        std::io::Read::read_exact(&mut fs::File::open(&pipe).unwrap(), &mut byte).unwrap();
        whole
    });
    let args = ["--batch", "4", "--workers", "1", "--frames", "8", "--sink", "raw:pipe"];
    let files = ["--html", "grid.html", "--trace", "trace.json"];
    let all = [&["bench", "--package", "pkg"], &args[..], &files, &SIMULATED].concat();
    work.run(&all).assert_failed(1, &["to pipe", "the program that read from it has stopped"]);
    assert!(reader.join().unwrap() > 0);
    let page = page(&work, "grid.html");
    let report = report(&page);
    assert_eq!((report["runs"].as_array().unwrap().len(), &report["best"]), (1, &0.into()));
    check_numbers(&page, &report);
    // There is no grid yet.
    assert!(page.with_class("heat").is_empty());
    assert_eq!(json(&work, "trace.json")["otherData"]["batches"], 8);
}
