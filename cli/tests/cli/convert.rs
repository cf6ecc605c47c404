//! `convert-engine`, with NVIDIA's own TensorRT-RTX where it is there, and with stand-ins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::onnx::Model;
use engine::onnx::proto::{GraphProto, NodeProto, TensorProto, data_type};
use engine::sample::{Batch, NetworkKind, SampleOptions, probe};
use engine_sys::Flavour;

use crate::stand_ins::{Rig, flavours};
use crate::support::{
    Answer, SIMULATED, SmallDisk, Workplace, has_onnxruntime, interrupt, small, wait_for,
};

const MODEL: &str = "pkg/checkpoint/model_best.onnx";

/// The folder with NVIDIA's library, or `None` after saying that the test is skipped.
pub(crate) fn rtx() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/tensorrt/lib/rtx");
    if folder.join(Flavour::Rtx.runtime_library()).is_file() && Flavour::Rtx.headers().is_some() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no {}; run scripts/fetch-tensorrt-rtx", folder.display());
    None
}

/// `convert-engine` with NVIDIA's library.
pub(crate) fn convert(work: &Workplace, rtx: &Path, model: &str, args: &[&str]) -> Answer {
    let rtx = rtx.to_str().unwrap();
    let command = ["convert-engine", model, "--tensorrt-lib", rtx, "--flavour", "rtx"];
    work.run(&[&command[..], args].concat())
}

pub(crate) fn record(work: &Workplace, engine: &str) -> serde_json::Value {
    serde_json::from_slice(&fs::read(work.path(&format!("{engine}.json"))).unwrap()).unwrap()
}

#[test]
fn the_real_network_becomes_engines_of_both_precisions() {
    let Some(rtx) = rtx() else { return };
    let work = Workplace::with(&SampleOptions { side: 320, network: NetworkKind::Unet, ..small() });
    let full = convert(&work, &rtx, MODEL, &["-o", "fp32.engine"]).assert_ok();
    let half = convert(&work, &rtx, MODEL, &["-o", "fp16.engine", "--precision", "fp16"]);
    let half = half.assert_ok();
    let said = "wrote       fp32.engine: ";
    assert!(full.stderr.contains(said), "no {said:?} in {}", full.stderr);
    assert!(half.stderr.contains("48.6 MB of weights are 24.3 MB now"), "{}", half.stderr);

    let bytes = |name: &str| fs::metadata(work.path(name)).unwrap().len();
    assert!(bytes("fp32.engine") > 48_000_000);
    assert!(bytes("fp16.engine") < bytes("fp32.engine") * 6 / 10);
    for (engine, precision) in [("fp32.engine", "fp32"), ("fp16.engine", "fp16")] {
        let record = record(&work, engine);
        assert_eq!(record["options"]["precision"], precision);
        assert_eq!(record["options"]["batch"], serde_json::json!([1, 4, 16]));
        assert_eq!((&record["flavour"], &record["gpu"]), (&"rtx".into(), &serde_json::Value::Null));
        assert_eq!(record["engine"]["bytes"], bytes(engine));
        assert!(
            fs::read_to_string(work.path(&format!("{engine}.log")))
                .unwrap()
                .contains("Opset version")
        );
    }
    let all = ["fp16.engine", "fp16.engine.json", "fp16.engine.log", "fp32.engine"];
    assert_eq!(
        work.names("."),
        [&all[..], &["fp32.engine.json", "fp32.engine.log", "pkg"]].concat()
    );
}

