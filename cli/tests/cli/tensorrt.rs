//! `render` and `bench` on TensorRT, over stand-ins for NVIDIA's libraries.

use std::fs;

use engine::file::FileHash;
use engine::sample::{NetworkKind, SampleOptions};
use engine_sys::Flavour;

use crate::page;
use crate::stand_ins::{Rig, flavours};
use crate::support::{
    Answer, FRAMES, Workplace, features, files, frame_names, has_onnxruntime, small,
};

#[test]
fn frames_are_those_of_onnx_runtime_byte_for_byte() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    work.write("long.npy", features(23));
    let long = ["--features", "long.npy"];
    let expected = [&["render", "pkg", "-o", "expected", "--backend", "onnxruntime"], &long[..]];
    work.run(&expected.concat()).assert_ok();
    let expected = files(&work, "expected");
    assert_eq!(work.names("expected"), frame_names(23, "png"));
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        rig.convert("m.engine", &["--batch", "2:4:8"]).assert_ok();
        for settings in [
            &["--batch", "4"][..],
            &["--batch", "1", "--workers", "2"],
            &["--batch", "8", "--lanes", "3"],
            &["--batch", "3", "--lanes", "1", "--no-graphs"],
            &["--mode", "sequential"],
        ] {
            let out = work.path("out");
            let args = [&["--model", "m.engine"], &long[..], settings].concat();
            rig.render("out", &args).assert_ok();
            assert!(files(&work, "out") == expected, "{flavour}: {settings:?}");
            fs::remove_dir_all(out).unwrap();
        }
        // An ONNX file is converted first.
        rig.render("out", &long).assert_ok();
        assert!(files(&work, "out") == expected, "{flavour}");
        fs::remove_dir_all(work.path("out")).unwrap();
    }
}

#[test]
fn the_device_composites_the_same_frames() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    work.write("long.npy", features(23));
    let long = ["--features", "long.npy"];
    for inputs in ["package", "derived"] {
        let expected = ["render", "pkg", "-o", "expected", "--backend", "onnxruntime"];
        work.run(&[&expected[..], &long, &["--inputs", inputs]].concat()).assert_ok();
        let expected = files(&work, "expected");
        for flavour in flavours() {
            if let Err(missing) = engine_sys::search::find_nvrtc() {
                eprintln!("SKIPPED: {missing}");
                return;
            }
            let rig = Rig::new(&work, flavour);
            let args = [&long[..], &["--inputs", inputs, "--compositor", "cuda"]].concat();
            let answer = rig.render("out", &args).assert_ok();
            assert!(files(&work, "out") == expected, "{flavour}, {inputs}");
            let bytes = if inputs == "package" { 4800 + 2 * 3072 } else { 4800 };
            let regions =
                format!("room for {FRAMES} of {FRAMES} frames on the GPU ({bytes} bytes each)");
            assert!(answer.stderr.contains(&regions), "{}", answer.stderr);
            assert!(answer.stderr.contains("compositor  cuda, linear"), "{}", answer.stderr);
            // Compiled once for this GPU.
            assert_eq!(work.names("cache/talking-head-engine/kernels").len(), 1);
            fs::remove_dir_all(work.path("out")).unwrap();
        }
    }
}

#[test]
fn what_cannot_composite_on_a_device_says_so() {
    let work = Workplace::new();
    let render = ["render", "pkg", "-o", "out", "--compositor", "cuda"];
    let answer = work.run(&[&render[..], &["--backend", "simulated"]].concat());
    assert!(!answer.stderr.contains("package     "), "too late: {}", answer.stderr);
    answer.assert_refused(&[
        "compositor cuda was asked for, but the backend is simulated",
        "use --backend tensorrt or --backend onnxruntime --provider cuda",
    ]);
    let Some(&flavour) = flavours().first() else { return };
    let rig = Rig::new(&work, flavour);
    let cuda = ["--compositor", "cuda"];
    rig.render("out", &[&cuda[..], &["--interpolation", "cubic"]].concat())
        .assert_refused(&["compositor cuda has no kernel for cubic interpolation"]);
    if engine_sys::search::find_nvrtc().is_ok() {
        rig.render("out", &[&cuda[..], &["--region-budget", "10kB"]].concat())
            .assert_refused(&["the GPU may keep 10000 bytes of frames", "--region-budget"]);
    }
    assert_eq!(work.names("out"), [""; 0]);
}

