//! AVX2 and FMA: 16 pixels at a time.
#![expect(unsafe_code, reason = "vector intrinsics")]

use std::arch::x86_64::*;

use super::scalar;

/// Pixels per step.
const STEP: usize = 16;

/// As [`scalar::convert_row`]. Only for a CPU that is known to have AVX2 and FMA.
pub(super) fn convert_row(pixels: &[u8], planes: [&mut [f32]; 3]) {
    let side = pixels.len() / 3;
    assert!(planes.iter().all(|plane| plane.len() == side));
    if side < STEP {
        return scalar::convert_row(pixels, planes);
    }
    // SAFETY: `Converter::detect` has seen AVX2 and FMA; all rows hold `side` >= STEP pixels.
    unsafe { convert_wide_row(pixels, planes) };
}

/// # Safety
/// The CPU has AVX2 and FMA; `pixels` holds three bytes for each of the at least 16 floats of each
/// plane.
#[target_feature(enable = "avx2,fma")]
unsafe fn convert_wide_row(row: &[u8], [blue, green, red]: [&mut [f32]; 3]) {
    let side = blue.len();
    let mut x = 0;
    loop {
        // SAFETY: x + 16 <= side, so 48 bytes can be read and 16 floats written at x.
        unsafe {
            let source = row.as_ptr().add(3 * x);
            let pixels = [
                _mm_loadu_si128(source.cast()),
                _mm_loadu_si128(source.add(16).cast()),
                _mm_loadu_si128(source.add(32).cast()),
            ];
            store(blue.as_mut_ptr().add(x), channel(pixels, 0));
            store(green.as_mut_ptr().add(x), channel(pixels, 1));
            store(red.as_mut_ptr().add(x), channel(pixels, 2));
        }
        if x + STEP == side {
            return;
        }
        // The last step overlaps the one before it instead of leaving a tail.
        x = (x + STEP).min(side - STEP);
    }
}

/// The 16 bytes of `channel` in 16 interleaved pixels, which are three registers.
#[target_feature(enable = "avx2,fma")]
fn channel(pixels: [__m128i; 3], channel: usize) -> __m128i {
    // Written out: closures that are handed to `map` would not be inlined into it.
    let pick = |part: usize| {
        // SAFETY: each mask is 16 readable bytes.
        let mask = unsafe { _mm_loadu_si128(PICKS[channel][part].as_ptr().cast()) };
        _mm_shuffle_epi8(pixels[part], mask)
    };
    _mm_or_si128(_mm_or_si128(pick(0), pick(1)), pick(2))
}

/// Where a channel's bytes are: by channel and register, -1 for bytes that are in another register.
const PICKS: [[[i8; 16]; 3]; 3] = {
    let mut picks = [[[-1; 16]; 3]; 3];
    let mut byte = 0;
    while byte < 48 {
        picks[byte % 3][byte / 16][byte / 3] = (byte % 16) as i8;
        byte += 1;
    }
    picks
};

/// Stores 16 bytes as floats divided by 255.
///
/// # Safety
/// 16 floats can be written at `target`.
#[target_feature(enable = "avx2,fma")]
unsafe fn store(target: *mut f32, bytes: __m128i) {
    let low = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
    let high = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes)));
    // SAFETY: the caller gives room for 16 floats.
    unsafe {
        _mm256_storeu_ps(target, divide(low));
        _mm256_storeu_ps(target.add(8), divide(high));
    }
}

/// Whole numbers from 0 to 255, divided by 255.
///
/// A product with the rounded reciprocal, corrected by its own remainder (Markstein, "Computation of
/// elementary functions on the IBM RISC System/6000 processor", 1990), which for these 256 numbers
/// gives the bits of the division, several times as fast.
#[target_feature(enable = "avx2,fma")]
fn divide(numbers: __m256) -> __m256 {
    let reciprocal = _mm256_set1_ps(1.0 / 255.0);
    let quotient = _mm256_mul_ps(numbers, reciprocal);
    let remainder = _mm256_fnmadd_ps(quotient, _mm256_set1_ps(255.0), numbers);
    _mm256_fmadd_ps(remainder, reciprocal, quotient)
}