#[test]
fn a_graph_that_predicts_something_else_is_refused() {
    let (Some(rtx), true) = (rtx(), has_onnxruntime()) else { return };
    let work = Workplace::with(&SampleOptions { side: 160, network: NetworkKind::Unet, ..small() });
    let half = ["-o", "m.engine", "--precision", "fp16", "--verify-graph"];
    let answer = convert(&work, &rtx, MODEL, &half).assert_ok();
    assert!(answer.stderr.contains("verified    "), "{}", answer.stderr);
    let verified = &record(&work, "m.engine")["verified_graph"];
    assert_eq!(verified["frames"], 6);
    assert!(verified["worst_psnr_db"].as_f64().unwrap() > 45.0, "{verified}");

    // A number that fp16 has no room for, divided by one that it rounds up.
    let work = Workplace::new();
    let damaged = edited(&work, |graph| {
        for (name, value) in [("tiny", 2e-8_f32), ("small", 4e-8)] {
            graph.initializer.push(TensorProto {
                name: Some(name.into()),
                data_type: Some(data_type::FLOAT),
                float_data: vec![value],
                ..Default::default()
            });
        }
        let at = graph.node.iter().position(|node| node.output == ["half_roi"]).unwrap();
        graph.node[at].input[1] = "tiny".into();
        graph.node[at].output[0] = "tiny_roi".into();
        let divide = NodeProto {
            input: vec!["tiny_roi".into(), "small".into()],
            output: vec!["half_roi".into()],
            op_type: Some("Div".into()),
            ..Default::default()
        };
        graph.node.insert(at + 1, divide);
    });
    let args = ["-o", "bad.engine", "--precision", "fp16", "--verify-graph", "--package", "pkg"];
    convert(&work, &rtx, &damaged, &args).assert_refused(&[
        "the converted graph is too far from the network damaged.onnx",
        "expected at least 45 dB",
        "--force",
    ]);
    assert!(!work.path("bad.engine").exists() && !work.path("bad.engine.json").exists());
    convert(&work, &rtx, &damaged, &[&args[..], &["--force"]].concat()).assert_ok();
    assert!(work.path("bad.engine").exists());
    convert(&work, &rtx, &damaged, &["-o", "full.engine"]).assert_ok();
}

/// The package's network with its graph changed, as `damaged.onnx`.
fn edited(work: &Workplace, edit: impl FnOnce(&mut GraphProto)) -> String {
    edited_from(work, Model::load(work.path(MODEL)).unwrap(), edit)
}

fn edited_from(work: &Workplace, mut model: Model, edit: impl FnOnce(&mut GraphProto)) -> String {
    edit(model.proto_mut().graph.as_mut().unwrap());
    model.save(work.path("damaged.onnx")).unwrap();
    "damaged.onnx".to_owned()
}

#[test]
fn models_that_cannot_be_converted_leave_nothing() {
    let Some(rtx) = rtx() else { return };
    let work = Workplace::new();
    let refused = |model: &str, args: &[&str], parts: &[&str]| {
        let args = [&["-o", "m.engine"], args].concat();
        convert(&work, &rtx, model, &args).assert_refused(parts);
        let left: Vec<String> =
            work.names(".").into_iter().filter(|name| name.contains("engine")).collect();
        // The log says why; where TensorRT was not asked there is none.
        assert!(left.is_empty() || left == ["m.engine.log"], "{left:?}");
    };
    refused("none.onnx", &[], &["none.onnx", "No such file"]);
    work.write("text.onnx", "no model");
    refused("text.onnx", &[], &["text.onnx", "is not an ONNX model"]);
    refused("/dev/zero", &[], &["/dev/zero", "this is a device"]);

    let unknown = edited(&work, |graph| {
        graph.node[2].op_type = Some("FourierMagic".into());
        graph.node[2].name = Some("the_culprit".into());
    });
    let parts = ["damaged.onnx: no engine was built", "FourierMagic", "the_culprit"];
    refused(&unknown, &[], &parts);
    refused(&unknown, &["--precision", "fp16"], &["damaged.onnx", "FourierMagic", "fp32"]);

    let missing = edited(&work, |graph| graph.node[4].input[0] = "nothing".into());
    refused(&missing, &[], &["damaged.onnx: no engine was built", "\"image\""]);
    refused(&missing, &["--precision", "fp16"], &["damaged.onnx", "reads \"nothing\""]);

    let mixing = edited_from(&work, probe(32, Batch::Fixed(2)), |graph| {
        // Means over the batch too, so that frames depend on each other.
        let mean = graph.node.iter_mut().find(|node| node.op_type() == "ReduceMean").unwrap();
        mean.attribute[0].ints = vec![0, 1, 2, 3];
    });
    let parts = ["damaged.onnx: cannot take batches of 1:4:16", "--batch", "ReduceMean"];
    refused(&mixing, &[], &parts);
}

