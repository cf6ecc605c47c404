//! NVRTC, which compiles CUDA C++ to PTX. Loaded at run time, needs no GPU.

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::{Path, PathBuf};
use std::ptr;

use engine_sys::{check_whole, search};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::CudaError;
use super::signals::with_own_handlers;

type Program = *mut std::ffi::c_void;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Text = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

/// NVRTC's functions, as nvrtc.h declares them since CUDA 11.2.
struct Functions {
    error_string: unsafe extern "C" fn(c_int) -> *const c_char,
    supported_count: unsafe extern "C" fn(*mut c_int) -> c_int,
    supported: unsafe extern "C" fn(*mut c_int) -> c_int,
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int,
    log_size: Size,
    log: Text,
    ptx_size: Size,
    ptx: Text,
}

/// The compiler of one library. It stays loaded for the rest of the process.
pub struct Compiler {
    path: PathBuf,
    functions: Functions,
    /// Compute capabilities it compiles for, as 10 * major + minor, ascending.
    supported: Vec<u32>,
}

impl Compiler {
    /// The compiler of the NVRTC that [`search::find_nvrtc`] finds.
    ///
    /// # Errors
    /// [`CudaError::NoCompiler`] where there is none, or none that can be used.
    pub fn find() -> Result<Self, CudaError> {
        let path = search::find_nvrtc()
            .map_err(|error| CudaError::NoCompiler { reason: error.to_string() })?;
        Self::load(&path)
    }

    /// The compiler in the library at `path`.
    ///
    /// # Errors
    /// [`CudaError::NoCompiler`] when the file is not NVRTC, or not whole.
    pub fn load(path: &Path) -> Result<Self, CudaError> {
        let unusable = |reason: String| CudaError::NoCompiler {
            reason: format!("{}: {reason}", path.display()),
        };
        // It asks for its built-in functions by a name that only the folder knows to be near; one
        // that is loaded already answers to it.
        for builtins in builtins(path) {
            check_whole(&builtins).map_err(unusable)?;
            // SAFETY: a library of data.
            if let Ok(library) = unsafe { Library::open(Some(&builtins), RTLD_NOW | RTLD_LOCAL) } {
                std::mem::forget(library);
            }
        }
        check_whole(path).map_err(unusable)?;
        // SAFETY: loading NVRTC runs no code but its own initialisers.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(|error| unusable(error.to_string()))?;
        macro_rules! function {
            ($name:literal) => {{
                // SAFETY: the field that takes the pointer has the type that nvrtc.h declares.
                let found = unsafe { library.get($name) };
                *found.map_err(|_| unusable("is not NVRTC 11.2 or newer".to_owned()))?
            }};
        }
        let functions = Functions {
            error_string: function!(b"nvrtcGetErrorString"),
            supported_count: function!(b"nvrtcGetNumSupportedArchs"),
            supported: function!(b"nvrtcGetSupportedArchs"),
            create: function!(b"nvrtcCreateProgram"),
            destroy: function!(b"nvrtcDestroyProgram"),
            compile: function!(b"nvrtcCompileProgram"),
            log_size: function!(b"nvrtcGetProgramLogSize"),
            log: function!(b"nvrtcGetProgramLog"),
            ptx_size: function!(b"nvrtcGetPTXSize"),
            ptx: function!(b"nvrtcGetPTX"),
        };
        // The function pointers stay valid because the library is never unloaded.
        std::mem::forget(library);
        let mut compiler = Self { path: path.to_owned(), functions, supported: Vec::new() };
        compiler.supported = compiler.ask_supported()?;
        Ok(compiler)
    }

    /// The library.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest architecture that both it and a device of this compute capability know. PTX for an
    /// older one runs on newer devices.
    ///
    /// # Errors
    /// [`CudaError::NoCompiler`] where the device is older than all that it knows.
    pub fn architecture(&self, (major, minor): (u32, u32)) -> Result<u32, CudaError> {
        let device = 10 * major + minor;
        let known = self.supported.iter().rev().find(|&&known| known <= device);
        known.copied().ok_or_else(|| CudaError::NoCompiler {
            reason: format!(
                "{} compiles for compute capability {} and newer, the GPU has {major}.{minor}",
                self.path.display(),
                self.supported.first().map_or_else(|| "?".to_owned(), ToString::to_string),
            ),
        })
    }

