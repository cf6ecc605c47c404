//! TensorRT over the stand-ins.

use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::backend::{BackendError, TensorRt, TensorRtOptions};
use engine::cuda::Context;
use engine_doubles::Exclusive;
use engine_sys::{Flavour, Library, Log, Severity};

use crate::support::SIDE;
use crate::support::gpu::Wanted;

/// Keeps warnings, and says when the library has let go of it.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<(Severity, String)>>);

impl Told {
    pub(crate) fn warnings(&self) -> Vec<String> {
        let told = self.0.lock().unwrap();
        let warnings = told.iter().filter(|(severity, _)| *severity == Severity::Warning);
        warnings.map(|(_, text)| text.clone()).collect()
    }
}

impl Log for Told {
    fn message(&self, severity: Severity, text: &str) {
        self.0.lock().unwrap().push((severity, text.to_owned()));
    }
}

/// The stand-ins, for this test alone, and the flavours that they were built for.
pub(crate) fn stand_ins() -> (Exclusive, Vec<Flavour>) {
    engine_doubles::cuda();
    let flavours: Vec<Flavour> = Flavour::ALL
        .into_iter()
        .filter(|flavour| engine_doubles::tensorrt_dir(*flavour).is_some())
        .collect();
    if flavours.is_empty() {
        eprintln!("SKIPPED: built without TensorRT's headers; run scripts/setup and build again");
    }
    (engine_doubles::control().exclusive(), flavours)
}

pub(crate) fn open(wanted: Wanted, log: &Arc<Told>) -> Result<TensorRt, BackendError> {
    let plan = engine_doubles::plan(wanted.flavour.unwrap(), SIDE, wanted.profile);
    open_plan(wanted, &plan, log)
}

pub(crate) fn open_plan(
    wanted: Wanted,
    plan: &[u8],
    log: &Arc<Told>,
) -> Result<TensorRt, BackendError> {
    let flavour = wanted.flavour.unwrap();
    let file = engine_doubles::tensorrt_library(flavour).unwrap();
    let library = Library::open(flavour, &file, log.clone())?;
    let options = TensorRtOptions {
        library,
        log: log.clone(),
        lanes: wanted.lanes,
        graphs: wanted.graphs,
        host_code: false,
    };
    TensorRt::from_bytes(Path::new("probe.engine"), plan, &Context::new(0)?, &options)
}

/// Each flavour, and one of them also where the device composites, in which they do not differ.
pub(crate) fn ways(flavours: Vec<Flavour>) -> impl Iterator<Item = Wanted> {
    let one = flavours.first().map(|flavour| Wanted::new(*flavour).on_device());
    flavours.into_iter().map(Wanted::new).chain(one)
}
