//! Audio features that look like those of a speech network.

use std::f32::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::FPS;
use super::audio_encoder::LOUDNESS;
use super::motion::Motion;
use crate::dataset::Features;

/// Features of one frame.
pub(super) const WIDTH: usize = Features::ROW;

/// A feature over time: two slow waves around a level, louder while the mouth is open.
struct Channel {
    level: f32,
    strength: f32,
    voiced: f32,
    hertz: [f32; 2],
    phases: [f32; 2],
}

/// A row of [`WIDTH`] features for each frame's loudness: not negative, about 0.4 in the mean,
/// changing slowly from row to row. One of them is the loudness.
pub(super) fn features(loudness: &[f32], seed: u64, motion: &Motion) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let channels: Vec<Channel> = (0..WIDTH)
        .map(|_| Channel {
            level: rng.random_range(-1.0..0.9),
            strength: rng.random_range(0.2..1.6),
            voiced: rng.random_range(-0.5..1.5),
            hertz: [rng.random_range(0.1..0.8), rng.random_range(0.8..3.0)],
            phases: [rng.random_range(0.0..TAU), rng.random_range(0.0..TAU)],
        })
        .collect();
    let mut rows = Vec::with_capacity(loudness.len() * WIDTH);
    for (frame, &loudness) in loudness.iter().enumerate() {
        let (time, mouth) = (frame as f32 / FPS as f32, motion.mouth(frame));
        rows.extend(channels.iter().map(|channel| {
            let wave = |i: usize| (time * channel.hertz[i] * TAU + channel.phases[i]).sin();
            let noise: f32 = StandardNormal.sample(&mut rng);
            let swing = channel.strength * (0.7 * wave(0) + 0.3 * wave(1) + 0.1 * noise);
            (channel.level + swing + channel.voiced * mouth).max(0.0)
        }));
        rows[frame * WIDTH + LOUDNESS] = loudness;
    }
    rows
}
