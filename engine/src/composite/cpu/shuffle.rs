//! Column taps in the form that byte shuffles take.

use std::marker::PhantomData;

use crate::composite::plan::Taps;

use super::fused::RowKernel;

/// How the registers of kernel `K` gather their pixels from a row of bytes: they load windows of
/// the row, shuffle each to pairs of 16-bit pixels and multiply the pairs by pairs of weights.
#[derive(Debug)]
pub(crate) struct Shuffles<K> {
    /// First byte of each window.
    starts: Vec<u32>,
    /// Four bytes an output: its two pixels, relative to the window, each followed by a zero.
    indices: Vec<u8>,
    /// Two weights an output.
    weights: Vec<i16>,
    /// One past the last byte that any window loads.
    reach: usize,
    kernel: PhantomData<K>,
}

/// How a kernel's registers divide a row of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Outputs that share a window.
    pub(super) outputs: usize,
    /// Bytes in a window.
    pub(super) window: usize,
    /// Outputs in a block, the unit in which rows are processed.
    pub(super) block: usize,
    /// The order in which the windows of a block are taken.
    pub(super) order: &'static [usize],
}

/// The index that makes a byte shuffle write a zero.
const ZERO: u8 = 0x80;

impl<K: RowKernel> Shuffles<K> {
    /// The shuffles for `columns`, or `None` where taps are too far apart for a window.
    pub(super) fn new(columns: &[Taps<2>]) -> Option<Self> {
        let layout = K::LAYOUT;
        let windows = columns.len().div_ceil(layout.block) * layout.order.len();
        let mut shuffles = Self {
            starts: Vec::with_capacity(windows),
            indices: Vec::with_capacity(windows * layout.outputs * 4),
            weights: Vec::with_capacity(windows * layout.outputs * 2),
            reach: 0,
            kernel: PhantomData,
        };
        for block in columns.chunks(layout.block) {
            for &window in layout.order {
                let first = (window * layout.outputs).min(block.len());
                let end = (first + layout.outputs).min(block.len());
                shuffles.push(&block[first..end])?;
            }
        }
        Some(shuffles)
    }

    fn push(&mut self, taps: &[Taps<2>]) -> Option<()> {
        let Layout { outputs, window, .. } = K::LAYOUT;
        let start = taps.first().map_or(0, |first| first.index[0]);
        for Taps { index, weights } in taps {
            let [left, right] = index.map(|i| i - start);
            if right >= window {
                return None;
            }
            self.indices.extend([left as u8, ZERO, right as u8, ZERO]);
            self.weights.extend(weights);
        }
        // Outputs beyond the last column are computed, as zeros, but never stored.
        for _ in taps.len()..outputs {
            self.indices.extend([0, ZERO, 0, ZERO]);
            self.weights.extend([0, 0]);
        }
        self.starts.push(u32::try_from(start).ok()?);
        self.reach = self.reach.max(start + window);
        Some(())
    }

    /// The first byte of each window, in the layout's order, block after block.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Four bytes an output.
    pub(super) fn indices(&self) -> &[u8] {
        &self.indices
    }

    /// Two weights an output.
    pub(super) fn weights(&self) -> &[i16] {
        &self.weights
    }

    /// Bytes that a row must have, so that every window lies in it.
    pub(super) fn reach(&self) -> usize {
        self.reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Divides rows into blocks of two windows; computes nothing.
    #[derive(Clone, Copy, Debug)]
    struct Kernel;

    impl RowKernel for Kernel {
        const LAYOUT: Layout = Layout { outputs: 2, window: 4, block: 4, order: &[1, 0] };

        fn position(output: usize) -> usize {
            output
        }
        fn split(self, _: &[u8], _: [&mut [u8]; 3]) {}
        fn convert(self, _: [&[f32]; 3], _: &[u8], _: [&mut [u8]; 3]) {}
        fn horizontal(self, _: &Shuffles<Self>, _: [&[u8]; 3], _: &mut [i16]) {}
        fn vertical(self, _: &[i16], _: &[i16], _: [i16; 2], _: &mut [u8]) {}
    }

    fn taps(left: usize) -> Taps<2> {
        Taps { index: [left, left + 1], weights: [left as i16, 1] }
    }

    #[test]
    fn windows_follow_the_order_and_pad_the_last_block() {
        let shuffles = Shuffles::<Kernel>::new(&[5, 6, 7, 9, 11].map(taps)).unwrap();
        assert_eq!(shuffles.starts(), [7, 5, 0, 11]);
        assert_eq!(shuffles.reach(), 15);
        let z = ZERO;
        assert_eq!(
            shuffles.indices(),
            [
                [0, z, 1, z, 2, z, 3, z],
                [0, z, 1, z, 1, z, 2, z],
                [0, z, 0, z, 0, z, 0, z],
                [0, z, 1, z, 0, z, 0, z],
            ]
            .as_flattened()
        );
        assert_eq!(shuffles.weights(), [7, 1, 9, 1, 5, 1, 6, 1, 0, 0, 0, 0, 11, 1, 0, 0]);
    }

    #[test]
    fn taps_that_are_too_far_apart_are_refused() {
        assert!(Shuffles::<Kernel>::new(&[0, 2].map(taps)).is_some());
        assert!(Shuffles::<Kernel>::new(&[0, 3].map(taps)).is_none());
    }
}
