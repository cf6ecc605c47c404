//! `tune`, and the profiles that it keeps.

use std::fs;
use std::path::PathBuf;

use engine::frame::Size;
use engine::sample::{Batch, NetworkKind, SampleOptions};
use serde_json::Value;

use crate::support::{Answer, SIMULATED, Workplace, has_onnxruntime, interrupt, small, wait_for};

/// What runs the exact network without asking anything of the machine.
const EXACT: [&str; 4] = ["--backend", "onnxruntime", "--precision", "fp32"];
/// A search that is soon over.
const SHORT: [&str; 6] = ["--seconds", "1", "--batch", "2", "--workers", "1"];

fn json(work: &Workplace, name: &str) -> Value {
    serde_json::from_slice(&fs::read(work.path(name)).unwrap()).unwrap()
}

/// `tune` of the package `pkg`, with more arguments.
fn tune(work: &Workplace, args: &[&str]) -> Answer {
    work.run(&[&["tune", "--package", "pkg"][..], &EXACT, &SHORT, args].concat())
}

/// The line that names the profile.
fn profile_line(answer: &Answer) -> Option<&str> {
    answer.stderr.lines().find(|line| line.starts_with("profile "))
}

fn kept(work: &Workplace) -> Vec<PathBuf> {
    let folders = fs::read_dir(work.cache().join("profiles")).into_iter().flatten();
    let files = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    folders.flat_map(|folder| files(folder.unwrap().path())).collect()
}

#[test]
fn the_best_of_what_was_measured_is_taken_and_explained() {
    let work = Workplace::new();
    let args = ["tune", "--package", "pkg", "--seconds", "4", "--json", "trials.json"];
    let answer = work.run(&[&args[..], &SIMULATED].concat()).assert_ok();
    for part in ["best: simulated, batch ", "limit: ", " alone allows ", "tried: "] {
        assert!(answer.text().contains(part), "no {part} in {}", answer.text());
    }
    let report = json(&work, "trials.json");
    let trials = report["trials"].as_array().unwrap();
    // 4 and what is near are tried in any case, and each setting is one entry.
    assert!(trials.len() >= 3, "{report}");
    assert_eq!((&trials[0]["batch"], &report["contenders"][0]), (&4.into(), &"simulated".into()));
    let batches: Vec<&Value> = trials.iter().map(|trial| &trial["batch"]).collect();
    assert!(
        [1, 2, 4, 8, 16].iter().filter(|batch| batches.contains(&&Value::from(**batch))).count()
            > 1
    );
    let fps = |trial: &Value| trial["fps"].as_f64().unwrap();
    let chosen = &report["chosen"];
    assert!(trials.contains(chosen), "{report}");
    // Of those that ran to the end, nothing gains more than 2 % over it.
    let last = trials.iter().filter(|trial| trial["rounds"] == chosen["rounds"]);
    let fastest = last.map(fps).fold(0.0, f64::max);
    assert!(1.02 * fps(chosen) >= fastest, "{report}");
    assert!(report["possible"].as_u64().unwrap() >= trials.len() as u64);
    // Nothing was computed that a profile could be of.
    assert_eq!((&report["profile"], kept(&work).len()), (&Value::Null, 0));
}

