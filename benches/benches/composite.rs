//! One frame on one core: every kernel level, and what an OpenCV user would write.
//!
//! Work rotates over a batch of predictions, crops and backgrounds, as in the pipeline, so that
//! they come from memory beyond the first-level caches.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use engine::batch::HostBuffer;
use engine::composite::{Compositor, Interpolation, KernelLevel};
use engine::frame::{ModelGeometry, Rect, Size};

const FRAME: Size = Size::new(1280, 720);
const SIDE: usize = 320;
const BATCH: usize = 8;
const SIZES: [usize; 4] = [100, 182, 256, 400];

/// The sources of a batch of frames.
struct Batch {
    /// In the buffers that the pipeline keeps them in.
    predictions: Vec<HostBuffer>,
    crops: Vec<Vec<u8>>,
    backgrounds: Vec<Vec<u8>>,
    next: usize,
}

impl Batch {
    fn new(geometry: ModelGeometry) -> Self {
        let mut state = 1_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut bytes = |len| (0..len).map(|_| (random() >> 16) as u8).collect::<Vec<_>>();
        let crops = (0..BATCH).map(|_| bytes(geometry.crop().bytes())).collect();
        let backgrounds = (0..BATCH).map(|_| bytes(FRAME.bytes())).collect();
        let mut floats = |len| {
            let mut buffer = HostBuffer::zeroed(len).expect("memory");
            buffer.fill_with(|| random() as f32 / (1 << 24) as f32);
            buffer
        };
        let predictions = (0..BATCH).map(|_| floats(geometry.prediction_len())).collect();
        Self { predictions, crops, backgrounds, next: 0 }
    }

    /// Prediction, crop and background of the next frame.
    fn next(&mut self) -> (&[f32], &[u8], &[u8]) {
        self.next = (self.next + 1) % BATCH;
        (&self.predictions[self.next], &self.crops[self.next], &self.backgrounds[self.next])
    }
}

fn square(side: usize) -> Rect {
    let (x1, y1) = (500, 200);
    Rect { x1, y1, x2: x1 + side, y2: y1 + side }
}

fn compositor(level: KernelLevel, geometry: ModelGeometry, rect: Rect) -> Compositor {
    let choice = level.to_string().parse().expect("levels are choices");
    Compositor::new(choice, Interpolation::Linear, geometry, FRAME, &[rect])
        .expect("the level is available and the rectangle fits")
}

fn benchmark(criterion: &mut Criterion) {
    let geometry = ModelGeometry::new(SIDE).expect("a valid side");
    let mut batch = Batch::new(geometry);
    let mut frame = vec![0; FRAME.bytes()];
    #[cfg(feature = "opencv")]
    opencv::core::set_num_threads(1).expect("OpenCV takes a thread count");

    for side in SIZES {
        let rect = square(side);
        let mut group = criterion.benchmark_group(format!("composite/{side}"));
        for level in KernelLevel::available() {
            let compositor = compositor(level, geometry, rect);
            let mut scratch = compositor.scratch();
            group.bench_function(BenchmarkId::from_parameter(level), |bencher| {
                bencher.iter(|| {
                    let (prediction, crop, _) = batch.next();
                    compositor
                        .composite(&mut scratch, prediction, crop, rect, black_box(&mut frame))
                        .expect("planned")
                });
            });
        }
        #[cfg(feature = "opencv")]
        {
            let mut user = user::Loop::new(geometry, FRAME, &batch);
            group.bench_function("opencv-user", |bencher| {
                bencher.iter(|| user.paste(rect).expect("OpenCV composites"));
            });
        }
        group.finish();
    }

    let rect = square(182);
    let mut group = criterion.benchmark_group("composite+frame/182");
    for level in KernelLevel::available() {
        let compositor = compositor(level, geometry, rect);
        let mut scratch = compositor.scratch();
        group.bench_function(BenchmarkId::from_parameter(level), |bencher| {
            bencher.iter(|| {
                let (prediction, crop, background) = batch.next();
                frame.copy_from_slice(background);
                compositor
                    .composite(&mut scratch, prediction, crop, rect, black_box(&mut frame))
                    .expect("planned")
            });
        });
    }
    #[cfg(feature = "opencv")]
    {
        let mut user = user::Loop::new(geometry, FRAME, &batch);
        group.bench_function("opencv-user", |bencher| {
            bencher.iter(|| user.clone_and_paste(rect).expect("OpenCV composites"));
        });
    }
    group.finish();
}