    /// Compiles `source` to PTX for an `architecture` such as 90.
    ///
    /// # Errors
    /// [`CudaError::Compile`] with what the compiler says about the source.
    pub fn compile(&self, source: &str, architecture: u32) -> Result<CString, CudaError> {
        let failed = |log: String| CudaError::Compile { library: self.path.clone(), log };
        let text =
            |text: &str| CString::new(text).map_err(|_| failed("a NUL in the source".into()));
        let (source, name) = (text(source)?, text("kernels.cu")?);
        let options = options(architecture);
        let options = options.iter().map(|option| text(option)).collect::<Result<Vec<_>, _>>()?;
        let options: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();

        let mut raw = ptr::null_mut();
        // SAFETY: both texts are C strings that outlive the call; there are no headers.
        let made = unsafe {
            let none = ptr::null();
            (self.functions.create)(&mut raw, source.as_ptr(), name.as_ptr(), 0, none, none)
        };
        self.check(made).map_err(failed)?;
        let program = Owned { compiler: self, raw };
        let compiled = with_own_handlers(|| {
            // SAFETY: the program is a live one, and as many options are there as is said.
            unsafe {
                (self.functions.compile)(program.raw, options.len() as c_int, options.as_ptr())
            }
        });
        if let Err(error) = self.check(compiled) {
            let log = program.text(self.functions.log_size, self.functions.log);
            let log = log.map(|log| log.to_string_lossy().trim().to_owned()).unwrap_or_default();
            return Err(failed(if log.is_empty() { error } else { log }));
        }
        program.text(self.functions.ptx_size, self.functions.ptx).map_err(failed)
    }

    fn ask_supported(&self) -> Result<Vec<u32>, CudaError> {
        let refused = |reason| CudaError::NoCompiler {
            reason: format!("{}: cannot say what it compiles for: {reason}", self.path.display()),
        };
        let mut count = 0;
        // SAFETY: the address is that of a live integer.
        self.check(unsafe { (self.functions.supported_count)(&mut count) }).map_err(refused)?;
        let mut all = vec![0; usize::try_from(count).unwrap_or(0)];
        // SAFETY: there is room for as many as the library just said.
        self.check(unsafe { (self.functions.supported)(all.as_mut_ptr()) }).map_err(refused)?;
        let mut all: Vec<u32> = all.into_iter().filter_map(|arch| arch.try_into().ok()).collect();
        all.sort_unstable();
        Ok(all)
    }

    fn check(&self, code: c_int) -> Result<(), String> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the library answers every number with a text of its own, which is never freed.
        let text = unsafe { (self.functions.error_string)(code) };
        match text.is_null() {
            true => Err(format!("error {code}")),
            // SAFETY: as above; it is a C string.
            false => Err(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()),
        }
    }
}

/// What kernels are compiled with: no fused operations, since the CPU has none.
pub(super) fn options(architecture: u32) -> [String; 3] {
    [
        format!("--gpu-architecture=compute_{architecture}"),
        "--std=c++17".to_owned(),
        "--fmad=false".to_owned(),
    ]
}

/// The files in the library's folder that have its built-in functions.
fn builtins(library: &Path) -> Vec<PathBuf> {
    let entries = library.parent().and_then(|folder| folder.read_dir().ok());
    let entries = entries.into_iter().flatten().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("libnvrtc-builtins.so."))
        .map(|entry| entry.path())
        .collect()
}

/// A program that ends with this value.
struct Owned<'a> {
    compiler: &'a Compiler,
    raw: Program,
}

impl Owned<'_> {
    /// A text of the program's, asked for in two calls.
    fn text(&self, size: Size, text: Text) -> Result<CString, String> {
        let mut bytes = 0;
        // SAFETY: the program is a live one, and the address that of a live integer.
        self.compiler.check(unsafe { size(self.raw, &mut bytes) })?;
        let mut buffer = vec![0_u8; bytes];
        // SAFETY: there is room for as many bytes as the library just said.
        self.compiler.check(unsafe { text(self.raw, buffer.as_mut_ptr().cast()) })?;
        // It counts the final NUL.
        let end = buffer.iter().position(|&byte| byte == 0).unwrap_or(buffer.len());
        buffer.truncate(end);
        CString::new(buffer).map_err(|error| error.to_string())
    }
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        // SAFETY: the program is ended once.
        let _nobody_is_left_to_tell = unsafe { (self.compiler.functions.destroy)(&mut self.raw) };
    }
}
