//! The engine's own kernels: a network's inputs from bytes and feature rows that are on the device,
//! and patches from its predictions. Bit for bit what the CPU makes.

mod cache;

use std::ffi::{CStr, CString, c_void};
use std::fmt;
use std::path::{Path, PathBuf};

use cudarc::driver::{DriverError, result, sys};

use super::error::Attempt;
use super::nvrtc::Compiler;
use super::{Context, CudaError, Stream};
use crate::composite::linear_taps;
use crate::dataset::Features;
use crate::frame::{ModelGeometry, Rect, Size};

/// The program: what the kernels share, and the kernels.
pub const SOURCE: &str = concat!(
    include_str!("pixel.cuh"),
    include_str!("assemble.cu"),
    include_str!("windows.cu"),
    include_str!("composite.cu")
);

/// What a network's tensors hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    Float,
    /// 16-bit floats.
    Half,
}

/// One frame of a batch, as the kernels see it. Addresses are the device's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Job {
    /// Where the roi's pixels begin: BGR, S x S.
    pub roi: u64,
    /// Where those of the masked roi begin; 0 where it is the roi with the mask blackened.
    pub masked: u64,
    /// Bytes from one row of the roi to the next.
    pub roi_stride: u32,
    /// The same of the masked roi.
    pub masked_stride: u32,
    /// The crop: BGR, (S + 8) x (S + 8), without gaps.
    pub crop: u64,
    /// A [`Taps`] for each column of the rectangle.
    pub columns: u64,
    /// A [`Taps`] for each row of the rectangle.
    pub rows: u64,
    /// Width of the rectangle, in pixels.
    pub width: u32,
    /// Height of the rectangle, in pixels.
    pub height: u32,
    /// Where its patch begins, in bytes from the beginning of the output; a multiple of 4.
    pub patch: u64,
    /// The slot of the first feature row that it hears.
    pub window: u32,
    /// Nothing.
    pub unused: u32,
}

/// Which two source pixels make an output pixel of one row or column; 2048 is a weight of 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Taps {
    /// Columns or rows of the crop.
    pub index: [u16; 2],
    /// What each counts.
    pub weight: [i16; 2],
}

// SAFETY: numbers without gaps between them, in the order of C.
unsafe impl bytemuck::Zeroable for Job {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Job {}
// SAFETY: as above.
unsafe impl bytemuck::Zeroable for Taps {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Taps {}

/// The taps of all columns and of all rows of a rectangle of `size` pixels, to which a crop of
/// `crop_side` x `crop_side` is resized.
pub fn taps(crop_side: usize, size: Size) -> [Vec<Taps>; 2] {
    linear_taps(crop_side, size).map(|axis| {
        let taps = axis.into_iter().map(|(index, weight)| Taps {
            // Crops are less than 65536 pixels wide.
            index: index.map(|i| i as u16),
            weight,
        });
        taps.collect()
    })
}

/// What is the same for all frames of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Sizes {
    /// S, the side of the network's images.
    pub side: u32,
    /// Pixels of the crop on each side of them.
    pub border: u32,
    /// The mask: first column and row, and those behind the last.
    pub mask: [u32; 4],
}

impl Sizes {
    /// Those of `geometry`.
    pub fn of(geometry: ModelGeometry) -> Self {
        let Rect { x1, y1, x2, y2 } = geometry.mask();
        Self {
            side: geometry.side() as u32,
            border: ModelGeometry::BORDER as u32,
            mask: [x1, y1, x2, y2].map(|edge| edge as u32),
        }
    }
}

// SAFETY: as above.
unsafe impl bytemuck::Zeroable for Sizes {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Sizes {}

// The kernels read these as they lie in memory.
const _: () = assert!(size_of::<Job>() == 72 && size_of::<Taps>() == 8 && size_of::<Sizes>() == 24);

/// The jobs of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// Address of the first [`Job`].
    pub address: u64,
    /// How many there are.
    pub frames: usize,
    /// Width and height that no rectangle of theirs exceeds, in pixels.
    pub largest: [usize; 2],
}

/// Where in the folder `cache` the kernels for devices of this compute capability are kept.
pub fn kept_at(cache: &Path, compute_capability: (u32, u32)) -> PathBuf {
    cache.join("kernels").join(cache::name(SOURCE, compute_capability))
}

/// The feature rows that are on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRing {
    /// Address of the first slot.
    pub address: u64,
    /// How many slots of [`Features::ROW`] floats there are, a power of two.
    pub slots: u32,
}

