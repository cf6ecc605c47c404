//! Frames a second, exactly.

use std::fmt;
use std::str::FromStr;

/// Frames a second as a fraction, so that times do not drift over hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    frames: u32,
    seconds: u32,
}

/// No frame rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{found}\" is no frame rate; expected 1 to 240 frames a second, such as 25, 29.97 or 30000/1001"
)]
pub struct BadFrameRate {
    /// What was given.
    pub found: String,
}

impl FrameRate {
    /// What packages, features and networks are made for: 25.
    pub const DEFAULT: Self = Self { frames: 25, seconds: 1 };

    /// `frames` in `seconds`; `None` outside of 1 to 240 a second.
    pub fn new(frames: u32, seconds: u32) -> Option<Self> {
        let in_range = seconds > 0 && frames >= seconds && frames / seconds <= 240;
        let whole = frames.checked_rem(seconds)? == 0 || frames / seconds < 240;
        let divisor = gcd(frames, seconds);
        (in_range && whole).then(|| Self { frames: frames / divisor, seconds: seconds / divisor })
    }

    /// Frames in [`seconds`](Self::seconds).
    pub fn frames(self) -> u32 {
        self.frames
    }

    /// Seconds that [`frames`](Self::frames) take.
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// When `frame` is shown, in microseconds, rounded to the nearest.
    pub fn microseconds(self, frame: u64) -> u64 {
        let (frames, seconds) = (u128::from(self.frames), u128::from(self.seconds));
        let exact = u128::from(frame) * seconds * 1_000_000;
        ((exact + frames / 2) / frames) as u64
    }

    /// The frame nearest to `seconds`, at least 1: for lengths that people give in seconds.
    pub fn frames_in(self, seconds: f64) -> u64 {
        let frames = seconds * f64::from(self.frames) / f64::from(self.seconds);
        (frames.round() as u64).max(1)
    }

    /// Frames a second.
    pub fn as_f64(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Default for FrameRate {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => write!(f, "{}", self.frames),
            seconds => write!(f, "{}/{seconds}", self.frames),
        }
    }
}

impl FromStr for FrameRate {
    type Err = BadFrameRate;

    /// Whole numbers, decimals of up to three places, and fractions.
    fn from_str(text: &str) -> Result<Self, BadFrameRate> {
        let number = |text: &str| {
            // `parse` takes a sign as well.
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u32>().ok()).flatten()
        };
        let parsed = match (text.split_once('/'), text.split_once('.')) {
            (Some((frames, seconds)), None) => number(frames).zip(number(seconds)),
            (None, Some((whole, part))) if part.len() <= 3 => {
                let scale = 10_u32.pow(part.len() as u32);
                let scaled = number(whole).and_then(|whole| whole.checked_mul(scale));
                scaled
                    .zip(number(part))
                    .and_then(|(whole, part)| Some((whole.checked_add(part)?, scale)))
            }
            (None, None) => number(text).map(|frames| (frames, 1)),
            _ => None,
        };
        parsed
            .and_then(|(frames, seconds)| Self::new(frames, seconds))
            .ok_or_else(|| BadFrameRate { found: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_exactly() {
        for (text, shown, frames, seconds) in [
            ("25", "25", 25, 1),
            ("50/2", "25", 25, 1),
            ("29.97", "2997/100", 2997, 100),
            ("30000/1001", "30000/1001", 30000, 1001),
            ("12.5", "25/2", 25, 2),
            ("240", "240", 240, 1),
        ] {
            let rate: FrameRate = text.parse().unwrap();
            assert_eq!((rate.frames(), rate.seconds()), (frames, seconds), "{text}");
            assert_eq!(rate.to_string(), shown);
        }
        for text in
            ["", "0", "241", "0.5", "-25", "+25", "25fps", "1/2", "25/0", "1.2345", "240.5", "."]
        {
            let error = text.parse::<FrameRate>().unwrap_err().to_string();
            assert!(error.contains("is no frame rate"), "{text}: {error}");
        }
    }

    #[test]
    fn times_do_not_drift() {
        let rate: FrameRate = "30000/1001".parse().unwrap();
        assert_eq!(rate.microseconds(0), 0);
        assert_eq!(rate.microseconds(1), 33_367);
        // 100 hours.
        assert_eq!(rate.microseconds(30_000 * 360), 1001 * 360 * 1_000_000);
        assert_eq!(FrameRate::DEFAULT.microseconds(7), 280_000);
        assert_eq!(FrameRate::DEFAULT.frames_in(30.0), 750);
        assert_eq!(FrameRate::DEFAULT.frames_in(0.0), 1);
    }
}
