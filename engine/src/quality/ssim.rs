//! Structural similarity.

use std::collections::VecDeque;

use crate::frame::Size;

/// Side of the window, in pixels.
const WINDOW: usize = 11;
/// Standard deviation of the window's Gaussian weights, in pixels.
const SIGMA: f64 = 1.5;
/// What keeps the ratio of the means steady in the dark: `(K1 L)^2` with K1 = 0.01, L = 255.
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
/// The same for the variances: `(K2 L)^2` with K2 = 0.03.
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Weighted sums over a window: x, y, x^2, y^2, xy.
type Moments = [f64; 5];

/// Mean structural similarity of two images of `size` pixels, packed BGR; 1 for equal images. `None`
/// where no window of 11 x 11 pixels fits into them.
///
/// After Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
/// structural similarity", IEEE Transactions on Image Processing 13(4), 2004: windows of 11 x 11
/// pixels with Gaussian weights of standard deviation 1.5, K1 = 0.01, K2 = 0.03, and the mean over
/// all windows that lie inside the image whole. The images are taken by their luma after ITU-R
/// BT.601, `0.299 R + 0.587 G + 0.114 B`, which is not rounded.
///
/// # Panics
/// When an image has not the bytes of its size.
pub fn ssim(reference: &[u8], candidate: &[u8], size: Size) -> Option<f64> {
    assert_eq!((reference.len(), candidate.len()), (size.bytes(), size.bytes()), "bytes of {size}");
    if size.width.min(size.height) < WINDOW {
        return None;
    }
    let weights = weights();
    let mut rows: VecDeque<Vec<Moments>> = VecDeque::with_capacity(WINDOW);
    let (mut sum, mut windows) = (0.0, 0_u64);
    let lines = reference.chunks_exact(size.stride()).zip(candidate.chunks_exact(size.stride()));
    for (x, y) in lines {
        if rows.len() == WINDOW {
            rows.pop_front();
        }
        rows.push_back(along(&weights, &luma(x), &luma(y)));
        if rows.len() < WINDOW {
            continue;
        }
        for column in 0..=size.width - WINDOW {
            let mut window = Moments::default();
            for (row, weight) in rows.iter().zip(weights) {
                add(&mut window, weight, row[column]);
            }
            sum += similarity(window);
            windows += 1;
        }
    }
    Some(sum / windows as f64)
}

/// The similarity in one window.
fn similarity([x, y, xx, yy, xy]: Moments) -> f64 {
    let (variance_x, variance_y, covariance) = (xx - x * x, yy - y * y, xy - x * y);
    ((2.0 * x * y + C1) * (2.0 * covariance + C2))
        / ((x * x + y * y + C1) * (variance_x + variance_y + C2))
}

/// Weighted sums over 11 neighbours in a row, for each place where there are that many.
fn along(weights: &[f64; WINDOW], x: &[f64], y: &[f64]) -> Vec<Moments> {
    let windows = x.windows(WINDOW).zip(y.windows(WINDOW));
    windows
        .map(|(x, y)| {
            let mut sums = Moments::default();
            for ((&x, &y), &weight) in x.iter().zip(y).zip(weights) {
                add(&mut sums, weight, [x, y, x * x, y * y, x * y]);
            }
            sums
        })
        .collect()
}

fn add(sums: &mut Moments, weight: f64, values: Moments) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += weight * value;
    }
}

fn luma(bgr: &[u8]) -> Vec<f64> {
    let luma =
        |p: &[u8]| 0.114 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.299 * f64::from(p[2]);
    bgr.chunks_exact(3).map(luma).collect()
}

