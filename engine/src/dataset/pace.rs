//! How fast a package plays against its output.

use std::ops::Range;

use crate::frame::FrameRate;

/// Steps of a package, whose frames and feature rows come 25 times a second, against the frames of
/// an output of another rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Frames of the output in as much time as `steps` of the package take.
    frames: u64,
    steps: u64,
}

impl Default for Pace {
    /// One step a frame.
    fn default() -> Self {
        Self { frames: 1, steps: 1 }
    }
}

impl Pace {
    /// The pace of an output of `rate`.
    pub fn of(rate: FrameRate) -> Self {
        let package = FrameRate::DEFAULT;
        let frames = u64::from(rate.frames()) * u64::from(package.seconds());
        let steps = u64::from(rate.seconds()) * u64::from(package.frames());
        match frames == steps {
            true => Self::default(),
            false => Self { frames, steps },
        }
    }

    /// The step that is shown by output frame `frame`: the one that has begun last.
    pub fn step(self, frame: u64) -> u64 {
        self.scaled(frame).0
    }

    /// That step, and how far the next one is, 0 to 1.
    pub fn position(self, frame: u64) -> (u64, f32) {
        let (step, rest) = self.scaled(frame);
        (step, (rest as f64 / self.frames as f64) as f32)
    }

    /// The output frames that show step `step`; none where the output is slower.
    pub fn frames_of(self, step: u64) -> Range<u64> {
        self.frames_in(step)..self.frames_in(step.saturating_add(1))
    }

    /// Output frames that begin within the first `steps` steps.
    pub fn frames_in(self, steps: u64) -> u64 {
        let frames = u128::from(steps) * u128::from(self.frames);
        u64::try_from(frames.div_ceil(u128::from(self.steps))).unwrap_or(u64::MAX)
    }

    fn scaled(self, frame: u64) -> (u64, u64) {
        let (product, frames) =
            (u128::from(frame) * u128::from(self.steps), u128::from(self.frames));
        let step = u64::try_from(product / frames).unwrap_or(u64::MAX);
        // Below `frames`, which is a u64.
        (step, (product % frames) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: &str) -> Pace {
        Pace::of(rate.parse().unwrap())
    }

    #[test]
    fn steps_and_frames_agree() {
        for rate in ["25", "50", "12.5", "30", "24", "29.97", "60", "1", "240", "30000/1001"] {
            let pace = pace(rate);
            let mut shown = 0;
            for step in 0..200 {
                for frame in pace.frames_of(step) {
                    assert_eq!(frame, shown);
                    assert_eq!(pace.step(frame), step, "{rate}");
                    shown += 1;
                }
                assert_eq!(pace.frames_in(step + 1), shown);
            }
        }
    }

    #[test]
    fn positions_are_exact_where_they_can_be() {
        assert_eq!(pace("25"), Pace::default());
        let half = pace("50");
        assert_eq!(
            [0, 1, 2, 3].map(|k| half.position(k)),
            [(0, 0.0), (0, 0.5), (1, 0.0), (1, 0.5)]
        );
        assert_eq!(pace("12.5").position(3), (6, 0.0));
        assert_eq!(half.frames_of(u64::MAX).end, u64::MAX);
        assert_eq!(pace("50").frames_in(7), 14);
        assert_eq!(pace("24").frames_in(25), 24);
        assert_eq!(pace("30").frames_in(1), 2, "frames at 0 and at 1/30 s begin within 1/25 s");
    }
}