#[test]
fn everything_can_be_measured() {
    let work = Workplace::new();
    let args = ["tune", "--package", "pkg", "--seconds", "1", "--exhaustive", "--json", "all.json"];
    let grid = ["--batch", "1,3", "--workers", "1,2"];
    let instant = ["--backend", "simulated", "--simulated-ms", "0.01"];
    work.run(&[&args[..], &grid, &instant].concat()).assert_ok();
    let report = json(&work, "all.json");
    let mut settings: Vec<_> = report["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| (trial["batch"].as_u64().unwrap(), trial["workers"].as_u64().unwrap()))
        .collect();
    settings.sort_unstable();
    assert_eq!(settings, [(1, 1), (1, 2), (3, 1), (3, 2)]);
    assert_eq!(report["possible"], 4);
}

#[test]
fn what_is_kept_is_used_until_something_else_is_said() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    let render = |args: &[&str]| work.run(&[&["render", "pkg"][..], args].concat()).assert_ok();
    let before = render(&["-o", "before"]);
    assert_eq!(profile_line(&before), None);

    let answer = tune(&work, &[]).assert_ok();
    let kept = kept(&work);
    assert_eq!(kept.len(), 1);
    assert!(answer.stderr.contains(&kept[0].display().to_string()), "{}", answer.stderr);

    let with = render(&["-o", "with"]);
    let line = profile_line(&with).unwrap();
    assert!(
        line.contains(": onnxruntime fp32, threads ") && line.ends_with(", batch 2, workers 1")
    );
    assert!(with.stderr.contains("composite 1,"), "{}", with.stderr);
    for frame in work.names("before") {
        let [a, b] =
            ["before", "with"].map(|folder| fs::read(work.path(folder).join(&frame)).unwrap());
        assert!(a == b, "{frame} differs");
    }
    // What is given comes first, and what says how the network runs stands for all of that.
    let workers = render(&["-o", "null", "--workers", "2"]);
    assert!(profile_line(&workers).is_some() && workers.stderr.contains("composite 2,"));
    for other in [&["--profile", "none"][..], &EXACT[..2], &["--threads", "1"], &SIMULATED] {
        let without = render(&[&["-o", "null"], other].concat());
        assert_eq!(profile_line(&without), None, "{other:?}");
    }
    let quiet = render(&["-o", "null", "--quiet"]);
    assert_eq!(quiet.stderr, "");
    let bench = ["bench", "--package", "pkg", "--frames", "6", "--warmup", "0", "--json", "b.json"];
    work.run(&bench).assert_ok();
    let runs = &json(&work, "b.json")["runs"];
    assert_eq!((&runs[1]["batch"], &runs[1]["workers"]), (&2.into(), &1.into()));

    // Another package with the same network, and the same one with other inputs.
    work.sample("other", &SampleOptions { frames: 4, ..small() });
    let model = "checkpoint/model_best.onnx";
    fs::copy(work.path("pkg").join(model), work.path("other").join(model)).unwrap();
    let other = work.run(&["render", "other", "-o", "null"]).assert_ok();
    assert_eq!(profile_line(&other), None);
    assert_eq!(profile_line(&render(&["-o", "null", "--inputs", "derived"])), None);

    // What was kept is replaced, not without a word.
    let again = tune(&work, &[]).assert_ok();
    assert!(again.stderr.contains("in place of onnxruntime fp32, threads "), "{}", again.stderr);
    assert_eq!(self::kept(&work), kept);

    let text = fs::read_to_string(&kept[0]).unwrap();
    fs::write(&kept[0], "{}").unwrap();
    for quiet in [&[][..], &["--quiet"]] {
        let damaged = render(&[&["-o", "null"], quiet].concat());
        let said =
            damaged.stderr.lines().find(|line| line.starts_with("warning: profile not used: "));
        assert!(said.is_some_and(|said| said.contains("missing field")), "{}", damaged.stderr);
    }
    // One that asks for what is not there is named, with the way out.
    let gpu = text.replace("\"provider\": \"cpu\"", "\"provider\": \"cuda\"");
    fs::write(&kept[0], gpu).unwrap();
    let name = kept[0].file_name().unwrap().to_str().unwrap();
    work.run(&["render", "pkg", "-o", "null"]).assert_refused(&[
        name,
        "this profile cannot be used; --profile none does without it",
        "GPU",
    ]);
    fs::remove_file(&kept[0]).unwrap();
    fs::create_dir(&kept[0]).unwrap();
    let refused = tune(&work, &[]);
    refused.assert_refused(&[name, "is a folder"]);
    assert!(!refused.stderr.contains("searching"), "{}", refused.stderr);
}

