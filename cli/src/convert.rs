//! `engine-cli convert-engine`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use engine::backend::{OnnxRuntimeOptions, find_onnxruntime};
use engine::convert::{
    Compared, Comparison, ConvertError, EngineOptions, EngineRecord, LogFile, Network, Tools,
    build, verify_graph,
};
use engine::cuda::{Context, CudaError};
use engine::file::{Lock, WholeFile, shell_quoted};
use engine::pipeline::cores;
use engine::select::{built_in, is_engine};
use engine_sys::search::{self, Found, NotFound};
use engine_sys::{Flavour, Library, Log};

use crate::args::ConvertArgs;
use crate::backend::Warnings;
use crate::build_progress::BuildProgress;
use crate::network::{network_file, package_around};
use crate::output::note;
use crate::outputs::Files;
use crate::{Outcome, interrupt};

pub(crate) fn run(args: &ConvertArgs) -> Result<Outcome> {
    built_in(args.flavour.0)?;
    // Before a file is begun: without its handler Ctrl-C ends the program at once.
    interrupt::token();
    let model = network_file(&args.model)?;
    let output = args.output.clone().unwrap_or_else(|| model.with_extension("engine"));
    let log = args.log.clone().unwrap_or_else(|| LogFile::beside(&output));
    let package = match &args.package {
        Some(package) => Some(package.clone()),
        None => package_around(&model),
    };
    Files::default()
        .read("the network itself", Some(&model))
        .package(package.as_deref())
        .written("-o", Some(&output))
        .written("the record beside -o", Some(&EngineRecord::path(&output)))
        .written("--log", Some(&log))
        .written("--timing-cache", args.timing_cache.as_deref())
        .check()?;
    if is_engine(&model) {
        bail!("{}: is an engine already; expected an ONNX file, or a package", model.display());
    }
    let network = Network::prepare(&model, args.precision, args.batch)?;
    describe(&network);
    let builder = choose(args)?;
    let lock = Lock::take(&output)?;
    // No log is begun where there can be no engine.
    drop(WholeFile::create(&output)?);
    let log = Arc::new(LogFile::create(&log)?);
    let options = EngineOptions {
        precision: args.precision,
        batch: args.batch,
        workspace: args.workspace,
        version_compatible: args.version_compatible,
        hardware_compatible: args.hardware_compatible,
    };
    let tools = builder.tools(Arc::clone(&log) as Arc<dyn Log>)?;
    let verified = match args.verify_graph {
        true => Some(verify(args, &network, package.as_deref())?),
        false => None,
    };
    let progress = Arc::new(BuildProgress::new(false));
    let timing_cache = args.timing_cache.as_deref();
    let built = build(&lock, &network, &options, &tools, timing_cache, verified, progress);
    if let Err(ConvertError::Build { .. }) = built {
        note!("log         {}", log.path().display());
    }
    summarise(&built?, &output, log.path(), package.as_deref());
    Ok(Outcome::Done)
}

fn describe(network: &Network) {
    let side = network.spec().geometry().side();
    note!("network     {}: {side} x {side}", network.path().display());
    let changes = network.changes();
    if let Some(batch) = changes.fixed_batch {
        note!("batch       was fixed to {batch}, and is symbolic now");
    }
    if changes.symmetric > 0 {
        note!("quantized   {} tensors were uint8, and are int8 around 0 now", changes.symmetric);
    }
    if let Some(half) = &changes.half {
        note!(
            "precision   fp16: {:.1} MB of weights are {:.1} MB now",
            half.bytes_before as f64 / 1e6,
            half.bytes_after as f64 / 1e6
        );
    }
}

/// A TensorRT that can build.
struct Builder {
    flavour: Flavour,
    found: Found,
    parser: PathBuf,
    gpu: Result<Context, CudaError>,
}