#[test]
fn settings_that_were_found_run_the_engine_that_was_measured() {
    if !has_onnxruntime() {
        return;
    }
    let Some(&flavour) = flavours().first() else { return };
    let work = Workplace::new();
    let rig = Rig::new(&work, flavour);
    let tune = ["tune", "--package", "pkg", "--batch", "2,4", "--workers", "1", "--seconds", "2"];
    let tune = [&tune[..], &["--backend", "tensorrt"]].concat();
    for compositor in [&[][..], &["--compositor", "cuda"]] {
        if let (false, Err(missing)) = (compositor.is_empty(), engine_sys::search::find_nvrtc()) {
            eprintln!("SKIPPED: {missing}");
            continue;
        }
        let found = rig.run(&[&tune[..], compositor].concat()).assert_ok();
        assert!(found.text().contains("best: tensorrt, batch "), "{}", found.text());
        assert_eq!(rig.kept().len(), 1);
        let tuned = rig.run(&[&["render", "pkg", "-o", "tuned"], compositor].concat()).assert_ok();
        assert!(tuned.stderr.contains(": tensorrt, batch "), "{}", tuned.stderr);
        assert!(tuned.stderr.contains("made before"), "{}", tuned.stderr);
        rig.render("expected", compositor).assert_ok();
        assert!(files(&work, "tuned") == files(&work, "expected"), "{compositor:?}");
    }
    // Without the GPU the profile is named, and the way out.
    let without = Rig { driver: false, ..rig };
    without.run(&["render", "pkg", "-o", "out"]).assert_refused(&["--profile none", "driver"]);
    without.run(&["render", "pkg", "-o", "out", "--profile", "none"]).assert_ok();
    let engine = ["tune", "--package", "pkg", "--model", "m.engine"];
    without.run(&engine).assert_refused(&["m.engine: is an engine", "the ONNX file"]);
}

#[test]
fn a_network_is_converted_once_and_kept() {
    let work = Workplace::new();
    for (count, flavour) in flavours().into_iter().enumerate() {
        let rig = Rig::new(&work, flavour);
        let said = |args: &[&str]| rig.render("out", args).assert_ok().stderr;
        let first = said(&[]);
        for part in ["converting  pkg/checkpoint/model_best.onnx to fp32", "converted   in"] {
            assert!(first.contains(part), "no {part:?} in {first}");
        }
        let before = rig.kept();
        assert_eq!(before.len(), 2 * count + 1);
        // Other batches of usual sizes need no other engine.
        let second = said(&["--batch", "16"]);
        assert!(second.contains("made before") && !second.contains("converting"), "{second}");
        assert!(said(&["--precision", "fp16"]).contains("to fp16"));
        assert_eq!(rig.kept().len(), 2 * count + 2);

        // One that is damaged is made again, and that is said.
        let ours = |name: &&String| name.contains(&format!("-{flavour}-")) && name.contains("fp32");
        let engine = rig.cache().join(before.iter().find(ours).unwrap());
        fs::write(&engine, "damaged").unwrap();
        let third = said(&[]);
        assert!(third.contains("is made again: its record is about another engine"), "{third}");
        assert!(third.contains("converted   in"), "{third}");
        assert!(said(&[]).contains("made before"));
    }
}

#[test]
fn an_engine_for_another_gpu_says_so_and_how_to_make_one() {
    let work = Workplace::new();
    for flavour in flavours().into_iter().filter(|flavour| *flavour != Flavour::Rtx) {
        let older = Rig { capability: "8.9", ..Rig::new(&work, flavour) };
        older.convert("m.engine", &["--precision", "fp16", "--batch", "1:2:8"]).assert_ok();
        older.render("out", &["--model", "m.engine", "--unverified"]).assert_ok();
        let rig = Rig::new(&work, flavour);
        let answer = rig.render("other", &["--model", "m.engine"]);
        answer.assert_refused(&[
            "m.engine: the engine does not fit this machine",
            "compute capability 8.9",
            "compute capability 9.0",
            "make it again: engine-cli convert-engine ",
        ]);
        assert_eq!(work.names("other"), [""; 0]);

        // The command does what it says.
        let line = answer.stderr.lines().find(|line| line.contains("make it again: ")).unwrap();
        let command = line.split("make it again: engine-cli ").nth(1).unwrap();
        let words: Vec<&str> = command.split(' ').collect();
        rig.run(&words).assert_ok();
        rig.render("other", &["--model", "m.engine", "--unverified"]).assert_ok();
        assert_eq!(work.names("other"), frame_names(FRAMES, "png"));
        fs::remove_dir_all(work.path("other")).unwrap();

        let compatible = ["--hardware-compatible", "--flavour", &flavour.to_string()];
        older.convert("m.engine", &compatible).assert_ok();
        rig.render("out", &["--model", "m.engine", "--unverified"]).assert_ok();
    }
}

