//! Plans for all rectangles of a package, and the way from a frame to the kernel that runs it.

use std::collections::HashMap;
#[cfg(feature = "opencv")]
use std::collections::HashSet;

use crate::frame::{ModelGeometry, Rect, Size};

use super::cpu::scalar::{self, ScalarScratch, Target};
#[cfg(target_arch = "x86_64")]
use super::cpu::{
    Avx2, Avx512,
    fused::{self, FusedPlan, FusedScratch, RowKernel},
};
#[cfg(feature = "opencv")]
use super::opencv::{self, OpenCvScratch};
use super::plan::{Axes, CompositePlan};
use super::{CompositeError, CompositorChoice, Interpolation, KernelLevel};

/// Puts predictions into frames. Planned once for the rectangles of a package, then run for every
/// frame, from any number of threads.
#[derive(Debug)]
pub struct Compositor {
    geometry: ModelGeometry,
    frame: Size,
    /// Width of the widest planned rectangle.
    widest: usize,
    plans: Plans,
}

/// One plan for each distinct size of a rectangle, in the form that the kernels take.
#[derive(Debug)]
enum Plans {
    Scalar(HashMap<Size, CompositePlan>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2, HashMap<Size, FusedPlan<Avx2>>),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512, HashMap<Size, FusedPlan<Avx512>>),
    #[cfg(feature = "opencv")]
    OpenCv(Interpolation, HashSet<Size>),
    /// The GPU has them.
    Device,
}

/// Working memory for one frame at a time, made by [`Compositor::scratch`]. Its contents between
/// frames have no influence on any frame.
#[derive(Debug)]
pub struct Scratch(Memory);

#[derive(Debug)]
enum Memory {
    Scalar(ScalarScratch),
    #[cfg(target_arch = "x86_64")]
    Fused(FusedScratch),
    #[cfg(feature = "opencv")]
    OpenCv(OpenCvScratch),
    None,
}

impl Compositor {
    /// Plans for crops of `geometry`, frames of `frame` pixels, and the sizes of all `rects`, which
    /// are in frame order.
    ///
    /// [`CompositorChoice::Auto`] and [`CompositorChoice::Cpu`] take the fastest level of this CPU that has a kernel for
    /// `interpolation`. [`CompositorChoice::OpenCv`] limits OpenCV to one thread in the whole process.
    ///
    /// # Errors
    /// [`CompositeError::RectOutsideFrame`] for the first rectangle that is empty or leaves the
    /// frame. Where a level is asked for by name and cannot run, the error says what it lacks:
    /// [`CompositeError::UnsupportedByCpu`], [`CompositeError::BuiltWithoutOpenCv`] or
    /// [`CompositeError::UnsupportedInterpolation`]. [`CompositeError::OpenCvThreads`] where OpenCV
    /// refuses that limit.
    pub fn new(
        choice: CompositorChoice,
        interpolation: Interpolation,
        geometry: ModelGeometry,
        frame: Size,
        rects: &[Rect],
    ) -> Result<Self, CompositeError> {
        if let Some((number, &rect)) = rects.iter().enumerate().find(|(_, r)| !r.fits(frame)) {
            return Err(CompositeError::RectOutsideFrame { number, rect, frame });
        }
        let sizes = || rects.iter().map(|rect| rect.size());
        let level = choose(choice, interpolation)?;
        let plans = match level {
            KernelLevel::Scalar => {
                let mut plans = HashMap::new();
                for size in sizes() {
                    plans.entry(size).or_insert_with(|| {
                        CompositePlan::new(interpolation, geometry.crop_side(), size)
                    });
                }
                Plans::Scalar(plans)
            }
            #[cfg(target_arch = "x86_64")]
            KernelLevel::Avx2 => {
                let kernel = Avx2::detect().ok_or(CompositeError::UnsupportedByCpu { level })?;
                Plans::Avx2(kernel, fused_plans(geometry, sizes()))
            }
            #[cfg(target_arch = "x86_64")]
            KernelLevel::Avx512 => {
                let kernel = Avx512::detect().ok_or(CompositeError::UnsupportedByCpu { level })?;
                Plans::Avx512(kernel, fused_plans(geometry, sizes()))
            }
            #[cfg(not(target_arch = "x86_64"))]
            KernelLevel::Avx2 | KernelLevel::Avx512 => {
                return Err(CompositeError::UnsupportedByCpu { level });
            }
            #[cfg(feature = "opencv")]
            KernelLevel::OpenCv => {
                opencv::use_calling_thread()?;
                Plans::OpenCv(interpolation, sizes().collect())
            }
            #[cfg(not(feature = "opencv"))]
            KernelLevel::OpenCv => return Err(CompositeError::BuiltWithoutOpenCv),
            KernelLevel::Cuda => Plans::Device,
        };
        let widest = sizes().map(|size| size.width).max().unwrap_or(0);
        Ok(Self { geometry, frame, widest, plans })
    }

