//! What backends put into frames.

use super::{CompositedQuality, FrameQuality, QualityMeter, ssim};
use crate::backend::Backend;
use crate::batch::Assembler;
use crate::composite::{Compositor, CompositorChoice, Interpolation};
use crate::dataset::FrameStore;
use crate::frame::{ModelGeometry, Rect, Size};
use crate::verify::{VerifyError, visit};

/// The frames that are looked at.
#[derive(Clone, Copy)]
pub struct Excerpt<'a> {
    /// The package's frames.
    pub store: &'a FrameStore,
    /// Its features.
    pub assembler: &'a Assembler,
    /// Ascending numbers of output frames.
    pub frames: &'a [u64],
    /// How crops are resized to rectangles.
    pub interpolation: Interpolation,
}

/// The finished pixels of a frame's rectangle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Number of the output frame.
    pub frame: u64,
    /// Size of the rectangle.
    pub size: Size,
    /// Packed BGR rows.
    pub bgr: Vec<u8>,
}

/// What one backend puts into frames: the pixels of their rectangles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompositedFrames {
    geometry: ModelGeometry,
    patches: Vec<Patch>,
}

/// Runs the frames of `excerpt` through `backend`, at its own batch where that is fixed and else
/// `batch` at a time, and keeps the pixels of their rectangles, 3 bytes for each pixel of each frame.
///
/// The pixels are those of a run, made by the same compositor. `cancelled` is looked at before each
/// frame; `progress` takes the number of frames that are done.
///
/// # Errors
/// When the store or the backend fails, the frames are not ascending or there are none, or somebody
/// asked to stop.
pub fn composite(
    backend: &mut dyn Backend,
    excerpt: &Excerpt<'_>,
    batch: usize,
    cancelled: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(u64),
) -> Result<CompositedFrames, VerifyError> {
    let Excerpt { store, assembler, frames, interpolation } = *excerpt;
    let geometry = backend.geometry();
    let corner = |rect: &Rect| {
        let Size { width, height } = rect.size();
        Rect { x1: 0, y1: 0, x2: width, y2: height }
    };
    // In the corner of a frame that is just large enough, for no other pixels are wanted.
    let rects: Vec<Rect> = store.package().rects().iter().map(corner).collect();
    let canvas = Size::new(
        rects.iter().map(|rect| rect.x2).max().unwrap_or(0),
        rects.iter().map(|rect| rect.y2).max().unwrap_or(0),
    );
    let compositor =
        Compositor::new(CompositorChoice::Cpu, interpolation, geometry, canvas, &rects)?;
    let mut scratch = compositor.scratch();
    let mut pixels = vec![0; canvas.bytes()];
    let mut patches = Vec::with_capacity(frames.len());
    visit(backend, store, assembler, frames, batch, cancelled, &mut |sample, prediction| {
        let rect = rects[sample.frame];
        compositor.composite(&mut scratch, prediction, sample.crop(), rect, &mut pixels)?;
        let size = rect.size();
        let rows = pixels.chunks_exact(canvas.stride()).take(size.height);
        let bgr = rows.flat_map(|row| &row[..size.stride()]).copied().collect();
        patches.push(Patch { frame: sample.index, size, bgr });
        progress(patches.len() as u64);
        Ok(())
    })?;
    Ok(CompositedFrames::new(geometry, patches))
}

impl CompositedFrames {
    /// `patches` in the order of their frames.
    pub(super) fn new(geometry: ModelGeometry, patches: Vec<Patch>) -> Self {
        Self { geometry, patches }
    }

    /// The rectangles, in the order of their frames.
    pub fn patches(&self) -> &[Patch] {
        &self.patches
    }

    /// The rectangle of frame number `frame`.
    pub fn patch(&self, frame: u64) -> Option<&Patch> {
        let at = self.patches.binary_search_by_key(&frame, |patch| patch.frame);
        self.patches.get(at.ok()?)
    }

