//! How long inference and compositing took, as distributions.

use engine::metrics::{Histogram, Summary};
use maud::{Markup, html};

use super::super::report::Report;
use super::scale::{Axis, anchor, axis, percent};
use super::source::{Kind, Source};
use super::{at, chart, configuration, part, scrolling};

/// Height of the bins, of the percentiles' words above them, and of the axis, in pixels.
const BINS: f64 = 110.0;
const WORDS: f64 = 44.0;
const AXIS: f64 = 22.0;

/// Columns that the width has room for at least.
const COLUMNS: f64 = 12.0;

pub(super) fn section(report: &Report, source: &Source) -> Markup {
    let (Some(index), Some(run)) = (report.best, report.best()) else { return html! {} };
    let drawn = |name: &str, what: &str, histogram: &Histogram, summary: &Summary| {
        html! {
            figure {
                figcaption { (what) ", ms a frame" }
                (drawing(source, &at(index, &format!("histograms.{name}")), what, histogram, summary))
            }
        }
    };
    let content = html! {
        div.pair {
            (drawn("inference_ms", "inference", &run.histograms.inference_ms, &run.inference_ms))
            (drawn("composite_ms", "compositing", &run.histograms.composite_ms, &run.composite_ms))
        }
        (scrolling("latencies as numbers", &numbers(source, index)))
    };
    let lead = html! {
        "Of the fastest run, " (configuration(report, source, index)) ": wall time a frame, one value \
         for each of " (source.plain(&at(index, "inference_ms.n"))) " batches. Percentiles that there \
         are too few values for are left out."
    };
    part("latency", "Latency", &lead, &content)
}

fn drawing(
    source: &Source,
    path: &str,
    what: &str,
    histogram: &Histogram,
    summary: &Summary,
) -> Markup {
    let bins = histogram.counts.len();
    // What lies above has a bin of its own at the end, after a gap. Few bins stand in the middle.
    let used = if histogram.above > 0 { bins as f64 + 2.0 } else { bins as f64 };
    let columns = used.max(COLUMNS);
    let left = (columns - used) / 2.0;
    let most = histogram.counts.iter().copied().chain([histogram.above]).max().unwrap_or(0).max(1);
    let end = histogram.from + histogram.width * bins as f64;
    let x_of = |value: f64| match value {
        value if value > end && histogram.above > 0 => (left + bins as f64 + 1.5) / columns,
        value => {
            (left + ((value - histogram.from) / histogram.width).clamp(0.0, bins as f64)) / columns
        }
    };
    let all = histogram.counts.iter().copied().enumerate();
    let above = (histogram.above > 0).then_some((bins, histogram.above));
    // The axis also goes along what is left free beside few bins.
    let value_at = |column: f64| histogram.from + (column - left) * histogram.width;
    let last = if histogram.above > 0 { left + bins as f64 } else { columns };
    let Axis { ticks, decimals } = axis(value_at(0.0), value_at(last));
    let x_of_tick = |tick: f64| (left + (tick - histogram.from) / histogram.width) / columns;
    let bottom = WORDS + BINS;
    let marks = html! {
        svg.histogram width="100%" height=(bottom + AXIS) role="presentation" {
            @for (bin, count) in all.chain(above).filter(|(_, count)| *count > 0) {
                @let height = (count as f64 / most as f64 * BINS).max(2.0);
                @let column = if bin == bins { bin + 1 } else { bin };
                g.mark.infer {
                    title data-label=(what) data-path=(path) data-kind=(Kind::Bin(bin).name()) data-bin=(bin) {
                        (source.describe(what, path, Kind::Bin(bin), ""))
                    }
                    rect x=(percent((left + column as f64 + 0.05) / columns)) y=(bottom - height)
                        width=(percent(0.9 / columns)) height=(height) {}
                }
            }
            line.base x1="0" x2="100%" y1=(bottom) y2=(bottom) {}
            @for (row, (name, value)) in percentiles(summary).into_iter().enumerate() {
                @let x = x_of(value);
                @let y = 12.0 + row as f64 * 14.0;
                line.percentile x1=(percent(x)) x2=(percent(x)) y1=(y - 10.0) y2=(bottom) {}
                text.percentile x=(percent(x)) y=(y) dx=(if x > 0.8 { -4 } else { 4 })
                    text-anchor=(if x > 0.8 { "end" } else { "start" }) data-static { (name) }
            }
            @for tick in ticks {
                text.tick x=(percent(x_of_tick(tick))) text-anchor=(anchor(x_of_tick(tick))) y=(bottom + AXIS - 6.0) data-static {
                    (format!("{tick:.decimals$}"))
                }
            }
            @if histogram.above > 0 {
                text.tick x=(percent(x_of(f64::INFINITY))) text-anchor="middle" y=(bottom + AXIS - 6.0) { "above" }
            }
        }
    };
    chart(&format!("distribution of {what}"), &marks)
}

fn percentiles(summary: &Summary) -> Vec<(&'static str, f64)> {
    let all = [("p50", summary.p50), ("p95", summary.p95), ("p99", summary.p99)];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn numbers(source: &Source, run: usize) -> Markup {
    let rows = [
        ("inference", "inference_ms"),
        ("compositing", "composite_ms"),
        ("compositing, one worker", "composite_cpu_ms"),
        ("assembly", "assemble_ms"),
        ("saving", "save_ms"),
    ];
    let device = ["upload", "compute", "assemble", "network", "composite", "download"];
    let device = device
        .map(|part| (format!("device: {part}"), format!("device_ms.{part}")))
        .into_iter()
        .filter(|(_, path)| source.has(&at(run, path)));
    let rows =
        rows.map(|(name, path)| (name.to_owned(), path.to_owned())).into_iter().chain(device);
    html! {
        table {
            caption.hidden { "milliseconds a frame" }
            thead {
                tr {
                    th scope="col" { "ms a frame" }
                    @for name in ["mean", "p50", "p90", "p95", "p99", "max"] {
                        th scope="col" data-static { (name) }
                    }
                    th scope="col" { "values" }
                }
            }
            tbody {
                @for (name, path) in rows {
                    @let path = at(run, &path);
                    tr {
                        th scope="row" { (name) }
                        @for statistic in ["mean", "p50", "p90", "p95", "p99", "max"] {
                            td { (source.fixed(&format!("{path}.{statistic}"))) }
                        }
                        td { (source.plain(&format!("{path}.n"))) }
                    }
                }
            }
        }
    }
}
