//! The rows of the fused kernel with AVX2.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use std::arch::x86_64::*;

use crate::frame::ModelGeometry;

use super::fused::{PLANES, RowKernel};
use super::scalar::to_byte;
use super::shuffle::{Layout, Shuffles};

/// Outputs processed at a time: 32, a register of bytes.
const BLOCK: usize = 32;
/// How many floats ahead of the conversion the cache is asked for them, because rows end before the
/// hardware has recognised a stream. Two rows of the usual network.
const AHEAD: usize = 640;
/// Bytes in a register.
const REGISTER: usize = 32;

/// Proof that the CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// `None` where the CPU lacks AVX2.
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl RowKernel for Avx2 {
    /// A register takes windows of both 128-bit lanes. Lanes are 16 outputs apart so that the two
    /// packs on the way to bytes, which work within lanes, leave the bytes in order.
    const LAYOUT: Layout =
        Layout { outputs: 4, window: 16, block: BLOCK, order: &[0, 4, 1, 5, 2, 6, 3, 7] };

    fn position(output: usize) -> usize {
        // Quarters 1 and 2 of the block change places.
        match output / 8 {
            1 => output + 8,
            2 => output - 8,
            _ => output,
        }
    }

    fn split(self, pixels: &[u8], planes: [&mut [u8]; PLANES]) {
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { split(pixels, planes) }
    }

    fn convert(self, values: [&[f32]; PLANES], pixels: &[u8], planes: [&mut [u8]; PLANES]) {
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { convert(values, pixels, planes) }
    }

    fn horizontal(self, shuffles: &Shuffles<Avx2>, planes: [&[u8]; PLANES], out: &mut [i16]) {
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { horizontal(shuffles, planes, out) }
    }

    fn vertical(self, top: &[i16], bottom: &[i16], weights: [i16; 2], out: &mut [u8]) {
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { vertical(top, bottom, weights, out) }
    }
}

#[target_feature(enable = "avx2")]
pub(super) fn split(pixels: &[u8], [b, g, r]: [&mut [u8]; PLANES]) {
    const QUAD: usize = 4;
    let (quads, rest) = pixels.as_chunks::<{ PLANES * QUAD }>();
    let [(b, last_b), (g, last_g), (r, last_r)] = [b, g, r].map(|p| p.as_chunks_mut::<QUAD>());
    for (((quad, b), g), r) in quads.iter().zip(b).zip(g).zip(r) {
        [*b, *g, *r] = split_quad(quad);
    }
    let rest = rest.as_chunks::<PLANES>().0;
    for (((pixel, b), g), r) in rest.iter().zip(last_b).zip(last_g).zip(last_r) {
        [*b, *g, *r] = *pixel;
    }
}

/// Splits the pixels at both ends into the ends of the planes and returns what lies between those.
#[target_feature(enable = "avx2")]
pub(super) fn split_borders<'a>(
    pixels: &[u8],
    planes: [&'a mut [u8]; PLANES],
) -> [&'a mut [u8]; PLANES] {
    const BORDER: usize = ModelGeometry::BORDER;
    let (Some(first), Some(last)) = (pixels.first_chunk(), pixels.last_chunk()) else {
        panic!("a crop row has at least two borders");
    };
    let (first, last) = (split_quad(first), split_quad(last));
    let mut channel = 0;
    planes.map(|plane| {
        let (left, rest) = plane.split_at_mut(BORDER);
        let (inside, right) = rest.split_at_mut(rest.len() - BORDER);
        left.copy_from_slice(&first[channel]);
        right.copy_from_slice(&last[channel]);
        channel += 1;
        inside
    })
}

/// The blue, green and red bytes of four pixels.
#[target_feature(enable = "avx2")]
fn split_quad(quad: &[u8; 12]) -> [[u8; 4]; PLANES] {
    let order = _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1);
    let [a, b, c] = [0, 4, 8]
        .map(|at| i32::from_le_bytes([quad[at], quad[at + 1], quad[at + 2], quad[at + 3]]));
    let planes = _mm_shuffle_epi8(_mm_setr_epi32(a, b, c, 0), order);
    [
        _mm_extract_epi32::<0>(planes).to_le_bytes(),
        _mm_extract_epi32::<1>(planes).to_le_bytes(),
        _mm_extract_epi32::<2>(planes).to_le_bytes(),
    ]
}

