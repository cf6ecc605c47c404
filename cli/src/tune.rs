//! `engine-cli tune`.

mod report;

use std::path::Path;
use std::slice::from_ref;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use engine::backend::ModelSpec;
use engine::dataset::Package;
use engine::file::{WholeFile, same_file};
use engine::frame::FrameRate;
use engine::onnx::Model;
use engine::pipeline::Mode;
use engine::profile::{Profile, Subject};
use engine::select::{BackendOptions, Contender, Watch, identify, is_engine};
use engine::tune::{FRAMES, Setting, TuneOptions, first, tune};

use crate::args::{BackendChoice, TuneArgs};
use crate::output::note;
use crate::outputs::inputs;
use crate::profile::Picked;
use crate::setup::{FrameCount, Request, Scene};
use crate::{Outcome, backend, interrupt, output};
use report::{Report, settings};

pub(crate) fn run(args: &TuneArgs) -> Result<Outcome> {
    // Before the work is begun: without its handler Ctrl-C ends the program at once.
    interrupt::token();
    check(args)?;
    let package = match &args.package {
        Some(package) => package.clone(),
        None => crate::sample::cached()?,
    };
    inputs(&package, &args.backend, args.features.as_deref(), &args.audio)
        .read("the profile", args.from.as_deref())
        .written("-o", args.output.as_deref())
        .written("--json", args.json.as_deref())
        .check()?;
    for path in [&args.output, &args.json].into_iter().flatten() {
        // Nobody should wait for what cannot be written.
        WholeFile::create(path)?;
    }
    let mut search = TuneOptions {
        batches: (!args.batch.is_empty()).then(|| args.batch.clone()),
        workers: (!args.workers.is_empty()).then(|| args.workers.clone()),
        streams: args.backend.openvino.streams.map(usize::from),
        time: Duration::from_secs(args.seconds),
        began: Instant::now(),
        from: None,
        exhaustive: args.exhaustive,
    };
    let from = args.from.as_deref().map(Profile::load).transpose()?;
    let request = Request {
        root: &package,
        backend: &args.backend,
        frame: &args.frame,
        features: args.features.as_deref(),
        audio: &args.audio,
        count: FrameCount::Repeat(FRAMES),
        rate: FrameRate::DEFAULT,
        largest_batch: largest_batch(args, &package, &search)?
            .max(from.as_ref().map_or(0, |from| from.batch)),
        quiet: false,
        picked: &Picked::default(),
    };
    backend::watched(false, |watch| {
        let (scene, opened) = Scene::open(request, watch)?;
        search.began = Instant::now();
        note!("comparing   what can run the network here");
        let options = scene.options.clone();
        let contenders =
            opened.contenders(scene.model.as_deref(), scene.sample(), &options, watch)?;
        found(args, scene, &contenders, &options, search, from.as_ref(), watch)
    })
}

/// The largest batch that will be tried, for which engines and lanes are made.
fn largest_batch(args: &TuneArgs, package: &Path, search: &TuneOptions) -> Result<usize> {
    let model = match &args.backend.model {
        Some(model) => Some(model.clone()),
        None => Package::find_model(package)?,
    };
    let largest = search.largest_batch();
    Ok(match model {
        Some(model) if is_engine(&model) => bail!(
            "{}: is an engine; expected the ONNX file that it was made from, of which engines are made \
             as they are needed",
            model.display()
        ),
        Some(model) if args.batch.is_empty() => {
            let spec = ModelSpec::declared(&model, &Model::load(&model)?)?;
            spec.batch_limit().instead_of(largest).unwrap_or(largest)
        }
        _ => largest,
    })
}

/// Refuses what cannot be tuned, before anything is opened.
fn check(args: &TuneArgs) -> Result<()> {
    if args.frame.mode == Mode::Sequential {
        bail!("--mode is sequential, which has no settings to find; expected pipelined");
    }
    if let (Some(output), BackendChoice::Simulated) = (&args.output, args.backend.backend) {
        bail!(
            "-o {}: --backend simulated runs no network that a profile could be of; leave -o out",
            output.display()
        );
    }
    Ok(())
}

