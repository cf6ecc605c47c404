//! What a table means.

use super::report::{Report, Run};
use super::table::configuration;

/// Differences smaller than this share are noise.
const NOTABLE: f64 = 0.03;

/// One sentence a finding: the best setting, what limits it, and what costs more than it gives.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(best) = report.runs.iter().max_by(|a, b| a.fps.total_cmp(&b.fps)) else {
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
            "limit: {} alone allows {:.2} frames/s; the pipeline reaches {:.1} % of that",
            best.bound_by,
            best.bound_fps,
            100.0 * best.efficiency
        ));
    }
    lines.extend(report.runs.iter().filter_map(|run| waste(report, run)));
    lines
}

/// Whether a cheaper neighbour in the grid does as well as `run`.
fn waste(report: &Report, run: &Run) -> Option<String> {
    let same_mode = |other: &&Run| other.mode == run.mode;
    let as_good = |other: &&Run| other.fps >= run.fps * (1.0 - NOTABLE);
    let fewer_workers = report
        .runs
        .iter()
        .filter(same_mode)
        .filter(|other| other.batch == run.batch && other.workers < run.workers)
        .filter(as_good)
        .min_by_key(|other| other.workers);
    if let Some(other) = fewer_workers {
        return Some(format!(
            "note: {} ({:.2} frames/s) gains nothing over {} ({:.2} frames/s)",
            configuration(run),
            run.fps,
            configuration(other),
            other.fps
        ));
    }
    let smaller_batch = report
        .runs
        .iter()
        .filter(same_mode)
        .filter(|other| other.workers == run.workers && other.batch < run.batch)
        .filter(|other| other.fps * (1.0 - NOTABLE) > run.fps)
        .max_by(|a, b| a.fps.total_cmp(&b.fps))?;
    Some(format!(
        "note: {} is slower than {} ({:.2} against {:.2} frames/s): the larger batch costs more than it gives",
        configuration(run),
        configuration(smaller_batch),
        run.fps,
        smaller_batch.fps
    ))
}