#[test]
fn an_engine_of_another_tensorrt_says_so() {
    let work = Workplace::new();
    let flavours = flavours();
    for flavour in &flavours {
        Rig::new(&work, *flavour).convert("m.engine", &[]).assert_ok();
        for other in flavours.iter().filter(|other| *other != flavour) {
            let rig = Rig::new(&work, *other);
            let built = format!("built by {} and {} is", flavour.title(), other.title());
            let again = format!("--flavour {other} --batch 1:4:16");
            rig.render("out", &["--model", "m.engine"]).assert_refused(&[
                "m.engine: the engine does not fit this machine",
                &built,
                &again,
            ]);
        }
        // The same line, another version.
        let plan = fs::read(work.path("m.engine")).unwrap();
        let text = fs::read(work.path("m.engine.json")).unwrap();
        let mut record: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let here = record["library"].as_str().unwrap().to_owned();
        let numbers = here.splitn(4, '.').take(3).collect::<Vec<_>>().join(".");
        let altered =
            engine_doubles::altered(&plan, &format!("version {numbers}"), "version 9.9.9");
        record["engine"] = serde_json::to_value(FileHash::of(&altered)).unwrap();
        record["library"] = format!("{}.99.0", flavour.major()).into();
        work.write("m.engine", &altered);
        work.write("m.engine.json", record.to_string());
        let differs =
            format!("built by version {}.99.0 and the library here is {here}", flavour.major());
        Rig::new(&work, *flavour)
            .render("out", &["--model", "m.engine"])
            .assert_refused(&["m.engine: the engine does not fit", &differs]);
    }
}

#[test]
fn files_that_are_no_engines() {
    let work = Workplace::new();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        work.write("m.engine", "no engine");
        let parts = ["m.engine", "no TensorRT here runs it", "deserializeCudaEngine failed"];
        rig.render("out", &["--model", "m.engine"]).assert_refused(&parts);
        let flavour = flavour.to_string();
        rig.render("out", &["--model", "m.engine", "--flavour", &flavour]).assert_refused(&parts);
        rig.render("out", &["--model", "none.engine"])
            .assert_refused(&["none.engine", "No such file"]);
        rig.convert("good.engine", &[]).assert_ok();
        work.write("good.engine.json", "{");
        rig.render("out", &["--model", "good.engine"])
            .assert_refused(&["good.engine.json: is no record of an engine", "EOF"]);
        fs::rename(work.path("m.engine"), work.path("m.onnx")).unwrap();
        rig.render("out", &["--model", "m.onnx"]).assert_refused(&["m.onnx is not an ONNX model"]);
        fs::remove_file(work.path("m.onnx")).unwrap();
    }
    assert_eq!(work.names("out"), [""; 0]);
}

#[test]
fn a_version_compatible_engine_has_to_be_trusted() {
    let work = Workplace::new();
    for flavour in flavours().into_iter().filter(|flavour| *flavour != Flavour::Rtx) {
        let rig = Rig::new(&work, flavour);
        rig.convert("m.engine", &["--version-compatible"]).assert_ok();
        rig.render("out", &["--model", "m.engine"]).assert_refused(&["m.engine", "--trust-engine"]);
        rig.render("out", &["--model", "m.engine", "--trust-engine", "--unverified"]).assert_ok();
    }
}

