//! What a table means.

use super::report::{Report, Run};
use super::table::configuration;

/// Differences smaller than this share are noise.
const NOTABLE: f64 = 0.03;

/// One sentence a finding: the best setting, what limits it, and what costs more than it gives.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(best) = report.best() else {
        return lines;
    };
    if report.runs.len() > 1 {
        lines.push(format!(
            "best: {}, {:.2} frames/s, {:.2} x the baseline, {:.2} x real time (25 frames/s)",
            configuration(best),
            best.fps,
            best.speedup.unwrap_or(1.0),
            best.fps / 25.0,
        ));
        lines.push(format!(
            "limit: {} alone allows {:.2} frames/s; {}",
            best.bound_by,
            best.bound_fps,
            reached(best.efficiency)
        ));
    }
    lines.extend(device(best));
    let mut batches: Vec<usize> = pipelined(report).map(|run| run.batch).collect();
    batches.sort_unstable();
    batches.dedup();
    lines.extend(batches.iter().filter_map(|&batch| idle_workers(report, batch)));
    lines.extend(batches.iter().filter_map(|&batch| large_batch(report, batch)));
    lines
}

/// How much of what its slowest stage allows a pipeline makes.
pub(crate) fn reached(efficiency: f64) -> String {
    let percent = 100.0 * efficiency;
    match percent <= 101.0 {
        true => format!("the pipeline reaches {percent:.1} % of that"),
        false => format!(
            "the pipeline reached {percent:.1} % of that, so something else was at work while the stage \
             was measured"
        ),
    }
}

/// What the accelerator says of a run.
fn device(run: &Run) -> Option<String> {
    let (device, traffic) = (run.device_ms.as_ref()?, run.device_kb.as_ref()?);
    let parts = match (&device.assemble, &device.network, &device.composite) {
        (Some(assemble), Some(network), Some(composite)) => format!(
            " (assemble {:.3}, network {:.3}, composite {:.3})",
            assemble.p50?, network.p50?, composite.p50?
        ),
        _ => String::new(),
    };
    let first = match traffic.up_first.as_ref().and_then(|first| first.p50) {
        Some(first) => format!(", {first:.0} kB up where frames come for the first time"),
        None => String::new(),
    };
    // Where frames are never there, each time is the first.
    let up = match traffic.up.p50 {
        Some(up) => format!("{up:.0} kB up and "),
        None => String::new(),
    };
    Some(format!(
        "device: upload {:.3}, compute {:.3}{parts}, download {:.3} ms a frame (medians, by its own clock; \
         batches overlap); {up}{:.0} kB down a frame{first}",
        device.upload.p50?, device.compute.p50?, device.download.p50?, traffic.down.p50?,
    ))
}

/// The grid without its baseline.
fn pipelined(report: &Report) -> impl Iterator<Item = &Run> {
    report.runs.iter().skip(1)
}

/// Which workers of a batch size could be spared.
fn idle_workers(report: &Report, batch: usize) -> Option<String> {
    let runs = || pipelined(report).filter(|run| run.batch == batch);
    let most = runs().map(|run| run.fps).fold(0.0, f64::max);
    let enough =
        runs().filter(|run| run.fps >= most * (1.0 - NOTABLE)).map(|run| run.workers).min()?;
    let spare: Vec<String> =
        runs().filter(|run| run.workers > enough).map(|run| run.workers.to_string()).collect();
    (!spare.is_empty()).then(|| {
        format!(
            "note: at batch {batch}, {} workers gain nothing over {enough}",
            spare.join(" and ")
        )
    })
}

/// Whether a smaller batch is faster than this one.
fn large_batch(report: &Report, batch: usize) -> Option<String> {
    let best = |of: &dyn Fn(usize) -> bool| {
        pipelined(report).filter(|run| of(run.batch)).max_by(|a, b| a.fps.total_cmp(&b.fps))
    };
    let (this, smaller) = (best(&|b| b == batch)?, best(&|b| b < batch)?);
    (smaller.fps * (1.0 - NOTABLE) > this.fps).then(|| {
        format!(
            "note: batch {batch} costs more than it gives: {:.2} frames/s at best, batch {} reaches {:.2}",
            this.fps, smaller.batch, smaller.fps
        )
    })
}