    /// The level that was chosen.
    pub fn level(&self) -> KernelLevel {
        match self.plans {
            Plans::Scalar(_) => KernelLevel::Scalar,
            #[cfg(target_arch = "x86_64")]
            Plans::Avx2(..) => KernelLevel::Avx2,
            #[cfg(target_arch = "x86_64")]
            Plans::Avx512(..) => KernelLevel::Avx512,
            #[cfg(feature = "opencv")]
            Plans::OpenCv(..) => KernelLevel::OpenCv,
            Plans::Device => KernelLevel::Cuda,
        }
    }

    /// Working memory for one frame at a time, enough for the largest planned rectangle. Each
    /// thread that composites needs its own.
    pub fn scratch(&self) -> Scratch {
        Scratch(match self.plans {
            Plans::Scalar(_) => Memory::Scalar(ScalarScratch::new(self.geometry, self.widest)),
            #[cfg(target_arch = "x86_64")]
            Plans::Avx2(..) => Memory::Fused(FusedScratch::new::<Avx2>(self.geometry, self.widest)),
            #[cfg(target_arch = "x86_64")]
            Plans::Avx512(..) => {
                Memory::Fused(FusedScratch::new::<Avx512>(self.geometry, self.widest))
            }
            #[cfg(feature = "opencv")]
            Plans::OpenCv(..) => Memory::OpenCv(OpenCvScratch::default()),
            Plans::Device => Memory::None,
        })
    }

    /// Overwrites the rectangle `rect` of `frame` with the crop that has the prediction inside it.
    ///
    /// For a network of side S and a crop of side C = S + 8, `prediction` holds 3 planes (B, G, R)
    /// of S x S floats in \[0, 1\], `crop` C x C packed BGR pixels, and `frame` a packed BGR frame
    /// of the planned size, of which only the rectangle is overwritten.
    ///
    /// Allocates nothing, except that OpenCV does as it likes.
    ///
    /// # Errors
    /// [`CompositeError::BufferLength`], [`CompositeError::Unplanned`] and
    /// [`CompositeError::ForeignScratch`] for arguments that do not fit the plan; the frame is then
    /// unchanged. With OpenCV, also what OpenCV refuses. [`CompositeError::NotOnDevice`] where the GPU
    /// composites.
    pub fn composite(
        &self,
        scratch: &mut Scratch,
        prediction: &[f32],
        crop: &[u8],
        rect: Rect,
        frame: &mut [u8],
    ) -> Result<(), CompositeError> {
        let geometry = self.geometry;
        check("prediction", "floats", prediction.len(), geometry.prediction_len())?;
        check("crop", "bytes", crop.len(), geometry.crop().bytes())?;
        check("frame", "bytes", frame.len(), self.frame.bytes())?;
        let unplanned = CompositeError::Unplanned { rect, frame: self.frame };
        if !rect.fits(self.frame) {
            return Err(unplanned);
        }
        let target = Target { frame, frame_size: self.frame, rect };
        match (&self.plans, &mut scratch.0) {
            (Plans::Scalar(plans), Memory::Scalar(scratch))
                if scratch.suits(geometry, self.widest) =>
            {
                let plan = plans.get(&rect.size()).ok_or(unplanned)?;
                scalar::composite(plan, geometry, scratch, prediction, crop, target);
                Ok(())
            }
            #[cfg(target_arch = "x86_64")]
            (Plans::Avx2(kernel, plans), Memory::Fused(scratch))
                if scratch.suits::<Avx2>(geometry, self.widest) =>
            {
                let plan = plans.get(&rect.size()).ok_or(unplanned)?;
                fused::composite(*kernel, plan, geometry, scratch, prediction, crop, target);
                Ok(())
            }
            #[cfg(target_arch = "x86_64")]
            (Plans::Avx512(kernel, plans), Memory::Fused(scratch))
                if scratch.suits::<Avx512>(geometry, self.widest) =>
            {
                let plan = plans.get(&rect.size()).ok_or(unplanned)?;
                fused::composite(*kernel, plan, geometry, scratch, prediction, crop, target);
                Ok(())
            }
            #[cfg(feature = "opencv")]
            (Plans::OpenCv(interpolation, sizes), Memory::OpenCv(scratch))
                if scratch.suits(geometry) =>
            {
                if !sizes.contains(&rect.size()) {
                    return Err(unplanned);
                }
                opencv::composite(*interpolation, geometry, scratch, prediction, crop, target)
            }
            (Plans::Device, _) => Err(CompositeError::NotOnDevice),
            _ => Err(CompositeError::ForeignScratch),
        }
    }

