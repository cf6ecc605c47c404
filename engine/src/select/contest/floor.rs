//! Where real candidates meet.

use super::super::{BackendOptions, Opened, Sample, SelectError, chain};
use super::candidate::Candidate;
use super::network::Network;
use super::outcome::{Arena, Setback, Worst};
use super::speed::ms_per_frame;
use crate::backend::Backend;
use crate::composite::Interpolation;
use crate::quality::{CompositedFrames, Excerpt, composite};
use crate::verify::VerifyError;

/// Frames of the reference and of a candidate that run at one time, so that frames which a batch
/// mixes up show.
pub(super) const BATCHES: [usize; 2] = [1, 2];

/// What candidates are compared over.
pub(super) struct Scene<'a> {
    pub(super) sample: Sample<'a>,
    /// Ascending numbers of output frames.
    pub(super) frames: Vec<u64>,
    pub(super) cancelled: &'a dyn Fn() -> bool,
}

impl Scene<'_> {
    pub(super) fn composite(
        &self,
        backend: &mut dyn Backend,
        batch: usize,
    ) -> Result<CompositedFrames, VerifyError> {
        let excerpt = Excerpt {
            store: self.sample.store,
            assembler: self.sample.assembler,
            frames: &self.frames,
            interpolation: Interpolation::Linear,
        };
        composite(backend, &excerpt, batch, self.cancelled, &mut |_| ())
    }
}

/// The runtimes themselves, for [`hold`](super::outcome::hold).
pub(super) struct Floor<'a> {
    network: &'a Network<'a>,
    scene: Scene<'a>,
    options: &'a BackendOptions,
    reference: Box<dyn Backend>,
    /// What the reference makes of the frames, once that is needed.
    expected: Option<CompositedFrames>,
    /// The candidate that was measured last.
    opened: Option<Opened>,
    best: Option<Opened>,
}

impl<'a> Floor<'a> {
    pub(super) fn new(
        network: &'a Network<'a>,
        scene: Scene<'a>,
        options: &'a BackendOptions,
        reference: Box<dyn Backend>,
    ) -> Self {
        Self { network, scene, options, reference, expected: None, opened: None, best: None }
    }

    /// Milliseconds a frame of the reference.
    pub(super) fn reference_ms(&mut self) -> Result<f64, VerifyError> {
        let Scene { sample, cancelled, .. } = self.scene;
        let batch = self.options.largest_batch;
        ms_per_frame(&mut *self.reference, sample, batch, f64::INFINITY, cancelled)
    }

    /// The reference, and the best of the others, if one was kept.
    pub(super) fn leave(self) -> (Box<dyn Backend>, Option<Opened>) {
        (self.reference, self.best)
    }
}

impl Arena for Floor<'_> {
    type Error = SelectError;

    fn time(&mut self, candidate: Candidate, wanted_ms: f64) -> Result<f64, Setback<SelectError>> {
        // Two of them are not needed at one time.
        self.opened = None;
        let opened = candidate.open(self.network.form(candidate), self.options);
        let opened = opened.map_err(|error| Setback::Candidate(chain(&error)))?;
        let backend = &mut *self.opened.insert(opened).backend;
        let batch = self.options.largest_batch;
        let Scene { sample, cancelled, .. } = self.scene;
        Ok(ms_per_frame(backend, sample, batch, wanted_ms, cancelled)?)
    }

    fn judge(&mut self) -> Result<Worst, Setback<SelectError>> {
        let [alone, together] = BATCHES;
        let expected = match self.expected.take() {
            Some(expected) => expected,
            None => self
                .scene
                .composite(&mut *self.reference, alone)
                .map_err(|error| Setback::Everything(error.into()))?,
        };
        let Some(opened) = &mut self.opened else {
            return Err(Setback::Candidate("it was not measured".to_owned()));
        };
        let found = self.scene.composite(&mut *opened.backend, together)?;
        let quality = expected.compare(&found)?.overall;
        self.expected = Some(expected);
        Ok(Worst { frame: quality.worst_frame, psnr_db: quality.worst_psnr_db })
    }

    fn keep(&mut self) {
        self.best = self.opened.take();
    }
}

impl From<VerifyError> for Setback<SelectError> {
    /// What a candidate's own runtime says is about the candidate.
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Backend(error) => Self::Candidate(chain(&error)),
            other => Self::Everything(other.into()),
        }
    }
}
