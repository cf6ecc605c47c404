//! Samples -> the network's inputs: the conversion alone, then a whole batch.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::batch::Converter;
use engine::dataset::Inputs;
use engine_benches::{Error, package, stages};

fn conversion(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conversion/320");
    let pixels: Vec<u8> = (0..320 * 320 * 3).map(|i| (i * 31 % 256) as u8).collect();
    let mut planes = vec![0.0; pixels.len()];
    group.throughput(Throughput::Bytes(pixels.len() as u64));
    for (name, converter) in [("scalar", Converter::scalar()), ("auto", Converter::detect())] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| converter.to_planes(&pixels, 320 * 3, 320, &mut planes));
        });
    }
}

fn batch(criterion: &mut Criterion) {
    run(criterion).unwrap_or_else(|error| panic!("{error}"));
}

fn run(criterion: &mut Criterion) -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    for inputs in [Inputs::Package, Inputs::Derived] {
        let package = package(&folder.path().join("package"), inputs)?;
        let stages = stages(&package, 1.0, 8)?;
        let mut batch = stages.backend.allocate(4)?;
        criterion.bench_function(&format!("assembly/batch of 4, {inputs}"), |bencher| {
            bencher.iter(|| {
                batch.clear();
                for sample in stages.store.source(0..4, 4).into_iter().flatten().flatten() {
                    stages.assembler.push(&mut batch, sample);
                }
            });
        });
    }
    Ok(())
}

criterion_group!(benches, conversion, batch);
criterion_main!(benches);