#[test]
fn an_engine_is_compared_with_its_network_once() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        rig.convert("m.engine", &[]).assert_ok();
        let said = || rig.render("out", &["--model", "m.engine"]).assert_ok().stderr;
        let first = said();
        assert!(first.contains("verifying   the engine against its network"), "{first}");
        assert!(first.contains("verified    no byte differs in 4 frames"), "{first}");
        let record = fs::read_to_string(work.path("m.engine.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let verified = &record["verified_engine"][0];
        assert_eq!((&verified["frames"], &verified["differing_bytes"]), (&4.into(), &0.into()));
        assert!(!verified["ran_on"].as_str().unwrap().is_empty());
        assert!(!said().contains("verifying"));

        // Without its network there is nothing to compare it with, and that is said.
        rig.convert("m.engine", &[]).assert_ok();
        fs::rename(work.path("pkg/checkpoint"), work.path("away")).unwrap();
        let text = said();
        assert!(text.contains("warning: the engine was not compared with its network"), "{text}");
        assert!(text.contains("there is no such model now"), "{text}");
        fs::rename(work.path("away"), work.path("pkg/checkpoint")).unwrap();
        fs::remove_file(work.path("m.engine.json")).unwrap();
        assert!(said().contains("no record beside the engine"));
    }
}

#[test]
fn an_engine_that_predicts_something_else_is_refused() {
    if !has_onnxruntime() {
        return;
    }
    // The stand-ins compute the network of exact arithmetic, not this one.
    let work = Workplace::with(&SampleOptions { side: 160, network: NetworkKind::Unet, ..small() });
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        rig.convert("m.engine", &[]).assert_ok();
        let parts = ["the engine m.engine on", "is too far from the network", "at least 45 dB"];
        let engine = ["--model", "m.engine"];
        rig.render("out", &engine).assert_refused(&parts);
        // Not only the first time.
        let again = rig.render("out", &engine);
        again.assert_refused(&parts);
        assert!(!again.stderr.contains("verifying"), "{}", again.stderr);
        assert_eq!(work.names("out"), [""; 0]);
        rig.render("out", &[&engine[..], &["--unverified"]].concat()).assert_ok();
        fs::remove_dir_all(work.path("out")).unwrap();
    }
}

#[test]
fn auto_does_not_use_an_engine_that_predicts_something_else() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::with(&SampleOptions { side: 160, network: NetworkKind::Unet, ..small() });
    work.run(&["render", "pkg", "-o", "expected", "--backend", "onnxruntime"]).assert_ok();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        for _ in 0..2 {
            let answer = rig.run(&["render", "pkg", "-o", "out"]).assert_ok();
            for part in ["warning: the engine ", "is too far from the network", "on the CPU"] {
                assert!(answer.stderr.contains(part), "no {part:?} in {}", answer.stderr);
            }
            assert!(files(&work, "out") == files(&work, "expected"));
            fs::remove_dir_all(work.path("out")).unwrap();
        }
    }
}

#[test]
fn an_engine_that_has_no_place_to_be_kept() {
    let work = Workplace::new();
    work.write("file", "");
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        let args = ["render", "pkg", "-o", "out", "--backend", "tensorrt"];
        let run =
            |command: &mut std::process::Command| Answer::of(&args, command.output().unwrap());
        run(rig.command(&args).env("XDG_CACHE_HOME", work.path("file"))).assert_refused(&[
            "cannot be kept in",
            "/file/",
            "XDG_CACHE_HOME",
        ]);
        run(rig.command(&args).env_remove("XDG_CACHE_HOME").env_remove("HOME"))
            .assert_refused(&["cannot be kept, since neither HOME nor XDG_CACHE_HOME is set"]);
    }
}

