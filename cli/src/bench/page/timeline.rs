//! The first batches of the baseline and of the fastest run, drawn to one scale.

use std::time::Duration;

use maud::{Markup, html};

use super::super::report::{Report, Run};
use super::super::timeline::{BatchTimes, Rows, Stretch, micros};
use super::scale::{Axis, anchor, axis, percent};
use super::source::{Kind, Source};
use super::{at, chart, configuration, part};

/// Batches of the fastest run that the scale is made for.
const BATCHES: usize = 10;

/// Height of a row of slices, and of the words above each stage's, in pixels.
const ROW: usize = 21;
const WORDS: usize = 18;

/// Shares of the width below which a slice has no room for its number, and, on a narrow page, for one
/// of two digits.
const NARROW: f64 = 0.035;
const NARROW_FOR_TWO: f64 = 0.06;

pub(super) fn section(report: &Report, source: &Source) -> Markup {
    let Some(best) = report.best() else { return html! {} };
    let last = best.timeline.batches.iter().take(BATCHES).next_back();
    let Some(until) = last.map(|batch| batch.save.end).filter(|until| !until.is_zero()) else {
        return html! {};
    };
    // The baseline, and what it is compared with.
    let mut shown = vec![0];
    shown.extend(report.best.filter(|&best| best != 0));
    let content = html! {
        @for &run in &shown {
            figure {
                figcaption { (configuration(report, source, run)) }
                (drawing(source, run, &report.runs[run], until))
            }
        }
    };
    let lead = html! {
        "What was done when, in milliseconds since the run began; a number is a batch, in the same \
         shade on its way down. Where stages are busy above each other, they overlap. "
        "Saving lasts from a batch's first frame to its last."
    };
    part("timeline", "The first batches", &lead, &content)
}

/// A stage's name, its slice of a batch, and whether the batch has one.
type Stage = (&'static str, fn(&BatchTimes) -> Option<Stretch>);

const STAGES: [Stage; 5] = [
    ("decode", |batch| {
        // How long is known, but not when.
        let end = batch.assemble.start + batch.wait_decoder;
        (!batch.wait_decoder.is_zero()).then_some(Stretch { start: batch.assemble.start, end })
    }),
    ("assemble", |batch| Some(batch.assemble)),
    ("infer", |batch| Some(batch.infer)),
    ("composite", |batch| Some(batch.composite)),
    ("save", |batch| Some(batch.save)),
];

fn drawing(source: &Source, run: usize, of: &Run, until: Duration) -> Markup {
    let until_us = micros(until);
    let batches: Vec<(usize, &BatchTimes)> =
        of.timeline.batches.iter().enumerate().filter(|(_, b)| b.assemble.start < until).collect();
    let mut top = 0;
    let mut lanes = Vec::new();
    let streamed = of.frame_store == "stream";
    for (name, stretch) in STAGES.into_iter().filter(|(name, _)| streamed || *name != "decode") {
        let mut rows = Rows::default();
        let placed: Vec<_> = batches
            .iter()
            .filter_map(|&(index, batch)| Some((index, stretch(batch)?)))
            .filter(|(_, stretch)| stretch.start < until)
            .map(|(index, stretch)| (index, stretch, rows.place(stretch)))
            .collect();
        if !placed.is_empty() {
            lanes.push((name, top, placed));
            top += WORDS + ROW * rows.count();
        }
    }
    let Axis { ticks, decimals } = axis(0.0, until_us / 1e3);
    let height = top + 24;
    let marks = html! {
        svg.timeline width="100%" height=(height) role="presentation" {
            @for &tick in &ticks {
                @let x = tick * 1e3 / until_us;
                line.rule x1=(percent(x)) x2=(percent(x)) y1="0" y2=(top + 6) {}
                text.tick x=(percent(x)) y=(height - 4) text-anchor=(anchor(x)) data-static { (format!("{tick:.decimals$}")) }
            }
            @for (name, top, placed) in &lanes {
                text.lane x="0" y=(top + WORDS - 5) { (lane(name)) }
                @for &(index, stretch, row) in placed {
                    (slice(source, [run, index], name, stretch, [until_us, (top + WORDS + row * ROW) as f64]))
                }
            }
        }
    };
    chart("timeline of the first batches", &marks)
}

fn lane(name: &str) -> &str {
    match name {
        "decode" => "assemble, waiting for the decoder (drawn at its beginning)",
        name => name,
    }
}

/// One stage's work on one batch.
fn slice(
    source: &Source,
    [run, batch]: [usize; 2],
    name: &str,
    stretch: Stretch,
    [until_us, y]: [f64; 2],
) -> Markup {
    let x = micros(stretch.start) / until_us;
    // Nothing sticks out on the right, and the style makes nothing too thin to be seen.
    let width = (micros(stretch.duration()) / until_us).min(1.0 - x);
    let label = format!("batch {batch}, {name}");
    let of_batch = at(run, &format!("timeline.batches.{batch}"));
    let shade = if batch % 2 == 0 { "even" } else { "odd" };
    let text = match name {
        "decode" => html! {
            @let path = format!("{of_batch}.wait_decoder");
            title data-label=(label) data-path=(path) data-kind=(Kind::Length.name()) {
                (source.describe(&label, &path, Kind::Length, ""))
            }
        },
        name => html! {
            @let path = format!("{of_batch}.{name}");
            title data-label=(label) data-path=(path) data-kind=(Kind::Stretch.name()) {
                (source.describe(&label, &path, Kind::Stretch, ""))
            }
        },
    };
    html! {
        g.mark.(name).(shade) {
            (text)
            rect x=(percent(x)) y=(y) width=(percent(width)) height=(ROW - 3)
                style={ "width:max(2px," (percent(width)) ")" } {}
            @if width >= NARROW {
                @let long = batch > 9 && width < NARROW_FOR_TWO;
                text.number.long[long] x=(percent(x + width / 2.0)) y=(y + 13.0) data-static { (batch) }
            }
        }
    }
}
