//! Where each run's wall time went, as stacked bars.

use std::time::Duration;

use maud::{Markup, html};

use super::super::report::{Report, Run};
use super::scale::percent;
use super::source::{Figure, Kind, Source};
use super::{at, chart, configuration, part, scrolling};

pub(super) fn section(report: &Report, source: &Source) -> Markup {
    let longest = report.runs.iter().map(per_frame).fold(0.0, f64::max);
    let bars = html! {
        @for (index, run) in report.runs.iter().enumerate() {
            div.row {
                p.what { (configuration(report, source, index)) }
                (bar(source, index, run, longest))
                p.much { (wall_per_frame(source, index)) " ms" }
            }
        }
    };
    let content = html! {
        (chart("where the wall time of each run went", &bars))
        (legend(report))
        details {
            summary { "The same as numbers, in milliseconds of the whole run" }
            (scrolling("parts of the wall time", &numbers(report, source)))
        }
    };
    let lead = html! {
        "Wall time a frame, divided among what the end of the run waited for: going back from there, \
         a stage's time is charged to the stage, then the walk continues with what the stage had to \
         wait for. Every microsecond is in one part; hatched parts are waits."
    };
    part("stages", "Where the time went", &lead, &content)
}

fn per_frame(run: &Run) -> f64 {
    run.wall_s / run.frames as f64
}

fn wall_per_frame(source: &Source, index: usize) -> Markup {
    let (wall, frames) = (at(index, "wall_s"), at(index, "frames"));
    source.figure(Figure::new(&wall, 3).times(1e3).over(&frames))
}

fn bar(source: &Source, index: usize, run: &Run, longest: f64) -> Markup {
    let parts = run.attribution.0.parts();
    let whole: Duration = parts.iter().map(|(_, time)| *time).sum();
    let wall = at(index, "wall_s");
    html! {
        div.bar style={ "width:" (percent(per_frame(run) / longest)) } {
            @for (name, time) in parts.iter().filter(|(_, time)| !time.is_zero()) {
                @let path = at(index, &format!("attribution.{name}"));
                @let share = time.as_secs_f64() / whole.as_secs_f64();
                i.mark.(class(name)) style={ "width:" (percent(share)) }
                    title=(source.describe(&words(name), &path, Kind::Part, &wall))
                    data-label=(words(name)) data-path=(path) data-kind=(Kind::Part.name())
                    data-over=(wall) {}
            }
        }
    }
}

/// A part's name as people read it.
fn words(name: &str) -> String {
    match name {
        "wait_speech" => "waiting for speech",
        "wait_decoder" => "waiting for the decoder",
        "wait_host_batch" => "waiting for an empty batch",
        "wake_up" => "waking up after inference",
        "wait_composite" => "waiting to hand over to compositing",
        "wait_output_buffer" => "waiting for output buffers",
        "wait_sink" => "waiting for the sink",
        other => other,
    }
    .to_owned()
}

/// A part's colour: that of its stage, hatched where the stage waits.
fn class(name: &str) -> &'static str {
    match name {
        "wait_speech" | "wait_decoder" | "wait_host_batch" => "wait assemble",
        "assemble" => "assemble",
        "wake_up" | "wait_composite" => "wait infer",
        "infer" => "infer",
        "wait_output_buffer" | "wait_sink" => "wait composite",
        "composite" => "composite",
        "save" => "save",
        "startup" => "startup",
        _ => "unexplained",
    }
}

/// A share of the wall time below which a part is in the bars and the numbers only.
const NOTABLE: f64 = 0.001;

/// The parts that can be seen in some run.
fn legend(report: &Report) -> Markup {
    let parts = |run: &Run| run.attribution.0.parts();
    let seen = |run: &Run, index: usize| parts(run)[index].1.as_secs_f64() >= NOTABLE * run.wall_s;
    let used = |index: usize| report.runs.iter().any(|run| seen(run, index));
    let names = report.runs.first().map(parts).unwrap_or_default();
    html! {
        ul.legend {
            @for (_, (name, _)) in names.iter().enumerate().filter(|(index, _)| used(*index)) {
                li { i.(class(name)) {} (words(name)) }
            }
        }
    }
}

fn numbers(report: &Report, source: &Source) -> Markup {
    let names = report.runs.first().map(|run| run.attribution.0.parts()).unwrap_or_default();
    let ms = |path: &str| source.figure(Figure::new(path, 3).times(1e3));
    html! {
        table {
            caption.hidden { "milliseconds of the whole run by what they went into" }
            thead {
                tr {
                    th scope="col" { "configuration" }
                    @for (name, _) in &names { th scope="col" { (words(name)) } }
                    th scope="col" { "wall time" }
                }
            }
            tbody {
                @for index in 0..report.runs.len() {
                    tr {
                        th scope="row" { (configuration(report, source, index)) }
                        @for (name, _) in &names {
                            td { (ms(&at(index, &format!("attribution.{name}")))) }
                        }
                        td { (ms(&at(index, "wall_s"))) }
                    }
                }
            }
        }
    }
}
