//! What could run a network, to be set up for a machine.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{
    BackendChoice, BackendOptions, Opened, PrecisionChoice, ProviderChoice, Sample, SelectError,
    Watch, contest, open,
};

/// A runtime, what it computes in, and the file that it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Contender {
    /// The runtime.
    pub backend: BackendChoice,
    /// Where ONNX Runtime computes, where that was asked for.
    pub provider: Option<ProviderChoice>,
    /// What it computes in.
    pub precision: PrecisionChoice,
    /// The network, or its quantized form; `None` where nothing is computed.
    pub model: Option<PathBuf>,
    /// Whether that is the quantized form which lies beside the network that was asked for.
    pub quantized: bool,
    /// Peak signal-to-noise ratio of the worst frame that was compared with full precision, inside its
    /// rectangle; `None` where none was.
    pub worst_psnr_db: Option<f64>,
}

impl Contender {
    /// `options` with everything that makes it this one.
    pub fn options(&self, options: &BackendOptions) -> BackendOptions {
        let Self { backend, precision, .. } = *self;
        let provider = self.provider.or(options.provider);
        BackendOptions { backend, provider, precision, ..options.clone() }
    }

    /// Opens it, with everything else as `options` say.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(&self, options: &BackendOptions, watch: &Watch<'_>) -> Result<Opened, SelectError> {
        open(self.model.as_deref(), &self.options(options), watch)
    }

    /// Whether it computes a float network in less than 32 bits on the processor. TensorRT's engines
    /// are compared when they are loaded.
    fn rounds(&self) -> bool {
        let half = matches!(self.precision, PrecisionChoice::Bf16 | PrecisionChoice::Fp16);
        half && self.backend == BackendChoice::OpenVino
    }

    /// Whether the processor runs it.
    pub fn is_on_cpu(&self) -> bool {
        match self.backend {
            BackendChoice::OpenVino => true,
            BackendChoice::OnnxRuntime => self.provider != Some(ProviderChoice::Cuda),
            BackendChoice::Auto | BackendChoice::TensorRt | BackendChoice::Simulated => false,
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.backend.name())?;
        if self.provider == Some(ProviderChoice::Cuda) {
            f.write_str(" cuda")?;
        }
        match self.precision {
            PrecisionChoice::Auto => Ok(()),
            precision => write!(f, " {precision}"),
        }
    }
}

impl Opened {
    /// What may run `model` at its fastest on this machine, what is likely to be fastest first, at least
    /// one. Where runtime and precision are left open on a processor, those are all that are near enough
    /// to full precision over `sample` and not much slower than the fastest; else what was opened, which
    /// is [verified](Self::verified) like any other.
    ///
    /// # Errors
    /// As [`verified`](Self::verified).
    pub fn contenders(
        self,
        model: Option<&Path>,
        sample: Sample<'_>,
        options: &BackendOptions,
        watch: &Watch<'_>,
    ) -> Result<Vec<Contender>, SelectError> {
        let mut opened = self.with_good_engine(model, sample, options, watch)?;
        if let (true, Some(model)) = (opened.undecided, model) {
            return contest::contenders(opened.backend, model, sample, options, watch);
        }
        let backend = BackendChoice::named(opened.backend.name()).unwrap_or(options.backend);
        let on_gpu = opened.backend.provider().starts_with("CUDA");
        let mut contender = Contender {
            backend,
            provider: if on_gpu { Some(ProviderChoice::Cuda) } else { options.provider },
            precision: options.precision,
            model: model.map(Path::to_owned),
            quantized: false,
            worst_psnr_db: None,
        };
        if let (true, Some(model)) = (contender.rounds(), &contender.model) {
            let (frame, worst_psnr_db) =
                contest::judge(&mut *opened.backend, model, sample, options, watch)?;
            if worst_psnr_db < options.min_psnr_db {
                let min_psnr_db = options.min_psnr_db;
                let contender = contender.to_string();
                return Err(SelectError::TooFar { contender, frame, worst_psnr_db, min_psnr_db });
            }
            contender.worst_psnr_db = Some(worst_psnr_db);
        }
        Ok(vec![contender])
    }
}
