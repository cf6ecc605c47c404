//! Figures that say where in the report they are from.

use anyhow::{Context, Result};
use maud::{Markup, html};
use serde_json::Value;

use super::super::report::Report;

/// What stands where there is no value.
const NONE: &str = "\u{2013}";

/// The report's JSON, which everything that is shown is taken from.
pub(super) struct Source {
    json: Value,
}

/// A number of the report as it is shown.
#[derive(Clone, Copy)]
pub(super) struct Figure<'a> {
    path: &'a str,
    decimals: usize,
    times: Option<f64>,
    over: Option<&'a str>,
}

impl<'a> Figure<'a> {
    /// The number at `path` with that many decimals.
    pub(super) fn new(path: &'a str, decimals: usize) -> Self {
        Self { path, decimals, times: None, over: None }
    }

    /// The same, multiplied by `factor`.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { times: Some(factor), ..self }
    }

    /// The same, divided by the number at `path`.
    pub(super) fn over(self, path: &'a str) -> Self {
        Self { over: Some(path), ..self }
    }
}

/// What the description of a mark in a chart says, after its label and a colon.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// `[start, end]` in microseconds: `1.500 to 3.250 ms (1.750 ms)`.
    Stretch,
    /// Microseconds: `1.750 ms`.
    Length,
    /// Seconds of a run's wall time: `12.345 ms, 4.5 %`.
    Part,
    /// A bin of a histogram of milliseconds: `8.100 to 8.200 ms, 3`. The last one, `above`, has no
    /// upper end.
    Bin(usize),
}

impl Kind {
    /// As the attribute `data-kind` has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stretch => "stretch",
            Self::Length => "length",
            Self::Part => "part",
            Self::Bin(_) => "bin",
        }
    }
}

impl Source {
    /// The JSON of `report`.
    pub(super) fn of(report: &Report) -> Result<Self> {
        Ok(Self { json: serde_json::to_value(report).context("encoding the results")? })
    }

    /// What is at `path`, names and indices with dots between them.
    fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.json, |value, step| match value {
            Value::Array(items) => step
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index))
                .unwrap_or(&Value::Null),
            value => &value[step],
        })
    }

    fn number(&self, path: &str) -> Option<f64> {
        self.at(path).as_f64()
    }

    /// Whether there is something at `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        !self.at(path).is_null()
    }

    /// Text or a whole number, as it is.
    pub(super) fn plain(&self, path: &str) -> Markup {
        let value = match self.at(path) {
            Value::String(text) => text.clone(),
            Value::Null => NONE.to_owned(),
            value => value.to_string(),
        };
        html! { span data-path=(path) { (value) } }
    }

    /// A number with decimals.
    pub(super) fn figure(&self, figure: Figure<'_>) -> Markup {
        let Figure { path, decimals, times, over } = figure;
        let value = self.number(path).and_then(|value| match over {
            Some(over) => Some(value * times.unwrap_or(1.0) / self.number(over)?),
            None => Some(value * times.unwrap_or(1.0)),
        });
        let text = value.map_or_else(|| NONE.to_owned(), |value| format!("{value:.decimals$}"));
        html! {
            span.n data-path=(path) data-decimals=(decimals) data-times=[times] data-over=[over] {
                (text)
            }
        }
    }

    /// Two decimals.
    pub(super) fn fixed(&self, path: &str) -> Markup {
        self.figure(Figure::new(path, 2))
    }

    /// Three numbers with two decimals.
    pub(super) fn percentiles(&self, summary: &str) -> Markup {
        html! {
            (self.fixed(&format!("{summary}.p50"))) " / "
            (self.fixed(&format!("{summary}.p95"))) " / "
            (self.fixed(&format!("{summary}.p99")))
        }
    }

    /// The description of a mark: what [`Kind`] says, behind `label`. `over` is what the whole is.
    pub(super) fn describe(&self, label: &str, path: &str, kind: Kind, over: &str) -> String {
        let value = self.at(path);
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        match kind {
            Kind::Stretch => {
                let [start, end] = [0, 1].map(|side| number(&value[side]) / 1e3);
                format!("{label}: {start:.3} to {end:.3} ms ({:.3} ms)", end - start)
            }
            Kind::Length => format!("{label}: {:.3} ms", number(value) / 1e3),
            Kind::Part => {
                let (part, whole) = (number(value), number(self.at(over)));
                format!("{label}: {:.3} ms, {:.1} %", part * 1e3, part * 100.0 / whole)
            }
            Kind::Bin(bin) => {
                let bound =
                    |bin: usize| number(&value["from"]) + number(&value["width"]) * bin as f64;
                match value["counts"].get(bin) {
                    Some(count) => {
                        format!("{label}: {:.3} to {:.3} ms, {count}", bound(bin), bound(bin + 1))
                    }
                    None => format!("{label}: above {:.3} ms, {}", bound(bin), value["above"]),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source() -> Source {
        let histogram = json!({ "from": 8.0, "width": 0.5, "counts": [3, 1], "above": 2 });
        let runs = json!([{ "fps": 122.034, "wall_s": 2.0, "part": 0.25, "none": null,
                            "stretch": [1500.0, 3250.0], "bins": histogram }]);
        Source { json: json!({ "runs": runs, "path": "<b>\"&'" }) }
    }

    #[test]
    fn figures_say_where_they_are_from() {
        let figure = Figure::new("runs.0.fps", 1).times(0.04).over("runs.0.wall_s");
        assert_eq!(
            source().figure(figure).into_string(),
            "<span class=\"n\" data-path=\"runs.0.fps\" data-decimals=\"1\" data-times=\"0.04\" \
             data-over=\"runs.0.wall_s\">2.4</span>"
        );
        assert_eq!(
            source().fixed("runs.0.none").into_string(),
            "<span class=\"n\" data-path=\"runs.0.none\" data-decimals=\"2\">\u{2013}</span>"
        );
        assert_eq!(
            source().plain("path").into_string(),
            "<span data-path=\"path\">&lt;b&gt;&quot;&amp;'</span>"
        );
        assert!(source().has("runs.0.fps") && !source().has("runs.0.none"));
        assert!(!source().has("runs.7.fps") && !source().has("runs.x"));
    }

    #[test]
    fn marks_are_described() {
        let describe = |path: &str, kind| source().describe("it", path, kind, "runs.0.wall_s");
        assert_eq!(describe("runs.0.stretch", Kind::Stretch), "it: 1.500 to 3.250 ms (1.750 ms)");
        assert_eq!(describe("runs.0.part", Kind::Part), "it: 250.000 ms, 12.5 %");
        assert_eq!(describe("runs.0.bins", Kind::Bin(0)), "it: 8.000 to 8.500 ms, 3");
        assert_eq!(describe("runs.0.bins", Kind::Bin(2)), "it: above 9.000 ms, 2");
    }
}
