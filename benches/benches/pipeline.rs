//! Whole runs over a simulated device, with frames that are thrown away.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::dataset::Inputs;
use engine::pipeline::{CancelToken, Mode, Pipeline, PipelineOptions};
use engine::sink::{SinkOptions, SinkTarget};
use engine_benches::{Error, package, stages};

/// Frames per run.
const FRAMES: u64 = 64;

fn modes(criterion: &mut Criterion) {
    run(criterion).unwrap_or_else(|error| panic!("{error}"));
}

fn run(criterion: &mut Criterion) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let package = package(&folder.path().join("package"), Inputs::Package)?;
    let mut group = criterion.benchmark_group("pipeline/0.5 ms a frame");
    group.sample_size(20).throughput(Throughput::Elements(FRAMES));
    for (mode, batch, workers) in [
        (Mode::Sequential, 1, 1),
        (Mode::Sequential, 4, 2),
        (Mode::Pipelined, 1, 1),
        (Mode::Pipelined, 4, 2),
        (Mode::Pipelined, 8, 2),
    ] {
        let stages = stages(&package, 0.5, FRAMES as usize)?;
        let frame = stages.frame;
        let options = PipelineOptions { batch, workers, mode, sink_depth: 4, trace: false };
        let mut pipeline = Pipeline::new(stages, options)?;
        group.bench_function(format!("{mode}, batch {batch}, workers {workers}"), |bencher| {
            bencher.iter(|| {
                let sink = SinkTarget::Null.open(SinkOptions::new(frame, FRAMES));
                sink.map(|sink| pipeline.run(FRAMES, sink, &CancelToken::new()).is_ok())
            });
        });
    }
    Ok(())
}

criterion_group!(benches, modes);
criterion_main!(benches);
