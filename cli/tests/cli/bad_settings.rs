//! Arguments that make no sense.

use crate::support::{SIMULATED, Workplace};

#[test]
fn usage_errors_name_the_option_and_what_it_takes() {
    let work = Workplace::new();
    for (args, parts) in [
        (&["--batch", "0"][..], &["'0' for '--batch <N>'", "expected 1 to 256"][..]),
        (&["--batch", "257"], &["'257' for '--batch <N>'", "expected 1 to 256"]),
        (&["--batch", "-1"], &["'-1' for '--batch <N>'", "expected 1 to 256"]),
        (&["--workers", "0"], &["'0' for '--workers <N>'", "expected 1 to 256, or auto"]),
        (
            &["--workers", "9999999999999999999999"],
            &["--workers <N>", "expected 1 to 256, or auto"],
        ),
        (&["--workers", "many"], &["'many' for '--workers <N>'", "or auto"]),
        (&["--frames", "0"], &["'0' for '--frames <N>'"]),
        (&["--compositor", "gpu"], &["unknown compositor \"gpu\"", "auto, cpu, scalar, avx2"]),
        (&["--interpolation", "area"], &["\"area\"", "linear"]),
        (&["--inputs", "stored"], &["\"stored\"", "package or derived"]),
        (&["--frame-store", "disk"], &["\"disk\"", "auto, ram or stream"]),
        (&["--mode", "parallel"], &["\"parallel\"", "pipelined"]),
        (&["--ram-budget", "1 banana"], &["'1 banana' for '--ram-budget <SIZE>'", "2GiB"]),
        (&["--threads", "1025"], &["'1025' for '--threads <N>'", "expected 1 to 1024"]),
        (&["--threads", "two"], &["'two' for '--threads <N>'", "expected 1 to 1024"]),
        (&["--streams", "-1"], &["'-1' for '--streams <N>'", "expected 1 to 1024"]),
        (&["--threads", "0"], &["'0' for '--threads <N>'"]),
        (&["--no-such-option"], &["--no-such-option"]),
    ] {
        work.render(args).assert_usage(parts);
    }
    assert_eq!(work.names("out"), [""; 0]);
}

#[test]
fn options_that_the_backend_does_not_have_are_refused() {
    let work = Workplace::new();
    let gpu = "tensorrt, or --backend onnxruntime --provider cuda";
    for (args, takers) in [
        (&["--lanes", "2"][..], gpu),
        (&["--region-budget", "1GB"], gpu),
        (&["--no-graphs"], "tensorrt"),
        (&["--flavour", "rtx"], "tensorrt"),
        (&["--tensorrt-lib", "pkg"], "tensorrt"),
        (&["--trust-engine"], "tensorrt"),
        (&["--unverified"], "tensorrt"),
    ] {
        let message = format!(
            "{} is for --backend {takers}, and not for --backend simulated; leave it out",
            args[0]
        );
        work.render(args).assert_refused(&[&message]);
    }
    for (backend, args, takers, found) in [
        ("openvino", &["--provider", "cuda"][..], "onnxruntime", "openvino"),
        ("simulated", &["--provider", "cpu"], "onnxruntime", "simulated"),
        ("openvino", &["--device", "1"], gpu, "openvino"),
        ("onnxruntime", &["--device", "1"], gpu, "onnxruntime on the CPU"),
        ("onnxruntime", &["--lanes", "1", "--provider", "cpu"], gpu, "onnxruntime on the CPU"),
        ("onnxruntime", &["--openvino-lib", "none"], "openvino", "onnxruntime on the CPU"),
        ("auto", &["--lanes", "1", "--provider", "cpu"], gpu, "onnxruntime on the CPU"),
        ("auto", &["--provider", "cuda", "--no-graphs"], "tensorrt", "onnxruntime"),
        ("onnxruntime", &["--provider", "cuda", "--no-graphs"], "tensorrt", "onnxruntime"),
    ] {
        let render = ["render", "pkg", "-o", "out", "--backend", backend];
        let option = args.iter().rev().find(|arg| arg.starts_with("--") && **arg != "--provider");
        let message = format!(
            "{} is for --backend {takers}, and not for --backend {found}; leave it out",
            option.unwrap_or(&"--provider")
        );
        work.run(&[&render[..], args].concat()).assert_refused(&[&message]);
    }
    assert_eq!(work.names("."), ["pkg"]);
}

#[test]
fn outputs_that_are_none() {
    let work = Workplace::new();
    for (output, part) in [
        ("gif:out", "null, png:DIR, jpg:DIR, video:FILE"),
        ("png:", "null, png:DIR, jpg:DIR, video:FILE"),
        ("", "null, png:DIR, jpg:DIR, video:FILE"),
        ("out.avi", "as .mp4, .mov or .mkv"),
    ] {
        work.run(&[&["render", "pkg", "-o", output], &SIMULATED[..]].concat())
            .assert_usage(&["--output", part]);
    }
    assert_eq!(work.names("."), ["pkg"]);
    work.run(&["bench", "--package", "pkg", "--sink", "tiff:x"])
        .assert_usage(&["--sink", "null, png:DIR, jpg:DIR, video:FILE"]);
}

#[test]
fn grids_are_checked_before_anything_runs() {
    let work = Workplace::empty();
    for (args, part) in [
        (["--batch", "1,0"], "'0' for '--batch <N,...>': expected 1 to 256"),
        (["--batch", "1,,4"], "'' for '--batch <N,...>': expected 1 to 256"),
        (["--workers", "auto,999"], "'999' for '--workers <N,...>': expected 1 to 256, or auto"),
        (["--repeat", "0"], "'0' for '--repeat <REPEAT>'"),
        (["--frames", "0"], "'0' for '--frames <FRAMES>'"),
    ] {
        work.run(&[&["bench"], &args[..]].concat()).assert_usage(&[part]);
    }
}

#[test]
fn a_ram_budget_that_does_not_suffice() {
    let work = Workplace::new();
    work.assert_render_refused(
        &["--frame-store", "ram", "--ram-budget", "100k"],
        &["the decoded frames of pkg need", "--ram-budget", "--frame-store stream"],
    );
}

#[test]
fn absurd_but_possible_settings_work() {
    let work = Workplace::new();
    let answer = work.render(&["--batch", "256", "--workers", "64"]).assert_ok();
    assert!(answer.stderr.contains("composite 64"), "{}", answer.stderr);
    assert!(answer.stderr.contains("more composite threads than cores"), "{}", answer.stderr);
    assert_eq!(work.names("out").len(), 6);
}
