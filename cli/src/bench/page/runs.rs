//! All runs as a table.

use maud::{Markup, html};

use super::super::report::Report;
use super::source::{Figure, Source};
use super::{at, configuration, part, scrolling};

pub(super) fn section(report: &Report, source: &Source) -> Markup {
    let repeated = report.runs.iter().any(|run| run.repeat.n > 1);
    let table = html! {
        table {
            caption.hidden { "all settings in the order in which they ran" }
            thead {
                tr {
                    th scope="col" { "configuration" }
                    th scope="col" { "frames/s" }
                    @if repeated { th scope="col" { "of repeats" } }
                    th scope="col" { "speed-up" }
                    th scope="col" { "inference ms" br; small data-static { "p50 / p95 / p99" } }
                    th scope="col" { "composite ms" br; small data-static { "p50 / p95 / p99" } }
                    th scope="col" { "limit" }
                    th scope="col" { "efficiency" }
                    th scope="col" { "MiB" }
                }
            }
            tbody {
                @for index in 0..report.runs.len() { (row(report, source, index, repeated)) }
            }
        }
    };
    let lead = html! {
        "Each setting was warmed up, then run over "
        (source.plain("runs.0.frames")) " frames (sink: " (source.plain("runs.0.sink")) "). Inference and \
         compositing are wall time a frame, one value a batch; efficiency is frames/s over those of \
         the slowest stage alone, the limit."
    };
    part("runs", "All runs", &lead, &scrolling("all runs", &table))
}

fn row(report: &Report, source: &Source, index: usize, repeated: bool) -> Markup {
    let path = |rest: &str| at(index, rest);
    let best = report.best == Some(index);
    html! {
        tr class=[best.then_some("best")] {
            th scope="row" { (configuration(report, source, index)) }
            td { (source.fixed(&path("fps"))) }
            @if repeated {
                td {
                    (source.fixed(&path("repeat.fps_min"))) " to "
                    (source.fixed(&path("repeat.fps_max")))
                }
            }
            td { (source.fixed(&path("speedup"))) }
            td { (source.percentiles(&path("inference_ms"))) }
            td { (source.percentiles(&path("composite_ms"))) }
            td { (source.plain(&path("bound_by"))) }
            td { (source.figure(Figure::new(&path("efficiency"), 3))) }
            td { (source.figure(Figure::new(&path("peak_rss_mb"), 0))) }
        }
    }
}
