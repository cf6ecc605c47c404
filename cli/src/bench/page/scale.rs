//! Where things are along a width, and round numbers along an axis.

/// A share of the width, as attributes and styles take it.
pub(super) fn percent(share: f64) -> String {
    format!("{:.4}%", share * 100.0)
}

/// Which part of a text stands at that share of the width, so that none of it sticks out.
pub(super) fn anchor(share: f64) -> &'static str {
    match share {
        share if share < 0.07 => "start",
        share if share > 0.93 => "end",
        _ => "middle",
    }
}

/// Where an axis has marks, and with how many decimals they are written.
pub(super) struct Axis {
    pub(super) ticks: Vec<f64>,
    pub(super) decimals: usize,
}

/// Three to seven multiples of 1, 2 or 5 times a power of ten, from `from` on to below `to`; none
/// where that is no range.
pub(super) fn axis(from: f64, to: f64) -> Axis {
    let range = to - from;
    if !(range.is_finite() && range > 0.0) {
        return Axis { ticks: Vec::new(), decimals: 0 };
    }
    let power = (range / 4.0).log10().floor();
    let unit = 10_f64.powf(power);
    let step = [1.0, 2.0, 5.0].map(|m| m * unit).into_iter().find(|step| range / step < 7.0);
    let step = step.unwrap_or(10.0 * unit);
    let (first, last) = ((from / step).ceil() as i64, (to / step).ceil() as i64);
    let ticks = (first..last).map(|k| k as f64 * step).collect();
    Axis { ticks, decimals: (-step.log10().floor()).max(0.0) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: f64, to: f64) -> Vec<String> {
        let Axis { ticks, decimals } = axis(from, to);
        ticks.iter().map(|tick| format!("{tick:.decimals$}")).collect()
    }

    #[test]
    fn marks_are_round_numbers_within_the_range() {
        assert_eq!(labels(0.0, 333.0), ["0", "50", "100", "150", "200", "250", "300"]);
        assert_eq!(labels(0.0, 9.9), ["0", "2", "4", "6", "8"]);
        assert_eq!(labels(8.18, 8.181), ["8.1800", "8.1802", "8.1804", "8.1806", "8.1808"]);
        assert_eq!(labels(0.15, 0.21), ["0.15", "0.16", "0.17", "0.18", "0.19", "0.20"]);
        for (from, to) in [(1.0, 1.0), (2.0, 1.0), (0.0, f64::NAN), (0.0, f64::INFINITY)] {
            assert!(labels(from, to).is_empty());
        }
    }

    #[test]
    fn there_are_three_to_seven() {
        for k in 0..2000 {
            let to = 0.01 * 1.01_f64.powi(k);
            let found = axis(0.0, to).ticks.len();
            assert!((3..=7).contains(&found), "{found} up to {to}");
        }
    }
}
