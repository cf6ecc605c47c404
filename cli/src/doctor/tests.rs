//! What a bare and an equipped machine are told.

use engine_sys::Flavour;
use engine_sys::search::{NoNvrtc, NotFound};

use super::gpu::Gpus;
use super::openvino::OpenVino;
use super::probe::{Built, Probe, Tool};
use super::tensorrt::Installed;
use crate::machine::Machine;

fn bare() -> Probe {
    Probe {
        built: Built {
            ort: Err("not found; tried:\n/a\n/b".into()),
            opencv: None,
            compositor: "scalar".into(),
        },
        machine: Machine {
            cpu: "Some CPU".into(),
            arch: "x86_64",
            cores: 1,
            cpu_features: vec!["avx2".into(), "fma".into()],
            memory_mb: 2048,
            os: "Debian".into(),
            kernel: "6.1".into(),
            engine_version: "0.1.0",
        },
        openvino: OpenVino::NotFound("no OpenVINO found".into()),
        libcuda: None,
        kernel_driver: None,
        gpus: Gpus::None { short: "no NVIDIA driver", why: "no driver".into(), advice: None },
        tensorrt: Flavour::ALL.map(none_of).into(),
        nvrtc: Err(NoNvrtc { looked: "everywhere".into() }),
        ffmpeg: Tool::Missing,
    }
}

fn none_of(flavour: Flavour) -> Installed {
    let library = Err(NotFound::Nowhere { flavour, looked: "everywhere".into() });
    Installed { flavour, headers: None, library }
}

fn equipped() -> Probe {
    Probe {
        built: Built {
            ort: Ok("/lib/libonnxruntime.so".into()),
            opencv: Some("4.6.0".into()),
            compositor: "avx2".into(),
        },
        machine: Machine { cores: 16, ..bare().machine },
        openvino: OpenVino::Usable {
            path: "/lib/libopenvino_c.so".into(),
            version: "2026.4.1".into(),
            precisions: vec!["fp32", "bf16"],
        },
        libcuda: Some("/lib/libcuda.so.1".into()),
        kernel_driver: Some("580.95.05".into()),
        gpus: Gpus::Listed(["GPU 0: NVIDIA H200", "GPU 1: NVIDIA L4"].map(str::to_owned).into()),
        tensorrt: vec![],
        nvrtc: Ok("/lib/libnvrtc.so.13".into()),
        ffmpeg: Tool::Said("ffmpeg version 5.1.6-0+deb12u1 Copyright (c)\nbuilt with".into()),
    }
}

fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let mut lines = text.lines().take_while(|line| !line.starts_with("What"));
    lines.find(|line| line[9..].starts_with(name)).unwrap()
}

#[test]
fn a_bare_machine_is_told_what_to_do() {
    let text = bare().report().to_string();
    assert_eq!(line(&text, "ONNX"), "missing  ONNX Runtime  not found; tried:");
    assert!(text.contains(&format!("\n{}/a\n{}/b\n", " ".repeat(23), " ".repeat(23))), "{text}");
    assert!(line(&text, "OpenCV").starts_with("missing  OpenCV        built without it"));
    assert!(line(&text, "compositor").starts_with("note     compositor    scalar"));
    assert_eq!(line(&text, "CUDA"), "note     CUDA driver   none, not needed on the CPU");
    let advice = text.split_once("\nWhat to do\n").unwrap().1;
    for (start, words) in [
        ("  cores: ", "container's CPU limit"),
        ("  ONNX Runtime: ", "scripts/setup"),
        ("  ONNX Runtime: ", "ORT_DYLIB_PATH"),
        ("  OpenVINO: ", "pip install openvino"),
        ("  OpenCV: ", "libopencv-dev"),
        ("  ffmpeg: ", "apt-get install ffmpeg"),
    ] {
        let line = advice.lines().find(|line| line.starts_with(start)).unwrap();
        assert!(line.contains(words), "{line}");
    }
    assert_eq!(advice.lines().count(), 5);
    assert_eq!(line(&text, "OpenVINO"), "note     OpenVINO      no OpenVINO found");
}

#[test]
fn an_equipped_machine_has_nothing_to_do() {
    let text = equipped().report().to_string();
    if cfg!(not(feature = "cuda")) {
        let gpus = "note     GPUs          GPU 0: NVIDIA H200, GPU 1: NVIDIA L4; this program";
        assert!(line(&text, "GPUs").starts_with(gpus), "{text}");
        assert!(text.ends_with("  GPUs: Build it with the feature \"cuda\".\n"), "{text}");
        return;
    }
    let gpus = format!("ok       GPUs          GPU 0: NVIDIA H200\n{}GPU 1: ", " ".repeat(23));
    assert!(text.contains(&gpus), "{text}");
    assert!(text.ends_with("\n\nNothing to do.\n"), "{text}");
    assert!(!text.contains("missing"), "{text}");
    assert_eq!(line(&text, "cpu"), "ok       cpu           Some CPU: avx2 fma");
    assert_eq!(line(&text, "memory"), "ok       memory        2.0 GiB");
    assert_eq!(line(&text, "CUDA"), "ok       CUDA driver   580.95.05, /lib/libcuda.so.1");
    assert_eq!(line(&text, "ffmpeg"), "ok       ffmpeg        5.1.6-0+deb12u1");
    let openvino = "ok       OpenVINO      2026.4.1, /lib/libopenvino_c.so";
    assert_eq!(line(&text, "OpenVINO"), openvino);
    assert!(text.contains(&format!("\n{}computes in fp32, bf16 on this CPU", " ".repeat(23))));
}

#[test]
fn a_driver_without_its_library_is_a_container_without_gpus() {
    let probe = Probe { libcuda: None, ..equipped() };
    let text = probe.report().to_string();
    assert!(line(&text, "CUDA").contains("has 580.95.05, but there is no libcuda.so.1"));
    assert!(text.contains("\n  CUDA driver: In a container, start it with --gpus all"), "{text}");
}

#[test]
fn a_library_of_the_driver_is_enough_where_gpus_answer() {
    let dumb = Gpus::None { short: "no GPU", why: "none".into(), advice: Some("Do this.") };
    let probe = Probe { kernel_driver: None, gpus: dumb, ..equipped() };
    let text = probe.report().to_string();
    assert!(line(&text, "CUDA").ends_with("/libcuda.so.1, but the kernel has loaded no driver"));
    assert_eq!(line(&text, "GPUs"), "missing  GPUs          none");
    assert!(text.ends_with("\n  GPUs: Do this.\n"), "{text}");
    let probe = Probe { kernel_driver: None, ..equipped() };
    let text = probe.report().to_string();
    let said = line(&text, "CUDA") == "ok       CUDA driver   /lib/libcuda.so.1";
    assert_eq!(said, cfg!(feature = "cuda"), "{text}");
}
