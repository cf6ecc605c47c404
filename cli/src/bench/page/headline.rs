//! What came out, in one look.

use maud::{Markup, html};

use super::super::report::Report;
use super::source::{Figure, Source};
use super::{at, configuration};

/// Seconds a frame may take in real time: the reciprocal of the package's 25 frames a second.
const REAL_TIME: f64 = 0.04;

pub(super) fn section(report: &Report, source: &Source) -> Markup {
    let Some(best) = report.best else { return html! {} };
    let in_best = |rest: &str| at(best, rest);
    let share = |part: &str| source.figure(Figure::new(&in_best(part), 1).times(100.0));
    // The rest of the advice is what the lines above say.
    let more = |line: &String| line.starts_with("note:") || line.starts_with("device:");
    let said: Vec<usize> =
        (0..report.advice.len()).filter(|&index| more(&report.advice[index])).collect();
    html! {
        header {
            p.kicker { "engine-cli bench" }
            h1 {
                span.big { (source.figure(Figure::new(&in_best("fps"), 1))) }
                " frames/s"
            }
            p.lead {
                "with " (configuration(report, source, best))
                @if report.runs.len() > 1 {
                    ", the fastest of " span data-static { (report.runs.len()) } " settings"
                }
                ": "
                b { (source.figure(Figure::new(&in_best("fps"), 2).times(REAL_TIME))) " × real time" }
                " (at " span data-static { "25" } " frames/s), "
                (source.fixed(&in_best("speedup"))) " × the sequential baseline."
            }
            dl.tiles {
                div {
                    dt { "limited by" }
                    dd { (source.plain(&in_best("bound_by"))) }
                    dd.small {
                        "alone " (source.figure(Figure::new(&in_best("bound_fps"), 1))) " frames/s"
                    }
                }
                div {
                    dt { "of that reached" }
                    dd { (share("efficiency")) " %" }
                    dd.small { "frames/s over the limit's" }
                }
                div {
                    dt { "inference" }
                    dd { (source.fixed(&in_best("inference_ms.p50"))) " ms" }
                    dd.small { "a frame, median" }
                }
                div {
                    dt { "compositing" }
                    dd { (source.fixed(&in_best("composite_ms.p50"))) " ms" }
                    dd.small { "a frame, median" }
                }
                div {
                    dt { "memory" }
                    dd { (source.figure(Figure::new(&in_best("peak_rss_mb"), 0))) " MiB" }
                    dd.small { "resident at most" }
                }
            }
            @if !said.is_empty() {
                ul.advice { @for index in said { li { (source.plain(&format!("advice.{index}"))) } } }
            }
        }
    }
}