#[test]
fn bench_reports_what_the_device_says() {
    let work = Workplace::new();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        rig.convert("m.engine", &[]).assert_ok();
        let answer = rig.run(&[
            "bench",
            "--package",
            "pkg",
            "--backend",
            "tensorrt",
            "--model",
            "m.engine",
            "--batch",
            "1,4",
            "--workers",
            "2",
            "--frames",
            "24",
            "--json",
            "out.json",
            "--html",
            "out.html",
            "--trace",
            "trace.json",
            "--unverified",
            "--compositor",
            "cpu",
        ]);
        let answer = answer.assert_ok();
        assert!(answer.text().contains("batch 4, workers 2"), "{}", answer.text());
        let report = fs::read(work.path("out.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let runs = report["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 3);
        for run in runs {
            assert_eq!(run["frames"], 24);
            for time in ["upload", "compute", "download"] {
                assert!(run["device_ms"][time].is_object(), "no {time} in {run}");
            }
            // Six planes and 16 rows of features, and three planes back.
            let floats = [6 * 32 * 32 + 16 * 512, 3 * 32 * 32];
            for (way, floats) in ["up", "down"].into_iter().zip(floats) {
                assert_eq!(run["device_kb"][way]["p50"], 4.0 * f64::from(floats) / 1e3, "{way}");
            }
        }
        let library = report["libraries"]["backend"].as_str().unwrap();
        assert!(library.starts_with(&format!("{}, version ", flavour.title())), "{library}");
        assert_eq!(report["gpus"][0], runs[0]["provider"]);
        let page = page::parse(&fs::read_to_string(work.path("out.html")).unwrap());
        page::check_numbers(&page, &report);
        assert!(page.text().contains("device: compute"));
        let trace = fs::read(work.path("trace.json")).unwrap();
        let trace: serde_json::Value = serde_json::from_slice(&trace).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let infers: Vec<_> = events.iter().filter(|event| event["name"] == "infer").collect();
        assert_eq!(trace["otherData"]["batches"], infers.len());
        for infer in infers {
            let sent =
                infer["args"]["frames"].as_f64().unwrap() * 4.0 * (6 * 32 * 32 + 16 * 512) as f64;
            assert_eq!(infer["args"]["device_bytes_up"].as_f64(), Some(sent), "{infer}");
            assert!(infer["args"]["device_compute_us"].as_f64() > Some(0.0), "{infer}");
        }
        if engine_sys::search::find_nvrtc().is_err() {
            eprintln!("SKIPPED in part: no NVRTC; run scripts/fetch-nvrtc");
            continue;
        }
        let bench = ["bench", "--package", "pkg", "--backend", "tensorrt", "--model", "m.engine"];
        let settings = ["--frames", "24", "--json", "out.json", "--unverified"];
        let auto = rig.run(&[&bench[..], &settings].concat()).assert_ok().stderr;
        assert!(auto.contains(" frames/s with the GPU compositing, "), "{auto}");
        let cuda = ["--compositor", "cuda"];
        let answer = rig.run(&[&bench[..], &settings, &cuda].concat()).assert_ok();
        assert!(answer.text().contains("kB up and"), "{}", answer.text());
        let report = fs::read(work.path("out.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        let times = &report["runs"][1]["device_ms"];
        let p50 = |part: &str| times[part]["p50"].as_f64().unwrap();
        let parts = ["assemble", "network", "composite"].map(p50);
        assert!(
            parts.iter().all(|&ms| ms > 0.0 && ms <= times["compute"]["max"].as_f64().unwrap())
        );
        let kilobytes = &report["runs"][1]["device_kb"];
        // A job and a row of features: the regions are there since the baseline's warm-up.
        assert_eq!(kilobytes["up"]["p50"], (72.0 + 4.0 * 512.0) / 1e3);
        assert!(kilobytes["up_first"].is_null(), "{kilobytes}");
        // There, crop, roi and masked roi came, too, and the rows that the first frame hears.
        let first = &report["runs"][0]["device_kb"]["up_first"];
        let region = 4800.0 + 2.0 * 3072.0;
        let most = first["max"].as_f64().unwrap();
        assert!(most >= (region + 72.0 + 4.0 * 512.0) / 1e3, "{first}");
        assert!(answer.text().contains(" kB up and "), "{}", answer.text());
        let down = kilobytes["down"]["p50"].as_f64().unwrap();
        assert!(down > 0.0 && down < 4.0 * 3.0 * 32.0 * 32.0 / 1e3, "{down}");
    }
}

#[test]
fn auto_takes_the_best_that_opens_and_says_why() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        let auto = ["render", "pkg", "-o", "out"];
        let text = rig.run(&auto).assert_ok().stderr;
        assert!(text.contains(&format!("backend     {} ", flavour.title())), "{text}");

        let none = ["render", "pkg", "-o", "out", "--tensorrt-lib", "pkg"];
        let text = rig.run(&none).assert_ok().stderr;
        assert!(text.contains("backend     not tensorrt: "), "{text}");
        assert!(text.contains("backend     not onnxruntime on "), "{text}");
        assert!(text.contains("backend     on the CPU: nothing runs"), "{text}");

        let without = Rig { driver: false, ..Rig::new(&work, flavour) };
        let text = without.run(&auto).assert_ok().stderr;
        assert!(text.contains("backend     on the CPU: no usable NVIDIA"), "{text}");
        without.render("none", &[]).assert_refused(&["no usable NVIDIA driver"]);
        assert_eq!(work.names("none"), [""; 0]);
    }
}
