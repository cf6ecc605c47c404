//! Interleaved bytes -> float planes: value / 255.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod scalar;

/// Converts BGR bytes to three float planes with the best instructions this CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Converter(Level);

/// Kept private: holding `Avx2` is the proof that the CPU has it, and FMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Converter {
    /// The fastest one that this CPU can run.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Self(Level::Avx2);
        }
        Self::scalar()
    }

    /// Portable code.
    pub const fn scalar() -> Self {
        Self(Level::Scalar)
    }

    /// Converts the `side` x `side` pixels that begin at `pixels[0]`, with rows `stride` bytes
    /// apart, to three consecutive planes of `side` x `side` floats: each byte divided by 255.
    ///
    /// # Panics
    /// When `side` is 0, `pixels` ends before the last row does or `planes` is not three planes long.
    pub fn to_planes(self, pixels: &[u8], stride: usize, side: usize, planes: &mut [f32]) {
        assert!(stride >= side * 3 && planes.len() == 3 * side * side);
        assert!(side > 0 && pixels.len() >= (side - 1) * stride + side * 3);
        let (blue, rest) = planes.split_at_mut(side * side);
        let (green, red) = rest.split_at_mut(side * side);
        let rows = blue
            .chunks_exact_mut(side)
            .zip(green.chunks_exact_mut(side))
            .zip(red.chunks_exact_mut(side))
            .zip(pixels.chunks(stride));
        for (((blue, green), red), row) in rows {
            let (row, planes) = (&row[..side * 3], [blue, green, red]);
            match self.0 {
                Level::Scalar => scalar::convert_row(row, planes),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => avx2::convert_row(row, planes),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_equals_a_division_for_each_value() {
        let levels = [Converter::detect(), Converter::scalar()];
        for side in [1, 2, 15, 16, 17, 31, 33, 160, 320] {
            for extra in [0, 5, 24] {
                let stride = side * 3 + extra;
                let pixels: Vec<u8> = (0..side * stride).map(|i| (i * 7 + i / 251) as u8).collect();
                // The last row ends with its last pixel: reading past it would be out of bounds.
                let pixels = &pixels[..(side - 1) * stride + side * 3];
                let mut expected = vec![0.0; 3 * side * side];
                for (i, value) in expected.iter_mut().enumerate() {
                    let (channel, y, x) = (i / (side * side), i / side % side, i % side);
                    *value = f32::from(pixels[y * stride + 3 * x + channel]) / 255.0;
                }
                for level in levels {
                    let mut planes = vec![-1.0; 3 * side * side];
                    level.to_planes(pixels, stride, side, &mut planes);
                    assert!(planes == expected, "{level:?} side {side} stride {stride}");
                }
            }
        }
    }

    #[test]
    fn every_byte_is_a_true_division() {
        let pixels: Vec<u8> = (0..=255).flat_map(|value| [value; 3]).collect();
        let mut planes = vec![0.0; 3 * 256];
        Converter::detect().to_planes(&pixels, 48, 16, &mut planes);
        for plane in planes.chunks_exact(256) {
            let expected = (0..=255_u8).map(|value| f32::from(value) / 255.0);
            assert!(plane.iter().map(|v| v.to_bits()).eq(expected.map(f32::to_bits)));
        }
    }

    #[test]
    fn values_are_true_divisions_in_planes_of_their_own() {
        let pixels = [0, 127, 255, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        let mut planes = [0.0; 12];
        Converter::detect().to_planes(&pixels, 6, 2, &mut planes);
        let expected = [0, 1, 4, 7, 127, 2, 5, 8, 255, 3, 6, 9].map(|v| v as f32 / 255.0);
        assert_eq!(planes, expected);
    }
}
