//! The page of `bench --html` in a browser, narrow and wide, light and dark.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::page::{Element, check_numbers, parse, report};
use crate::support::Workplace;

/// Names under which Chromium and Chrome are installed.
const NAMES: [&str; 2] = ["chromium", "google-chrome"];

/// Seconds after which a browser is stuck.
const STUCK: &str = "120";

/// The first browser that runs; says so where there is none.
fn browser() -> Option<&'static str> {
    let runs = |name: &&str| {
        let mut command = Command::new(name);
        let version = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    };
    let found = NAMES.into_iter().find(runs);
    if found.is_none() {
        eprintln!("SKIPPED: no chromium to open the page in; run scripts/setup --tests");
    }
    found
}

/// What the browser made of a page.
struct Opened {
    dom: String,
    /// What the page's scripts complained of.
    console: Vec<String>,
}

/// Opens the file `page` in a window of that size.
fn open(
    browser: &str,
    page: &Path,
    [width, height]: [u32; 2],
    dark: bool,
    more: &[&str],
) -> Opened {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["--kill-after=5", STUCK, browser])
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"])
        .args(["--enable-logging=stderr", "--allow-file-access-from-files"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{browser}: {}: {stderr}", output.status);
    let console =
        stderr.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    Opened { dom: String::from_utf8(output.stdout).unwrap(), console }
}

/// A page that shows `grid.html` at the width that is asked for, which windows have only down to 500
/// pixels, and writes down what it is like there.
fn frame(width: u32) -> String {
    format!(
        r#"<!DOCTYPE html>
<meta name="color-scheme" content="light dark">
<style>body {{ margin: 0 }} iframe {{ border: 0; display: block }}</style>
<iframe id="frame" width="{width}" height="6000" src="grid.html"></iframe>
<script>
frame.onload = () => {{
  const view = frame.contentWindow, page = frame.contentDocument;
  const charts = [...page.querySelectorAll(".chart")].map((chart) => {{
    const said = () => chart.nextElementSibling.textContent;
    const marks = [...chart.querySelectorAll(".mark")];
    const name = (mark) => mark.querySelector("title")?.textContent ?? mark.title;
    const press = (key) => chart.dispatchEvent(new view.KeyboardEvent("keydown", {{ key }}));
    press("ArrowRight");
    const first = said();
    press("ArrowLeft");
    const last = said();
    const middle = marks[marks.length >> 1];
    middle.dispatchEvent(new view.PointerEvent("pointerover", {{ bubbles: true }}));
    return {{
      said: [first, last, said()],
      names: [name(marks[0]), name(marks.at(-1)), name(middle)],
      tabs: chart.tabIndex,
    }};
  }});
  const wide = [...page.querySelectorAll("section, header, .tiles > div, .row, figure, td, th")]
    .filter((box) => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).display !== "inline")
    .map((box) => box.textContent.slice(0, 60));
  const found = {{
    width: view.innerWidth,
    scrollWidth: page.scrollingElement.scrollWidth,
    ground: view.getComputedStyle(page.body).backgroundColor,
    charts, wide,
  }};
  document.documentElement.dataset.found = encodeURIComponent(JSON.stringify(found));
  console.error("control");
}};
</script>
"#
    )
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn found(dom: &str) -> Value {
    let attribute = dom.split("data-found=\"").nth(1).expect("the frame was not loaded");
    serde_json::from_str(&decoded(attribute.split('"').next().unwrap())).unwrap()
}

#[test]
fn a_browser_shows_the_page_without_a_complaint() {
    let Some(browser) = browser() else { return };
    let work = Workplace::new();
    let grid = ["--batch", "1,2,4,8", "--workers", "1,2,4", "--frames", "60", "--repeat", "2"];
    let device = ["--backend", "simulated", "--simulated-ms", "2", "--sink", "jpg:out"];
    let files = ["--html", "grid.html"];
    work.run(&[&["bench", "--package", "pkg"], &grid[..], &device, &files].concat()).assert_ok();

    let opened = open(browser, &work.path("grid.html"), [1400, 900], false, &[]);
    assert_eq!(opened.console, [""; 0]);
    let dom: Element = parse(&opened.dom);
    let written = parse(&fs::read_to_string(work.path("grid.html")).unwrap());
    let json = report(&dom);
    assert_eq!(json, report(&written));
    assert_eq!(check_numbers(&dom, &json), check_numbers(&written, &json));

    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (width, height) in [(320, 5200), (360, 5200), (1400, 3600)] {
        work.write("frame.html", frame(width));
        for (theme, ground) in [("light", "rgb(246, 247, 249)"), ("dark", "rgb(16, 19, 24)")] {
            let picture = pictures.join(format!("bench-{width}-{theme}.png"));
            let shot = format!("--screenshot={}", picture.display());
            let size = [width.max(500), height];
            let opened = open(browser, &work.path("frame.html"), size, theme == "dark", &[&shot]);
            // The frame complains once, so that a complaint of the page would have been seen.
            assert_eq!(opened.console.len(), 1, "{:?}", opened.console);
            assert!(opened.console[0].contains("\"control\""), "{:?}", opened.console);

            let found = found(&opened.dom);
            assert_eq!((&found["width"], &found["ground"]), (&width.into(), &ground.into()));
            // Nothing sticks out at the side.
            assert!(found["scrollWidth"].as_u64() <= Some(width.into()), "{found}");
            assert_eq!(found["wide"], Value::Array(vec![]), "{width}");
            let charts = found["charts"].as_array().unwrap();
            // Bars, one or two timelines, two histograms.
            assert_eq!(charts.len(), if json["best"] == 0 { 4 } else { 5 });
            for chart in charts {
                assert_eq!(chart["said"], chart["names"]);
                assert!(
                    chart["said"][0].as_str().is_some_and(|text| text.contains(" ms")),
                    "{chart}"
                );
                assert_eq!(chart["tabs"], 0);
            }
            let pixels = image::open(&picture).unwrap();
            assert_eq!([pixels.width(), pixels.height()], size);
        }
    }
}
