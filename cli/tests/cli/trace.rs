//! `bench --trace`: the Trace Event Format, with every batch in order and no slices across each other.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{SIMULATED, Workplace, has_onnxruntime};

/// What rounding to a double may do to microseconds.
const ROUNDING: f64 = 1e-6;

struct Trace {
    json: Value,
    /// Row numbers by name.
    rows: BTreeMap<String, u64>,
}

impl Trace {
    fn of(work: &Workplace, args: &[&str]) -> Self {
        let trace = ["--trace", "trace.json", "--json", "out.json"];
        work.run(&[&["bench", "--package", "pkg"], &trace[..], args].concat()).assert_ok();
        let json: Value =
            serde_json::from_slice(&fs::read(work.path("trace.json")).unwrap()).unwrap();
        let rows = Self::events_of(&json, "M")
            .filter(|event| event["name"] == "thread_name")
            .map(|event| {
                (event["args"]["name"].as_str().unwrap().to_owned(), event["tid"].as_u64().unwrap())
            })
            .collect();
        Self { json, rows }
    }

    fn events_of<'a>(json: &'a Value, phase: &'a str) -> impl Iterator<Item = &'a Value> {
        json["traceEvents"].as_array().unwrap().iter().filter(move |event| event["ph"] == phase)
    }

    fn slices(&self) -> impl Iterator<Item = &Value> {
        Self::events_of(&self.json, "X")
    }

    fn stage<'a>(&'a self, name: &'a str) -> Vec<&'a Value> {
        self.slices().filter(|slice| slice["cat"] == "stage" && slice["name"] == name).collect()
    }

    fn start(slice: &Value) -> f64 {
        slice["ts"].as_f64().unwrap()
    }

    fn end(slice: &Value) -> f64 {
        Self::start(slice) + slice["dur"].as_f64().unwrap()
    }

    /// Every row is named, no slices of a row overlap, all lie within the run, and every stage has
    /// the batches `0..frames.len()` in order with those frames.
    #[track_caller]
    fn check(&self, frames: &[u64]) {
        let run: Vec<&Value> = self.slices().filter(|slice| slice["cat"] == "run").collect();
        let [run] = run[..] else { panic!("{} runs", run.len()) };
        let mut rows: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
        for slice in self.slices() {
            rows.entry(slice["tid"].as_u64().unwrap()).or_default().push(slice);
            assert!(Self::start(slice) >= 0.0 && slice["dur"].as_f64().unwrap() >= 0.0, "{slice}");
            assert!(Self::end(slice) <= Self::end(run) + ROUNDING, "{slice}");
            assert_eq!(slice["pid"], 1);
        }
        let named: Vec<u64> = self.rows.values().copied().collect();
        let mut used: Vec<u64> = rows.keys().copied().collect();
        used.sort_by_key(|row| named.iter().position(|name| name == row));
        assert_eq!(used, named);
        for slices in rows.values_mut() {
            slices.sort_by(|a, b| Self::start(a).total_cmp(&Self::start(b)));
            for pair in slices.windows(2) {
                assert!(Self::end(pair[0]) <= Self::start(pair[1]) + ROUNDING, "{pair:?}");
            }
        }
        let first_frames = frames.iter().scan(0, |next, frames| {
            *next += frames;
            Some(*next - frames)
        });
        let expected: Vec<_> = first_frames
            .zip(frames)
            .enumerate()
            .map(|(batch, (first, &frames))| (batch as u64, first, frames))
            .collect();
        for name in ["assemble", "infer", "composite", "save"] {
            let found: Vec<_> = self
                .stage(name)
                .iter()
                .map(|slice| ["batch", "first_frame", "frames"].map(|n| slice["args"][n].as_u64()))
                .map(|[batch, first, frames]| (batch.unwrap(), first.unwrap(), frames.unwrap()))
                .collect();
            assert_eq!(found, expected, "{name}");
        }
        // A batch goes through the stages one after the other.
        let stages = ["assemble", "infer", "composite", "save"].map(|name| self.stage(name));
        for batch in 0..frames.len() {
            for pair in stages.windows(2) {
                let (before, after) = (pair[0][batch], pair[1][batch]);
                assert!(Self::start(before) <= Self::start(after), "{before} {after}");
            }
        }
    }
}

#[test]
fn every_batch_is_in_the_trace_once_a_stage() {
    let work = Workplace::new();
    let args = ["--batch", "4", "--workers", "2", "--frames", "30", "--sink", "jpg:out"];
    let trace =
        Trace::of(&work, &[&args[..], &["--backend", "simulated", "--simulated-ms", "2"]].concat());
    let report: Value = serde_json::from_slice(&fs::read(work.path("out.json")).unwrap()).unwrap();
    let best = &report["runs"][report["best"].as_u64().unwrap() as usize];
    let frames = match best["batch"].as_u64() {
        Some(4) => vec![4, 4, 4, 4, 4, 4, 4, 2],
        _ => vec![1; 30],
    };
    trace.check(&frames);
    let about = &trace.json["otherData"];
    assert_eq!(about["fps"], best["fps"]);
    assert_eq!(about["setting"]["batch"], best["batch"]);
    assert_eq!(
        (&about["batches"], &about["of_batches"]),
        (&frames.len().into(), &frames.len().into())
    );
    // The same instants as in the report, to the nanosecond.
    for stage in ["assemble", "infer", "composite", "save"] {
        for (slice, batch) in
            trace.stage(stage).iter().zip(best["timeline"]["batches"].as_array().unwrap())
        {
            let [start, end] = [0, 1].map(|side| batch[stage][side].as_f64().unwrap());
            assert_eq!(Trace::start(slice), start);
            assert!((Trace::end(slice) - end).abs() < ROUNDING);
        }
    }
    assert_eq!(trace.stage("finish").len(), 1);
    let wall = best["wall_s"].as_f64().unwrap() * 1e6;
    let run = trace.slices().find(|slice| slice["cat"] == "run").unwrap();
    assert!((run["dur"].as_f64().unwrap() - wall).abs() < 1e-3);
    assert_eq!(work.names("."), ["out", "out.json", "pkg", "trace.json"]);
}

#[test]
fn a_trace_has_as_many_batches_as_are_wanted() {
    let work = Workplace::new();
    let args = ["--batch", "1", "--workers", "1", "--frames", "40", "--trace-batches", "7"];
    let trace = Trace::of(&work, &[&args[..], &SIMULATED].concat());
    trace.check(&[1; 7]);
    let about = &trace.json["otherData"];
    assert_eq!((&about["batches"], &about["of_batches"]), (&7.into(), &40.into()));
    // The run went on after them.
    assert!(trace.stage("finish").is_empty());
}

#[test]
fn a_real_network_is_traced_and_so_is_a_sequential_run() {
    if !has_onnxruntime() {
        return;
    }
    let work = Workplace::new();
    for mode in ["pipelined", "sequential"] {
        let args = ["--batch", "1", "--workers", "1", "--frames", "20", "--frame-store", "stream"];
        let trace = Trace::of(&work, &[&args[..], &["--mode", mode]].concat());
        trace.check(&[1; 20]);
        let waits = trace.stage("assemble");
        assert!(waits.iter().all(|slice| slice["args"]["wait_decoder_us"].as_f64().is_some()));
        assert!(waits.iter().any(|slice| slice["args"]["wait_decoder_us"].as_f64() > Some(0.0)));
    }
}
