//! `doctor`, on this machine and over stand-ins for NVIDIA's libraries.

use std::path::Path;

use engine_sys::{Flavour, Loader};

use crate::support::{Answer, Workplace, has_onnxruntime};

/// Runs `doctor` where TensorRT is in `tensorrt`, and the driver is what `variables` make of it.
fn doctor(work: &Workplace, tensorrt: &Path, variables: &[(&str, &str)]) -> Answer {
    let mut command = work.command(&["doctor"]);
    command.env("TENSORRT_LIB_DIR", tensorrt).env_remove("LD_LIBRARY_PATH");
    command.envs(variables.iter().copied());
    Answer::of(&["doctor"], command.output().unwrap()).assert_ok()
}

/// What makes the stand-in for the driver this machine's.
fn driver() -> (&'static str, &'static str) {
    ("LD_LIBRARY_PATH", engine_doubles::cuda_dir().to_str().unwrap())
}

/// What is said about `name`, mark included.
#[track_caller]
fn line<'a>(answer: &'a Answer, name: &str) -> String {
    let mut lines = answer.text().lines();
    let line = lines.find(|line| line.get(9..).is_some_and(|line| line.starts_with(name)));
    let line: &'a str = line.unwrap_or_else(|| panic!("no {name} in {}", answer.text()));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The flavours that this program and the stand-ins were built with, and the stand-ins' folders.
fn stand_ins() -> Vec<(Flavour, &'static Path)> {
    if cfg!(not(feature = "tensorrt")) {
        eprintln!("SKIPPED: built without the feature \"tensorrt\"; test with it");
        return Vec::new();
    }
    let built = |flavour| Some((flavour, engine_doubles::tensorrt_dir(flavour)?));
    let built: Vec<_> = Flavour::ALL.into_iter().filter_map(built).collect();
    if built.is_empty() {
        eprintln!("SKIPPED: built without TensorRT's headers; run scripts/setup and build again");
    }
    built
}

/// Makes the file `name` in `folder` another name of the library of `flavour`.
fn link(work: &Workplace, folder: &str, name: &str, flavour: Flavour) {
    std::fs::create_dir_all(work.path(folder)).unwrap();
    let library = engine_doubles::tensorrt_library(flavour).unwrap();
    std::os::unix::fs::symlink(library, work.path(folder).join(name)).unwrap();
}

#[test]
fn everything_is_reported_on() {
    let work = Workplace::empty();
    let answer = work.run(&["doctor"]).assert_ok();
    let names = ["engine", "system", "cpu", "compositor", "cores", "memory", "ONNX Runtime"];
    let names = names.into_iter().chain(["OpenCV", "CUDA driver", "GPUs", "ffmpeg"]);
    for name in names.chain(Flavour::ALL.map(Flavour::title)) {
        line(&answer, name);
    }
    if has_onnxruntime() {
        assert!(line(&answer, "ONNX Runtime").starts_with("ok "), "{}", answer.text());
    }
    work.write("text.so", "no library");
    let answer = work.run(&["doctor", "--ort-lib", "text.so"]).assert_ok();
    assert!(line(&answer, "ONNX Runtime").starts_with("missing "), "{}", answer.text());
    assert!(answer.text().contains("What to do"), "{}", answer.text());
}

#[test]
fn a_library_and_a_gpu_are_usable() {
    let work = Workplace::empty();
    for (flavour, folder) in stand_ins() {
        let answer = doctor(&work, folder, &[driver()]);
        let gpu = "ok GPUs GPU 0: Engine Double, compute capability 9.0, 8.0 GiB; the driver knows \
                   CUDA up to 13.0";
        assert_eq!(line(&answer, "GPUs"), gpu);
        let said = line(&answer, "CUDA driver");
        let library = format!("{}/libcuda.so.1", driver().1);
        assert!(said.starts_with("ok ") && said.ends_with(&library), "{said}");
        // The stand-in is as old as the headers that it was built with.
        let version = flavour.headers().unwrap();
        let usable = |origin| {
            format!(
                "ok {} usable: runs and builds engines; library {version} from {origin}: {}, its \
                 parser found; built with headers {version}",
                flavour.title(),
                folder.join(flavour.runtime_library()).display()
            )
        };
        assert_eq!(line(&answer, flavour.title()), usable("TENSORRT_LIB_DIR"));
        for other in Flavour::ALL.into_iter().filter(|other| *other != flavour) {
            let said = line(&answer, other.title());
            let start = format!(
                "note {} not usable: {}: the folder holds no such library",
                other.title(),
                folder.display()
            );
            assert!(said.starts_with(&start), "{said}");
            assert!(said.contains(other.runtime_library()), "{said}");
        }
        let named = ["doctor", "--tensorrt-lib", folder.to_str().unwrap()];
        let mut command = work.command(&named);
        command.env("TENSORRT_LIB_DIR", "/none").env(driver().0, driver().1);
        let answer = Answer::of(&named, command.output().unwrap()).assert_ok();
        assert_eq!(line(&answer, flavour.title()), usable("--tensorrt-lib"));
    }
}

#[test]
fn without_a_driver_only_rtx_is_of_use() {
    if let Some(driver) = Loader::of_this_process().find("libcuda.so.1") {
        let driver = driver.display();
        eprintln!("SKIPPED: this machine has a driver ({driver}); run it where none is");
        return;
    }
    let work = Workplace::empty();
    for (flavour, folder) in stand_ins() {
        let answer = doctor(&work, folder, &[]);
        let said = line(&answer, flavour.title());
        let verdict = match flavour {
            Flavour::Rtx => "builds engines, does not run them: no NVIDIA driver; library ",
            Flavour::V11 | Flavour::V10 => "not usable: no NVIDIA driver; library ",
        };
        let start = format!("note {} {verdict}{}", flavour.title(), flavour.headers().unwrap());
        assert!(said.starts_with(&start), "{said}");
        assert_eq!(line(&answer, "CUDA driver"), "note CUDA driver none, not needed on the CPU");
        let gpus = line(&answer, "GPUs");
        assert!(gpus.starts_with("note GPUs no usable NVIDIA driver: libcuda.so.1"), "{gpus}");
    }
}

#[test]
fn a_driver_that_is_of_no_use_says_why() {
    let work = Workplace::empty();
    for (flavour, folder) in stand_ins() {
        for (variable, value, short, gpus) in [
            (
                "ENGINE_DOUBLES_DRIVER",
                "12040",
                "the NVIDIA driver is too old",
                "missing GPUs the NVIDIA driver knows CUDA 12.4; the engine needs 12.8 (driver 570) \
                 or newer",
            ),
            (
                "ENGINE_DOUBLES_NO_DEVICE",
                "1",
                "no GPU",
                "missing GPUs the NVIDIA driver finds no GPU",
            ),
            (
                "ENGINE_DOUBLES_FAIL",
                "cuInit=1:803",
                "no NVIDIA driver",
                "missing GPUs no usable NVIDIA driver: system has unsupported display driver / cuda \
                 driver combination (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)",
            ),
        ] {
            let answer = doctor(&work, folder, &[driver(), (variable, value)]);
            assert_eq!(line(&answer, "GPUs"), gpus);
            let said = line(&answer, flavour.title());
            assert!(said.contains(&format!(": {short}; library ")), "{said}");
            assert!(answer.text().contains("\n  GPUs: "), "{}", answer.text());
        }
    }
}

#[test]
fn libraries_that_are_not_what_their_names_say() {
    let work = Workplace::empty();
    let built = stand_ins();
    for (flavour, _) in &built {
        let (title, name) = (flavour.title(), flavour.runtime_library());
        let folder = format!("text-{flavour}");
        std::fs::create_dir(work.path(&folder)).unwrap();
        let file = format!("{folder}/{name}");
        work.write(&file, "no library");
        let said = line(&doctor(&work, &work.path(&folder), &[driver()]), title);
        let start = format!(
            "missing {title} not usable: {}: cannot be loaded as {title}: ",
            work.path(&file).display()
        );
        assert!(said.starts_with(&start), "{said}");
        let parser = format!("no parser ({})", flavour.parser_library());
        for part in ["; the file is from TENSORRT_LIB_DIR", &parser, "built with headers"] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }

        for (other, _) in built.iter().filter(|(other, _)| other != flavour) {
            let folder = format!("{other}-as-{flavour}");
            link(&work, &folder, name, *other);
            let said = line(&doctor(&work, &work.path(&folder), &[driver()]), title);
            let expected = format!(
                "missing {title} not usable: {}: is version {}; expected {title} (version {}.x); \
                 the file is from TENSORRT_LIB_DIR",
                work.path(&folder).join(name).display(),
                other.headers().unwrap(),
                flavour.major()
            );
            assert!(said.starts_with(&expected), "{said}");
        }
    }
}

#[test]
fn a_library_without_its_parser_builds_nothing() {
    let work = Workplace::empty();
    for (flavour, _) in stand_ins() {
        let folder = flavour.to_string();
        link(&work, &folder, flavour.runtime_library(), flavour);
        let answer = doctor(&work, &work.path(&folder), &[driver()]);
        let said = line(&answer, flavour.title());
        let start = format!("ok {} usable: runs engines, builds none; library", flavour.title());
        assert!(said.starts_with(&start), "{said}");
        assert!(said.contains(&format!("no parser ({})", flavour.parser_library())), "{said}");
    }
}

#[test]
fn a_folder_that_is_none_is_missed() {
    let work = Workplace::empty();
    let answer = doctor(&work, Path::new("none"), &[]);
    for flavour in Flavour::ALL {
        let said = line(&answer, flavour.title());
        let start = format!("missing {} not usable: ", flavour.title());
        assert!(said.starts_with(&start) && said.contains("/none: no such folder; "), "{said}");
        let how = "this program was built without it: run scripts/setup";
        let built = cfg!(feature = "tensorrt") && flavour.headers().is_some();
        assert_eq!(said.contains(how), !built, "{said}");
    }
}
