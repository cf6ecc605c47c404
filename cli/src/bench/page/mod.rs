//! The results as one page for a browser: no script is needed to read it, nothing is loaded.
//!
//! The JSON that `--json` writes is in the page, as the element `report`. Whatever shows something
//! of it says what: `data-path="runs.1.fps"` is the way to it. A number that is shown is that value,
//! times `data-times`, over the value at `data-over`, each where they are there, with
//! `data-decimals` decimals. Descriptions of what charts show have a `data-kind` instead
//! ([`source::Kind`]).

mod grid;
mod headline;
mod latency;
mod machine;
mod runs;
mod scale;
mod source;
mod stages;
mod timeline;

use anyhow::{Context, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::report::Report;
use source::Source;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("charts.js");

/// The page of `report`, which has at least one run.
pub(super) fn page(report: &Report) -> Result<String> {
    let json = serde_json::to_string(report).context("encoding the results")?;
    let source = Source::of(report)?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "engine-cli bench" }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (headline::section(report, &source))
                main {
                    (grid::section(report, &source))
                    (runs::section(report, &source))
                    (stages::section(report, &source))
                    (timeline::section(report, &source))
                    (latency::section(report, &source))
                    (machine::section(report, &source))
                }
                script type="application/json" id="report" { (PreEscaped(in_script(&json))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

/// JSON that ends no element and begins no comment.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// A part of the page under a heading.
fn part(id: &str, heading: &str, lead: &Markup, content: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-heading" } {
            h2 id={ (id) "-heading" } { (heading) }
            p.lead { (lead) }
            (content)
        }
    }
}

/// A wide table, which scrolls sideways by itself where the page is narrow.
fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { (table) } }
}

/// A chart whose marks can be walked with the arrow keys; the script says below it what they are.
fn chart(label: &str, marks: &Markup) -> Markup {
    html! {
        div.chart tabindex="0" role="group" aria-label={ (label) "; arrow keys walk through it" } {
            (marks)
        }
        p.tip aria-live="polite" {}
    }
}

/// Where in the report a run is.
fn at(run: usize, rest: &str) -> String {
    format!("runs.{run}.{rest}")
}

/// Which setting a run had, in words.
fn configuration(report: &Report, source: &Source, run: usize) -> Markup {
    let sequential = report.runs.get(run).is_some_and(|run| run.mode == "sequential");
    html! {
        "batch " (source.plain(&at(run, "batch"))) ", workers " (source.plain(&at(run, "workers")))
        @if sequential { " (sequential)" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_json_stays_in_its_element_and_means_the_same() {
        let json = r#"{"path":"</script><!-- <b>"}"#;
        let embedded = in_script(json);
        assert!(!embedded.contains('<'), "{embedded}");
        let parse = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&embedded), parse(json));
    }

    /// The value of `--name: #rrggbb;` in a rule of the style sheet.
    fn colour(rules: &str, name: &str) -> [f64; 3] {
        let at = rules.find(&format!("--{name}: #")).unwrap_or_else(|| panic!("no --{name}"));
        let digits = rules[at..].split('#').nth(1).unwrap();
        [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0)
    }

    /// The contrast ratio of WCAG 2.2, 1 to 21.
    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let luminance = |colour: [f64; 3]| {
            let linear = |c: f64| match c {
                c if c <= 0.04045 => c / 12.92,
                c => ((c + 0.055) / 1.055).powf(2.4),
            };
            let [r, g, b] = colour.map(linear);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_marks_stand_out_in_both_themes() {
        let opacity = STYLE.split(".mark.odd rect { fill-opacity: ").nth(1).unwrap();
        let opacity: f64 = opacity.split(';').next().unwrap().parse().unwrap();
        let dark_from = STYLE.find("prefers-color-scheme: dark").unwrap();
        let (light, rest) = STYLE.split_at(dark_from);
        let dark = &rest[..rest.find("\n}\n").unwrap()];
        for (theme, rules) in [("light", light), ("dark", dark)] {
            let between = |a: &str, b: &str| contrast(colour(rules, a), colour(rules, b));
            for text in ["text", "muted", "accent"] {
                for ground in ["page", "card"] {
                    let found = between(text, ground);
                    assert!(found >= 4.5, "{theme}: {text} on {ground} has {found:.2}");
                }
            }
            for step in 0..grid::STEPS {
                let found = between(&format!("heat-text-{step}"), &format!("heat-{step}"));
                assert!(found >= 4.5, "{theme}: step {step} has {found:.2}");
            }
            for mark in ["assemble", "infer", "composite", "save", "startup", "unexplained"] {
                let found = between(mark, "card");
                assert!(found >= 3.0, "{theme}: {mark} has {found:.2}");
            }
            for mark in ["assemble", "infer", "composite", "save"] {
                // Every other batch lets the ground shine through.
                let (over, under) = (colour(rules, mark), colour(rules, "card"));
                let odd: [f64; 3] =
                    std::array::from_fn(|c| over[c] * opacity + under[c] * (1.0 - opacity));
                for ground in [over, odd] {
                    let found = contrast(colour(rules, "on-mark"), ground);
                    assert!(found >= 4.5, "{theme}: text on {mark} has {found:.2}");
                }
            }
        }
    }
}