impl Builder {
    /// Loads it with `log` for its messages.
    fn tools(self, log: Arc<dyn Log>) -> Result<Tools> {
        let Self { flavour, found, parser, gpu } = self;
        let library = Library::open(flavour, &found.runtime, log)?;
        note!(
            "builder     {} {} from {}: {}",
            flavour.title(),
            library.version(),
            found.origin,
            found.runtime.display()
        );
        Ok(Tools { library, parser, gpu })
    }
}

/// The TensorRT that was asked for, or the first that can build.
fn choose(args: &ConvertArgs) -> Result<Builder> {
    let folder = args.tensorrt_lib.as_deref();
    let device = usize::from(args.device);
    if let Some(flavour) = args.flavour.0 {
        return builder(flavour, folder, device);
    }
    let mut reasons = Vec::new();
    for flavour in Flavour::ALL {
        match builder(flavour, folder, device) {
            Ok(builder) => return Ok(builder),
            Err(error) => reasons.push(match error.downcast_ref::<NotFound>() {
                Some(not_found) => not_found.brief(),
                None => format!("{error:#}"),
            }),
        }
    }
    bail!(
        "no TensorRT here builds engines: {}; `engine-cli doctor` says where was looked and what to \
         do (TensorRT-RTX builds without a GPU: scripts/fetch-tensorrt-rtx)",
        reasons.join("; ")
    )
}

fn builder(flavour: Flavour, folder: Option<&Path>, device: usize) -> Result<Builder> {
    let found = search::find(flavour, folder)?;
    let library = Library::open(flavour, &found.runtime, Arc::new(Warnings))?;
    if !library.can_build() {
        bail!(engine_sys::Error::NoBuilder { path: found.runtime, flavour });
    }
    let Some(parser) = found.parser.clone() else {
        bail!(
            "{}: cannot read ONNX files without {} beside it",
            found.runtime.display(),
            flavour.parser_library()
        );
    };
    // Only TensorRT-RTX needs none; a search that goes on should know that now.
    let gpu = Context::new(device);
    if let (Err(source), Flavour::V10 | Flavour::V11) = (&gpu, flavour) {
        return Err(ConvertError::NeedsGpu { flavour, source: source.clone() }.into());
    }
    Ok(Builder { flavour, found, parser, gpu })
}

/// Compares the converted graph with the network, and says how far apart they are.
fn verify(args: &ConvertArgs, network: &Network, package: Option<&Path>) -> Result<Comparison> {
    let package = package.with_context(|| {
        format!(
            "{}: lies in no avatar package; name one with --package for --verify-graph",
            network.path().display()
        )
    })?;
    let library = find_onnxruntime(args.ort_lib.as_deref())?;
    let onnxruntime = OnnxRuntimeOptions { library, threads: cores() };
    note!("verifying   the converted graph over frames of {}", package.display());
    let cancelled = || interrupt::token().is_cancelled();
    let comparison = verify_graph(network, package, &onnxruntime, &cancelled)?;
    note!("verified    {}", comparison.quality);
    match comparison.check(Compared::Graph, network.path(), network.changes()) {
        Err(error) if args.force => note!("warning: {error}"),
        checked => checked?,
    }
    Ok(comparison)
}

fn summarise(record: &EngineRecord, output: &Path, log: &Path, package: Option<&Path>) {
    note!(
        "wrote       {}: {:.1} MB, {}, batches {}, in {:.1} s",
        output.display(),
        record.engine.bytes as f64 / 1e6,
        record.options.precision,
        record.options.batch,
        record.build_seconds
    );
    let runs_on = match &record.gpu {
        Some(gpu) => format!("{gpu} only"),
        None if record.flavour == Flavour::Rtx => "GPUs that TensorRT-RTX supports".to_owned(),
        None => "GPUs of compute capability 8.0 and newer".to_owned(),
    };
    note!("            for {} {}, on {runs_on}", record.flavour.title(), record.library);
    note!("            {}", EngineRecord::path(output).display());
    note!("            {}", log.display());
    let package = package.map_or_else(|| "PACKAGE".to_owned(), shell_quoted);
    note!("next: engine-cli render {package} -o out.mp4 --model {}", shell_quoted(output));
}