#[test]
fn a_fixed_batch_becomes_symbolic_where_that_is_safe() {
    let Some(rtx) = rtx() else { return };
    let work = Workplace::with(&SampleOptions { batch: Batch::Fixed(1), ..small() });
    let answer = convert(&work, &rtx, MODEL, &["-o", "m.engine"]).assert_ok();
    assert!(answer.stderr.contains("batch       was fixed to 1"), "{}", answer.stderr);
    assert_eq!(record(&work, "m.engine")["graph"]["fixed_batch"], 1);
    let answer = convert(&work, &rtx, MODEL, &["-o", "one.engine", "--batch", "1"]).assert_ok();
    assert!(!answer.stderr.contains("was fixed"), "{}", answer.stderr);
}

#[test]
fn a_full_disk_leaves_the_engine_that_was_there() {
    let Some(rtx) = rtx() else { return };
    let work = Workplace::with(&SampleOptions { side: 160, network: NetworkKind::Unet, ..small() });
    let folder = work.path("disk");
    let Some(disk) = SmallDisk::mount(&folder, "4m") else { return };
    work.write("disk/m.engine", "the one before");
    convert(&work, &rtx, MODEL, &["-o", "disk/m.engine"])
        .assert_refused(&["disk/m.engine", "No space left on device"]);
    assert_eq!(fs::read(work.path("disk/m.engine")).unwrap(), b"the one before");
    assert_eq!(work.names("disk"), ["m.engine", "m.engine.log"]);
    drop(disk);
}

#[test]
fn places_that_take_no_engine() {
    let work = Workplace::new();
    let Some(&flavour) = flavours().first() else { return };
    let rig = Rig::new(&work, flavour);
    fs::create_dir(work.path("folder.engine")).unwrap();
    rig.convert("folder.engine", &[]).assert_refused(&["folder.engine is a folder"]);
    rig.convert("none/m.engine", &[]).assert_refused(&["/none: there is no such folder"]);
    rig.convert("m.onnx", &[]).assert_usage(&["m.onnx", ".engine, .plan or .trt"]);
    rig.convert("m.engine", &["--log", "none/log"]).assert_refused(&["the log none/log"]);
    for batch in ["0", "4:2:8", "1:2", "-1", "1:4:2000", "x"] {
        rig.convert("m.engine", &["--batch", batch]).assert_usage(&[batch, "MIN:OPT:MAX"]);
    }
    rig.convert("m.engine", &["--precision", "int8"]).assert_usage(&["int8", "fp32 or fp16"]);
    rig.convert("m.engine", &["--force"]).assert_usage(&["--verify-graph"]);
    work.write("alone.onnx", fs::read(work.path(MODEL)).unwrap());
    let args = ["convert-engine", "alone.onnx", "--verify-graph"];
    rig.run(&args).assert_refused(&["alone.onnx: lies in no avatar package", "--package"]);
    assert_eq!(work.names("folder.engine"), [""; 0]);
}

#[test]
fn ctrl_c_ends_a_build_and_leaves_no_engine() {
    let work = Workplace::new();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        let args = ["convert-engine", MODEL, "-o", "m.engine"];
        let child = rig
            .command(&args)
            .env("ENGINE_DOUBLES_BUILD_STEPS", "600000")
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let log = work.path("m.engine.log");
        // The stand-in warns when it begins, and warnings are written at once.
        let begun = || fs::read_to_string(&log).is_ok_and(|log| log.contains("warning"));
        wait_for("the build", begun);

        // Meanwhile nobody else may write the same engine.
        let busy = format!("process {} is writing this;", child.id());
        rig.convert("m.engine", &[]).assert_refused(&["m.engine", &busy]);
        rig.convert("other.engine", &[]).assert_ok();

        interrupt(&child);
        let answer = Answer::of(&args, child.wait_with_output().unwrap());
        assert_eq!(answer.code, Some(130), "{}", answer.stderr);
        assert!(!answer.stderr.contains("error:"), "{}", answer.stderr);
        fs::remove_file(&log).unwrap();
        let other = ["other.engine", "other.engine.json", "other.engine.log"];
        assert_eq!(work.names("."), [&other[..], &["pkg"]].concat(), "{flavour}");
        // The lock went with the process.
        rig.convert("m.engine", &[]).assert_ok();
        for name in ["m.engine", "m.engine.json", "m.engine.log"] {
            fs::remove_file(work.path(name)).unwrap();
        }
    }
}

