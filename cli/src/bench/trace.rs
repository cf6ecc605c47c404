//! The timeline of one run in the Trace Event Format, which ui.perfetto.dev and chrome://tracing
//! open: <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use engine::batch::{BatchTrace, DeviceTimes};
use engine::file::WholeFile;
use engine::metrics::RunSpans;
use engine::pipeline::RunReport;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::timeline::{Rows, Stretch, micros, with_first_frames};

/// The first batches of a run, as they were recorded.
#[derive(Debug)]
pub(super) struct Recording {
    spans: RunSpans,
    traces: Vec<BatchTrace>,
    /// Batches that the run had.
    of_batches: usize,
}

impl Recording {
    /// Keeps the first `batches` batches of `report`.
    pub(super) fn of(report: RunReport, batches: usize) -> Self {
        let RunReport { spans, mut traces, .. } = report;
        let of_batches = traces.len();
        traces.truncate(batches);
        Self { spans, traces, of_batches }
    }
}

/// What is drawn in one row: a thread, or what a stage did wherever that was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Track {
    Run,
    Assemble,
    Infer,
    WakeUp,
    HandOver,
    Composite,
    Save,
}

impl Track {
    const ALL: [Self; 7] = [
        Self::Run,
        Self::Assemble,
        Self::Infer,
        Self::WakeUp,
        Self::HandOver,
        Self::Composite,
        Self::Save,
    ];

    /// Rows that a track may have when its slices overlap.
    const ROWS: usize = 1000;

    fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Assemble => "assemble",
            Self::Infer => "infer: the network",
            Self::WakeUp => "infer: until its end is known",
            Self::HandOver => "infer: handing over",
            Self::Composite => "composite",
            Self::Save => "save",
        }
    }

    /// The track's first row, as the format counts threads.
    fn first_row(self) -> usize {
        (self as usize + 1) * Self::ROWS
    }
}

/// A slice: `ts` and `dur` in microseconds.
#[derive(Serialize)]
struct Slice {
    ph: &'static str,
    name: &'static str,
    cat: &'static str,
    pid: u32,
    tid: usize,
    ts: f64,
    dur: f64,
    args: Map<String, Value>,
}

/// The process that all rows belong to.
const PID: u32 = 1;

/// Writes `recording` as the whole of the file `path`. `title` says what ran, `about` is kept as the
/// trace's metadata.
pub(super) fn write(path: &Path, recording: &Recording, title: &str, about: &Value) -> Result<()> {
    let mut file = WholeFile::create(path)?;
    let failed = || format!("cannot write the file {}", path.display());
    write_to(BufWriter::new(&mut file), recording, title, about).with_context(failed)?;
    file.fill(b"]}\n")?;
    Ok(file.commit()?)
}

/// Writes everything but the end.
fn write_to(
    mut out: impl Write,
    recording: &Recording,
    title: &str,
    about: &Value,
) -> std::io::Result<()> {
    let Recording { spans, traces, of_batches } = recording;
    let mut about = about.clone();
    about["batches"] = json!(traces.len());
    about["of_batches"] = json!(of_batches);
    write!(out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{about},\"traceEvents\":[")?;
    let mut events = Events { out, rows: Track::ALL.map(|_| Rows::default()) };
    events.meta("process_name", 0, json!({ "name": title }))?;
    let epoch = spans.run.start;
    let part = |span| Stretch::of(span, epoch);
    events.slice(Track::Run, "run", "run", part(spans.run), Map::new())?;

    let mut before = None;
    for (index, (first_frame, trace)) in with_first_frames(traces).enumerate() {
        let batch = args(index, first_frame, trace);
        // These two were recorded with the batch after the one that was handed over.
        if let Some(before) = &before {
            events.wait(Track::HandOver, "hand over", part(trace.composite_wait), before)?;
            events.wait(Track::Composite, "hand over", part(trace.sink_wait), before)?;
        }
        for (track, name, span) in [
            (Track::Assemble, "wait for speech", trace.speech_wait),
            (Track::Assemble, "wait for an empty batch", trace.host_batch_wait),
            (Track::WakeUp, "wake up", trace.wake_up),
            (Track::Composite, "wait for output buffers", trace.output_wait),
        ] {
            events.wait(track, name, part(span), &batch)?;
        }
        let mut assemble = batch.clone();
        assemble.insert("wait_decoder_us".into(), micros(trace.frame_wait).into());
        events.slice(Track::Assemble, "assemble", "stage", part(trace.assemble), assemble)?;
        let mut infer = batch.clone();
        infer.extend(trace.device.as_ref().map(device).into_iter().flatten());
        events.slice(Track::Infer, "infer", "stage", part(trace.infer), infer)?;
        let mut composite = batch.clone();
        composite.insert("workers_us".into(), micros(trace.composite_cpu).into());
        events.slice(Track::Composite, "composite", "stage", part(trace.composite), composite)?;
        events.slice(Track::Save, "save", "stage", part(trace.save), batch.clone())?;
        before = Some(batch);
    }
    if traces.len() == *of_batches {
        events.slice(Track::Save, "finish", "stage", part(spans.finish), Map::new())?;
    }
    events.names()?;
    events.out.flush()
}

