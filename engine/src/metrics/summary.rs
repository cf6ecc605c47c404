//! Count, mean, percentiles.

use serde::Serialize;

/// Summary of a set of measurements, in the unit of the measurements.
///
/// Percentiles follow the nearest-rank definition. One that the set is too small for (fewer than
/// 10 measurements for p90, 20 for p95, 100 for p99) is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Number of measurements.
    pub n: usize,
    /// Arithmetic mean; `None` without measurements.
    pub mean: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest measurement.
    pub max: Option<f64>,
}

impl Summary {
    /// Summarises `values`, which it sorts.
    pub fn of(values: &mut [f64]) -> Self {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let rank = |percent: usize, at_least: usize| {
            let rank = (percent * n).div_ceil(100).max(1);
            if n >= at_least { values.get(rank - 1).copied() } else { None }
        };
        Self {
            n,
            mean: (n > 0).then(|| values.iter().sum::<f64>() / n as f64),
            p50: rank(50, 1),
            p90: rank(90, 10),
            p95: rank(95, 20),
            p99: rank(99, 100),
            max: values.last().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_ranks_of_one_to_hundred() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let summary = Summary::of(&mut values);
        assert_eq!((summary.n, summary.mean, summary.max), (100, Some(50.5), Some(100.0)));
        assert_eq!((summary.p50, summary.p90), (Some(50.0), Some(90.0)));
        assert_eq!((summary.p95, summary.p99), (Some(95.0), Some(99.0)));
    }

    #[test]
    fn small_sets_have_no_high_percentiles() {
        let mut values: Vec<f64> = (1..=19).map(f64::from).collect();
        let summary = Summary::of(&mut values);
        assert_eq!((summary.p90, summary.p95, summary.p99), (Some(18.0), None, None));
        assert_eq!(Summary::of(&mut []), Summary::default());
        assert_eq!(Summary::of(&mut [7.0]).p50, Some(7.0));
    }
}
