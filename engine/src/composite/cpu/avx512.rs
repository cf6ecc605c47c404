//! The rows of the fused kernel with AVX-512 and its byte permutes.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use std::arch::x86_64::*;

use super::avx2::{split, split_borders};
use super::fused::{PLANES, RowKernel};
use super::scalar::to_byte;
use super::shuffle::{Layout, Shuffles};

/// Outputs processed at a time: 64, a register of bytes.
const BLOCK: usize = 64;
/// How many floats ahead of the conversion the cache is asked for them, because rows end before the
/// hardware has recognised a stream. Two rows of the usual network.
const AHEAD: usize = 640;
/// Bytes in a register.
const REGISTER: usize = 64;
/// The bytes of the upper half of a register.
const UPPER_HALF: __mmask64 = !0 << 32;

/// Proof that the CPU has AVX-512 F, BW and VBMI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// `None` where the CPU lacks any of them.
    pub(crate) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi");
        found.then_some(Self(()))
    }
}

impl RowKernel for Avx512 {
    const LAYOUT: Layout = Layout { lane: 32, block: BLOCK };

    #[inline(always)]
    fn vectorize(self, work: impl FnOnce()) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
        fn enter(work: impl FnOnce()) {
            work();
        }
        // SAFETY: `self` exists only where the CPU has what the function enables.
        unsafe { enter(work) }
    }

    #[inline(always)]
    fn split(self, pixels: &[u8], planes: [&mut [u8]; PLANES]) {
        // SAFETY: `self` exists only where the CPU has what the function enables.
        unsafe { split(pixels, planes) }
    }

    #[inline(always)]
    fn convert(self, values: [&[f32]; PLANES], pixels: &[u8], planes: [&mut [u8]; PLANES]) {
        // SAFETY: `self` exists only where the CPU has what the function enables.
        unsafe { convert(values, pixels, planes) }
    }

    #[inline(always)]
    fn horizontal(self, shuffles: &Shuffles<Avx512>, planes: [&[u8]; PLANES], out: &mut [i16]) {
        // SAFETY: `self` exists only where the CPU has what the function enables.
        unsafe { horizontal(shuffles, planes, out) }
    }

    #[inline(always)]
    fn vertical(self, top: &[i16], bottom: &[i16], weights: [i16; 2], out: &mut [u8]) {
        // SAFETY: `self` exists only where the CPU has what the function enables.
        unsafe { vertical(top, bottom, weights, out) }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn convert(values: [&[f32]; PLANES], pixels: &[u8], planes: [&mut [u8]; PLANES]) {
    let planes = split_borders(pixels, planes);
    for (values, bytes) in values.into_iter().zip(planes) {
        convert_row(values, bytes);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn convert_row(values: &[f32], bytes: &mut [u8]) {
    assert_eq!(values.len(), bytes.len());
    let Some(last) = values.len().checked_sub(BLOCK) else {
        for (byte, &value) in bytes.iter_mut().zip(values) {
            *byte = to_byte(value);
        }
        return;
    };
    let mut start = 0;
    while start < last {
        // SAFETY: start < last, so BLOCK elements from start on lie in both slices.
        unsafe { convert_block(values.as_ptr().add(start), bytes.as_mut_ptr().add(start)) };
        start += BLOCK;
    }
    // The last block overlaps the one before it where the length is no multiple.
    // SAFETY: the slices have exactly BLOCK elements from last on.
    unsafe { convert_block(values.as_ptr().add(last), bytes.as_mut_ptr().add(last)) };
}

/// # Safety
/// `BLOCK` elements can be read from `values` and written to `bytes`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn convert_block(values: *const f32, bytes: *mut u8) {
    for line in 0..4 {
        _mm_prefetch::<_MM_HINT_T0>(values.wrapping_add(AHEAD + 16 * line).cast());
    }
    let full = _mm512_set1_ps(255.0);
    let quarter = |i: usize| {
        // SAFETY: the caller vouches for 64 floats, and i is at most 3.
        let fraction = unsafe { _mm512_loadu_ps(values.add(16 * i)) };
        // The minimum is its second operand when that is NaN. NaN and what lies below the range
        // of i32 convert to i32::MIN, which the packs below saturate to 0.
        _mm512_cvttps_epi32(_mm512_min_ps(full, _mm512_mul_ps(fraction, full)))
    };
    let low = _mm512_packs_epi32(quarter(0), quarter(1));
    let high = _mm512_packs_epi32(quarter(2), quarter(3));
    let packed = _mm512_packus_epi16(low, high);
    // The packs work within lanes; put the groups of four back into order.
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let packed = _mm512_permutexvar_epi32(order, packed);
    // SAFETY: the caller vouches for 64 bytes.
    unsafe { _mm512_storeu_si512(bytes.cast(), packed) };
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn horizontal(shuffles: &Shuffles<Avx512>, planes: [&[u8]; PLANES], out: &mut [i16]) {
    if shuffles.halved() {
        horizontal_with::<true>(shuffles, planes, out);
    } else {
        horizontal_with::<false>(shuffles, planes, out);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn horizontal_with<const HALVED: bool>(
    shuffles: &Shuffles<Avx512>,
    planes: [&[u8]; PLANES],
    out: &mut [i16],
) {
    const LANE: usize = Avx512::LAYOUT.lane;
    let plane_len = out.len() / PLANES;
    let starts = shuffles.starts().as_chunks::<2>().0;
    let indices = shuffles.indices().as_chunks::<REGISTER>().0;
    let coarse = shuffles.coarse().as_chunks::<REGISTER>().0;
    let fine = shuffles.fine().as_chunks::<REGISTER>().0;
    assert_eq!(starts.len() * LANE, plane_len);
    assert!(planes.iter().all(|plane| plane.len() >= shuffles.reach()));
    let lanes = starts.iter().zip(indices).zip(coarse).zip(fine);
    for (lane, (((starts, indices), coarse), fine)) in lanes.enumerate() {
        // SAFETY: each of these arrays is as long as a register.
        let (indices, coarse, fine) = unsafe {
            (
                _mm512_loadu_si512(indices.as_ptr().cast()),
                _mm512_loadu_si512(coarse.as_ptr().cast()),
                _mm512_loadu_si512(fine.as_ptr().cast()),
            )
        };
        for (channel, plane) in planes.iter().enumerate() {
            let window = |i: usize| {
                // SAFETY: a window that begins at one of the starts ends within `reach` bytes, and
                // the plane has as many.
                unsafe { _mm512_loadu_si512(plane.as_ptr().add(starts[i] as usize).cast()) }
            };
            let mut pairs = _mm512_permutexvar_epi8(indices, window(0));
            if HALVED {
                pairs = _mm512_mask_permutexvar_epi8(pairs, UPPER_HALF, indices, window(1));
            }
            let sums = _mm512_add_epi16(
                _mm512_maddubs_epi16(pairs, coarse),
                _mm512_srli_epi16(_mm512_maddubs_epi16(pairs, fine), 4),
            );
            // SAFETY: a plane of `out` holds exactly the lanes that are looped over.
            unsafe {
                let to = out.as_mut_ptr().add(channel * plane_len + lane * LANE);
                _mm512_storeu_si512(to.cast(), sums);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn vertical(top: &[i16], bottom: &[i16], weights: [i16; 2], out: &mut [u8]) {
    let plane_len = top.len() / PLANES;
    assert_eq!(top.len(), bottom.len());
    assert!(plane_len.is_multiple_of(BLOCK) && out.len() <= top.len());
    let weights = weights.map(|weight| _mm512_set1_epi16(weight));
    let two = _mm512_set1_epi16(2);
    let combine = |at: usize| {
        // SAFETY: callers pass the start of a register within a block within a plane.
        let (top, bottom) = unsafe {
            (
                _mm512_loadu_si512(top.as_ptr().add(at).cast()),
                _mm512_loadu_si512(bottom.as_ptr().add(at).cast()),
            )
        };
        let sum = _mm512_add_epi16(
            _mm512_mulhi_epi16(top, weights[0]),
            _mm512_mulhi_epi16(bottom, weights[1]),
        );
        _mm512_srai_epi16(_mm512_add_epi16(sum, two), 2)
    };
    for (block, out) in out.chunks_mut(PLANES * BLOCK).enumerate() {
        let plane = |channel: usize| {
            let at = channel * plane_len + block * BLOCK;
            _mm512_packus_epi16(combine(at), combine(at + BLOCK / 2))
        };
        let pixels = interleave(plane(0), plane(1), plane(2));
        for (register, out) in pixels.into_iter().zip(out.chunks_mut(REGISTER)) {
            if let Ok(out) = <&mut [u8; REGISTER]>::try_from(&mut *out) {
                // SAFETY: the array is as long as the register.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), register) };
            } else {
                let bytes = (1 << out.len()) - 1;
                // SAFETY: the mask selects as many bytes as the chunk has.
                unsafe { _mm512_mask_storeu_epi8(out.as_mut_ptr().cast(), bytes, register) };
            }
        }
    }
}

/// Interleaves 64 bytes of each plane, in the order in which a pack left them, to 64 BGR pixels.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn interleave(b: __m512i, g: __m512i, r: __m512i) -> [__m512i; PLANES] {
    [0, 1, 2].map(|part| {
        // SAFETY: the table has a register for each part.
        let from = unsafe { _mm512_loadu_si512(INTERLEAVE[part].as_ptr().cast()) };
        let bg = _mm512_permutex2var_epi8(b, from, g);
        _mm512_mask_permutexvar_epi8(bg, THIRD[part], from, r)
    })
}

/// Where the bytes of 64 interleaved pixels come from: an index into B and G, one after the other,
/// or into R.
const INTERLEAVE: [[u8; REGISTER]; PLANES] = {
    let mut from = [[0; REGISTER]; PLANES];
    let mut n = 0;
    while n < PLANES * BLOCK {
        let (pixel, channel) = (n / 3, n % 3);
        // A pack takes eight outputs of each of two registers, then the next eight of each.
        let position = pixel % 32 / 8 * 16 + pixel / 32 * 8 + pixel % 8;
        from[n / REGISTER][n % REGISTER] = (if channel == 1 { 64 } else { 0 } + position) as u8;
        n += 1;
    }
    from
};

/// Which bytes of 64 interleaved pixels are R.
const THIRD: [__mmask64; PLANES] = {
    let mut third = [0; PLANES];
    let mut n = 2;
    while n < PLANES * BLOCK {
        third[n / REGISTER] |= 1 << (n % REGISTER);
        n += 3;
    }
    third
};