    /// Overwrites the rectangle `rect` of `frame` with `patch`, which a GPU composited: rows of the
    /// rectangle's width in BGR pixels, each padded to four bytes; what follows the last is not
    /// looked at.
    ///
    /// # Errors
    /// [`CompositeError::BufferLength`] and [`CompositeError::Unplanned`] for arguments that do not
    /// fit; the frame is then unchanged.
    pub fn paste(&self, patch: &[u8], rect: Rect, frame: &mut [u8]) -> Result<(), CompositeError> {
        check("frame", "bytes", frame.len(), self.frame.bytes())?;
        if !rect.fits(self.frame) {
            return Err(CompositeError::Unplanned { rect, frame: self.frame });
        }
        let Size { width, height } = rect.size();
        let stride = patch_stride(width);
        let expected = stride * height;
        let found = patch.len().min(expected);
        check("patch", "bytes", found, expected)?;
        let target = Target { frame, frame_size: self.frame, rect };
        for (row, out) in patch.chunks_exact(stride).zip(target.rows()) {
            out.copy_from_slice(&row[..3 * width]);
        }
        Ok(())
    }
}

/// Bytes from one row of a patch `width` pixels wide to the next: whole words, so that a GPU can
/// write them.
pub const fn patch_stride(width: usize) -> usize {
    (3 * width).next_multiple_of(4)
}

/// The level that a choice stands for. Whether this machine can run one that was named shows when it
/// is planned.
fn choose(
    choice: CompositorChoice,
    interpolation: Interpolation,
) -> Result<KernelLevel, CompositeError> {
    let level = match (choice, interpolation) {
        (CompositorChoice::Auto | CompositorChoice::Cpu, Interpolation::Linear) => {
            KernelLevel::fastest()
        }
        (CompositorChoice::Auto | CompositorChoice::Cpu, Interpolation::Cubic) => {
            KernelLevel::Scalar
        }
        (CompositorChoice::Scalar, _) => KernelLevel::Scalar,
        (CompositorChoice::Avx2, _) => KernelLevel::Avx2,
        (CompositorChoice::Avx512, _) => KernelLevel::Avx512,
        (CompositorChoice::OpenCv, _) => KernelLevel::OpenCv,
        (CompositorChoice::Cuda, _) => KernelLevel::Cuda,
    };
    match (level, interpolation) {
        (KernelLevel::Avx2 | KernelLevel::Avx512 | KernelLevel::Cuda, Interpolation::Cubic) => {
            Err(CompositeError::UnsupportedInterpolation { level, interpolation })
        }
        _ => Ok(level),
    }
}

#[cfg(target_arch = "x86_64")]
fn fused_plans<K: RowKernel>(
    geometry: ModelGeometry,
    sizes: impl Iterator<Item = Size>,
) -> HashMap<Size, FusedPlan<K>> {
    let mut plans = HashMap::new();
    for size in sizes {
        plans
            .entry(size)
            .or_insert_with(|| FusedPlan::new(Axes::linear(geometry.crop_side(), size)));
    }
    plans
}

fn check(
    buffer: &'static str,
    unit: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), CompositeError> {
    if found == expected {
        Ok(())
    } else {
        Err(CompositeError::BufferLength { buffer, unit, found, expected })
    }
}
