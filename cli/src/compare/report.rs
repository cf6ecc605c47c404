//! The results as data and for people. The JSON that `--json` writes is this, and its field names are
//! a contract.

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};
use engine::backend::Backend;
use engine::quality::{CompositedQuality, FrameQuality};
use serde::Serialize;

use crate::args::CompareArgs;
use crate::output;

/// Everything one invocation of `compare` found out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Version of this format.
    schema: u32,
    reference: Side,
    candidate: Side,
    package: String,
    inputs: String,
    interpolation: String,
    min_psnr_db: f64,
    passed: bool,
    /// Inside the frames' rectangles; a signal-to-noise ratio of `null` is infinite.
    quality: CompositedQuality,
}

/// A network, and what ran it.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    model: String,
    backend: &'static str,
    provider: String,
}

impl Side {
    pub(super) fn new(model: &Path, backend: &dyn Backend) -> Self {
        Self {
            model: model.display().to_string(),
            backend: backend.name(),
            provider: backend.provider().to_owned(),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} ({})", self.model, self.backend, self.provider)
    }
}

impl Report {
    pub(super) fn new(
        args: &CompareArgs,
        reference: Side,
        candidate: Side,
        quality: CompositedQuality,
    ) -> Self {
        Self {
            schema: 1,
            reference,
            candidate,
            package: args.package.display().to_string(),
            inputs: args.inputs.to_string(),
            interpolation: args.interpolation.to_string(),
            min_psnr_db: args.backend.min_psnr,
            passed: quality.check(args.backend.min_psnr).is_ok(),
            quality,
        }
    }

    /// The `count` worst frames.
    pub(super) fn worst(&self, count: usize) -> Vec<FrameQuality> {
        let mut frames = self.quality.worst_first();
        frames.truncate(count);
        frames
    }

    /// The worst `count` frames and all together.
    pub(super) fn table(&self, count: usize) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY);
        table.set_header(["frame", "PSNR dB", "SSIM", "largest difference", "bytes that differ"]);
        for column in table.column_iter_mut() {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for frame in self.worst(count) {
            table.add_row([
                frame.frame.to_string(),
                decibels(frame.psnr_db),
                similarity(frame.ssim),
                frame.largest_difference.to_string(),
                frame.differing_bytes.to_string(),
            ]);
        }
        let overall = &self.quality.overall;
        table.add_row([
            format!("all {}", overall.frames),
            decibels(overall.psnr_db),
            similarity(self.quality.mean_ssim),
            overall.largest_difference.to_string(),
            overall.differing_bytes.to_string(),
        ]);
        table.to_string()
    }

    /// Says that the candidate is good enough, or fails with how far it is from that.
    pub(super) fn verdict(&self) -> Result<()> {
        let overall = &self.quality.overall;
        if let Err(too_far) = self.quality.check(self.min_psnr_db) {
            let Self { reference, candidate, .. } = self;
            bail!("{} is too far from {}: {too_far}", candidate.model, reference.model);
        }
        let line = match overall.is_identical() {
            true => format!("verdict     identical: no byte differs in {} frames", overall.frames),
            false => format!(
                "verdict     passed: the worst frame, {}, has {} dB inside its rectangle; at least {} \
                 were asked for",
                overall.worst_frame,
                decibels(overall.worst_psnr_db),
                self.min_psnr_db
            ),
        };
        output::line(line)
    }
}

fn decibels(db: f64) -> String {
    if db.is_finite() { format!("{db:.2}") } else { "equal".to_owned() }
}

fn similarity(ssim: Option<f64>) -> String {
    ssim.map_or_else(|| "-".to_owned(), |ssim| format!("{ssim:.5}"))
}
