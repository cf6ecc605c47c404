//! How the head moves: rectangles over time, and the poses drawn around them.

use std::collections::HashMap;
use std::f32::consts::TAU;
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::file::{from_json, regular};
use crate::frame::{Rect, Size};

use super::{FPS, SampleError};

/// The frame size that the numbers below are for; other frames are scaled to fit.
const REFERENCE: Size = Size::new(1280, 720);
/// Side of a rectangle: mean, and largest deviation from it.
const FACE: (f32, f32) = (181.0, 8.0);
/// Where the middle of a rectangle's upper edge is, as parts of the frame's width and height.
const HOME: (f32, f32) = (0.5, 0.375);
/// Largest deviation from there, in pixels of the reference.
const SWAY: (f32, f32) = (26.0, 16.0);
/// Frames on each side that a pose is averaged over: rectangles are whole pixels, heads are not.
const SMOOTHING: usize = 3;
/// Seconds from one blink to the next, and half the length of a blink.
const BLINK: (f32, f32) = (2.3, 0.11);
/// Syllables a second.
const SYLLABLES: f32 = 3.1;

/// What the head does in one frame. Lengths are pixels of the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pose {
    /// Middle of the face's upper edge, which is the crop's.
    pub(super) head: (f32, f32),
    /// Width of the face, which is the crop's.
    pub(super) unit: f32,
    /// The same point of a body that follows the head lazily.
    pub(super) body: (f32, f32),
    /// Lean to the side in degrees.
    pub(super) tilt: f32,
    /// Turn to the side, -1 to 1.
    pub(super) turn: f32,
    /// How far the eyes are closed, 0 to 1.
    pub(super) blink: f32,
    /// How far the mouth is open, 0 to 1.
    pub(super) mouth: f32,
    /// How far the brows are raised, 0 to 1.
    pub(super) brows: f32,
}

/// Times and phases of everything that moves by itself.
pub(super) struct Motion {
    phases: [f32; 8],
}

impl Motion {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self { phases: std::array::from_fn(|_| rng.random_range(0.0..TAU)) }
    }

    /// A sine of `hertz` at `frame`, with one of the phases.
    fn wave(&self, frame: usize, hertz: f32, phase: usize) -> f32 {
        self.wave_at(seconds(frame), hertz, phase)
    }

    fn wave_at(&self, time: f32, hertz: f32, phase: usize) -> f32 {
        (time * hertz * TAU + self.phases[phase]).sin()
    }

    /// Square rectangles of a head that sways, all inside frames of `size`.
    pub(super) fn rectangles(&self, frames: usize, size: Size) -> Vec<Rect> {
        let (width, height) = (size.width as f32, size.height as f32);
        let scale = (width / REFERENCE.width as f32).min(height / REFERENCE.height as f32);
        let square = |frame| {
            let side = (FACE.0 + FACE.1 * self.wave(frame, 0.19, 0)) * scale;
            let sway_x = 0.75 * self.wave(frame, 0.23, 1) + 0.25 * self.wave(frame, 0.61, 2);
            let sway_y = 0.7 * self.wave(frame, 0.31, 3) + 0.3 * self.wave(frame, 0.83, 4);
            let x = HOME.0 * width + SWAY.0 * scale * sway_x - side / 2.0;
            let y = HOME.1 * height + SWAY.1 * scale * sway_y;
            let (x1, y1, side) = (x.round() as usize, y.round() as usize, side.round() as usize);
            Rect { x1, y1, x2: x1 + side, y2: y1 + side }
        };
        (0..frames).map(square).collect()
    }

    /// One pose for each rectangle.
    pub(super) fn poses(&self, rects: &[Rect]) -> Vec<Pose> {
        let raw: Vec<[f32; 3]> = rects
            .iter()
            .map(|r| [(r.x1 + r.x2) as f32 / 2.0, r.y1 as f32, (r.x2 - r.x1) as f32])
            .collect();
        let rest = mean(&raw);
        let smooth = |frame: usize| {
            let end = (frame + SMOOTHING + 1).min(raw.len());
            mean(&raw[frame.saturating_sub(SMOOTHING)..end])
        };
        let pose = |frame: usize| {
            let [x, y, unit] = smooth(frame);
            let follow = |head: f32, rest: f32| rest + 0.3 * (head - rest);
            Pose {
                head: (x, y),
                unit,
                body: (follow(x, rest[0]), follow(y, rest[1])),
                tilt: 6.0 * (x - rest[0]) / unit + 1.2 * self.wave(frame, 0.37, 5),
                turn: self.wave(frame, 0.27, 6),
                blink: self.blink(frame),
                mouth: self.mouth(frame),
                brows: (0.5 + 0.5 * self.wave(frame, 0.41, 7)).powi(2),
            }
        };
        (0..rects.len()).map(pose).collect()
    }

    /// How far the mouth is open, 0 to 1: syllables inside phrases, with pauses.
    pub(super) fn mouth(&self, frame: usize) -> f32 {
        self.mouth_at(seconds(frame))
    }

    /// The same at any time, in seconds.
    pub(super) fn mouth_at(&self, time: f32) -> f32 {
        let phrase = (0.75 + self.wave_at(time, 0.43, 0)).clamp(0.0, 1.0);
        let syllables =
            0.5 + 0.35 * self.wave_at(time, SYLLABLES, 1) + 0.15 * self.wave_at(time, 5.3, 2);
        phrase * syllables
    }

    /// Which syllable is spoken at a time, and how much of it is over. The mouth closes between two.
    pub(super) fn syllable_at(&self, time: f32) -> (usize, f32) {
        let syllables = time * SYLLABLES + self.phases[1] / TAU + 0.25;
        (syllables as usize, syllables.fract())
    }

    fn blink(&self, frame: usize) -> f32 {
        let time = seconds(frame) + 0.5 * self.phases[3];
        let from_blink = (time % BLINK.0 - BLINK.0 / 2.0).abs();
        (1.3 * (1.0 - from_blink / BLINK.1)).clamp(0.0, 1.0)
    }
}

