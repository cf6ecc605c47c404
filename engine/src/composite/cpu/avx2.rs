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

/// One channel of the pixels that a crop has on either side of the prediction.
type Border = [u8; ModelGeometry::BORDER];

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
    const LAYOUT: Layout = Layout { lane: 8, block: BLOCK };

    #[inline(always)]
    fn vectorize(self, work: impl FnOnce()) {
        #[target_feature(enable = "avx2")]
        fn enter(work: impl FnOnce()) {
            work();
        }
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { enter(work) }
    }

    #[inline(always)]
    fn split(self, pixels: &[u8], planes: [&mut [u8]; PLANES]) {
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { split(pixels, planes) }
    }

    #[inline(always)]
    fn convert(self, values: [&[f32]; PLANES], pixels: &[u8], planes: [&mut [u8]; PLANES]) {
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { convert(values, pixels, planes) }
    }

    #[inline(always)]
    fn horizontal(self, shuffles: &Shuffles<Avx2>, planes: [&[u8]; PLANES], out: &mut [i16]) {
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { horizontal(shuffles, planes, out) }
    }

    #[inline(always)]
    fn vertical(self, top: &[i16], bottom: &[i16], weights: [i16; 2], out: &mut [u8]) {
        // SAFETY: `self` exists only where the CPU has AVX2.
        unsafe { vertical(top, bottom, weights, out) }
    }
}

#[inline]
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
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn split_borders<'a>(
    pixels: &[u8],
    [b, g, r]: [&'a mut [u8]; PLANES],
) -> [&'a mut [u8]; PLANES] {
    let (Some(first), Some(last)) = (pixels.first_chunk(), pixels.last_chunk()) else {
        panic!("a crop row has at least two borders");
    };
    let (first, last) = (split_quad(first), split_quad(last));
    [set_ends(b, first[0], last[0]), set_ends(g, first[1], last[1]), set_ends(r, first[2], last[2])]
}

/// Overwrites the first and the last bytes of a plane and returns the others.
#[inline(always)]
fn set_ends(plane: &mut [u8], first: Border, last: Border) -> &mut [u8] {
    let Some((left, rest)) = plane.split_first_chunk_mut() else {
        panic!("a plane has at least two borders");
    };
    let Some((inside, right)) = rest.split_last_chunk_mut() else {
        panic!("a plane has at least two borders");
    };
    (*left, *right) = (first, last);
    inside
}

/// The blue, green and red bytes of as many pixels as a border has.
#[inline]
#[target_feature(enable = "avx2")]
fn split_quad(quad: &[u8; 12]) -> [Border; PLANES] {
    let order = _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1);
    let [a, b, c] = [
        i32::from_le_bytes([quad[0], quad[1], quad[2], quad[3]]),
        i32::from_le_bytes([quad[4], quad[5], quad[6], quad[7]]),
        i32::from_le_bytes([quad[8], quad[9], quad[10], quad[11]]),
    ];
    let planes = _mm_shuffle_epi8(_mm_setr_epi32(a, b, c, 0), order);
    [
        _mm_extract_epi32::<0>(planes).to_le_bytes(),
        _mm_extract_epi32::<1>(planes).to_le_bytes(),
        _mm_extract_epi32::<2>(planes).to_le_bytes(),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn convert(values: [&[f32]; PLANES], pixels: &[u8], planes: [&mut [u8]; PLANES]) {
    let planes = split_borders(pixels, planes);
    for (values, bytes) in values.into_iter().zip(planes) {
        convert_row(values, bytes);
    }
}

#[inline]
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
#[inline]
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

#[inline]
#[target_feature(enable = "avx2")]
fn horizontal(shuffles: &Shuffles<Avx2>, planes: [&[u8]; PLANES], out: &mut [i16]) {
    if shuffles.halved() {
        horizontal_with::<true>(shuffles, planes, out);
    } else {
        horizontal_with::<false>(shuffles, planes, out);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn horizontal_with<const HALVED: bool>(
    shuffles: &Shuffles<Avx2>,
    planes: [&[u8]; PLANES],
    out: &mut [i16],
) {
    /// Outputs of a register's two lanes.
    const OUTPUTS: usize = 2 * Avx2::LAYOUT.lane;
    /// The 32-bit elements of the upper halves of both lanes.
    const UPPER_HALVES: i32 = 0b1100_1100;
    let plane_len = out.len() / PLANES;
    let starts = shuffles.starts().as_chunks::<4>().0;
    let indices = shuffles.indices().as_chunks::<REGISTER>().0;
    let coarse = shuffles.coarse().as_chunks::<REGISTER>().0;
    let fine = shuffles.fine().as_chunks::<REGISTER>().0;
    assert_eq!(starts.len() * OUTPUTS, plane_len);
    assert!(planes.iter().all(|plane| plane.len() >= shuffles.reach()));
    let registers = starts.iter().zip(indices).zip(coarse).zip(fine);
    for (register, (((starts, indices), coarse), fine)) in registers.enumerate() {
        // SAFETY: each of these arrays is as long as a register.
        let (indices, coarse, fine) = unsafe {
            (
                _mm256_loadu_si256(indices.as_ptr().cast()),
                _mm256_loadu_si256(coarse.as_ptr().cast()),
                _mm256_loadu_si256(fine.as_ptr().cast()),
            )
        };
        for (channel, plane) in planes.iter().enumerate() {
            let window = |i: usize| {
                // SAFETY: a window that begins at one of the starts ends within `reach` bytes, and
                // the plane has as many.
                unsafe { _mm_loadu_si128(plane.as_ptr().add(starts[i] as usize).cast()) }
            };
            // Window i of each lane.
            let gather = |i: usize| {
                let windows = _mm256_set_m128i(window(2 + i), window(i));
                _mm256_shuffle_epi8(windows, indices)
            };
            let mut pairs = gather(0);
            if HALVED {
                pairs = _mm256_blend_epi32::<UPPER_HALVES>(pairs, gather(1));
            }
            let sums = _mm256_add_epi16(
                _mm256_maddubs_epi16(pairs, coarse),
                _mm256_srli_epi16(_mm256_maddubs_epi16(pairs, fine), 4),
            );
            // SAFETY: a plane of `out` holds exactly the registers that are looped over.
            unsafe {
                let to = out.as_mut_ptr().add(channel * plane_len + register * OUTPUTS);
                _mm256_storeu_si256(to.cast(), sums);
            }
        }
    }
}

#[inline]
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
            // The pack works within lanes; put the groups of eight back into order.
            let packed = _mm256_packus_epi16(combine(at), combine(at + BLOCK / 2));
            _mm256_permute4x64_epi64::<0b11_01_10_00>(packed)
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

#[inline]
#[target_feature(enable = "avx2")]
fn store_pixels(pixels: [__m256i; PLANES], out: &mut [u8; PLANES * BLOCK]) {
    for (register, out) in pixels.into_iter().zip(out.as_chunks_mut::<REGISTER>().0) {
        // SAFETY: the chunk is as long as the register.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), register) };
    }
}

/// Interleaves 32 bytes of each plane to 32 BGR pixels.
#[inline]
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
#[inline]
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
