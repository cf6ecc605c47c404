//! AVX2: 16 pixels at a time.
#![expect(unsafe_code, reason = "vector intrinsics")]

use std::arch::x86_64::*;

use super::to_planes_scalar;

/// Pixels per step.
const STEP: usize = 16;

/// See [`Converter::to_planes`](super::Converter::to_planes), which has checked the lengths and
/// chosen this level because the CPU has AVX2.
pub(super) fn to_planes(pixels: &[u8], stride: usize, side: usize, planes: &mut [f32]) {
    if side < STEP {
        return to_planes_scalar(pixels, stride, side, planes);
    }
    let (blue, rest) = planes.split_at_mut(side * side);
    let (green, red) = rest.split_at_mut(side * side);
    let rows = blue
        .chunks_exact_mut(side)
        .zip(green.chunks_exact_mut(side))
        .zip(red.chunks_exact_mut(side))
        .zip(pixels.chunks(stride));
    for (((blue, green), red), row) in rows {
        // SAFETY: `Converter::detect` has seen AVX2; all slices hold `side` >= STEP pixels.
        unsafe { row_to_planes(&row[..side * 3], blue, green, red) };
    }
}

/// # Safety
/// The CPU has AVX2; `row` holds three bytes for each of the at least 16 floats of each plane.
#[target_feature(enable = "avx2")]
unsafe fn row_to_planes(row: &[u8], blue: &mut [f32], green: &mut [f32], red: &mut [f32]) {
    let side = blue.len();
    debug_assert!(side >= STEP && row.len() == 3 * side);
    debug_assert!(green.len() == side && red.len() == side);
    let scale = _mm256_set1_ps(255.0);
    let mut x = 0;
    loop {
        // SAFETY: x + 16 <= side, so 48 bytes can be read and 16 floats written at x.
        unsafe {
            let source = row.as_ptr().add(3 * x);
            let [b, g, r] = deinterleave([
                _mm_loadu_si128(source.cast()),
                _mm_loadu_si128(source.add(16).cast()),
                _mm_loadu_si128(source.add(32).cast()),
            ]);
            store(blue.as_mut_ptr().add(x), b, scale);
            store(green.as_mut_ptr().add(x), g, scale);
            store(red.as_mut_ptr().add(x), r, scale);
        }
        if x + STEP == side {
            return;
        }
        // The last step overlaps the one before it instead of leaving a tail.
        x = (x + STEP).min(side - STEP);
    }
}

/// 16 interleaved pixels -> 16 bytes of each channel.
#[target_feature(enable = "avx2")]
fn deinterleave([a, b, c]: [__m128i; 3]) -> [__m128i; 3] {
    const fn picks(channel: i8, part: i8) -> [i8; 16] {
        let mut mask = [-1; 16];
        let mut i = 0;
        while i < 16 {
            let byte = 3 * i as i8 + channel - 16 * part;
            if byte >= 0 && byte < 16 {
                mask[i] = byte;
            }
            i += 1;
        }
        mask
    }
    const MASKS: [[[i8; 16]; 3]; 3] = [
        [picks(0, 0), picks(0, 1), picks(0, 2)],
        [picks(1, 0), picks(1, 1), picks(1, 2)],
        [picks(2, 0), picks(2, 1), picks(2, 2)],
    ];
    MASKS.map(|[ma, mb, mc]| {
        // SAFETY: each mask is 16 readable bytes.
        let [ma, mb, mc] = [ma, mb, mc].map(|m| unsafe { _mm_loadu_si128(m.as_ptr().cast()) });
        let ab = _mm_or_si128(_mm_shuffle_epi8(a, ma), _mm_shuffle_epi8(b, mb));
        _mm_or_si128(ab, _mm_shuffle_epi8(c, mc))
    })
}

/// Stores 16 bytes as floats divided by `scale`.
///
/// # Safety
/// 16 floats can be written at `target`.
#[target_feature(enable = "avx2")]
unsafe fn store(target: *mut f32, bytes: __m128i, scale: __m256) {
    let low = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    let high = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes)));
    // SAFETY: the caller gives room for 16 floats.
    unsafe {
        _mm256_storeu_ps(target, _mm256_div_ps(low, scale));
        _mm256_storeu_ps(target.add(8), _mm256_div_ps(high, scale));
    }
}
