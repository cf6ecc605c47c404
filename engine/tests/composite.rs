//! Every kernel gives the bytes of the scalar one, and those are the bytes of OpenCV.
#![expect(clippy::unwrap_used, reason = "a helper that cannot unwrap fails its test")]

use engine::composite::{
    CompositeError, Compositor, CompositorChoice, Interpolation, KernelLevel, Scratch,
};
use engine::frame::{ModelGeometry, Rect, Size};
use proptest::prelude::*;

const FRAME: Size = Size::new(440, 420);

/// A small generator (xorshift64*): a seed is a test case.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }

    /// Mostly fractions, with everything in between that a network should not produce.
    fn predictions(&mut self, len: usize) -> Vec<f32> {
        let special = [
            f32::NAN,
            -f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            -0.0,
            -1e-3,
            1.0,
            1.000_000_1,
            2.5,
            1e10,
            -1e10,
            f32::MIN_POSITIVE,
            f32::from_bits(1),
            f32::from_bits(0x8000_0001),
        ];
        (0..len)
            .map(|_| match self.below(16) {
                0 => special[self.below(special.len())],
                1 | 2 => {
                    // The byte changes within a few steps of k / 255.
                    let exact = (1 + self.below(256)) as f32 / 255.0;
                    f32::from_bits(exact.to_bits() + 2 - self.below(5) as u32)
                }
                _ => (self.next() >> 40) as f32 / (1 << 24) as f32,
            })
            .collect()
    }
}

/// A frame to composite and what surrounds it.
struct Case {
    geometry: ModelGeometry,
    prediction: Vec<f32>,
    crop: Vec<u8>,
    background: Vec<u8>,
}

impl Case {
    fn new(side: usize, seed: u64) -> Self {
        let geometry = ModelGeometry::new(side).unwrap();
        let mut random = Random::new(seed);
        Self {
            geometry,
            prediction: random.predictions(geometry.prediction_len()),
            crop: random.bytes(geometry.crop().bytes()),
            background: random.bytes(FRAME.bytes()),
        }
    }

    fn compositor(
        &self,
        level: KernelLevel,
        interpolation: Interpolation,
        rects: &[Rect],
    ) -> Compositor {
        let choice = level.to_string().parse().unwrap();
        let compositor =
            Compositor::new(choice, interpolation, self.geometry, FRAME, rects).unwrap();
        assert_eq!(compositor.level(), level);
        compositor
    }

    fn run(&self, compositor: &Compositor, scratch: &mut Scratch, rect: Rect) -> Vec<u8> {
        let mut frame = self.background.clone();
        compositor.composite(scratch, &self.prediction, &self.crop, rect, &mut frame).unwrap();
        frame
    }
}

/// The levels to compare with the scalar one. Says which ones are not tested here.
fn other_levels() -> Vec<KernelLevel> {
    let mut levels = vec![KernelLevel::Avx2, KernelLevel::Avx512, KernelLevel::OpenCv];
    levels.retain(|level| {
        if !level.is_available() {
            eprintln!("not tested here: {level}, which this CPU or this build does not offer");
        }
        level.is_available()
    });
    levels
}

/// Where two frames first differ, as row, column and channel.
fn first_difference(a: &[u8], b: &[u8]) -> Option<(usize, usize, usize)> {
    if a == b {
        return None;
    }
    let at = a.iter().zip(b).position(|(a, b)| a != b)?;
    Some((at / FRAME.stride(), at % FRAME.stride() / 3, at % 3))
}

