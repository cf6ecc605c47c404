//! Pipelines.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use super::callbacks::{FrameCallback, release as release_user};
use super::pointers::{Out, host, matrix, reference, text};
use super::process::check_version;
use super::{call, contained};
use crate::abi::{
    EngineFrameCallback, EngineInfo, EngineOptions, EngineRelease, EngineStageRates,
    EngineStatistics, SPEECH_PACKAGE, SPEECH_PUSHED,
};
use crate::error::{Code, Error};
use crate::frames::Held;
use crate::host::{Host, SpeechChoice};
use crate::options::{Options, Paths, path};
use crate::run::Wait;
use crate::sinks::Deliver;

/// See engine.h.
///
/// # Safety
/// Each pointer is null or what engine.h says; `options` begins with a version that tells whether
/// the rest is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_open(
    package: *const c_char,
    options: *const EngineOptions,
    pipeline: *mut *const Host,
) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let out = unsafe { Out::new(pipeline, "pipeline") }?;
        out.write(std::ptr::null());
        // SAFETY: as this function asks; the version is the first thing in it, for every header.
        check_version(*unsafe { reference(options.cast::<u32>(), "options") }?)?;
        // SAFETY: as this function asks; the version fits, so the struct is this one.
        let options = unsafe { reference(options, "options") }?;
        // SAFETY: as this function asks.
        let (package, paths) = unsafe {
            let paths = Paths {
                model: text(options.model),
                onnxruntime_library: text(options.onnxruntime_library),
                tensorrt_folder: text(options.tensorrt_folder),
                profile: text(options.profile),
                openvino_library: text(options.openvino_library),
            };
            (text(package), paths)
        };
        let package = package.ok_or(Error::new(Code::InvalidArgument, "package is null"))?;
        let options = Options::check(options, &paths)?;
        let host = Host::open(&path(package)?, &options)?;
        out.write(Arc::into_raw(Arc::new(host)));
        Ok(())
    })
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null, or points to null or to a pipeline that is not destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_destroy(pipeline: *mut *const Host) {
    contained(|| {
        // SAFETY: as this function asks. The pointer is taken out, so that it is used once.
        let pointer = match unsafe { pipeline.as_mut() } {
            Some(slot) => std::mem::replace(slot, std::ptr::null()),
            None => return,
        };
        if !pointer.is_null() {
            // SAFETY: engine_pipeline_open made it with `Arc::into_raw`, and this takes back the
            // count that the handle owned.
            let host = unsafe { Arc::from_raw(pointer) };
            host.shut_down();
        }
    });
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed; `info` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_info(pipeline: *const Host, info: *mut EngineInfo) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let (host, info) = unsafe { (host(pipeline)?, Out::new(info, "info")?) };
        info.write(host.info());
        Ok(())
    })
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed; `callback` and `release` are null or can
/// be called with `user`, from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_start(
    pipeline: *const Host,
    speech: i32,
    callback: EngineFrameCallback,
    user: *mut c_void,
    release: EngineRelease,
) -> i32 {
    call(|| {
        // Before anything can fail, so that the release is called in any case.
        // SAFETY: as this function asks.
        let deliver = unsafe { deliver(callback, user, release) };
        // SAFETY: as this function asks.
        let host = unsafe { host(pipeline) }?;
        let speech = match speech {
            SPEECH_PACKAGE => SpeechChoice::Package,
            SPEECH_PUSHED => SpeechChoice::Pushed,
            other => {
                let message = format!("speech is {other}; expected 0 or 1");
                return Err(Error::text(Code::InvalidArgument, message));
            }
        };
        host.start(speech, deliver)
    })
}

/// # Safety
/// `callback` and `release` are null or can be called with `user`, from any thread.
unsafe fn deliver(
    callback: EngineFrameCallback,
    user: *mut c_void,
    release: EngineRelease,
) -> Option<Deliver> {
    let Some(function) = callback else {
        // SAFETY: as this function asks.
        unsafe { release_user(user, release) };
        return None;
    };
    // SAFETY: as this function asks.
    let callback = unsafe { FrameCallback::new(function, user, release) };
    Some(Box::new(move |frame, seconds| callback.call(frame, seconds)))
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed, `values` null or `rows` x `columns`
/// floats, `taken` null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_push(
    pipeline: *const Host,
    values: *const f32,
    rows: usize,
    columns: usize,
    taken: *mut usize,
) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let taken = unsafe { Out::new(taken, "taken") }?;
        taken.write(0);
        // SAFETY: as this function asks.
        let (host, values) = unsafe { (host(pipeline)?, matrix(values, rows, columns)?) };
        taken.write(host.push(values, false)?);
        Ok(())
    })
}