#[test]
fn a_profile_in_a_file_has_to_fit() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    tune(&work, &["-o", "p.json"]).assert_ok();
    assert_eq!(kept(&work).len(), 0);
    let render = ["render", "pkg", "-o", "null", "--profile", "p.json"];
    let answer = work.run(&render).assert_ok();
    assert!(profile_line(&answer).unwrap().starts_with("profile     p.json: onnxruntime fp32"));

    let refused = |args: &[&str], parts: &[&str]| {
        work.run(&[&render[..], args].concat()).assert_refused(parts);
    };
    refused(&["--threads", "1"], &["p.json", "--threads", "leave one of them out"]);
    refused(
        &["--inputs", "derived"],
        &["p.json", "something else", "--inputs (package, here derived)"],
    );
    work.sample("other", &SampleOptions { seed: 9, ..small() });
    let other = ["render", "other", "-o", "null", "--profile", "p.json"];
    work.run(&other).assert_refused(&["p.json", "something else: the package ("]);

    // On another machine it is used, with a warning.
    let text = fs::read_to_string(work.path("p.json")).unwrap();
    let cores = json(&work, "p.json")["subject"]["cores"].as_u64().unwrap();
    let elsewhere = text.replace(&format!("\"cores\": {cores}"), "\"cores\": 777");
    work.write("p.json", elsewhere);
    let answer = work.run(&render).assert_ok();
    let warning =
        format!("warning: p.json: was measured elsewhere: the number of cores (777, here {cores})");
    assert!(answer.stderr.contains(&warning), "{}", answer.stderr);

    // It was good enough for something else.
    work.write("p.json", text.replace("\"worst_psnr_db\": null", "\"worst_psnr_db\": 39.5"));
    refused(&[], &["p.json", "39.5 dB in the worst frame, below 40 (--min-psnr)"]);
    work.run(&[&render[..], &["--min-psnr", "39"]].concat()).assert_ok();

    work.write("p.json", text.replace("\"batch\": 2", "\"batch\": 999"));
    refused(&[], &["p.json", "batch is 999, not 1 to 256"]);
    work.write("p.json", &text[..text.len() / 2]);
    refused(&[], &["p.json", "EOF", "expected a profile that `engine-cli tune` wrote"]);
    fs::remove_file(work.path("p.json")).unwrap();
    refused(&[], &["p.json: cannot be read as a profile", "No such file"]);
}

#[test]
fn a_search_begins_with_a_profile() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    tune(&work, &["-o", "p.json"]).assert_ok();
    // What no search would begin with.
    let text = fs::read_to_string(work.path("p.json")).unwrap();
    work.write("p.json", text.replace("\"batch\": 2", "\"batch\": 5"));
    let all = ["tune", "--package", "pkg", "--seconds", "1", "--from", "p.json"];
    let files = ["--json", "t.json", "-o", "q.json"];
    work.run(&[&all[..], &EXACT, &files].concat()).assert_ok();
    let report = json(&work, "t.json");
    let first = &report["trials"][0];
    assert_eq!((&first["batch"], &first["workers"]), (&5.into(), &1.into()), "{report}");
    assert_eq!(json(&work, "q.json")["batch"], report["chosen"]["batch"]);

    let refused = |args: &[&str], parts: &[&str]| tune(&work, args).assert_refused(parts);
    refused(&["--from", "none.json"], &["none.json: cannot be read as a profile"]);
    refused(&["--from", "t.json"], &["t.json", "expected a profile"]);
    refused(&["--from", "p.json", "-o", "p.json"], &["-o is p.json", "the profile"]);
    refused(
        &["--from", "p.json", "--inputs", "derived"],
        &["--from p.json: is a profile of something else: ", "--inputs (package, here derived)"],
    );
    refused(&["--from", "p.json"], &["--from p.json: batch is 5, which --batch leaves out"]);
    work.write("p.json", text.replace("\"fp32\"", "\"auto\""));
    refused(
        &["--from", "p.json"],
        &["--from p.json: runs onnxruntime, threads", "near the fastest here: onnxruntime fp32"],
    );
    let args = ["tune", "--package", "pkg", "--from", "p.json"];
    work.run(&[&args[..], &SIMULATED].concat()).assert_refused(&["--from p.json", "no network"]);
}