/// Composites into each rectangle with every level, reusing one scratch, and compares with scalar.
fn compare(side: usize, interpolation: Interpolation, levels: &[KernelLevel], rects: &[Rect]) {
    let case = Case::new(side, side as u64);
    let scalar = case.compositor(KernelLevel::Scalar, interpolation, rects);
    let mut scalar_scratch = scalar.scratch();
    let mut others: Vec<_> = levels
        .iter()
        .map(|&level| {
            let compositor = case.compositor(level, interpolation, rects);
            let scratch = compositor.scratch();
            (compositor, scratch)
        })
        .collect();
    for &rect in rects {
        let expected = case.run(&scalar, &mut scalar_scratch, rect);
        for (compositor, scratch) in &mut others {
            let found = case.run(compositor, scratch, rect);
            assert_eq!(
                first_difference(&expected, &found),
                None,
                "{} against scalar, {interpolation}, side {side}, {} into {rect}",
                compositor.level(),
                rect.size(),
            );
        }
    }
}

/// A rectangle of that size somewhere in the frame, every few times at its edges.
fn place(random: &mut Random, size: Size) -> Rect {
    let mut offset = |free: usize| match random.below(4) {
        0 => 0,
        1 => free,
        _ => random.below(free + 1),
    };
    let (x1, y1) = (offset(FRAME.width - size.width), offset(FRAME.height - size.height));
    Rect { x1, y1, x2: x1 + size.width, y2: y1 + size.height }
}

fn squares() -> Vec<Rect> {
    let mut random = Random::new(1);
    (1..=400).map(|side| place(&mut random, Size::square(side))).collect()
}

fn oblongs() -> Vec<Rect> {
    let mut random = Random::new(2);
    let sizes = [
        (440, 420),
        (1, 400),
        (400, 1),
        (164, 163),
        (163, 164),
        (164, 328),
        (328, 164),
        (84, 82),
        (84, 168),
        (327, 329),
        (63, 65),
        (64, 32),
        (65, 31),
        (70, 199),
        (71, 7),
        (79, 13),
        (80, 17),
        (182, 191),
        (191, 182),
        (192, 5),
        (193, 6),
        (256, 3),
    ];
    sizes.map(|(width, height)| place(&mut random, Size::new(width, height))).to_vec()
}

#[test]
fn linear_squares_of_the_large_network() {
    compare(320, Interpolation::Linear, &other_levels(), &squares());
}

#[test]
fn linear_squares_of_the_small_network() {
    compare(160, Interpolation::Linear, &other_levels(), &squares());
}

#[test]
fn linear_oblongs() {
    // 16, 30, 33 and 97 are shorter than a register or no multiple of one.
    for side in [320, 160, 16, 30, 33, 97] {
        compare(side, Interpolation::Linear, &other_levels(), &oblongs());
    }
}