/// The fastest that a user of OpenCV would write. It rounds where the engine truncates.
#[cfg(feature = "opencv")]
mod user {
    use engine::frame::{ModelGeometry, Rect, Size};
    use opencv::Result;
    use opencv::core::{CV_8U, Mat, Rect as CvRect, Scalar, Size as CvSize, Vec3b, Vector, merge};
    use opencv::imgproc::{INTER_LINEAR, resize};
    use opencv::prelude::*;

    use super::{BATCH, Batch};

    pub(super) struct Loop {
        /// The three planes of each prediction.
        predictions: Vec<[Mat; 3]>,
        crops: Vec<Mat>,
        backgrounds: Vec<Mat>,
        inner: CvRect,
        planes: Vector<Mat>,
        merged: Mat,
        resized: Mat,
        frame: Mat,
        next: usize,
    }

    impl Loop {
        pub(super) fn new(geometry: ModelGeometry, frame: Size, batch: &Batch) -> Self {
            let side = geometry.side() as i32;
            let border = ModelGeometry::BORDER as i32;
            let predictions = batch.predictions.iter().map(|prediction| {
                let mut planes = prediction.chunks_exact(geometry.side() * geometry.side());
                std::array::from_fn(|_| {
                    let plane = planes.next().expect("three planes");
                    let plane = Mat::new_rows_cols_with_data(side, side, plane);
                    plane.and_then(|plane| plane.try_clone()).expect("a plane")
                })
            });
            let backgrounds: Vec<_> =
                batch.backgrounds.iter().map(|bytes| image(frame, bytes)).collect();
            Self {
                predictions: predictions.collect(),
                crops: batch.crops.iter().map(|bytes| image(geometry.crop(), bytes)).collect(),
                frame: backgrounds[0].clone(),
                backgrounds,
                inner: CvRect::new(border, border, side, side),
                planes: Vector::from_iter([Mat::default(), Mat::default(), Mat::default()]),
                merged: Mat::default(),
                resized: Mat::default(),
                next: 0,
            }
        }

        /// Composites the next frame of the batch over the frame before.
        pub(super) fn paste(&mut self, rect: Rect) -> Result<()> {
            self.next = (self.next + 1) % BATCH;
            for (channel, plane) in self.predictions[self.next].iter().enumerate() {
                let mut bytes = self.planes.get(channel)?;
                plane.convert_to(&mut bytes, CV_8U, 255.0, 0.0)?;
                self.planes.set(channel, bytes)?;
            }
            merge(&self.planes, &mut self.merged)?;
            let mut crop = self.crops[self.next].try_clone()?;
            self.merged.copy_to(&mut Mat::roi_mut(&mut crop, self.inner)?)?;
            let size = rect.size();
            let size = CvSize::new(size.width as i32, size.height as i32);
            resize(&crop, &mut self.resized, size, 0.0, 0.0, INTER_LINEAR)?;
            let at = CvRect::new(rect.x1 as i32, rect.y1 as i32, size.width, size.height);
            self.resized.copy_to(&mut Mat::roi_mut(&mut self.frame, at)?)
        }

        /// As [`Self::paste`], over a copy of the frame's background.
        pub(super) fn clone_and_paste(&mut self, rect: Rect) -> Result<()> {
            self.frame = self.backgrounds[(self.next + 1) % BATCH].try_clone()?;
            self.paste(rect)
        }
    }

    fn image(size: Size, bytes: &[u8]) -> Mat {
        let (rows, columns) = (size.height as i32, size.width as i32);
        let default = Scalar::default();
        let mut mat = Mat::new_rows_cols_with_default(rows, columns, Vec3b::opencv_type(), default)
            .expect("an image");
        mat.data_bytes_mut().expect("continuous").copy_from_slice(bytes);
        mat
    }
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
