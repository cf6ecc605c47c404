//! Column taps in the form that byte shuffles take.

use std::iter::repeat_n;
use std::marker::PhantomData;
use std::ops::Range;

use crate::composite::plan::Taps;

use super::fused::RowKernel;

/// How the registers of kernel `K` gather their pixels from a row of bytes: they load windows of
/// the row, shuffle each to pairs of bytes, and multiply the pairs by pairs of weights.
///
/// A weight `w` is split into `16 * coarse + fine`, which fit a byte each, so that products sum to
/// 16 bits. With pixels `s` and `t` of weights `w` and `v`, what the resize asks for is
/// `(s * w + t * v) >> 4`, and since the coarse part is a multiple of 16, that is exactly
/// `s * coarse(w) + t * coarse(v) + ((s * fine(w) + t * fine(v)) >> 4)`.
#[derive(Debug)]
pub(crate) struct Shuffles<K> {
    /// First byte of each window; two windows a lane, of which the second may be unused.
    starts: Vec<u32>,
    /// Two bytes an output: its two pixels, relative to the window.
    indices: Vec<u8>,
    /// Two coarse parts of weights an output.
    coarse: Vec<i8>,
    /// Two fine parts of weights an output.
    fine: Vec<i8>,
    /// Whether each half of a lane has a window of its own.
    halved: bool,
    /// One past the last byte that any window loads.
    reach: usize,
    kernel: PhantomData<K>,
}

/// How a kernel's registers divide a row of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Outputs of a lane, the part of a register that one shuffle can move bytes within.
    pub(super) lane: usize,
    /// Outputs in a block, the unit in which rows are processed.
    pub(super) block: usize,
}

impl Layout {
    /// Bytes in a window: as many as a lane has.
    const fn window(self) -> usize {
        2 * self.lane
    }
}

impl<K: RowKernel> Shuffles<K> {
    /// The shuffles for `columns`, or `None` where taps are too far apart for a window.
    pub(super) fn new(columns: &[Taps<2>]) -> Option<Self> {
        Self::with_windows(columns, false).or_else(|| Self::with_windows(columns, true))
    }

    fn with_windows(columns: &[Taps<2>], halved: bool) -> Option<Self> {
        let Layout { lane, block } = K::LAYOUT;
        let outputs = columns.len().next_multiple_of(block);
        let mut shuffles = Self {
            starts: Vec::with_capacity(outputs / lane * 2),
            indices: Vec::with_capacity(outputs * 2),
            coarse: Vec::with_capacity(outputs * 2),
            fine: Vec::with_capacity(outputs * 2),
            halved,
            reach: 0,
            kernel: PhantomData,
        };
        for first in (0..outputs).step_by(lane) {
            let taps = |range: Range<usize>| {
                &columns[range.start.min(columns.len())..range.end.min(columns.len())]
            };
            let (middle, end) = (first + lane / 2, first + lane);
            if halved {
                shuffles.push(taps(first..middle), lane / 2)?;
                shuffles.push(taps(middle..end), lane / 2)?;
            } else {
                shuffles.push(taps(first..end), lane)?;
                shuffles.push(&[], 0)?;
            }
        }
        Some(shuffles)
    }

    /// Adds a window of so many outputs.
    fn push(&mut self, taps: &[Taps<2>], outputs: usize) -> Option<()> {
        let window = K::LAYOUT.window();
        let start = taps.first().map_or(0, |first| first.index[0]);
        for Taps { index, weights } in taps {
            let [left, right] = index.map(|i| i - start);
            if right >= window {
                return None;
            }
            self.indices.extend([left as u8, right as u8]);
            // Of a weight of 1, which is 16 * 128, the fine part takes what a byte cannot.
            let coarse = weights.map(|weight| (weight >> 4).min(i16::from(i8::MAX)));
            self.coarse.extend(coarse.map(|part| part as i8));
            self.fine.extend([0, 1].map(|k| (weights[k] - 16 * coarse[k]) as i8));
        }
        // Outputs beyond the last column are computed, as zeros, but never stored.
        let unused = 2 * (outputs - taps.len());
        self.indices.extend(repeat_n(0, unused));
        self.coarse.extend(repeat_n(0, unused));
        self.fine.extend(repeat_n(0, unused));
        self.starts.push(u32::try_from(start).ok()?);
        self.reach = self.reach.max(start + window);
        Some(())
    }

