//! Sound like speech: a voice that hums vowels in the rhythm in which the drawn mouth moves.

use std::f64::consts::TAU;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::FPS;
use super::motion::Motion;
use crate::audio::{SAMPLE_RATE, Sound};

/// Samples in the time of one frame.
const FRAME_SAMPLES: usize = SAMPLE_RATE / FPS as usize;
/// The first three formants of vowels, in Hz.
const VOWELS: [[f32; 3]; 6] = [
    [730.0, 1090.0, 2440.0],
    [270.0, 2290.0, 3010.0],
    [300.0, 870.0, 2240.0],
    [530.0, 1840.0, 2480.0],
    [570.0, 840.0, 2410.0],
    [660.0, 1720.0, 2410.0],
];
/// Strength of each formant, and its width in Hz.
const FORMANTS: [(f32, f32); 3] = [(1.0, 150.0), (0.5, 200.0), (0.25, 250.0)];
/// Strength of overtones between formants.
const BETWEEN: f32 = 0.02;
const OVERTONES: usize = 23;
/// The voice's pitch in Hz, and how much and how often it rises and falls.
const PITCH: f64 = 170.0;
const MELODY: (f64, f64) = (0.15, 0.7);
/// Loudness of the voice; of the breath in it; of the room when nobody speaks.
const VOICE: f32 = 0.3;
const BREATH: f32 = 0.3;
const ROOM: f32 = 0.0006;
/// The sound is the louder the wider the mouth, and more than in proportion.
const EXPRESSION: f32 = 1.5;

/// Speech for a number of frames, 16 bits mono at 16 kHz.
pub(super) struct Speech {
    samples: Vec<i16>,
}

impl Speech {
    pub(super) fn new(frames: usize, seed: u64, motion: &Motion) -> Self {
        let speaker = Speaker { seed, motion };
        let samples = (0..frames).into_par_iter().flat_map_iter(|frame| speaker.frame(frame));
        Self { samples: samples.collect() }
    }

    /// As an encoder gets it.
    pub(super) fn sound(&self) -> Sound {
        let samples: Vec<f32> = self.samples.iter().map(|&s| f32::from(s) / 32768.0).collect();
        Sound::from_samples(&samples)
    }

    /// The bytes of a wav file.
    pub(super) fn wav(&self) -> Vec<u8> {
        const HEADER: u32 = 36;
        // A sound of 37 hours has more bytes than the field can say.
        let length = u32::try_from(2 * self.samples.len()).unwrap_or(u32::MAX - HEADER);
        let rate = SAMPLE_RATE as u32;
        let mut wav = Vec::with_capacity(8 + (HEADER + length) as usize);
        wav.extend(b"RIFF");
        wav.extend((HEADER + length).to_le_bytes());
        wav.extend(b"WAVEfmt ");
        wav.extend(16_u32.to_le_bytes());
        // PCM, one channel.
        wav.extend([1_u16, 1].iter().flat_map(|field| field.to_le_bytes()));
        wav.extend([rate, 2 * rate].iter().flat_map(|field| field.to_le_bytes()));
        // Bytes of all channels together, bits of one.
        wav.extend([2_u16, 16].iter().flat_map(|field| field.to_le_bytes()));
        wav.extend(b"data");
        wav.extend(length.to_le_bytes());
        wav.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        wav
    }
}

struct Speaker<'a> {
    seed: u64,
    motion: &'a Motion,
}

impl Speaker<'_> {
    /// The samples of one frame. Frames are made apart, so each has its own stream of noise.
    fn frame(&self, frame: usize) -> impl Iterator<Item = i16> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(frame as u64 + 1);
        (0..FRAME_SAMPLES).map(move |i| {
            let time = (frame * FRAME_SAMPLES + i) as f64 / SAMPLE_RATE as f64;
            let noise = rng.random_range(-1.0_f32..1.0);
            let loud = VOICE * self.motion.mouth_at(time as f32).max(0.0).powf(EXPRESSION);
            let sample = loud * (self.vowel(time) + BREATH * noise) + ROOM * noise;
            (sample * 32767.0).round() as i16
        })
    }

    /// A vowel of always the same loudness, gliding into the next one.
    fn vowel(&self, time: f64) -> f32 {
        let (syllable, over) = self.motion.syllable_at(time as f32);
        let glide = ((over - 0.75) * 4.0).clamp(0.0, 1.0);
        let formants: [f32; 3] = std::array::from_fn(|i| {
            let of = |syllable| VOWELS[self.vowel_of(syllable)][i];
            of(syllable) * (1.0 - glide) + of(syllable + 1) * glide
        });
        let (depth, hertz) = MELODY;
        let pitch = PITCH * (1.0 + depth * (hertz * time * TAU).sin());
        // The integral of the pitch.
        let turns = PITCH * (time - depth * (hertz * time * TAU).cos() / (hertz * TAU));
        let (sin, cos) = (turns.fract() * TAU).sin_cos();

        // sin((n + 1) x) = 2 cos(x) sin(n x) - sin((n - 1) x)
        let (mut before, mut tone) = (0.0, sin as f32);
        let (mut sum, mut power) = (0.0, 0.0);
        for overtone in 1..=OVERTONES {
            let hertz = overtone as f32 * pitch as f32;
            let formant = |(center, (strength, width)): (f32, (f32, f32))| {
                strength * (-((hertz - center) / width).powi(2)).exp()
            };
            let strength: f32 =
                BETWEEN + formants.into_iter().zip(FORMANTS).map(formant).sum::<f32>();
            sum += strength * tone;
            power += strength * strength / 2.0;
            (before, tone) = (tone, 2.0 * cos as f32 * tone - before);
        }
        sum / power.sqrt()
    }

    /// A vowel for each syllable, drawn from the seed.
    fn vowel_of(&self, syllable: usize) -> usize {
        let mixed = (self.seed ^ syllable as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % VOWELS.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_is_loud_where_the_mouth_is_open() {
        let motion = Motion::new(7);
        let speech = Speech::new(200, 7, &motion);
        assert_eq!(speech.samples.len(), 200 * 640);
        let loudest = speech.samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((16_000..32_767).contains(&loudest), "{loudest} is no good level");
        for (frame, samples) in speech.samples.chunks(FRAME_SAMPLES).enumerate() {
            let power: f32 = samples.iter().map(|&s| (f32::from(s) / 32768.0).powi(2)).sum();
            let loud = (power / FRAME_SAMPLES as f32).sqrt();
            let middle = (frame as f32 + 0.5) / FPS as f32;
            let open = motion.mouth_at(middle);
            let expected = VOICE * open.max(0.0).powf(EXPRESSION);
            assert!((loud - expected).abs() < 0.1, "frame {frame}: {loud}, mouth {open}");
        }
    }

    #[test]
    fn the_wav_file_says_what_it_is() {
        let speech = Speech { samples: vec![1, -2] };
        let wav = speech.wav();
        assert_eq!(&wav[..16], b"RIFF\x28\0\0\0WAVEfmt ");
        assert_eq!(
            wav[16..36],
            [16, 0, 0, 0, 1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0]
        );
        assert_eq!(&wav[36..], b"data\x04\0\0\0\x01\0\xfe\xff");
    }
}