#[test]
fn what_cannot_be_tuned_is_refused_before_anything_is_opened() {
    let work = Workplace::new();
    let refused = |args: &[&str], parts: &[&str]| {
        work.run(&[&["tune", "--package", "pkg"], args].concat()).assert_refused(parts);
    };
    refused(&["--mode", "sequential"], &["--mode is sequential", "expected pipelined"]);
    refused(&[&SIMULATED[..], &["-o", "p.json"]].concat(), &["-o p.json", "simulated"]);
    refused(&["-o", "a.json", "--json", "a.json"], &["--json and -o are one file"]);
    refused(&["-o", "pkg/package_info.json"], &["-o is pkg/package_info.json", "the package"]);
    refused(&["--json", "none/a.json"], &["none/", "there is no folder none"]);
    refused(&["--features", "none.npy"], &["none.npy"]);
    work.run(&["tune", "--package", "none"]).assert_refused(&["none: no such folder"]);
    work.run(&["tune", "--seconds", "0"]).assert_usage(&["--seconds"]);
    work.run(&["tune", "--workers", "0"]).assert_usage(&["--workers", "1 to 256"]);
    work.run(&["tune", "--batch", "1,x"]).assert_usage(&["--batch", "1 to 256"]);
    assert_eq!(work.names("."), ["pkg"]);
}

#[test]
fn ctrl_c_ends_the_search_and_keeps_nothing() {
    let options = SampleOptions { network: NetworkKind::Probe, ..small() };
    let work = Workplace::with(&options);
    let args = ["tune", "--package", "pkg", "--json", "t.json", "--backend", "simulated"];
    let log = fs::File::create(work.path("log")).unwrap();
    let mut child = work.command(&args).stderr(log).spawn().unwrap();
    wait_for("a first measurement", || {
        fs::read_to_string(work.path("log")).unwrap().contains(" frames/s  simulated")
    });
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(work.names("."), ["log", "pkg"]);
}

#[test]
fn a_network_with_a_fixed_batch_runs_in_it() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::with(&SampleOptions { batch: Batch::Fixed(3), ..small() });
    let args = ["tune", "--package", "pkg", "--seconds", "1", "--workers", "1", "--json", "t.json"];
    work.run(&[&args[..], &EXACT].concat()).assert_ok();
    assert_eq!(json(&work, "t.json")["chosen"]["batch"], 3);
    work.run(&[&args[..], &EXACT, &["--batch", "2"]].concat()).assert_refused(&["fixed to 3"]);
}

#[test]
fn a_precision_that_is_named_is_held_to_the_gate() {
    // The real architecture, which loses something in bf16.
    let (network, size) = (NetworkKind::Unet, Size::new(256, 256));
    let work = Workplace::with(&SampleOptions { network, size, side: 160, ..small() });
    let computes = work.run(&["doctor"]);
    let bf16 =
        computes.text().lines().any(|line| line.contains("computes in") && line.contains("bf16"));
    if !has_onnxruntime() || !bf16 {
        eprintln!(
            "SKIPPED: this takes OpenVINO (scripts/setup) and a processor that computes in bf16"
        );
        return;
    }
    let bf16 = ["tune", "--package", "pkg", "--backend", "openvino", "--precision", "bf16"];
    let tune = |min_psnr: &str| work.run(&[&bf16[..], &SHORT, &["--min-psnr", min_psnr]].concat());
    tune("100").assert_refused(&["openvino bf16: ", " dB in the worst frame, ", "at least 100 dB"]);
    assert_eq!(kept(&work).len(), 0);
    tune("20").assert_ok();
    let render = ["render", "pkg", "-o", "null", "--min-psnr"];
    let enough = work.run(&[&render[..], &["20"]].concat()).assert_ok();
    assert!(profile_line(&enough).unwrap().contains(": openvino bf16, "), "{}", enough.stderr);
    let too_much = work.run(&[&render[..], &["100"]].concat()).assert_ok();
    assert_eq!(profile_line(&too_much), None);
    assert!(too_much.stderr.contains("warning: profile not used: "), "{}", too_much.stderr);
    assert!(too_much.stderr.contains(" dB in the worst frame, below 100 (--min-psnr)"));
}