    /// How far `candidate` is from these frames, the reference.
    ///
    /// # Errors
    /// [`VerifyError::Geometry`] for networks of different sizes, [`VerifyError::Frames`] for other
    /// frames.
    pub fn compare(&self, candidate: &Self) -> Result<CompositedQuality, VerifyError> {
        if self.geometry != candidate.geometry {
            return Err(VerifyError::Geometry {
                reference: self.geometry.side(),
                candidate: candidate.geometry.side(),
            });
        }
        let same = |(a, b): (&Patch, &Patch)| (a.frame, a.size) == (b.frame, b.size);
        let pairs = || self.patches.iter().zip(&candidate.patches);
        if self.patches.len() != candidate.patches.len() || !pairs().all(same) {
            return Err(VerifyError::Frames);
        }
        let mut meter = QualityMeter::default();
        let mut judge = |(reference, candidate): (&Patch, &Patch)| {
            let difference = meter.push(reference.frame, &reference.bgr, &candidate.bgr);
            FrameQuality {
                frame: reference.frame,
                psnr_db: difference.psnr_db,
                ssim: ssim(&reference.bgr, &candidate.bgr, reference.size),
                largest_difference: difference.largest,
                differing_bytes: difference.bytes,
            }
        };
        let frames = pairs().map(&mut judge).collect();
        let overall = meter.quality().ok_or(VerifyError::Frames)?;
        Ok(CompositedQuality::new(overall, frames))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(12, 11);

    /// Frames of one colour each, numbered from 10.
    fn flat(side: usize, levels: &[u8]) -> CompositedFrames {
        let patch = |(at, &level): (usize, &u8)| Patch {
            frame: 10 + at as u64,
            size: SIZE,
            bgr: vec![level; SIZE.bytes()],
        };
        let geometry = ModelGeometry::new(side).unwrap();
        CompositedFrames::new(geometry, levels.iter().enumerate().map(patch).collect())
    }

    /// The ratio of flat images that are `difference` levels apart.
    fn decibels(difference: f64) -> f64 {
        20.0 * (255.0 / difference).log10()
    }

    #[test]
    fn every_frame_is_judged_on_its_own_and_all_together() {
        let reference = flat(32, &[100, 100, 100, 7]);
        let quality = reference.compare(&flat(32, &[101, 90, 104, 7])).unwrap();
        let bytes = SIZE.bytes() as u64;
        let expected = [(10, 1, bytes), (11, 10, bytes), (12, 4, bytes), (13, 0, 0)];
        for (frame, (number, difference, differing)) in quality.frames.iter().zip(expected) {
            assert_eq!((frame.frame, frame.differing_bytes), (number, differing));
            assert_eq!(frame.largest_difference, difference);
            match difference {
                0 => assert_eq!((frame.psnr_db, frame.ssim), (f64::INFINITY, Some(1.0))),
                apart => assert!((frame.psnr_db - decibels(f64::from(apart))).abs() < 1e-9),
            }
        }
        let overall = quality.overall;
        assert_eq!((overall.frames, overall.worst_frame, overall.largest_difference), (4, 11, 10));
        assert!((overall.psnr_db - decibels((117.0_f64 / 4.0).sqrt())).abs() < 1e-9);
        assert!((overall.worst_psnr_db - decibels(10.0)).abs() < 1e-9);

        let luminance = |a: f64, b: f64| (2.0 * a * b + 6.5025) / (a * a + b * b + 6.5025);
        let ssims = [luminance(100.0, 101.0), luminance(100.0, 90.0), luminance(100.0, 104.0), 1.0];
        assert!((quality.mean_ssim.unwrap() - ssims.iter().sum::<f64>() / 4.0).abs() < 1e-9);
        assert!((quality.worst_ssim.unwrap() - ssims[1]).abs() < 1e-9);
        let order: Vec<u64> = quality.worst_first().iter().map(|frame| frame.frame).collect();
        assert_eq!(order, [11, 12, 10, 13]);
    }

    #[test]
    fn the_gate_names_the_worst_frame() {
        let reference = flat(32, &[100, 100, 100]);
        let quality = reference.compare(&flat(32, &[101, 103, 103])).unwrap();
        let worst = decibels(3.0);
        assert_eq!(quality.check(quality.overall.worst_psnr_db), Ok(()));
        let refused = quality.check(40.0).unwrap_err();
        assert_eq!((refused.frame, refused.largest, refused.min_psnr_db), (11, 3, 40.0));
        assert!((refused.psnr_db - worst).abs() < 1e-9);
        assert_eq!(
            refused.to_string(),
            "frame 11 is the worst, with 38.59 dB inside its rectangle and bytes that differ by up \
             to 3; expected at least 40 dB (--min-psnr) in every frame"
        );
        assert_eq!(reference.compare(&reference).unwrap().check(100.0), Ok(()));
    }

    #[test]
    fn equal_frames_survive_json() {
        let reference = flat(32, &[9, 8]);
        let quality = reference.compare(&reference).unwrap();
        let json = serde_json::to_string(&quality).unwrap();
        assert!(json.contains(r#"{"frame":10,"psnr_db":null,"ssim":1.0"#), "{json}");
        assert_eq!(serde_json::from_str::<CompositedQuality>(&json).unwrap(), quality);
    }

    #[test]
    fn what_is_of_other_frames_or_sizes_is_refused() {
        let reference = flat(32, &[1, 2]);
        let error = reference.compare(&flat(64, &[1, 2])).unwrap_err();
        assert!(matches!(error, VerifyError::Geometry { reference: 32, candidate: 64 }));
        for other in [flat(32, &[1]), flat(32, &[1, 2, 3])] {
            assert!(matches!(reference.compare(&other), Err(VerifyError::Frames)));
        }
        let mut other = flat(32, &[1, 2]);
        other.patches[1].frame = 12;
        assert!(matches!(reference.compare(&other), Err(VerifyError::Frames)));
        assert!(matches!(flat(32, &[]).compare(&flat(32, &[])), Err(VerifyError::Frames)));
    }
}