#[cfg(feature = "opencv")]
#[test]
fn cubic_is_opencv() {
    let squares: Vec<_> = squares().into_iter().step_by(3).collect();
    for side in [320, 160] {
        compare(side, Interpolation::Cubic, &[KernelLevel::OpenCv], &squares);
        compare(side, Interpolation::Cubic, &[KernelLevel::OpenCv], &oblongs());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_rectangle_of_any_network(
        side in 16usize..=200,
        x1 in 0..FRAME.width - 1,
        y1 in 0..FRAME.height - 1,
        width in 1..FRAME.width,
        height in 1..FRAME.height,
    ) {
        let (x2, y2) = ((x1 + width).min(FRAME.width), (y1 + height).min(FRAME.height));
        compare(side, Interpolation::Linear, &other_levels(), &[Rect { x1, y1, x2, y2 }]);
    }
}

#[test]
fn only_the_rectangle_is_written_and_all_of_it() {
    let rects = [
        Rect { x1: 0, y1: 0, x2: 50, y2: 40 },
        Rect { x1: 390, y1: 0, x2: 440, y2: 40 },
        Rect { x1: 0, y1: 380, x2: 50, y2: 420 },
        Rect { x1: 390, y1: 380, x2: 440, y2: 420 },
        Rect { x1: 7, y1: 9, x2: 189, y2: 191 },
    ];
    for level in KernelLevel::available() {
        let mut case = Case::new(160, 3);
        let compositor = case.compositor(level, Interpolation::Linear, &rects);
        let mut scratch = compositor.scratch();
        for rect in rects {
            // A byte that is left as it was differs between the two backgrounds.
            let first = case.run(&compositor, &mut scratch, rect);
            for byte in &mut case.background {
                *byte = !*byte;
            }
            let second = case.run(&compositor, &mut scratch, rect);
            for (at, (a, b)) in first.iter().zip(&second).enumerate() {
                let (y, x) = (at / FRAME.stride(), at % FRAME.stride() / 3);
                if (rect.y1..rect.y2).contains(&y) && (rect.x1..rect.x2).contains(&x) {
                    assert_eq!(a, b, "{level}: inside {rect} at row {y}, column {x}");
                } else {
                    let kept = (!case.background[at], case.background[at]);
                    assert_eq!((*a, *b), kept, "{level}: outside {rect}, row {y}, column {x}");
                }
            }
        }
    }
}

#[test]
fn keeping_the_size_shows_the_conversion_itself() {
    let rect = Rect { x1: 3, y1: 2, x2: 331, y2: 330 };
    for level in KernelLevel::available() {
        let case = Case::new(320, 4);
        let compositor = case.compositor(level, Interpolation::Linear, &[rect]);
        let frame = case.run(&compositor, &mut compositor.scratch(), rect);
        let byte_at = |x: usize, y: usize, channel: usize| {
            frame[(rect.y1 + y) * FRAME.stride() + 3 * (rect.x1 + x) + channel]
        };
        for (i, &value) in case.prediction.iter().enumerate() {
            let (channel, y, x) = (i / (320 * 320), i / 320 % 320, i % 320);
            let scaled = value * 255.0;
            let expected = if scaled.is_nan() { 0 } else { scaled.clamp(0.0, 255.0) as u8 };
            assert_eq!(byte_at(x + 4, y + 4, channel), expected, "{level}: {value}");
        }
        for i in 0..328 * 328 {
            let (x, y) = (i % 328, i / 328);
            if !(4..324).contains(&x) || !(4..324).contains(&y) {
                for channel in 0..3 {
                    let expected = case.crop[i * 3 + channel];
                    assert_eq!(byte_at(x, y, channel), expected, "{level}: row {y}, column {x}");
                }
            }
        }
    }
}

#[test]
fn earlier_frames_leave_nothing_behind() {
    let rects = oblongs();
    for level in KernelLevel::available() {
        let (one, other) = (Case::new(320, 5), Case::new(320, 6));
        let compositor = one.compositor(level, Interpolation::Linear, &rects);
        let mut used = compositor.scratch();
        for &rect in &rects {
            other.run(&compositor, &mut used, rects[0]);
            let found = one.run(&compositor, &mut used, rect);
            let expected = one.run(&compositor, &mut compositor.scratch(), rect);
            assert_eq!(first_difference(&expected, &found), None, "{level} into {rect}");
        }
    }
}

fn plan(choice: CompositorChoice, rects: &[Rect]) -> Result<Compositor, CompositeError> {
    let geometry = ModelGeometry::new(160).unwrap();
    Compositor::new(choice, Interpolation::Linear, geometry, FRAME, rects)
}

#[test]
fn a_bad_rectangle_is_refused_with_its_frame_number() {
    let good = Rect { x1: 0, y1: 0, x2: 20, y2: 20 };
    let error = plan(CompositorChoice::Auto, &[good, Rect { x2: 441, ..good }]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rectangle of frame 1 is [0, 0, 441, 20] (x1, y1, x2, y2), which is not inside a \
         440x420 frame or has no pixels"
    );
    for bad in [Rect { x2: 0, ..good }, Rect { y1: 30, ..good }, Rect { y2: usize::MAX, ..good }] {
        let error = plan(CompositorChoice::Scalar, &[good, good, bad]).unwrap_err();
        assert!(matches!(error, CompositeError::RectOutsideFrame { number: 2, .. }), "{error}");
    }
}

#[test]
fn a_level_that_cannot_run_is_refused_by_name() {
    for level in [KernelLevel::Avx2, KernelLevel::Avx512, KernelLevel::OpenCv] {
        match plan(level.to_string().parse().unwrap(), &[]) {
            Ok(compositor) => assert_eq!(compositor.level(), level),
            Err(error) => {
                assert!(!level.is_available());
                let start = format!("compositor {level} was asked for, but this ");
                assert!(error.to_string().starts_with(&start), "{error}");
            }
        }
    }
    let best = plan(CompositorChoice::Auto, &[]).unwrap().level();
    let on_the_cpu = |level: &KernelLevel| *level != KernelLevel::OpenCv;
    assert_eq!(Some(best), KernelLevel::available().into_iter().rfind(on_the_cpu));
}

#[test]
fn cubic_runs_where_there_is_a_kernel_for_it() {
    let geometry = ModelGeometry::new(160).unwrap();
    let cubic = |choice| Compositor::new(choice, Interpolation::Cubic, geometry, FRAME, &[]);
    assert_eq!(cubic(CompositorChoice::Auto).unwrap().level(), KernelLevel::Scalar);
    assert_eq!(
        cubic(CompositorChoice::Avx2).unwrap_err().to_string(),
        "compositor avx2 has no kernel for cubic interpolation; use auto, scalar or opencv"
    );
}

#[test]
fn arguments_that_do_not_fit_the_plan_are_refused() {
    let rect = Rect { x1: 1, y1: 2, x2: 31, y2: 42 };
    let case = Case::new(160, 7);
    for level in KernelLevel::available() {
        let compositor = case.compositor(level, Interpolation::Linear, &[rect]);
        let mut scratch = compositor.scratch();
        let mut frame = case.background.clone();
        let (prediction, crop) = (&case.prediction[..], &case.crop[..]);
        let mut run = |prediction: &[f32], crop: &[u8], rect, frame: &mut [u8]| {
            compositor.composite(&mut scratch, prediction, crop, rect, frame).unwrap_err()
        };
        assert_eq!(
            run(&prediction[1..], crop, rect, &mut frame).to_string(),
            "cannot composite: the prediction holds 76799 floats, expected 76800"
        );
        assert_eq!(
            run(prediction, &crop[1..], rect, &mut frame).to_string(),
            "cannot composite: the crop holds 84671 bytes, expected 84672"
        );
        assert_eq!(
            run(prediction, crop, rect, &mut frame[1..]).to_string(),
            "cannot composite: the frame holds 554399 bytes, expected 554400"
        );
        for rect in [
            Rect { x2: 30, ..rect },
            Rect { x1: 420, x2: 450, ..rect },
            Rect { x1: 31, x2: 1, ..rect },
        ] {
            let error = run(prediction, crop, rect, &mut frame);
            assert!(matches!(error, CompositeError::Unplanned { .. }), "{level}: {error}");
        }
        assert!(frame == case.background, "{level}: a refused frame was written to");
    }
}

#[test]
fn scratch_of_another_compositor_is_refused() {
    let small = Rect { x1: 0, y1: 0, x2: 10, y2: 10 };
    let large = Rect { x1: 0, y1: 0, x2: 400, y2: 10 };
    let case = Case::new(160, 8);
    // OpenCV's images take any size.
    for level in KernelLevel::available().into_iter().filter(|&l| l != KernelLevel::OpenCv) {
        let compositor = case.compositor(level, Interpolation::Linear, &[small, large]);
        let smaller = case.compositor(level, Interpolation::Linear, &[small]);
        let mut frame = case.background.clone();
        let error = compositor
            .composite(&mut smaller.scratch(), &case.prediction, &case.crop, large, &mut frame)
            .unwrap_err();
        assert!(matches!(error, CompositeError::ForeignScratch), "{level}: {error}");
    }
}