#[test]
fn ctrl_c_before_the_build_leaves_nothing() {
    let work = Workplace::new();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        let convert = ["convert-engine", MODEL, "-o", "engines/m.engine"];
        let render = ["render", "pkg", "-o", "null", "--backend", "tensorrt"];
        let kept = "cache/talking-head-engine/engines";
        for (args, folder) in [(&convert[..], "engines"), (&render[..], kept)] {
            fs::create_dir_all(work.path(folder)).unwrap();
            let child = rig
                .command(args)
                .env("ENGINE_DOUBLES_BUILD_STEPS", "600000")
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            wait_for("the lock", || !work.names(folder).is_empty());
            interrupt(&child);
            let answer = Answer::of(args, child.wait_with_output().unwrap());
            assert_eq!(answer.code, Some(130), "{flavour}: {}", answer.stderr);
            let mut left = work.names(folder);
            left.retain(|name| !name.ends_with(".log"));
            assert_eq!(left, [""; 0], "{flavour}: {args:?}");
            fs::remove_dir_all(work.path(folder)).unwrap();
        }
    }
}

#[test]
fn what_a_killed_conversion_left_is_tidied_up() {
    let work = Workplace::new();
    let Some(&flavour) = flavours().first() else { return };
    let rig = Rig::new(&work, flavour);
    for left in [".m.engine.lock", ".m.engine.Ab1.part", ".m.engine.json.Cd2.part"] {
        work.write(left, "left");
    }
    work.write(".other.engine.Ef3.part", "of somebody else");
    rig.convert("m.engine", &[]).assert_ok();
    let now = [".other.engine.Ef3.part", "m.engine", "m.engine.json", "m.engine.log", "pkg"];
    assert_eq!(work.names("."), now);
}

#[test]
fn nothing_that_is_read_is_overwritten() {
    let work = Workplace::new();
    let Some(&flavour) = flavours().first() else { return };
    let rig = Rig::new(&work, flavour);
    let network = fs::read(work.path(MODEL)).unwrap();
    std::os::unix::fs::symlink(MODEL, work.path("link.engine")).unwrap();
    work.write("net.engine", &network);
    let info = "pkg/package_info.json";
    let before = fs::read(work.path(info)).unwrap();
    rig.convert("link.engine", &[]).assert_refused(&["-o is link.engine", "the network itself"]);
    rig.run(&["convert-engine", "net.engine"]).assert_refused(&["-o is net.engine", "the network"]);
    rig.run(&["convert-engine", "net.engine", "-o", "other.engine"])
        .assert_refused(&["net.engine: is an engine already"]);
    for (option, file, part) in [
        ("--log", MODEL, "the network itself"),
        ("--timing-cache", MODEL, "the network itself"),
        ("--log", info, "belongs to the package"),
        ("--timing-cache", "pkg/aud_ave.npy", "belongs to the package"),
        ("--log", "m.engine", "--log and -o are one file"),
        ("--log", "./m.engine.json", "--log and the record beside -o are one file"),
        ("--timing-cache", "m.engine", "--timing-cache and -o are one file"),
        ("--timing-cache", "m.engine.log", "--timing-cache and --log are one file"),
    ] {
        rig.convert("m.engine", &[option, file]).assert_refused(&[option, part]);
    }
    assert_eq!(fs::read(work.path(MODEL)).unwrap(), network);
    assert_eq!(fs::read(work.path("net.engine")).unwrap(), network);
    assert_eq!(fs::read(work.path(info)).unwrap(), before);
    assert_eq!(work.names("."), ["link.engine", "net.engine", "pkg"]);

    let render = |output: &str, args: &[&str]| {
        work.run(&[&["render", "pkg", "-o", output], &SIMULATED[..], args].concat())
    };
    render("raw:pkg/aud_ave.npy", &[]).assert_refused(&["-o is", "belongs to the package"]);
    render("pkg/full_body_video.mp4", &[]).assert_refused(&["belongs to the package"]);
    render("out", &["--contact-sheet", "pkg/full_body_img/0.png"])
        .assert_refused(&["--contact-sheet is", "belongs to the package"]);
    let bench = ["bench", "--package", "pkg", "--json", "a.json", "--csv", "./a.json"];
    work.run(&[&bench[..], &SIMULATED].concat()).assert_refused(&["--csv and --json are one file"]);
    assert_eq!(work.names("."), ["link.engine", "net.engine", "pkg"]);
}