    /// The first byte of each window, two a lane. Where lanes are not [`Self::halved`], the second
    /// is unused.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Two bytes an output.
    pub(super) fn indices(&self) -> &[u8] {
        &self.indices
    }

    /// Two coarse parts of weights an output.
    pub(super) fn coarse(&self) -> &[i8] {
        &self.coarse
    }

    /// Two fine parts of weights an output.
    pub(super) fn fine(&self) -> &[i8] {
        &self.fine
    }

    /// Whether the upper half of each lane comes from the lane's second window.
    pub(super) fn halved(&self) -> bool {
        self.halved
    }

    /// Bytes that a row must have, so that every window lies in it.
    pub(super) fn reach(&self) -> usize {
        self.reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Divides rows into blocks of two lanes; computes nothing.
    #[derive(Clone, Copy, Debug)]
    struct Kernel;

    impl RowKernel for Kernel {
        const LAYOUT: Layout = Layout { lane: 2, block: 4 };

        fn vectorize(self, _: impl FnOnce()) {}
        fn split(self, _: &[u8], _: [&mut [u8]; 3]) {}
        fn convert(self, _: [&[f32]; 3], _: &[u8], _: [&mut [u8]; 3]) {}
        fn horizontal(self, _: &Shuffles<Self>, _: [&[u8]; 3], _: &mut [i16]) {}
        fn vertical(self, _: &[i16], _: &[i16], _: [i16; 2], _: &mut [u8]) {}
    }

    fn taps(left: usize) -> Taps<2> {
        let weight = 16 * left as i16 + 1;
        Taps { index: [left, left + 1], weights: [weight, 2048 - weight] }
    }

    #[test]
    fn one_window_serves_a_lane_where_it_suffices() {
        let shuffles = Shuffles::<Kernel>::new(&[5, 6, 7, 9, 11].map(taps)).unwrap();
        assert!(!shuffles.halved());
        assert_eq!(shuffles.starts(), [5, 0, 7, 0, 11, 0, 0, 0]);
        assert_eq!(shuffles.reach(), 15);
        let indices = [[0, 1, 1, 2], [0, 1, 2, 3], [0, 1, 0, 0], [0; 4]];
        assert_eq!(shuffles.indices(), indices.as_flattened());
        let coarse = [[5, 122, 6, 121], [7, 120, 9, 118], [11, 116, 0, 0], [0; 4]];
        assert_eq!(shuffles.coarse(), coarse.as_flattened());
        let fine = [[1, 15, 1, 15], [1, 15, 1, 15], [1, 15, 0, 0], [0; 4]];
        assert_eq!(shuffles.fine(), fine.as_flattened());
    }

    #[test]
    fn halves_of_a_lane_have_windows_where_one_does_not_suffice() {
        let shuffles = Shuffles::<Kernel>::new(&[5, 8, 11].map(taps)).unwrap();
        assert!(shuffles.halved());
        assert_eq!(shuffles.starts(), [5, 8, 11, 0]);
        assert_eq!(shuffles.indices(), [0, 1, 0, 1, 0, 1, 0, 0]);
    }

    #[test]
    fn taps_that_are_too_far_apart_are_refused() {
        let apart = |right| Taps { index: [0, right], weights: [1024, 1024] };
        assert!(Shuffles::<Kernel>::new(&[apart(3)]).is_some());
        assert!(Shuffles::<Kernel>::new(&[apart(4)]).is_none());
    }

    #[test]
    fn parts_of_every_weight_add_up() {
        for weight in 0..=2048 {
            let taps = Taps { index: [0, 1], weights: [weight, 2048 - weight] };
            let shuffles = Shuffles::<Kernel>::new(&[taps]).unwrap();
            let whole = |k| 16 * i16::from(shuffles.coarse()[k]) + i16::from(shuffles.fine()[k]);
            assert_eq!([whole(0), whole(1)], taps.weights);
        }
    }
}
