//! What a frame costs on its way to a C++ callback, against a Rust sink that does the same.
//!
//! Both are measured by the pipeline's own traces, in sequential mode, where nothing else runs while
//! a frame is handed over; alternating, in one process.
#![allow(unsafe_code, reason = "calls the C++ side")]

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::path::Path;

use engine::dataset::Inputs;
use engine::frame::OutputFrame;
use engine::metrics::Summary;
use engine::pipeline::{CancelToken, Mode, Pipeline, PipelineOptions};
use engine::sink::{Sink, SinkError};
use engine_benches::{Error, package, stages};
use engine_cpp::ffi::EngineStatistics;

/// Frames per run; a batch is four.
const FRAMES: usize = 2000;
/// Runs of each kind.
const REPEATS: usize = 7;

unsafe extern "C" {
    /// See cpp/callback.cpp.
    fn bench_callback(
        package: *const c_char,
        frames: usize,
        sum: *mut u64,
        statistics: *mut EngineStatistics,
    ) -> bool;
}

/// Adds the first byte of each frame.
struct Adding(u64);

impl Sink for Adding {
    fn write(&mut self, frame: OutputFrame) -> Result<(), SinkError> {
        self.0 += u64::from(std::hint::black_box(&frame.pixels)[0]);
        std::hint::black_box(self.0);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Microseconds per frame in the sink: the mean and the median over the batches.
fn rust(pipeline: &mut Pipeline) -> Result<(f64, f64), Error> {
    let report = pipeline.run(FRAMES as u64, Box::new(Adding(0)), &CancelToken::new())?;
    let per_frame = report
        .traces
        .iter()
        .map(|trace| trace.save.duration().as_secs_f64() * 1e6 / trace.frames as f64);
    let summary = Summary::of(&mut per_frame.collect::<Vec<_>>());
    Ok((summary.mean.ok_or("no batches")?, summary.p50.ok_or("no batches")?))
}

/// The same for the callback.
fn cpp(folder: &Path) -> Result<(f64, f64), Error> {
    let folder = CString::new(folder.to_str().ok_or("the folder's name is text")?)?;
    let (mut sum, mut statistics) = (0, MaybeUninit::uninit());
    // SAFETY: the pointers are to what lives during the call, in which the C++ side has waited for
    // its run; true says that it has written the statistics.
    let statistics = unsafe {
        if !bench_callback(folder.as_ptr(), FRAMES, &raw mut sum, statistics.as_mut_ptr()) {
            return Err("the C++ side failed".into());
        }
        statistics.assume_init()
    };
    Ok((statistics.deliver_ms.mean * 1e3, statistics.deliver_ms.p50 * 1e3))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().join("package");
    let package = package(&folder, Inputs::Package)?;
    let options = PipelineOptions {
        batch: 4,
        workers: 2,
        mode: Mode::Sequential,
        sink_depth: 12,
        trace: true,
    };
    let mut pipeline = Pipeline::new(stages(&package, 0.0, FRAMES)?, options)?;
    // Whatever is still settling.
    rust(&mut pipeline)?;
    cpp(&folder)?;
    let (mut sinks, mut callbacks) = (Vec::new(), Vec::new());
    println!("run | Rust sink: mean, median us/frame | C++ callback: mean, median us/frame");
    for run in 1..=REPEATS {
        let (sink, callback) = (rust(&mut pipeline)?, cpp(&folder)?);
        println!("{run:>3} | {:.3} {:.3} | {:.3} {:.3}", sink.0, sink.1, callback.0, callback.1);
        sinks.push(sink);
        callbacks.push(callback);
    }
    let of =
        |runs: &[(f64, f64)], part: fn(&(f64, f64)) -> f64| median(runs.iter().map(part).collect());
    println!(
        "overhead of the C++ callback, median of {REPEATS} runs: {:.3} us/frame by the means, {:.3} by \
         the medians",
        of(&callbacks, |run| run.0) - of(&sinks, |run| run.0),
        of(&callbacks, |run| run.1) - of(&sinks, |run| run.1)
    );
    Ok(())
}