#[target_feature(enable = "avx2")]
fn convert(values: [&[f32]; PLANES], pixels: &[u8], planes: [&mut [u8]; PLANES]) {
    let planes = split_borders(pixels, planes);
    for (values, bytes) in values.into_iter().zip(planes) {
        convert_row(values, bytes);
    }
}

#[target_feature(enable = "avx2")]
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
#[target_feature(enable = "avx2")]
unsafe fn convert_block(values: *const f32, bytes: *mut u8) {
    for line in 0..2 {
        _mm_prefetch::<_MM_HINT_T0>(values.wrapping_add(AHEAD + 16 * line).cast());
    }
    let full = _mm256_set1_ps(255.0);
    let quarter = |i: usize| {
        // SAFETY: the caller vouches for 32 floats, and i is at most 3.
        let fraction = unsafe { _mm256_loadu_ps(values.add(8 * i)) };
        // The minimum is its second operand when that is NaN. NaN and what lies below the range
        // of i32 convert to i32::MIN, which the packs below saturate to 0.
        _mm256_cvttps_epi32(_mm256_min_ps(full, _mm256_mul_ps(fraction, full)))
    };
    let low = _mm256_packs_epi32(quarter(0), quarter(1));
    let high = _mm256_packs_epi32(quarter(2), quarter(3));
    let packed = _mm256_packus_epi16(low, high);
    // The packs work within lanes; put the groups of four back into order.
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let packed = _mm256_permutevar8x32_epi32(packed, order);
    // SAFETY: the caller vouches for 32 bytes.
    unsafe { _mm256_storeu_si256(bytes.cast(), packed) };
}

#[target_feature(enable = "avx2")]
fn horizontal(shuffles: &Shuffles<Avx2>, planes: [&[u8]; PLANES], out: &mut [i16]) {
    const WINDOWS: usize = Avx2::LAYOUT.order.len();
    let plane_len = out.len() / PLANES;
    let starts = shuffles.starts().as_chunks::<WINDOWS>().0;
    let indices = shuffles.indices().as_chunks::<{ 4 * BLOCK }>().0;
    let weights = shuffles.weights().as_chunks::<{ 2 * BLOCK }>().0;
    assert!(starts.len() == indices.len() && starts.len() == weights.len());
    assert_eq!(starts.len() * BLOCK, plane_len);
    assert!(planes.iter().all(|plane| plane.len() >= shuffles.reach()));
    for (block, ((starts, indices), weights)) in starts.iter().zip(indices).zip(weights).enumerate()
    {
        for half in 0..2 {
            // SAFETY: a block has four registers of indices and of weights, and a half takes two.
            let (indices, weights) = unsafe {
                (
                    load_pair(indices.as_ptr().add(2 * REGISTER * half).cast()),
                    load_pair(weights.as_ptr().add(REGISTER * half).cast()),
                )
            };
            let starts: [usize; 4] = std::array::from_fn(|i| starts[4 * half + i] as usize);
            for (channel, plane) in planes.iter().enumerate() {
                let sums = |i: usize| {
                    // SAFETY: a window that begins at one of the starts ends within `reach` bytes,
                    // and the plane has as many.
                    let pixels = unsafe {
                        _mm256_inserti128_si256(
                            _mm256_castsi128_si256(_mm_loadu_si128(
                                plane.as_ptr().add(starts[2 * i]).cast(),
                            )),
                            _mm_loadu_si128(plane.as_ptr().add(starts[2 * i + 1]).cast()),
                            1,
                        )
                    };
                    let pairs = _mm256_shuffle_epi8(pixels, indices[i]);
                    _mm256_srai_epi32(_mm256_madd_epi16(pairs, weights[i]), 4)
                };
                let packed = _mm256_packs_epi32(sums(0), sums(1));
                let at = channel * plane_len + block * BLOCK + half * BLOCK / 2;
                // SAFETY: a plane of `out` holds exactly the blocks that are looped over.
                unsafe { _mm256_storeu_si256(out.as_mut_ptr().add(at).cast(), packed) };
            }
        }
    }
}

/// # Safety
/// Two registers can be read from `from`.
#[target_feature(enable = "avx2")]
unsafe fn load_pair(from: *const __m256i) -> [__m256i; 2] {
    // SAFETY: the caller vouches for both.
    unsafe { [_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))] }
}

