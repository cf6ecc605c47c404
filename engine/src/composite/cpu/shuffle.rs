//! Column taps in the form that byte shuffles take.

use crate::composite::plan::Taps;

/// How a vector register gathers its pixels from a row of bytes: it loads windows of the row,
/// shuffles each to pairs of 16-bit pixels and multiplies the pairs by pairs of weights.
#[derive(Debug)]
pub(crate) struct Shuffles {
    layout: Layout,
    /// First byte of each window.
    starts: Vec<u32>,
    /// Four bytes an output: its two pixels, relative to the window, each followed by a zero.
    indices: Vec<u8>,
    /// Two weights an output.
    weights: Vec<i16>,
    /// One past the last byte that any window loads.
    reach: usize,
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

impl Shuffles {
    /// The shuffles for `columns`, or `None` where taps are too far apart for a window.
    pub(super) fn new(layout: Layout, columns: &[Taps<2>]) -> Option<Self> {
        let windows = columns.len().div_ceil(layout.block) * layout.order.len();
        let mut shuffles = Self {
            layout,
            starts: Vec::with_capacity(windows),
            indices: Vec::with_capacity(windows * layout.outputs * 4),
            weights: Vec::with_capacity(windows * layout.outputs * 2),
            reach: 0,
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
        let Layout { outputs, window, .. } = self.layout;
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

    pub(super) fn layout(&self) -> Layout {
        self.layout
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

    const LAYOUT: Layout = Layout { outputs: 2, window: 4, block: 4, order: &[1, 0] };

    fn taps(left: usize) -> Taps<2> {
        Taps { index: [left, left + 1], weights: [left as i16, 1] }
    }

    #[test]
    fn windows_follow_the_order_and_pad_the_last_block() {
        let shuffles = Shuffles::new(LAYOUT, &[5, 6, 7, 9, 11].map(taps)).unwrap();
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
        assert!(Shuffles::new(LAYOUT, &[0, 2].map(taps)).is_some());
        assert!(Shuffles::new(LAYOUT, &[0, 3].map(taps)).is_none());
    }
}