/// Threads of a block.
const BLOCK: u32 = 256;
/// Pixels that a thread takes.
const QUAD: u32 = 4;

/// The kernels, loaded on a device.
pub struct Kernels {
    context: Context,
    module: sys::CUmodule,
    assemble: [sys::CUfunction; 2],
    windows: sys::CUfunction,
    composite: [sys::CUfunction; 2],
}

// SAFETY: the driver's functions may be called from any thread with any module and function.
unsafe impl Send for Kernels {}
// SAFETY: as for `Send`.
unsafe impl Sync for Kernels {}

impl Kernels {
    /// The kernels for the device of `context`: compiled before and kept in the folder `cache`, else
    /// compiled now by the NVRTC that is found, and kept there.
    ///
    /// # Errors
    /// [`CudaError::NoCompiler`] where nothing is kept and there is no NVRTC; [`CudaError::Compile`];
    /// or when the driver refuses what was compiled.
    pub fn open(context: &Context, cache: Option<&Path>) -> Result<Self, CudaError> {
        let device = context.device().compute_capability;
        let kept = cache.map(|folder| kept_at(folder, device));
        if let Some(ptx) = kept.as_deref().and_then(cache::load)
            && let Ok(kernels) = Self::from_ptx(context, &ptx)
        {
            return Ok(kernels);
        }
        let compiler = Compiler::find()?;
        let ptx = compiler.compile(SOURCE, compiler.architecture(device)?)?;
        let kernels = Self::from_ptx(context, &ptx)?;
        if let Some(kept) = kept {
            // Where that fails, it is compiled again next time.
            _ = cache::save(&kept, &ptx);
        }
        Ok(kernels)
    }

    /// The kernels in `ptx`, which was compiled from [`SOURCE`].
    ///
    /// # Errors
    /// When the driver does not take it, or a kernel is not there.
    pub fn from_ptx(context: &Context, ptx: &CStr) -> Result<Self, CudaError> {
        context.bind()?;
        // SAFETY: a C string that outlives the call.
        let module = unsafe { result::module::load_data(ptx.as_ptr().cast()) };
        let mut kernels = Self {
            context: context.clone(),
            module: module.attempt("loading the kernels")?,
            assemble: [std::ptr::null_mut(); 2],
            windows: std::ptr::null_mut(),
            composite: [std::ptr::null_mut(); 2],
        };
        let find = |name: &CStr| {
            let name = CString::from(name);
            // SAFETY: the module is loaded.
            let function = unsafe { result::module::get_function(kernels.module, name) };
            function.attempt("finding a kernel")
        };
        let assemble = [find(c"assemble_f32")?, find(c"assemble_f16")?];
        let windows = find(c"windows_f32")?;
        let composite = [find(c"composite_f32")?, find(c"composite_f16")?];
        (kernels.assemble, kernels.windows, kernels.composite) = (assemble, windows, composite);
        Ok(kernels)
    }

    /// The context that they were loaded in.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Queues the image inputs of a batch: N x 6 x S x S values of an element at an address.
    ///
    /// # Safety
    /// All addresses are of the context: that of the jobs, whose roi, and masked roi where there is
    /// one, have S rows of 3 x S bytes; that of `planes`, with room for all of it, aligned to 16
    /// bytes. Until the stream has passed this, nothing of it may be freed or written.
    ///
    /// # Errors
    /// When the driver refuses.
    pub unsafe fn assemble(
        &self,
        stream: &Stream,
        jobs: Jobs,
        planes: (u64, Element),
        mut sizes: Sizes,
    ) -> Result<(), CudaError> {
        let (mut planes, element) = planes;
        let mut address = jobs.address;
        let threads = sizes.side.div_ceil(QUAD) * sizes.side;
        let grid = (threads.div_ceil(BLOCK), 2, jobs.frames as u32);
        let parameters =
            [(&raw mut address).cast(), (&raw mut planes).cast(), (&raw mut sizes).cast()];
        // SAFETY: the caller answers for the memory; these are the kernel's parameters.
        unsafe { self.start(self.assemble[element as usize], grid, stream, parameters) }
            .attempt("starting to assemble")
    }

