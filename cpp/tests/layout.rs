//! engine.h and the Rust side agree: struct by struct, constant by constant, as a C compiler sees
//! them.

use std::fmt::Write as _;
use std::mem::{offset_of, size_of};
use std::path::Path;
use std::process::Command;

use engine_cpp::ffi::{
    EngineFrameView, EngineInfo, EngineOptions, EngineStageRates, EngineStatistics, EngineSummary,
    SPEECH_PACKAGE, SPEECH_PUSHED, VERSION,
};

/// Assertions about one struct.
macro_rules! layout {
    ($code:ident, $c:literal, $rust:ty, $($field:ident),+) => {
        writeln!($code, "ASSERT(sizeof({}) == {});", $c, size_of::<$rust>()).unwrap();
        $(
            let (name, offset) = (stringify!($field), offset_of!($rust, $field));
            writeln!($code, "ASSERT(offsetof({}, {name}) == {offset});", $c).unwrap();
        )+
    };
}

#[test]
fn the_header_describes_what_the_library_has() {
    let mut code = String::from(
        "#include <engine/engine.h>\n#define ASSERT(what) _Static_assert(what, #what)\n",
    );
    layout!(
        code,
        "engine_options",
        EngineOptions,
        version,
        backend,
        model,
        simulated_ms,
        onnxruntime_library,
        provider,
        device,
        threads,
        lanes,
        tensorrt_folder,
        profile,
        openvino_library,
        streams,
        cuda_graphs,
        precision,
        trust_engine,
        mode,
        batch,
        workers,
        inputs,
        frame_store,
        ram_budget,
        region_budget,
        compositor,
        interpolation,
        queued_frames,
        held_frames,
        pushed_rows,
        reserved
    );
    layout!(
        code,
        "engine_frame_view",
        EngineFrameView,
        data,
        width,
        height,
        stride,
        index,
        seconds
    );
    layout!(code, "engine_summary", EngineSummary, count, mean, p50, p90, p95, p99, max);
    layout!(
        code,
        "engine_statistics",
        EngineStatistics,
        frames,
        cancelled,
        reserved,
        wall_seconds,
        frames_per_second,
        inference_ms,
        composite_ms,
        composite_cpu_ms,
        assemble_ms,
        deliver_ms
    );
    layout!(
        code,
        "engine_stage_rates",
        EngineStageRates,
        decode,
        assemble,
        infer,
        composite,
        bound
    );
    layout!(
        code,
        "engine_info",
        EngineInfo,
        width,
        height,
        frames_per_second,
        background_frames,
        network_side,
        batch,
        workers,
        backend,
        provider,
        package
    );
    for (name, value) in [
        ("ENGINE_VERSION", VERSION),
        ("ENGINE_SPEECH_PACKAGE", SPEECH_PACKAGE as u32),
        ("ENGINE_SPEECH_PUSHED", SPEECH_PUSHED as u32),
    ] {
        writeln!(code, "ASSERT({name} == {value});").unwrap();
    }

    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("layout.c");
    std::fs::write(&source, code).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let compiled = Command::new(&compiler)
        .args(["-std=c11", "-fsyntax-only", "-I"])
        .args([&include, &source])
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}; scripts/setup installs a compiler"));
    let errors = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{errors}");
}

#[test]
fn every_function_of_the_header_is_exported_and_no_other() {
    let header = include_str!("../include/engine/engine.h");
    let code = header.split("*/").filter_map(|part| part.split("/*").next());
    let mut declared: Vec<&str> = code
        .flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '('))
        .filter_map(|word| word.split_once('(').map(|(name, _)| name))
        .filter(|name| name.starts_with("engine_"))
        .collect();
    declared.sort_unstable();
    declared.dedup();
    // Macros in the header use one of them as well.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ffi");
    let mut exported = Vec::new();
    for file in std::fs::read_dir(sources).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for part in text.split("#[unsafe(no_mangle)]").skip(1) {
            let name = part.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).unwrap();
            exported.push(name.to_owned());
        }
    }
    exported.sort_unstable();
    assert_eq!(declared, exported);
}

#[test]
fn the_cpp_headers_are_of_the_same_version() {
    let [major, minor, _] = [22, 12, 0].map(|shift| VERSION >> shift & 0x3ff);
    let namespace = format!("inline namespace v{major}_{minor} {{");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/engine");
    let mut headers = 0;
    for folder in [folder.clone(), folder.join("detail")] {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_owned();
            if path.extension().is_some_and(|end| end == "hpp") && name != "engine.hpp" {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.contains(&namespace), "{}: no {namespace}", path.display());
                headers += 1;
            }
        }
    }
    assert_eq!(headers, 8);
}
