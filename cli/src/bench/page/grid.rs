//! Frames a second over batch and workers, as a heat map.

use maud::{Markup, html};

use super::super::report::{Report, Run};
use super::source::{Figure, Source};
use super::{at, part, scrolling};

/// Colours of the scale.
pub(super) const STEPS: usize = 7;

pub(super) fn section(report: &Report, source: &Source) -> Markup {
    // The baseline is no point of the grid.
    let grid: Vec<(usize, &Run)> = report.runs.iter().enumerate().skip(1).collect();
    let axis = |of: fn(&Run) -> usize| {
        let mut values: Vec<usize> = grid.iter().map(|(_, run)| of(run)).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let (batches, workers) = (axis(|run| run.batch), axis(|run| run.workers));
    let rates = || grid.iter().map(|(_, run)| run.fps);
    let (low, high) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    let find = |batch: usize, workers: usize| {
        grid.iter().find(|(_, run)| (run.batch, run.workers) == (batch, workers)).copied()
    };
    if grid.is_empty() {
        return html! {};
    }
    let table = html! {
        table.heat {
            caption.hidden { "frames/s by batch (rows) and workers (columns)" }
            thead {
                tr {
                    td.corner { "workers →" br; "batch ↓" }
                    @for workers in &workers { th scope="col" data-static { (workers) } }
                }
            }
            tbody {
                @for &batch in &batches {
                    tr {
                        th scope="row" data-static { (batch) }
                        @for &workers in &workers { (cell(report, source, find(batch, workers), [low, high])) }
                    }
                }
            }
        }
    };
    let legend = html! {
        p.scale {
            "slower "
            @for step in 0..STEPS { i class={ "h" (step) } {} }
            " faster"
        }
    };
    let lead = html! {
        "Frames/s of each setting; the darker or, on a dark page, the lighter, the faster. The fastest \
         is framed."
    };
    part("grid", "Batch and workers", &lead, &html! { (scrolling("heat map", &table)) (legend) })
}

fn cell(report: &Report, source: &Source, run: Option<(usize, &Run)>, range: [f64; 2]) -> Markup {
    let Some((index, run)) = run else { return html! { td.none { "\u{2013}" } } };
    let best = report.best == Some(index);
    let heat = format!("h{}{}", step(run.fps, range), if best { " best" } else { "" });
    let fps = at(index, "fps");
    html! { td class=(heat) { (source.figure(Figure::new(&fps, 1))) } }
}

/// Where on the scale a rate is; where all are equal, at its end.
fn step(fps: f64, [low, high]: [f64; 2]) -> usize {
    let share = if high > low { (fps - low) / (high - low) } else { 1.0 };
    ((share * STEPS as f64) as usize).min(STEPS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_reaches_from_the_slowest_to_the_fastest() {
        let steps = [10.0, 14.9, 15.1, 30.0, 44.9, 45.0].map(|fps| step(fps, [10.0, 45.0]));
        assert_eq!(steps, [0, 0, 1, 4, 6, 6]);
        assert_eq!(step(10.0, [10.0, 10.0]), 6);
    }
}