/// The setting of the profile `from` in the file `path`, which the search begins with.
fn begin(
    path: &Path,
    from: &Profile,
    subject: Option<&Subject>,
    contenders: &[Contender],
    options: &BackendOptions,
    search: &TuneOptions,
) -> Result<Setting> {
    let path = path.display();
    let Some(subject) = subject else { bail!("--from {path}: there is no network to run it with") };
    let [differs, _] = from.subject.differences(subject);
    if !differs.is_empty() {
        bail!("--from {path}: is a profile of something else: {}", differs.join(", "));
    }
    let Some(setting) = from.setting(contenders) else {
        let near: Vec<String> = contenders.iter().map(Contender::to_string).collect();
        bail!(
            "--from {path}: runs {from}; expected what is near the fastest here: {}",
            near.join(", ")
        );
    };
    for (name, value, given) in [
        ("batch", setting.batch, search.batches.as_deref()),
        ("workers", setting.workers, search.workers.as_deref()),
        ("threads", setting.threads, options.threads.as_ref().map(from_ref)),
        ("streams", setting.streams, search.streams.as_ref().map(from_ref)),
    ] {
        if given.is_some_and(|given| !given.contains(&value)) {
            bail!("--from {path}: {name} is {value}, which --{name} leaves out");
        }
    }
    Ok(setting)
}

/// Searches, and writes and says what was found.
fn found(
    args: &TuneArgs,
    scene: Scene<'_>,
    contenders: &[Contender],
    options: &BackendOptions,
    mut search: TuneOptions,
    from: Option<&Profile>,
    watch: &Watch<'_>,
) -> Result<Outcome> {
    let best = contenders.first().context("nothing runs this network")?;
    // A network is what a profile is of.
    let subject = match &scene.model {
        Some(model) if best.backend != engine::select::BackendChoice::Simulated => {
            Some(Subject::of(&identify(model)?, &scene.package)?)
        }
        _ => None,
    };
    // Nobody should search for what cannot be kept.
    let place = match (&subject, &args.output) {
        (Some(subject), None) => Some(subject.place()?),
        _ => None,
    };
    if let (Some(place), Some(json)) = (&place, &args.json)
        && same_file(place, json)
    {
        bail!("--json is {}, where the profile is kept; name another file", json.display());
    }
    if let (Some(path), Some(from)) = (&args.from, from) {
        search.from = Some(begin(path, from, subject.as_ref(), contenders, options, &search)?);
    }
    let (start, runtime) =
        first(contenders, options, &search).context("nothing runs this network")?;
    let opened = start.open(&runtime, watch)?;
    let stages = scene.stages(opened.backend, start.model.as_deref(), watch)?;
    note!(
        "searching   for up to {} s{}",
        args.seconds,
        match args.exhaustive {
            true => ", or as long as it takes to measure everything",
            false => "",
        }
    );
    let mut observe = |setting: Setting, fps: f64| {
        let passed = search.began.elapsed().as_secs_f64();
        note!("{passed:>5.1} s     {fps:>7.2} frames/s  {}", settings(contenders, &setting));
    };
    let tuned =
        tune(stages, contenders, options, &search, watch, interrupt::token(), &mut observe)?;
    let seconds = search.began.elapsed().as_secs_f64();
    let chosen = tuned.chosen;
    let profile = subject.map(|subject| {
        let contender = &contenders[chosen.setting.network];
        Profile::new(subject, contender, chosen.setting, chosen.fps, options)
    });
    let report = Report::new(contenders, &tuned, seconds, profile.clone());
    if let Some(path) = &args.json {
        report.save(path)?;
    }
    report.lines().into_iter().try_for_each(output::line)?;
    let Some(profile) = profile else {
        note!("profile     none: nothing was computed");
        return Ok(Outcome::Done);
    };
    if let Some(path) = &args.output {
        profile.save(path)?;
        note!("profile     {}: use it with --profile", path.display());
    }
    if let Some(path) = &place {
        // What cannot be read is no loss.
        let before = Profile::load(path).ok();
        profile.save(path)?;
        note!("profile     {}", path.display());
        if let Some(before) = before {
            note!("            in place of {before} ({:.2} frames/s then)", before.fps);
        }
        note!("            render and bench of this package use it from now on");
    }
    Ok(Outcome::Done)
}
