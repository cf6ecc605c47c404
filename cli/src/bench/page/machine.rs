//! What was measured, on what, and how to do it again.

use maud::{Markup, html};

use super::super::report::Report;
use super::source::{Figure, Source};
use super::{at, part, scrolling};

pub(super) fn section(report: &Report, source: &Source) -> Markup {
    let best = report.best.unwrap_or(0);
    let of_best = |rest: &str| source.plain(&at(best, rest));
    let plain = |path: &str| source.plain(path);
    let row =
        |name: &str, value: &Markup| html! { tr { th scope="row" { (name) } td { (value) } } };
    let list = |path: &str, count: usize| {
        html! {
            @for index in 0..count {
                @if index > 0 { ", " }
                (source.plain(&format!("{path}.{index}")))
            }
        }
    };
    let features = list("machine.cpu_features", report.machine.cpu_features.len());
    let table = html! {
        table.facts {
            caption.hidden { "machine, versions and inputs" }
            tbody {
                (row("measured", &plain("measured_at")))
                (row("engine", &plain("machine.engine_version")))
                (row("processor", &html! {
                    (plain("machine.cpu")) " (" (plain("machine.arch")) "), "
                    (plain("machine.cores")) " cores for this process"
                }))
                (row("instructions", &features))
                (row("memory", &html! { (plain("machine.memory_mb")) " MiB" }))
                (row("system", &html! { (plain("machine.os")) ", Linux " (plain("machine.kernel")) }))
                @if !report.gpus.is_empty() { (row("GPUs", &list("gpus", report.gpus.len()))) }
                (row("backend", &html! { (of_best("backend")) ", " (of_best("provider")) }))
                @if report.libraries.backend.is_some() {
                    (row("its library", &plain("libraries.backend")))
                }
                @if report.libraries.opencv.is_some() { (row("OpenCV", &plain("libraries.opencv"))) }
                (row("network", &html! {
                    (plain("model.file")) ", " (plain("model.side")) " × " (plain("model.side"))
                    ", batch " (plain("model.batch"))
                    @if report.model.simulated_ms.is_some() {
                        "; simulated, " (plain("model.simulated_ms")) " ms a frame"
                    }
                }))
                (row("package", &html! {
                    (plain("package.path")) ": " (plain("package.frames")) " frames of "
                    (plain("package.width")) " × " (plain("package.height")) ", "
                    (plain("package.form")) ", " (plain("package.inputs")) " inputs"
                }))
                (row("frames", &html! {
                    (of_best("frame_store"))
                    @if report.preload_s.is_some() {
                        ", " (source.figure(Figure::new("package.decoded_mb", 0))) " MB loaded in "
                        (source.fixed("preload_s")) " s"
                    }
                }))
                (row("compositor", &of_best("compositor")))
                (row("sink", &of_best("sink")))
                (row("threads", &html! {
                    "network " (of_best("threads.backend")) ", compositing "
                    (of_best("threads.composite")) ", decoder " (of_best("threads.decoder"))
                    ", sink " (of_best("threads.sink"))
                }))
                (row("command", &html! { code { (plain("command")) } }))
            }
        }
    };
    let alone = html! {
        table {
            caption { "each stage alone, frames/s" }
            thead {
                tr { @for name in STAGES { th scope="col" { (name) } } }
            }
            tbody {
                tr {
                    @for name in STAGES {
                        @let path = at(best, &format!("stage_fps.{name}"));
                        td { (source.figure(Figure::new(&path, 1))) }
                    }
                }
            }
        }
    };
    let lead = html! { "Backend, threads and stages are those of the fastest run." };
    part(
        "machine",
        "Machine and versions",
        &lead,
        &html! { (scrolling("each stage alone", &alone)) (table) },
    )
}

const STAGES: [&str; 5] = ["decode", "assemble", "infer", "composite", "save"];