fn args(index: usize, first_frame: u64, trace: &BatchTrace) -> Map<String, Value> {
    let mut args = Map::new();
    args.insert("batch".into(), index.into());
    args.insert("first_frame".into(), first_frame.into());
    args.insert("frames".into(), trace.frames.into());
    args
}

/// What a device says of a batch: how long, by its own clock, but not when.
fn device(device: &DeviceTimes) -> Vec<(String, Value)> {
    let mut named = vec![
        ("device_upload_us", micros(device.upload).into()),
        ("device_compute_us", micros(device.compute).into()),
        ("device_download_us", micros(device.download).into()),
        ("device_bytes_up", device.bytes_up.into()),
        ("device_bytes_kept", device.bytes_kept.into()),
        ("device_bytes_down", device.bytes_down.into()),
    ];
    if let Some(parts) = &device.parts {
        named.push(("device_assemble_us", micros(parts.assemble).into()));
        named.push(("device_network_us", micros(parts.network).into()));
        named.push(("device_composite_us", micros(parts.composite).into()));
    }
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The list of events as it is written.
struct Events<W> {
    out: W,
    /// For each track.
    rows: [Rows; Track::ALL.len()],
}

impl<W: Write> Events<W> {
    /// Says something about a row; the first event of all says something about the process.
    fn meta(&mut self, what: &str, row: usize, args: Value) -> std::io::Result<()> {
        let comma = if what == "process_name" { "" } else { "," };
        let event = json!({ "ph": "M", "name": what, "pid": PID, "tid": row, "args": args });
        write!(self.out, "{comma}\n{event}")
    }

    /// Writes a wait unless nothing was waited for.
    fn wait(
        &mut self,
        track: Track,
        name: &'static str,
        stretch: Stretch,
        args: &Map<String, Value>,
    ) -> std::io::Result<()> {
        match stretch.duration() {
            Duration::ZERO => Ok(()),
            _ => self.slice(track, name, "wait", stretch, args.clone()),
        }
    }

    fn slice(
        &mut self,
        track: Track,
        name: &'static str,
        cat: &'static str,
        stretch: Stretch,
        args: Map<String, Value>,
    ) -> std::io::Result<()> {
        let row = self.rows[track as usize].place(stretch);
        let (ts, dur) = (micros(stretch.start), micros(stretch.duration()));
        let tid = track.first_row() + row;
        self.out.write_all(b",\n")?;
        let slice = Slice { ph: "X", name, cat, pid: PID, tid, ts, dur, args };
        Ok(serde_json::to_writer(&mut self.out, &slice)?)
    }

    /// Names the rows that were used, in the order of the data's way.
    fn names(&mut self) -> std::io::Result<()> {
        for track in Track::ALL {
            for row in 0..self.rows[track as usize].count() {
                let tid = track.first_row() + row;
                let name = match row {
                    0 => track.name().to_owned(),
                    _ => format!("{} ({})", track.name(), row + 1),
                };
                self.meta("thread_name", tid, json!({ "name": name }))?;
                self.meta("thread_sort_index", tid, json!({ "sort_index": tid }))?;
            }
        }
        Ok(())
    }
}
