//! Differences of bytes, image by image.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Peak signal-to-noise ratio below which a converted network is refused, in dB.
///
/// At 45 dB the root mean square difference is 1.4 of 255 levels. Half precision gives 54 dB on the
/// sample network of side 160, where truncation to bytes turns small differences into whole levels;
/// a network below the floor was damaged, not rounded.
pub const QUALITY_FLOOR_DB: f64 = 45.0;

/// Difference between two images that should be the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Peak signal-to-noise ratio in dB, `10 log10(255^2 / MSE)`; infinite where the two are equal.
    pub psnr_db: f64,
    /// Largest difference of two bytes.
    pub largest: u8,
    /// Bytes that differ.
    pub bytes: u64,
}

/// Difference between sets of images that should be the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Images compared.
    pub frames: u64,
    /// Peak signal-to-noise ratio in dB, `10 log10(255^2 / MSE)` with the mean over all bytes of all
    /// images; infinite, written as null, where all are equal.
    #[serde(with = "decibels")]
    pub psnr_db: f64,
    /// The same of the worst image alone.
    #[serde(with = "decibels")]
    pub worst_psnr_db: f64,
    /// Number of the worst image, the first where several are.
    pub worst_frame: u64,
    /// Largest difference of two bytes.
    pub largest_difference: u8,
    /// Bytes that differ.
    pub differing_bytes: u64,
}

impl Quality {
    /// Whether no byte differs.
    pub fn is_identical(&self) -> bool {
        self.differing_bytes == 0
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, psnr_db, worst_psnr_db, worst_frame, largest_difference, .. } = self;
        match self.is_identical() {
            true => write!(f, "no byte differs in {frames} frames"),
            false => write!(
                f,
                "{psnr_db:.1} dB over {frames} frames, {worst_psnr_db:.1} dB in the worst \
                 ({worst_frame}), bytes differ by up to {largest_difference}"
            ),
        }
    }
}

/// Collects a [`Quality`], image by image.
#[derive(Clone, Debug, Default)]
pub struct QualityMeter {
    frames: u64,
    bytes: u64,
    /// Sum of the squared differences of all bytes.
    squares: u64,
    /// Number and mean squared difference of the worst image.
    worst: Option<(u64, f64)>,
    largest: u8,
    differing: u64,
}

impl QualityMeter {
    /// Adds image number `frame`, and says how far it is from the reference.
    ///
    /// # Panics
    /// When the two images are not of one size, or have no bytes.
    pub fn push(&mut self, frame: u64, reference: &[u8], candidate: &[u8]) -> Difference {
        assert_eq!(reference.len(), candidate.len(), "compared images have one size");
        assert!(!reference.is_empty(), "compared images have pixels");
        let (mut squares, mut largest, mut bytes) = (0, 0, 0);
        for (a, b) in reference.iter().zip(candidate) {
            let difference = a.abs_diff(*b);
            squares += u64::from(difference) * u64::from(difference);
            largest = largest.max(difference);
            bytes += u64::from(difference != 0);
        }
        let mean = squares as f64 / reference.len() as f64;
        if self.worst.is_none_or(|(_, worst)| mean > worst) {
            self.worst = Some((frame, mean));
        }
        self.frames += 1;
        self.bytes += reference.len() as u64;
        self.squares += squares;
        self.largest = self.largest.max(largest);
        self.differing += bytes;
        Difference { psnr_db: psnr_db(mean), largest, bytes }
    }

    /// The difference over all images; `None` without any.
    pub fn quality(&self) -> Option<Quality> {
        let (worst_frame, worst) = self.worst?;
        Some(Quality {
            frames: self.frames,
            psnr_db: psnr_db(self.squares as f64 / self.bytes as f64),
            worst_psnr_db: psnr_db(worst),
            worst_frame,
            largest_difference: self.largest,
            differing_bytes: self.differing,
        })
    }
}

/// Infinite for a mean squared difference of 0.
fn psnr_db(mean_square: f64) -> f64 {
    10.0 * (255.0 * 255.0 / mean_square).log10()
}

/// Decibels in JSON, which has no infinity: null is infinite.
pub(crate) mod decibels {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(db: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        db.is_finite().then_some(*db).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_over_all_bytes_of_all_images() {
        let mut meter = QualityMeter::default();
        assert_eq!(meter.quality(), None);
        let equal = meter.push(4, &[0, 0, 0, 0], &[0, 0, 0, 0]);
        assert_eq!(equal, Difference { psnr_db: f64::INFINITY, largest: 0, bytes: 0 });
        let worse = meter.push(9, &[10, 200, 0, 0], &[13, 196, 0, 0]);
        let psnr_db = 10.0 * (65025.0_f64 / 6.25).log10();
        assert_eq!(worse, Difference { psnr_db, largest: 4, bytes: 2 });
        let quality = meter.quality().unwrap();
        // 9 + 16 over 8 bytes; over 4 in the worst image.
        assert_eq!(quality.psnr_db, 10.0 * (65025.0_f64 / 3.125).log10());
        assert_eq!(quality.worst_psnr_db, 10.0 * (65025.0_f64 / 6.25).log10());
        assert_eq!((quality.frames, quality.worst_frame), (2, 9));
        assert_eq!((quality.largest_difference, quality.differing_bytes), (4, 2));
        assert!(!quality.is_identical());
    }

    #[test]
    fn opposite_images_have_zero_decibels() {
        let mut meter = QualityMeter::default();
        meter.push(0, &[0; 100], &[255; 100]);
        assert_eq!(meter.quality().unwrap().psnr_db, 0.0);
    }

    #[test]
    fn equal_images_are_infinitely_good_in_json_too() {
        let mut meter = QualityMeter::default();
        meter.push(0, &[1, 2], &[1, 2]);
        let quality = meter.quality().unwrap();
        assert!(quality.is_identical() && quality.psnr_db == f64::INFINITY);
        let json = serde_json::to_string(&quality).unwrap();
        assert!(json.contains("\"psnr_db\":null"), "{json}");
        assert_eq!(serde_json::from_str::<Quality>(&json).unwrap(), quality);
    }
}
