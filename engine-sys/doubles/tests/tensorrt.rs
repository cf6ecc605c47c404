//! The stand-ins for TensorRT, driven by a C++ program that is compiled against NVIDIA's headers.
#![expect(clippy::unwrap_used, reason = "the tests' own files and programs")]
#![expect(unsafe_code, reason = "one test loads the libraries itself")]

mod model;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use engine_doubles::{altered, cuda_dir, plan, tensorrt_dir, tensorrt_headers, tensorrt_library};
use engine_sys::Flavour;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

const SIDE: usize = 8;

/// The flavours that were built; says which were not.
fn built() -> Vec<Flavour> {
    let (built, absent): (Vec<_>, Vec<_>) =
        Flavour::ALL.into_iter().partition(|&flavour| tensorrt_dir(flavour).is_some());
    for flavour in absent {
        eprintln!(
            "SKIPPED {}: built without its headers; run scripts/setup and build again",
            flavour.title()
        );
    }
    built
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Compiles the program for one flavour. AddressSanitizer finds leaks in all libraries, and writes
/// to freed memory in the program.
fn compile(flavour: Flavour) -> PathBuf {
    let program = folder().join(format!("selftest-{flavour}"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let libraries = tensorrt_dir(flavour).unwrap();
    let mut compiler = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    compiler
        .args(["-std=c++17", "-g", "-O1", "-pthread", "-Wall", "-Wextra"])
        .args(["-Wno-deprecated-declarations", "-fsanitize=address", "-isystem"])
        .arg(tensorrt_headers(flavour).unwrap())
        .arg("-isystem")
        .arg(source.join("../../cpp/shim/cuda"))
        .arg("-I")
        .arg(source.join("cpp"))
        .arg(source.join("tests/selftest/main.cpp"))
        .arg("-o")
        .arg(&program)
        .args([libraries.join(flavour.runtime_library()), libraries.join(flavour.parser_library())])
        .args([cuda_dir().join("libcuda.so"), cuda_dir().join("libengine_doubles.so")])
        .args([libraries, cuda_dir()].map(|folder| format!("-Wl,-rpath,{}", folder.display())));
    let output = compiler.output().unwrap();
    assert!(output.status.success(), "{compiler:?}: {}", text(&output.stderr));
    program
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The compiled program, once for all tests of this process.
fn program(flavour: Flavour) -> &'static Path {
    static PROGRAMS: [OnceLock<PathBuf>; 3] = [const { OnceLock::new() }; 3];
    let at = Flavour::ALL.iter().position(|&other| other == flavour).unwrap();
    PROGRAMS[at].get_or_init(|| compile(flavour))
}

fn selftest(flavour: Flavour, scenario: &str, environment: &[(&str, &str)]) -> Output {
    let file = |ending: &str| folder().join(format!("{flavour}-{scenario}.{ending}"));
    fs::write(file("onnx"), model::probe(SIDE, "")).unwrap();
    fs::write(file("foreign.onnx"), model::probe(SIDE, "nobody")).unwrap();
    Command::new(program(flavour))
        .arg(scenario)
        .args([file("onnx"), file("foreign.onnx"), file("plan")])
        .env_remove("ENGINE_DOUBLES_CC")
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn succeeds(scenario: &str, environment: &[(&str, &str)]) {
    for flavour in built() {
        let output = selftest(flavour, scenario, environment);
        let (out, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success() && out == "done\n", "{flavour} {scenario}: {errors}");
    }
}

#[test]
fn models_become_frames_by_hand_and_by_graphs() {
    for flavour in built() {
        let log = folder().join(format!("{flavour}.log"));
        let _ = fs::remove_file(&log);
        let output = selftest(flavour, "run", &[("ENGINE_DOUBLES_LOG", log.to_str().unwrap())]);
        assert!(output.status.success(), "{flavour}: {}", text(&output.stderr));

        let events = fs::read_to_string(&log).unwrap();
        let ends: Vec<_> = events.lines().filter(|line| line.starts_with("destroy ")).collect();
        let last = ["destroy context", "destroy engine", "destroy runtime"];
        assert!(ends.ends_with(&last), "{flavour}: {ends:?}");
        let built = ["create builder", "create network", "create parser", "create config"];
        let starts: Vec<_> = events.lines().filter(|line| line.starts_with("create ")).collect();
        assert!(starts.starts_with(&built), "{flavour}: {starts:?}");

        let made = fs::read(folder().join(format!("{flavour}-run.plan"))).unwrap();
        assert_eq!(text(&made), text(&plan(flavour, SIDE, [1, 2, 3])), "{flavour}");
    }
}

#[test]
fn every_refusal_says_why() {
    succeeds("refusals", &[]);
    succeeds("parser", &[]);
    succeeds("engines", &[]);
    succeeds("contexts", &[]);
    succeeds("homeless", &[]);
}

#[test]
fn every_call_can_fail_and_leaves_nothing() {
    succeeds("faults", &[]);
}

#[test]
fn a_library_without_a_driver_gives_a_small_number() {
    succeeds("bogus", &[("ENGINE_DOUBLES_BOGUS_RUNTIME", "1")]);
}

#[test]
fn broken_rules_end_the_process() {
    let rules = [
        ("caller", "was called for the version number"),
        ("builder", "a builder is destroyed while 1 of its networks and configurations live"),
        ("weights", "after its parser, which owns its weights, was destroyed"),
        ("network", "a network is destroyed while its parser lives"),
        ("runtime", "a runtime is destroyed while 1 of its engines live"),
        ("engine", "an engine is destroyed while 1 of its execution contexts live"),
        ("streams", "enqueued on a second stream"),
        ("pending", "an execution context is destroyed while its work is pending"),
        ("replay", "a graph runs work of an execution context that was destroyed"),
    ];
    for flavour in built() {
        for (scenario, message) in rules {
            let output = selftest(flavour, scenario, &[]);
            let errors = text(&output.stderr);
            assert!(errors.contains(message), "{flavour} {scenario}: {errors}");
            assert_eq!(output.status.signal(), Some(6), "{flavour} {scenario}: {errors}");
        }
    }
}

#[test]
fn all_flavours_live_in_one_process() {
    let open = |flavour: Flavour| {
        // SAFETY: the library was built with this package; it has no initialisers of its own.
        unsafe { Library::open(tensorrt_library(flavour), RTLD_NOW | RTLD_LOCAL) }.unwrap()
    };
    let libraries: Vec<_> = built().into_iter().map(|flavour| (flavour, open(flavour))).collect();
    for (flavour, library) in &libraries {
        // SAFETY: TensorRT's headers give the function this type.
        let major = unsafe {
            library.get::<unsafe extern "C" fn() -> i32>(b"getInferLibMajorVersion").unwrap()()
        };
        assert_eq!(u32::try_from(major), Ok(flavour.major()));
    }
}

#[test]
fn an_altered_plan_is_whole() {
    for flavour in built() {
        let plan = plan(flavour, SIDE, [1, 2, 3]);
        assert_eq!(altered(&altered(&plan, "version", "VERSION"), "VERSION", "version"), plan);
    }
}
