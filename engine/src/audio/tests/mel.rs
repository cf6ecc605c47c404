//! The mel spectrogram against librosa's and against the formula, computed slowly.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::super::{Mel, MelStream};

/// The f32 values of a fixture, see `tests/data/audio/README.md`.
fn fixture(name: &str) -> Vec<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/audio");
    let bytes = fs::read(folder.join(name)).unwrap();
    let header = u16::from_le_bytes([bytes[8], bytes[9]]);
    let (values, _) = bytes[10 + usize::from(header)..].as_chunks();
    values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn values(mel: &Mel) -> Vec<f32> {
    (0..mel.rows()).flat_map(|row| mel.row(row)).copied().collect()
}

#[test]
fn it_is_the_one_of_the_reference() {
    let (samples, expected) = (fixture("audio_16k.npy"), fixture("mel.npy"));
    assert_eq!((samples.len(), expected.len()), (10_240, 52 * 80));
    let apart = largest_difference(&values(&Mel::of(&samples)), &expected);
    println!("largest difference from the reference: {apart:e}");
    assert!(apart <= 1e-4, "{apart} away from the reference");
}

/// The formula, step by step and slowly: sums of sines and cosines, triangles over frequencies.
fn slow_mel(samples: &[f32]) -> Vec<f32> {
    let mut padded = vec![0.0; samples.len() + 800];
    for (n, &sample) in samples.iter().enumerate() {
        let before = if n == 0 { 0.0 } else { f64::from(samples[n - 1]) };
        padded[400 + n] = f64::from(sample) - 0.97 * before;
    }
    let turn = |n: usize| TAU * (n % 800) as f64 / 800.0;
    let circle: Vec<(f64, f64)> = (0..800).map(|n| turn(n).sin_cos()).collect();
    let to_mel = |hz: f64| match hz >= 1000.0 {
        true => 15.0 + 27.0 * (hz / 1000.0).ln() / 6.4_f64.ln(),
        false => 3.0 * hz / 200.0,
    };
    let to_hz = |mel: f64| match mel >= 15.0 {
        true => 1000.0 * 6.4_f64.powf((mel - 15.0) / 27.0),
        false => 200.0 * mel / 3.0,
    };
    let edges: Vec<f64> = (0..82)
        .map(|i| to_hz(to_mel(55.0) + f64::from(i) / 81.0 * (to_mel(7600.0) - to_mel(55.0))))
        .collect();
    let mut mel = Vec::new();
    for row in 0..=samples.len() / 200 {
        let piece: Vec<f64> =
            (0..800).map(|n| padded[200 * row + n] * (1.0 - circle[n].1) / 2.0).collect();
        let magnitude = |bin: usize| {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, value) in piece.iter().enumerate() {
                let (sin, cos) = circle[bin * n % 800];
                re += value * cos;
                im -= value * sin;
            }
            f64::hypot(re, im)
        };
        let spectrum: Vec<f64> = (0..=400).map(magnitude).collect();
        for edge in edges.windows(3) {
            let sum: f64 = (0..=400)
                .map(|bin| {
                    let hz = 20.0 * bin as f64;
                    let rise = (hz - edge[0]) / (edge[1] - edge[0]);
                    let fall = (edge[2] - hz) / (edge[2] - edge[1]);
                    spectrum[bin] * rise.min(fall).max(0.0) * 2.0 / (edge[2] - edge[0])
                })
                .sum();
            let decibels = 20.0 * sum.max(1e-5).log10() - 20.0;
            mel.push((8.0 * (decibels + 100.0) / 100.0 - 4.0).clamp(-4.0, 4.0) as f32);
        }
    }
    mel
}

/// Sound of all kinds: tones of any loudness, noise, steps, all of it perhaps beyond full scale.
fn sound(longest: usize) -> impl Strategy<Value = Vec<f32>> {
    let tone = (0.0_f32..8000.0, -5.0_f32..0.3, 0.0_f32..6.3);
    let tones = prop::collection::vec(tone, 0..4);
    (0..=longest, tones, -7.0_f32..0.0, -1.0_f32..1.0, any::<u32>()).prop_map(
        |(length, tones, noise, offset, seed)| {
            let mut state = seed | 1;
            let mut random = move || {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state as f32 / u32::MAX as f32 - 0.5
            };
            let tone = |time: f32, (hz, loud, phase): (f32, f32, f32)| {
                10_f32.powf(loud) * (std::f32::consts::TAU * hz * time + phase).sin()
            };
            (0..length)
                .map(|n| {
                    let time = n as f32 / 16_000.0;
                    let sum: f32 = tones.iter().map(|&t| tone(time, t)).sum();
                    // Digital silence, then a step to a constant.
                    let step = if n % 5000 < 2500 { 0.0 } else { offset };
                    sum + step + 10_f32.powf(noise) * random()
                })
                .collect()
        },
    )
}

fn assert_is_the_formula(samples: &[f32]) -> Result<(), TestCaseError> {
    let mel = Mel::of(samples);
    prop_assert_eq!(mel.rows(), 1 + samples.len() / 200);
    let apart = largest_difference(&values(&mel), &slow_mel(samples));
    prop_assert!(apart <= 1e-4, "{} samples: {} apart", samples.len(), apart);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn short_sounds_are_as_the_formula_says(samples in sound(4000)) {
        assert_is_the_formula(&samples)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 4, ..ProptestConfig::default() })]
    #[test]
    fn sounds_of_up_to_5_s_are_as_the_formula_says(samples in sound(80_000)) {
        assert_is_the_formula(&samples)?;
    }
}

#[test]
fn silence_constants_and_full_scale_are_as_the_formula_says() {
    let square = |n: usize| if n % 36 < 18 { 1.0 } else { -1.0 };
    for length in [0, 1, 199, 200, 399, 400, 401, 800, 3000, 16_000] {
        for (name, samples) in [
            ("silence", vec![0.0; length]),
            ("DC", vec![0.7; length]),
            ("clipped", (0..length).map(square).collect()),
            ("too loud", (0..length).map(|n| 100.0 * square(n)).collect()),
        ] {
            let mel = values(&Mel::of(&samples));
            assert!(largest_difference(&mel, &slow_mel(&samples)) <= 1e-4, "{name}, {length}");
            match name {
                "silence" => assert!(mel.iter().all(|&value| value == -4.0)),
                // Of a constant little more than its beginning and its end is heard.
                "DC" if length == 16_000 => {
                    assert!(mel[40 * 80..41 * 80].iter().all(|&value| value < -1.0));
                }
                "too loud" if length == 16_000 => assert!(mel.contains(&4.0)),
                _ => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn pieces_make_the_same_rows(samples in sound(3000), cuts in prop::collection::vec(0.0_f64..1.0, 0..8)) {
        let mut cuts: Vec<usize> =
            cuts.iter().map(|cut| (cut * samples.len() as f64) as usize).collect();
        cuts.sort_unstable();
        let mut stream = MelStream::new();
        let mut from = 0;
        for to in cuts.into_iter().chain([samples.len()]) {
            stream.push(&samples[from..to]);
            from = to;
        }
        prop_assert_eq!(stream.finish(), Mel::of(&samples));
    }
}

#[test]
fn a_window_is_bands_of_16_rows() {
    let mel = Mel::of(&fixture("audio_16k.npy"));
    let mut window = vec![0.0; Mel::WINDOW_LEN];
    mel.window(36, &mut window);
    for (band, row) in [(0, 0), (3, 0), (0, 15), (79, 7)] {
        assert_eq!(window[band * 16 + row], mel.row(36 + row)[band]);
    }
}
