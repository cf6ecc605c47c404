//! The order in which a package's frames are shown, and how to decode them in it.

use std::ops::Range;

/// The background of output frame `k` in a package of `n` frames: 0, 1, ..., n-1, n-2, ..., 1, 0,
/// 1, ... A package of one frame always shows frame 0.
///
/// # Panics
/// When `n` is 0.
pub fn ping_pong(k: u64, n: usize) -> usize {
    let phase = (k % period(n)) as usize;
    if phase < n { phase } else { 2 * n - 2 - phase }
}

fn period(n: usize) -> u64 {
    assert!(n > 0, "a package has at least one frame");
    (2 * n as u64 - 2).max(1)
}

/// A run of frames that are decoded forwards, and shown forwards or in reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Output index of the frame shown first.
    pub(super) index: u64,
    /// First frame decoded.
    pub(super) first: usize,
    /// Number of frames.
    pub(super) len: usize,
    /// Whether the last frame decoded is the first one shown.
    pub(super) reversed: bool,
}

impl Segment {
    /// Output index of the `i`-th frame decoded.
    pub(super) fn index_of(self, i: usize) -> u64 {
        self.index + if self.reversed { self.len - 1 - i } else { i } as u64
    }
}

/// The output order cut into [`Segment`]s: whole forward passes, and reversed windows.
pub(super) struct Segments {
    next: u64,
    end: u64,
    frames: usize,
    window: usize,
}

impl Segments {
    /// Segments of the output frames `shown` of a package of `frames` frames, none of the reversed
    /// ones longer than `window`.
    pub(super) fn new(shown: Range<u64>, frames: usize, window: usize) -> Self {
        Self { next: shown.start, end: shown.end, frames, window: window.max(1) }
    }
}

impl Iterator for Segments {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
        if left == 0 {
            return None;
        }
        let phase = (self.next % period(self.frames)) as usize;
        let index = self.next;
        let segment = if phase < self.frames {
            let len = left.min(self.frames - phase);
            Segment { index, first: phase, len, reversed: false }
        } else {
            // Frame 0 is left to the forward pass that follows: it is the cheapest one to go to.
            let last = ping_pong(index, self.frames);
            let len = left.min(last).min(self.window);
            Segment { index, first: last + 1 - len, len, reversed: true }
        };
        self.next += segment.len as u64;
        Some(segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_shown_once() {
        let order = |n| (0..10).map(|k| ping_pong(k, n)).collect::<Vec<_>>();
        assert_eq!(order(1), [0; 10]);
        assert_eq!(order(2), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(order(3), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1]);
        assert_eq!(order(4), [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]);
        assert_eq!(ping_pong(1044 * 1_000_000_000_000 + 600, 523), 444);
    }

    #[test]
    fn segments_cover_the_output_order() {
        for frames in 1..=12 {
            for window in 1..=5 {
                for (first, count) in
                    (0..=60).map(|count| (0, count)).chain((1..40).map(|n| (n, 60)))
                {
                    let mut shown = vec![None; count as usize];
                    for segment in Segments::new(first..count, frames, window) {
                        assert!(!segment.reversed || segment.len <= window);
                        for i in 0..segment.len {
                            let slot = &mut shown[segment.index_of(i) as usize];
                            assert_eq!(slot.replace(segment.first + i), None);
                        }
                    }
                    let frame = |k| (k >= first).then(|| ping_pong(k, frames));
                    let expected: Vec<_> = (0..count).map(frame).collect();
                    assert_eq!(shown, expected, "{frames} frames, window {window}, from {first}");
                }
            }
        }
    }
}
