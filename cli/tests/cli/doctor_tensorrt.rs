//! `doctor` over stand-ins for NVIDIA's libraries.

use std::os::unix::fs::symlink;
use std::path::Path;

use engine_sys::{Flavour, Loader};

use crate::doctor::line;
use crate::stand_ins::{Rig, flavours};
use crate::support::{Answer, Workplace};

/// Runs `doctor` with more variables in its environment.
fn doctor(rig: &Rig<'_>, variables: &[(&str, &str)]) -> Answer {
    let mut command = rig.command(&["doctor"]);
    command.envs(variables.iter().copied());
    Answer::of(&["doctor"], command.output().unwrap()).assert_ok()
}

/// Runs it with the libraries of a folder of the workplace.
fn doctor_of(rig: &Rig<'_>, folder: &str) -> Answer {
    doctor(rig, &[("TENSORRT_LIB_DIR", rig.work.path(folder).to_str().unwrap())])
}

/// Makes the file `name` in `folder` another name of the library of `flavour`.
fn link(work: &Workplace, folder: &str, name: &str, flavour: Flavour) {
    std::fs::create_dir_all(work.path(folder)).unwrap();
    let library = engine_doubles::tensorrt_library(flavour).unwrap();
    symlink(library, work.path(folder).join(name)).unwrap();
}

#[test]
fn a_library_and_a_gpu_are_usable() {
    let work = Workplace::empty();
    for flavour in flavours() {
        let rig = Rig::new(&work, flavour);
        let answer = doctor(&rig, &[]);
        let gpu = "ok GPUs GPU 0: Engine Double, compute capability 9.0, 8.0 GiB; the driver knows \
                   CUDA up to 13.0";
        assert_eq!(line(&answer, "GPUs"), gpu);
        let said = line(&answer, "CUDA driver");
        let library = engine_doubles::cuda_dir().join("libcuda.so.1").display().to_string();
        assert!(said.starts_with("ok ") && said.ends_with(&library), "{said}");

        // The stand-in is as old as the headers that it was built with.
        let version = flavour.headers().unwrap();
        let folder = engine_doubles::tensorrt_dir(flavour).unwrap();
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
        let output = rig.command(&named).env("TENSORRT_LIB_DIR", "/none").output().unwrap();
        let answer = Answer::of(&named, output).assert_ok();
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
    for flavour in flavours() {
        let answer = doctor(&Rig { driver: false, ..Rig::new(&work, flavour) }, &[]);
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
    for flavour in flavours() {
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
            let answer = doctor(&Rig::new(&work, flavour), &[(variable, value)]);
            assert_eq!(line(&answer, "GPUs"), gpus);
            let said = line(&answer, flavour.title());
            assert!(said.contains(&format!(": {short}; library ")), "{said}");
            assert!(answer.text().contains("\n  GPUs: "), "{}", answer.text());
        }
    }
}

#[test]
fn a_text_file_is_no_library() {
    let work = Workplace::empty();
    for flavour in flavours() {
        let (title, folder) = (flavour.title(), flavour.to_string());
        std::fs::create_dir(work.path(&folder)).unwrap();
        let file = Path::new(&folder).join(flavour.runtime_library());
        work.write(file.to_str().unwrap(), "no library");
        let answer = doctor_of(&Rig::new(&work, flavour), &folder);
        let said = line(&answer, title);
        let file = work.path(&folder).join(flavour.runtime_library());
        let start = format!(
            "missing {title} not usable: {}: cannot be loaded as {title}: ",
            file.display()
        );
        assert!(said.starts_with(&start), "{said}");
        let parser = format!("no parser ({})", flavour.parser_library());
        for part in ["; the file is from TENSORRT_LIB_DIR", &parser, "built with headers"] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
        let advice = format!("\n  {title}: To replace the file, ");
        assert!(answer.text().contains(&advice), "{}", answer.text());
    }
}

#[test]
fn a_library_under_another_one_s_name_is_told_by_its_version() {
    let work = Workplace::empty();
    let flavours = flavours();
    for flavour in &flavours {
        for other in flavours.iter().filter(|other| *other != flavour) {
            let (title, folder) = (flavour.title(), format!("{other}-as-{flavour}"));
            link(&work, &folder, flavour.runtime_library(), *other);
            let said = line(&doctor_of(&Rig::new(&work, *flavour), &folder), title);
            let start = format!(
                "missing {title} not usable: {}: is version {}; expected {title} (version {}.x); \
                 the file is from TENSORRT_LIB_DIR",
                work.path(&folder).join(flavour.runtime_library()).display(),
                other.headers().unwrap(),
                flavour.major()
            );
            assert!(said.starts_with(&start), "{said}");
        }
    }
}

#[test]
fn a_library_without_its_parser_builds_nothing() {
    let work = Workplace::empty();
    for flavour in flavours() {
        let (title, folder) = (flavour.title(), flavour.to_string());
        link(&work, &folder, flavour.runtime_library(), flavour);
        let said = line(&doctor_of(&Rig::new(&work, flavour), &folder), title);
        let start = format!("ok {title} usable: runs engines, builds none; library");
        assert!(said.starts_with(&start), "{said}");
        assert!(said.contains(&format!("no parser ({})", flavour.parser_library())), "{said}");
    }
}