/// See engine.h.
///
/// # Safety
/// As [`engine_pipeline_push`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_push_all(
    pipeline: *const Host,
    values: *const f32,
    rows: usize,
    columns: usize,
) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let (host, values) = unsafe { (host(pipeline)?, matrix(values, rows, columns)?) };
        host.push(values, true).map(drop)
    })
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_close_input(pipeline: *const Host) -> i32 {
    // SAFETY: as this function asks.
    call(|| unsafe { host(pipeline) }?.close_input())
}

/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed; `frame` is null or can be written to.
unsafe fn pull(pipeline: *const Host, frame: *mut *mut Held, wait: Wait) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let frame = unsafe { Out::new(frame, "frame") }?;
        frame.write(std::ptr::null_mut());
        // SAFETY: as this function asks.
        let host = unsafe { host(pipeline) }?;
        frame.write(Box::into_raw(host.pull(wait)?));
        Ok(())
    })
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed; `frame` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_pull(pipeline: *const Host, frame: *mut *mut Held) -> i32 {
    // SAFETY: as this function asks.
    unsafe { pull(pipeline, frame, Wait::Always) }
}

/// See engine.h.
///
/// # Safety
/// As [`engine_pipeline_pull`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_pull_due(
    pipeline: *const Host,
    frame: *mut *mut Held,
) -> i32 {
    // SAFETY: as this function asks.
    unsafe { pull(pipeline, frame, Wait::Due) }
}

/// See engine.h.
///
/// # Safety
/// As [`engine_pipeline_pull`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_try_pull(
    pipeline: *const Host,
    frame: *mut *mut Held,
) -> i32 {
    // SAFETY: as this function asks.
    unsafe { pull(pipeline, frame, Wait::Never) }
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_cancel(pipeline: *const Host) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        unsafe { host(pipeline) }?.cancel();
        Ok(())
    })
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed; `statistics` is null or can be written
/// to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_wait(
    pipeline: *const Host,
    statistics: *mut EngineStatistics,
) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let (host, out) = unsafe { (host(pipeline)?, optional(statistics)?) };
        let statistics = host.wait()?;
        if let Some(out) = out {
            out.write(statistics);
        }
        Ok(())
    })
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed; `callback` is null or can be called with
/// `user`, from any thread; `statistics` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_run(
    pipeline: *const Host,
    callback: EngineFrameCallback,
    user: *mut c_void,
    statistics: *mut EngineStatistics,
) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let (host, out) = unsafe { (host(pipeline)?, optional(statistics)?) };
        // SAFETY: as this function asks.
        let deliver = unsafe { deliver(callback, user, None) };
        let deliver = deliver.ok_or(Error::new(Code::InvalidArgument, "callback is null"))?;
        let statistics = host.run_package(deliver)?;
        if let Some(out) = out {
            out.write(statistics);
        }
        Ok(())
    })
}

/// See engine.h.
///
/// # Safety
/// `pipeline` is null or a pipeline that is not destroyed; `rates` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_pipeline_measure(
    pipeline: *const Host,
    rates: *mut EngineStageRates,
) -> i32 {
    call(|| {
        // SAFETY: as this function asks.
        let (host, rates) = unsafe { (host(pipeline)?, Out::new(rates, "rates")?) };
        rates.write(host.measure()?);
        Ok(())
    })
}

/// A place for a result that nobody may want.
///
/// # Safety
/// A pointer that is not null must be valid for writes as long as the result exists.
unsafe fn optional<T>(pointer: *mut T) -> Result<Option<Out<T>>, Error> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: as this function asks.
    unsafe { Out::new(pointer, "statistics") }.map(Some)
}