/// The rectangles of a crop_rectangles.json, played forwards and backwards up to `frames`.
pub(super) fn read_rectangles(
    path: &Path,
    frames: usize,
    size: Size,
) -> Result<Vec<Rect>, SampleError> {
    #[derive(Deserialize)]
    struct Entry {
        rect: [i64; 4],
    }

    let bytes = regular::read(path)
        .map_err(|source| SampleError::ReadRectangles { path: path.to_owned(), source })?;
    let bad = |problem: String| SampleError::Rectangles { path: path.to_owned(), problem };
    let entries: HashMap<String, Entry> = from_json(&bytes).map_err(|problem| {
        bad(format!("expected {{\"0\": {{\"rect\": [x1, y1, x2, y2]}}, ...}}, {problem}"))
    })?;
    if entries.is_empty() {
        return Err(bad("the file has no frames".into()));
    }
    let rect = |frame: usize| {
        let entry = entries.get(&frame.to_string()).ok_or_else(|| {
            bad(format!("it has {} frames but none named \"{frame}\"", entries.len()))
        })?;
        let [x1, y1, x2, y2] = entry.rect.map(|edge| usize::try_from(edge).ok());
        let rect = (|| Some(Rect { x1: x1?, y1: y1?, x2: x2?, y2: y2? }))();
        rect.filter(|rect| rect.fits(size)).ok_or_else(|| {
            bad(format!(
                "frame {frame} has the rectangle {:?}, which is empty or outside of frames of {size}",
                entry.rect
            ))
        })
    };
    let stored: Vec<Rect> = (0..entries.len()).map(rect).collect::<Result<_, _>>()?;
    let there_and_back =
        stored.iter().chain(stored.iter().rev().skip(1).take(stored.len().saturating_sub(2)));
    Ok(there_and_back.copied().cycle().take(frames).collect())
}

fn seconds(frame: usize) -> f32 {
    frame as f32 / FPS as f32
}

fn mean(values: &[[f32; 3]]) -> [f32; 3] {
    std::array::from_fn(|i| values.iter().map(|v| v[i]).sum::<f32>() / values.len() as f32)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn default_rectangles_look_like_real_ones() {
        for seed in 0..20 {
            let rects = Motion::new(seed).rectangles(1000, REFERENCE);
            for rect in rects {
                assert!(rect.fits(REFERENCE));
                assert_eq!(rect.size().width, rect.size().height);
                assert!((173..=189).contains(&rect.size().width), "{rect}");
            }
        }
    }

    #[test]
    fn rectangles_stay_inside_frames_of_any_shape() {
        for size in [Size::new(64, 64), Size::new(64, 1000), Size::new(3000, 64)] {
            assert!(Motion::new(1).rectangles(200, size).iter().all(|rect| rect.fits(size)));
        }
    }

    #[test]
    fn stored_rectangles_go_back_and_forth() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rects.json");
        let entry =
            |i: i64| format!("\"{i}\": {{\"rect\": [{i}, 0, 9, 9], \"original_path\": \"x\"}}");
        fs::write(&path, format!("{{{}, {}, {}}}", entry(0), entry(1), entry(2))).unwrap();
        let rects = read_rectangles(&path, 7, Size::new(9, 9)).unwrap();
        assert_eq!(rects.iter().map(|r| r.x1).collect::<Vec<_>>(), [0, 1, 2, 1, 0, 1, 2]);

        let error = read_rectangles(&path, 1, Size::new(9, 8)).unwrap_err().to_string();
        assert!(error.contains("rects.json") && error.contains("frame 0"), "{error}");
        fs::write(&path, format!("{{{}, {}}}", entry(0), entry(2))).unwrap();
        let error = read_rectangles(&path, 1, Size::new(9, 9)).unwrap_err().to_string();
        assert!(error.contains("2 frames but none named \"1\""), "{error}");
    }
}