#[test]
fn a_library_that_is_cut_short_is_named() {
    let Some(rtx) = rtx() else { return };
    let work = Workplace::new();
    let library = Flavour::Rtx.runtime_library();
    let whole = fs::read(rtx.join(library)).unwrap();
    fs::create_dir(work.path("cut")).unwrap();
    work.write(&format!("cut/{library}"), &whole[..whole.len() / 3]);
    let parser = Flavour::Rtx.parser_library();
    let beside = rtx.canonicalize().unwrap().join(parser);
    std::os::unix::fs::symlink(beside, work.path(&format!("cut/{parser}"))).unwrap();
    convert(&work, &work.path("cut"), MODEL, &[]).assert_refused(&[
        library,
        "is cut short",
        "bytes",
    ]);
    let doctor = work.run(&["doctor", "--tensorrt-lib", "cut"]).assert_ok();
    assert!(doctor.text().contains("is cut short"), "{}", doctor.text());
}

#[test]
fn a_package_with_an_odd_name_can_be_converted() {
    use std::os::unix::ffi::OsStrExt;
    let work = Workplace::new();
    let Some(&flavour) = flavours().first() else { return };
    let odd = work.path("x").with_file_name(std::ffi::OsStr::from_bytes(b"p\xffg"));
    fs::rename(work.path("pkg"), &odd).unwrap();
    let rig = Rig::new(&work, flavour);
    let mut command = rig.command(&["convert-engine", "-o", "m.engine"]);
    let output = command.arg(&odd).output().unwrap();
    Answer::of(&["convert-engine"], output).assert_ok();
    assert!(record(&work, "m.engine")["model"].as_str().unwrap().contains("p\u{fffd}g"));
}

#[test]
fn only_tensorrt_rtx_builds_without_a_gpu() {
    let work = Workplace::new();
    for flavour in flavours() {
        let rig = Rig { driver: false, ..Rig::new(&work, flavour) };
        let answer = rig.convert("m.engine", &["--flavour", &flavour.to_string()]);
        match flavour {
            Flavour::Rtx => drop(answer.assert_ok()),
            _ => answer.assert_refused(&[
                flavour.title(),
                "on the GPU that is to run them",
                "driver",
            ]),
        }
        // With none at all, every flavour says why.
        let answer = rig.work.run(&["convert-engine", MODEL, "--tensorrt-lib", "pkg"]);
        answer.assert_refused(&["no TensorRT here builds engines", "libnvinfer.so.10", "doctor"]);
    }
}

#[test]
fn a_timing_cache_is_kept_and_checked() {
    let work = Workplace::new();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        rig.convert("m.engine", &["--timing-cache", "timing"]).assert_ok();
        let first = fs::read(work.path("timing")).unwrap();
        assert!(!first.is_empty());
        rig.convert("m.engine", &["--timing-cache", "timing"]).assert_ok();
        assert_eq!(fs::read(work.path("timing")).unwrap(), first);
        work.write("timing", "no timing cache");
        rig.convert("m.engine", &["--timing-cache", "timing"]).assert_refused(&["timing cache"]);
        assert_eq!(fs::read(work.path("timing")).unwrap(), b"no timing cache");
        fs::remove_file(work.path("timing")).unwrap();
    }
}

#[test]
fn two_conversions_at_one_time_make_one_engine() {
    let work = Workplace::new();
    let Some(&flavour) = flavours().first() else { return };
    let rig = Rig::new(&work, flavour);
    let args = ["render", "pkg", "-o", "null", "--backend", "tensorrt", "--unverified"];
    let start = |rig: &Rig<'_>| -> std::process::Child {
        let mut command: Command = rig.command(&args);
        command.env("ENGINE_DOUBLES_BUILD_STEPS", "100").stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let both = [start(&rig), start(&rig)];
    let answers = both.map(|child| Answer::of(&args, child.wait_with_output().unwrap()));
    let converted = |answer: &Answer| answer.stderr.contains("converted   in");
    let answers = answers.map(Answer::assert_ok);
    assert_eq!(answers.iter().filter(|answer| converted(answer)).count(), 1);
    assert_eq!(rig.kept().len(), 1);
}
