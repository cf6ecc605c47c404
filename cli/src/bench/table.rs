//! The results as a table: for the terminal, Markdown and CSV.

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_BORDERS_ONLY};
use comfy_table::{CellAlignment, Table, TableStyle};
use engine::metrics::Summary;

use super::report::{Report, Run};

const HEADER: [&str; 8] = [
    "configuration",
    "frames/s",
    "inference\nms",
    "composite\nms",
    "speed-up",
    "inference\np50 / p95 / p99",
    "composite\np50 / p95 / p99",
    "efficiency",
];

/// For people.
pub(super) fn terminal(report: &Report) -> String {
    table(report, UTF8_BORDERS_ONLY, &HEADER.map(str::to_owned))
}

/// For documents.
pub(super) fn markdown(report: &Report) -> String {
    table(report, ASCII_MARKDOWN, &HEADER.map(|name| name.replace('\n', " ")))
}

fn table(report: &Report, style: TableStyle, header: &[String]) -> String {
    let mut table = Table::new();
    table.load_style(style);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for run in &report.runs {
        table.add_row(row(run));
    }
    table.to_string()
}

fn row(run: &Run) -> [String; 8] {
    [
        configuration(run),
        format!("{:.2}", run.fps),
        value(run.inference_ms.mean),
        value(run.composite_ms.mean),
        run.speedup.map_or_else(String::new, |speedup| format!("{speedup:.2}")),
        percentiles(&run.inference_ms),
        percentiles(&run.composite_ms),
        format!("{:.3}", run.efficiency),
    ]
}

pub(super) fn configuration(run: &Run) -> String {
    let mode = if run.mode == "sequential" { " (sequential)" } else { "" };
    format!("batch {}, workers {}{mode}", run.batch, run.workers)
}

/// Two decimals, or none where they would say nothing.
fn value(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.2}"),
    }
}

fn percentiles(summary: &Summary) -> String {
    [summary.p50, summary.p95, summary.p99].map(value).join(" / ")
}

/// For spreadsheets: one line a run, full precision, empty where there is no value.
pub(super) fn csv(report: &Report) -> String {
    let mut text = String::from(
        "backend,provider,mode,batch,workers,sink,compositor,frame_store,frames,wall_s,fps,speedup,\
         inference_fps,bound_fps,bound_by,efficiency,peak_rss_mb",
    );
    let stages = ["inference_ms", "composite_ms", "composite_cpu_ms", "assemble_ms", "save_ms"];
    for stage in stages {
        for statistic in ["mean", "p50", "p90", "p95", "p99", "max"] {
            text.push_str(&format!(",{stage}_{statistic}"));
        }
    }
    text.push('\n');
    for run in &report.runs {
        let optional = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
        let mut fields = vec![
            run.backend.to_owned(),
            run.provider.clone(),
            run.mode.clone(),
            run.batch.to_string(),
            run.workers.to_string(),
            quoted(&run.sink),
            run.compositor.clone(),
            run.frame_store.to_owned(),
            run.frames.to_string(),
            run.wall_s.to_string(),
            run.fps.to_string(),
            optional(run.speedup),
            run.inference_fps.to_string(),
            run.bound_fps.to_string(),
            run.bound_by.to_owned(),
            run.efficiency.to_string(),
            optional(run.peak_rss_mb),
        ];
        for summary in [
            &run.inference_ms,
            &run.composite_ms,
            &run.composite_cpu_ms,
            &run.assemble_ms,
            &run.save_ms,
        ] {
            let Summary { n: _, mean, p50, p90, p95, p99, max } = *summary;
            fields.extend([mean, p50, p90, p95, p99, max].map(optional));
        }
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
