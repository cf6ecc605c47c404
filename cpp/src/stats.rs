//! A run in numbers, as `engine-cli bench` gives them.

use std::time::Duration;

use engine::batch::BatchTrace;
use engine::metrics::Summary;
use engine::pipeline::{RunReport, StageRates};

use crate::abi::{EngineStageRates, EngineStatistics, EngineSummary};

pub(crate) fn statistics(report: &RunReport) -> EngineStatistics {
    let per_frame = |time: fn(&BatchTrace) -> Duration| {
        let milliseconds =
            |trace: &BatchTrace| time(trace).as_secs_f64() * 1e3 / trace.frames as f64;
        let mut values: Vec<f64> = report.traces.iter().map(milliseconds).collect();
        summary(&Summary::of(&mut values))
    };
    EngineStatistics {
        frames: report.frames,
        cancelled: report.cancelled.into(),
        reserved: 0,
        wall_seconds: report.wall().as_secs_f64(),
        frames_per_second: report.fps(),
        inference_ms: per_frame(|trace| trace.infer.duration()),
        composite_ms: per_frame(|trace| trace.composite.duration()),
        composite_cpu_ms: per_frame(|trace| trace.composite_cpu),
        assemble_ms: per_frame(|trace| trace.assemble.duration().saturating_sub(trace.frame_wait)),
        deliver_ms: per_frame(|trace| trace.save.duration()),
    }
}

fn summary(summary: &Summary) -> EngineSummary {
    let Summary { n, mean, p50, p90, p95, p99, max } = *summary;
    let [mean, p50, p90, p95, p99, max] =
        [mean, p50, p90, p95, p99, max].map(|value| value.unwrap_or(f64::NAN));
    EngineSummary { count: n as u64, mean, p50, p90, p95, p99, max }
}

pub(crate) fn rates(rates: &StageRates) -> EngineStageRates {
    EngineStageRates {
        decode: rates.decode.unwrap_or(f64::NAN),
        assemble: rates.assemble,
        infer: rates.infer,
        composite: rates.composite,
        bound: rates.bound().1,
    }
}