/// One dimension of the window, which is separable; they add up to 1.
fn weights() -> [f64; WINDOW] {
    let middle = (WINDOW / 2) as f64;
    let bell = |at: usize| (-(at as f64 - middle).powi(2) / (2.0 * SIGMA * SIGMA)).exp();
    let weights: [f64; WINDOW] = std::array::from_fn(bell);
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that look random.
    fn noise(seed: u32, count: usize) -> Vec<u8> {
        let mut state = seed;
        let step = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..count).map(step).collect()
    }

    /// The definition as it is written down: every window on its own, all 121 weights, variances as
    /// sums of squared deviations.
    fn by_definition(a: &[u8], b: &[u8], size: Size) -> f64 {
        let luma = |image: &[u8], x: usize, y: usize| {
            let at = (y * size.width + x) * 3;
            let [blue, green, red] = [0, 1, 2].map(|channel| f64::from(image[at + channel]));
            0.299 * red + 0.587 * green + 0.114 * blue
        };
        let bell = |dx: i32, dy: i32| (-f64::from(dx * dx + dy * dy) / 4.5).exp();
        let mut total = 0.0;
        let mut similarities = Vec::new();
        for dy in -5..=5 {
            for dx in -5..=5 {
                total += bell(dx, dy);
            }
        }
        for y in 5..size.height as i32 - 5 {
            for x in 5..size.width as i32 - 5 {
                let mut pixels = Vec::new();
                for dy in -5..=5 {
                    for dx in -5..=5 {
                        let (x, y) = ((x + dx) as usize, (y + dy) as usize);
                        pixels.push((bell(dx, dy) / total, luma(a, x, y), luma(b, x, y)));
                    }
                }
                let mean_a: f64 = pixels.iter().map(|(w, a, _)| w * a).sum();
                let mean_b: f64 = pixels.iter().map(|(w, _, b)| w * b).sum();
                let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                    pixels.iter().map(|(w, a, b)| w * f(a - mean_a, b - mean_b)).sum()
                };
                let (c1, c2) = (6.5025, 58.5225);
                let luminance =
                    (2.0 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1);
                let structure = (2.0 * sum(&|a, b| a * b) + c2)
                    / (sum(&|a, _| a * a) + sum(&|_, b| b * b) + c2);
                similarities.push(luminance * structure);
            }
        }
        similarities.iter().sum::<f64>() / similarities.len() as f64
    }

    #[test]
    fn is_what_the_definition_says() {
        for (width, height) in [(11, 11), (11, 17), (23, 12), (30, 31)] {
            let size = Size::new(width, height);
            let a = noise(1, size.bytes());
            let b: Vec<u8> =
                a.iter().zip(noise(2, size.bytes())).map(|(a, n)| a / 2 + n / 3).collect();
            for (a, b) in [(&a, &b), (&b, &noise(3, size.bytes()))] {
                let (found, expected) = (ssim(a, b, size).unwrap(), by_definition(a, b, size));
                assert!((found - expected).abs() < 1e-9, "{size}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn equal_images_have_exactly_one() {
        let size = Size::new(40, 25);
        let image = noise(5, size.bytes());
        assert_eq!(ssim(&image, &image, size), Some(1.0));
        let black = vec![0; size.bytes()];
        assert_eq!(ssim(&black, &black, size), Some(1.0));
    }

    #[test]
    fn flat_images_differ_by_their_means_alone() {
        let size = Size::new(16, 20);
        for (a, b) in [(100_u8, 110_u8), (0, 255), (3, 4)] {
            let found = ssim(&vec![a; size.bytes()], &vec![b; size.bytes()], size).unwrap();
            let (a, b) = (f64::from(a), f64::from(b));
            let expected = (2.0 * a * b + 6.5025) / (a * a + b * b + 6.5025);
            assert!((found - expected).abs() < 1e-9, "{a} and {b}: {found}, expected {expected}");
        }
    }

    #[test]
    fn is_symmetrical_and_sees_structure_that_means_do_not_have() {
        let size = Size::new(24, 24);
        let checks = |dark: u8, bright: u8| -> Vec<u8> {
            let pixel =
                |at: usize| if (at % 24 + at / 24).is_multiple_of(2) { dark } else { bright };
            (0..24 * 24).flat_map(|at| [pixel(at); 3]).collect()
        };
        let (one, other) = (checks(50, 200), checks(200, 50));
        let found = ssim(&one, &other, size).unwrap();
        assert!(found < -0.9, "the opposite pattern: {found}");
        assert_eq!(ssim(&other, &one, size), Some(found));
    }

    #[test]
    fn what_is_smaller_than_a_window_has_none() {
        for (width, height) in [(10, 50), (50, 10), (1, 1)] {
            let size = Size::new(width, height);
            assert_eq!(ssim(&vec![1; size.bytes()], &vec![2; size.bytes()], size), None);
        }
    }
}