    /// Queues the audio inputs of a batch: N x 16 x 512 floats at the address `audio`.
    ///
    /// # Safety
    /// All addresses are of the context: that of the jobs, that of all `rows`, and that of `audio`,
    /// with room for all of it, aligned to 16 bytes as the rows are. Until the stream has passed this,
    /// nothing of it may be freed, nor written that a job's window has.
    ///
    /// # Errors
    /// When the driver refuses.
    pub unsafe fn windows(
        &self,
        stream: &Stream,
        jobs: Jobs,
        rows: RowRing,
        mut audio: u64,
    ) -> Result<(), CudaError> {
        let mut address = jobs.address;
        let RowRing { address: mut ring, mut slots } = rows;
        let threads = Features::WINDOW_LEN as u32 / QUAD;
        let grid = (threads.div_ceil(BLOCK), jobs.frames as u32, 1);
        let parameters = [
            (&raw mut address).cast(),
            (&raw mut ring).cast(),
            (&raw mut audio).cast(),
            (&raw mut slots).cast(),
        ];
        // SAFETY: the caller answers for the memory; these are the kernel's parameters.
        unsafe { self.start(self.windows, grid, stream, parameters) }
            .attempt("starting to gather feature rows")
    }

    /// Queues the patches of a batch from its predictions: N x 3 x S x S values of an element at an
    /// address.
    ///
    /// # Safety
    /// All addresses are of the context: that of the jobs, whose crop has (S + 8) x (S + 8) pixels,
    /// whose taps are as many as the rectangle has columns and rows and lie in the crop, and whose
    /// patch ends in the room at `patches`; that of all `predictions`. Until the stream has passed
    /// this, nothing of it may be freed or written.
    ///
    /// # Errors
    /// When the driver refuses.
    pub unsafe fn composite(
        &self,
        stream: &Stream,
        jobs: Jobs,
        predictions: (u64, Element),
        mut patches: u64,
        mut sizes: Sizes,
    ) -> Result<(), CudaError> {
        let (mut predictions, element) = predictions;
        let mut address = jobs.address;
        let [width, height] = jobs.largest.map(|pixels| pixels as u32);
        // A rectangle that is smaller has fewer quads in all.
        let threads = (width.div_ceil(QUAD) * height).max(1);
        let grid = (threads.div_ceil(BLOCK), jobs.frames as u32, 1);
        let parameters = [
            (&raw mut address).cast(),
            (&raw mut predictions).cast(),
            (&raw mut patches).cast(),
            (&raw mut sizes).cast(),
        ];
        // SAFETY: the caller answers for the memory; these are the kernel's parameters.
        unsafe { self.start(self.composite[element as usize], grid, stream, parameters) }
            .attempt("starting to composite")
    }

    /// # Safety
    /// `parameters` are addresses of the values that the kernel takes, of their types; what those
    /// refer to stays until the stream has passed this.
    unsafe fn start<const N: usize>(
        &self,
        kernel: sys::CUfunction,
        grid: (u32, u32, u32),
        stream: &Stream,
        mut parameters: [*mut c_void; N],
    ) -> Result<(), DriverError> {
        // A thread without the context gets an error from the driver, which is the better one.
        let _the_next_call_tells = self.context.bind();
        let block = (BLOCK, 1, 1);
        // SAFETY: the module is loaded; the driver copies the parameters; the caller answers for the
        // rest.
        unsafe { result::launch_kernel(kernel, grid, block, 0, stream.handle(), &mut parameters) }
    }
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernels").field("context", &self.context).finish_non_exhaustive()
    }
}

impl Drop for Kernels {
    fn drop(&mut self) {
        // Where this fails, the next call may still work: its context may be the current one.
        let _the_next_call_tells = self.context.bind();
        // SAFETY: the module is unloaded once; whoever launched a kernel keeps this value until the
        // stream has passed it.
        let _nobody_is_left_to_tell = unsafe { result::module::unload(self.module) };
    }
}