#[target_feature(enable = "avx2")]
fn vertical(top: &[i16], bottom: &[i16], weights: [i16; 2], out: &mut [u8]) {
    let plane_len = top.len() / PLANES;
    assert_eq!(top.len(), bottom.len());
    assert!(plane_len.is_multiple_of(BLOCK) && out.len() <= top.len());
    let weights = weights.map(|weight| _mm256_set1_epi16(weight));
    let two = _mm256_set1_epi16(2);
    let combine = |at: usize| {
        // SAFETY: callers pass the start of a register within a block within a plane.
        let (top, bottom) = unsafe {
            (
                _mm256_loadu_si256(top.as_ptr().add(at).cast()),
                _mm256_loadu_si256(bottom.as_ptr().add(at).cast()),
            )
        };
        let sum = _mm256_add_epi16(
            _mm256_mulhi_epi16(top, weights[0]),
            _mm256_mulhi_epi16(bottom, weights[1]),
        );
        _mm256_srai_epi16(_mm256_add_epi16(sum, two), 2)
    };
    for (block, out) in out.chunks_mut(PLANES * BLOCK).enumerate() {
        let plane = |channel: usize| {
            let at = channel * plane_len + block * BLOCK;
            _mm256_packus_epi16(combine(at), combine(at + BLOCK / 2))
        };
        let pixels = interleave(plane(0), plane(1), plane(2));
        if let Ok(out) = <&mut [u8; PLANES * BLOCK]>::try_from(&mut *out) {
            store_pixels(pixels, out);
        } else {
            let mut whole = [0; PLANES * BLOCK];
            store_pixels(pixels, &mut whole);
            out.copy_from_slice(&whole[..out.len()]);
        }
    }
}

#[target_feature(enable = "avx2")]
fn store_pixels(pixels: [__m256i; PLANES], out: &mut [u8; PLANES * BLOCK]) {
    for (register, out) in pixels.into_iter().zip(out.as_chunks_mut::<REGISTER>().0) {
        // SAFETY: the chunk is as long as the register.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), register) };
    }
}

/// Interleaves 32 bytes of each plane to 32 BGR pixels.
#[target_feature(enable = "avx2")]
fn interleave(b: __m256i, g: __m256i, r: __m256i) -> [__m256i; PLANES] {
    let select = |which: usize| load_lane(&SELECT[which]);
    let (second, third) = (select(0), select(1));
    let mix = |first, at_second, at_third| {
        _mm256_blendv_epi8(_mm256_blendv_epi8(first, at_second, second), at_third, third)
    };
    let b = _mm256_shuffle_epi8(b, load_lane(&SPREAD[0]));
    let g = _mm256_shuffle_epi8(g, load_lane(&SPREAD[1]));
    let r = _mm256_shuffle_epi8(r, load_lane(&SPREAD[2]));
    // Each lane now turns into 48 bytes of pixels: 16 in each of these.
    let (start, middle, end) = (mix(b, g, r), mix(g, r, b), mix(r, b, g));
    [
        _mm256_permute2x128_si256(start, middle, 0x20),
        _mm256_permute2x128_si256(end, start, 0x30),
        _mm256_permute2x128_si256(middle, end, 0x31),
    ]
}

/// The 16 bytes in both lanes.
#[target_feature(enable = "avx2")]
fn load_lane(bytes: &[u8; 16]) -> __m256i {
    // SAFETY: the array has the 16 bytes that are read.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// For each channel, the shuffle that moves its 16 pixels to where they stand in 48 bytes of
/// interleaved pixels, taken modulo 16: byte j of part i of those is channel (16 i + j) % 3 of
/// pixel (16 i + j) / 3.
const SPREAD: [[u8; 16]; PLANES] = {
    let mut spread = [[0; 16]; PLANES];
    let mut n = 0;
    while n < 48 {
        spread[n % 3][n % 16] = (n / 3) as u8;
        n += 1;
    }
    spread
};

/// Blend masks for the bytes j with j % 3 = 1 and with j % 3 = 2.
const SELECT: [[u8; 16]; 2] = {
    let mut select = [[0; 16]; 2];
    let mut j = 0;
    while j < 16 {
        if j % 3 > 0 {
            select[j % 3 - 1][j] = 0xff;
        }
        j += 1;
    }
    select
};
