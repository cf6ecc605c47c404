//! Which rows of a mel spectrogram belong to which step of the encoder, and which step to which
//! frame.

use super::SAMPLE_RATE;

/// Mel rows that the encoder sees at one step: 0.2 s.
pub const STEP_ROWS: usize = 16;
/// Mel rows a second.
const ROWS_A_SECOND: usize = 80;
/// Steps, frames and feature rows a second.
const FRAMES_A_SECOND: usize = 25;
/// Samples in the time of one frame.
const FRAME_SAMPLES: u64 = (SAMPLE_RATE / FRAMES_A_SECOND) as u64;

/// Steps over `rows` mel rows: `int((rows - 16) / 80 * 25) + 2`. Fewer than 16 rows count as 16.
pub fn step_count(rows: usize) -> usize {
    // Floating point, as the training code has it: for some lengths, 384 rows for one, the quotient
    // is a hair below a whole number, and exact arithmetic would give a step more.
    let seconds = rows.saturating_sub(STEP_ROWS) as f64 / ROWS_A_SECOND as f64;
    (seconds * FRAMES_A_SECOND as f64) as usize + 2
}

/// First of the 16 mel rows of `step`: `int(80 step / 25)`, moved back where less than 16 of the
/// `rows` would follow.
pub fn step_start(step: usize, rows: usize) -> usize {
    let start = step.saturating_mul(ROWS_A_SECOND) / FRAMES_A_SECOND;
    start.min(rows.saturating_sub(STEP_ROWS))
}

/// Frames of a video with `samples` samples of sound: the seconds times 25, rounded up.
pub const fn frame_count(samples: u64) -> u64 {
    samples.div_ceil(FRAME_SAMPLES)
}

/// The step whose row belongs to `frame`, of `steps` that there are. The first and the last step's
/// row stand twice, so frame `k` has step `k - 1`; the last one goes on as long as there are frames.
pub fn step_of_frame(frame: usize, steps: usize) -> usize {
    frame.saturating_sub(1).min(steps.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules word for word: every row of features, as the number of the step that it is made of.
    fn feature_rows(mel_rows: usize, samples: usize) -> Vec<usize> {
        let steps = (mel_rows.max(16) as f64 - 16.0) / 80.0 * 25.0;
        let mut rows: Vec<usize> = (0..steps as usize + 2).collect();
        rows.insert(0, rows[0]);
        rows.push(rows[rows.len() - 1]);
        let frames = (samples as f64 / 16_000.0 * 25.0).ceil() as usize;
        while rows.len() < frames {
            rows.push(rows[rows.len() - 1]);
        }
        rows.truncate(frames);
        rows
    }

    #[test]
    fn windows_and_counts_follow_the_formula() {
        for rows in 1..=400 {
            let present = rows.max(16);
            let expected = ((present - 16) as f64 / 80.0 * 25.0) as usize + 2;
            assert_eq!(step_count(rows), expected, "{rows} mel rows");
            for step in 0..step_count(rows) {
                let end = ((80.0 * step as f64 / 25.0) as usize + 16).min(present);
                assert_eq!(step_start(step, rows), end - 16, "step {step} of {rows} mel rows");
            }
        }
        assert_eq!([1, 16, 17, 20, 52, 81].map(step_count), [2, 2, 2, 3, 13, 22]);
        // Exactly 115 more than 2, were it not for the rounding.
        assert_eq!(step_count(384), 116);
        assert_eq!([0, 1, 2, 4, 5, 20, 21].map(|i| step_start(i, 81)), [0, 3, 6, 12, 16, 64, 65]);
    }

    #[test]
    fn every_frame_has_the_row_of_the_rules() {
        for samples in (1..70_000).step_by(37).chain([640, 3000, 3200, 16_000, 160_000]) {
            let mel_rows = 1 + samples / 200;
            let steps = step_count(mel_rows);
            let frames = usize::try_from(frame_count(samples as u64)).unwrap();
            let rows: Vec<usize> = (0..frames).map(|frame| step_of_frame(frame, steps)).collect();
            assert_eq!(rows, feature_rows(mel_rows, samples), "{samples} samples");
        }
    }

    #[test]
    fn a_begun_frame_counts() {
        let counts = [0, 1, 640, 641, 10_240, 16_000, 80_001].map(frame_count);
        assert_eq!(counts, [0, 1, 1, 2, 16, 25, 126]);
    }
}
