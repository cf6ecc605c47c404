//! Where a video is cut into segments.

use std::ops::Range;

use crate::frame::FrameRate;

/// Fewer frames than this are added to the segment before them: an encoder that holds frames back to
/// put them in another order does not do so with so few, and their times would not follow on.
const LEAST: u64 = 8;

/// How the frames of a video are cut into segments of one length, but for the last, which may be
/// shorter or a little longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cuts {
    frames: u64,
    segment: u64,
}

impl Cuts {
    /// `frames` frames in segments of `segment`, at least 1.
    pub(super) fn new(frames: u64, segment: u64) -> Self {
        Self { frames, segment: segment.max(1) }
    }

    /// Frames in all.
    pub(super) fn frames(self) -> u64 {
        self.frames
    }

    /// Number of segments.
    pub(super) fn count(self) -> u64 {
        let (whole, rest) = (self.frames / self.segment, self.frames % self.segment);
        match rest {
            LEAST.. => whole + 1,
            0 => whole,
            // Alone, they are a segment all the same.
            _ => whole.max(1),
        }
    }

    /// The frames of segment `number`.
    pub(super) fn range(self, number: u64) -> Range<u64> {
        let first = number.saturating_mul(self.segment).min(self.frames);
        match number + 1 >= self.count() {
            true => first..self.frames,
            false => first..first + self.segment,
        }
    }

    /// The segment that a frame is in.
    pub(super) fn segment_of(self, frame: u64) -> u64 {
        (frame / self.segment).min(self.count().saturating_sub(1))
    }

    /// Whether a segment ends with the frame before `next`.
    pub(super) fn ends_before(self, next: u64) -> bool {
        next >= self.frames || (next > 0 && self.segment_of(next) != self.segment_of(next - 1))
    }

    /// Frames in the first `whole` segments.
    pub(super) fn frames_in(self, whole: u64) -> u64 {
        match whole {
            0 => 0,
            whole => self.range(whole - 1).end,
        }
    }

    /// How long each segment lasts, in microseconds, so that the sum of any number of them is the
    /// time of the frame that follows, exactly.
    pub(super) fn lengths(self, rate: FrameRate) -> impl Iterator<Item = u64> {
        (0..self.count()).map(move |number| {
            let Range { start, end } = self.range(number);
            rate.microseconds(end) - rate.microseconds(start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_in_one_segment() {
        for segment in [1, 2, 7, 8, 10, 50] {
            for frames in 0..130 {
                let cuts = Cuts::new(frames, segment);
                let mut next = 0;
                for number in 0..cuts.count() {
                    let range = cuts.range(number);
                    assert_eq!(range.start, next);
                    assert!(!range.is_empty(), "{frames} in {segment}: {number}");
                    let last = number + 1 == cuts.count();
                    let len = range.end - range.start;
                    assert!(len == segment || last && len < segment + LEAST, "{range:?}");
                    assert!(number == 0 || !last || len >= LEAST.min(segment), "{range:?}");
                    for frame in range.clone() {
                        assert_eq!(cuts.segment_of(frame), number);
                        assert_eq!(cuts.ends_before(frame + 1), frame + 1 == range.end);
                    }
                    next = range.end;
                    assert_eq!(cuts.frames_in(number + 1), next);
                }
                assert_eq!(next, frames, "in {segment}");
            }
        }
    }

    #[test]
    fn lengths_add_up_to_times() {
        let rate: FrameRate = "30000/1001".parse().unwrap();
        let cuts = Cuts::new(100_003, 37);
        let mut sum = 0;
        for (number, length) in (0..).zip(cuts.lengths(rate)) {
            sum += length;
            assert_eq!(sum, rate.microseconds(cuts.range(number).end));
        }
        assert_eq!(sum, rate.microseconds(100_003));
    }
}
