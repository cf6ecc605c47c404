//! What a host gets to know of an error: a code and words.

use std::borrow::Cow;

use engine::backend::BackendError;
use engine::composite::CompositeError;
use engine::dataset::{DatasetError, FeedError};
use engine::frame::OutOfMemory;
use engine::pipeline::PipelineError;
use engine::profile::ProfileError;
use engine::select::SelectError;

/// engine_status, all but ENGINE_OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Code {
    End = 1,
    NotReady = 2,
    Exhausted = 3,
    Cancelled = 4,
    InvalidArgument = 5,
    InvalidState = 6,
    VersionMismatch = 7,
    Unsupported = 8,
    Package = 9,
    Backend = 10,
    NoResources = 11,
    Callback = 12,
    Internal = 13,
}

impl Code {
    pub(crate) const ALL: [Self; 13] = [
        Self::End,
        Self::NotReady,
        Self::Exhausted,
        Self::Cancelled,
        Self::InvalidArgument,
        Self::InvalidState,
        Self::VersionMismatch,
        Self::Unsupported,
        Self::Package,
        Self::Backend,
        Self::NoResources,
        Self::Callback,
        Self::Internal,
    ];

    /// As in the header, without the prefix.
    pub(crate) fn name(self) -> &'static std::ffi::CStr {
        match self {
            Self::End => c"END",
            Self::NotReady => c"NOT_READY",
            Self::Exhausted => c"EXHAUSTED",
            Self::Cancelled => c"CANCELLED",
            Self::InvalidArgument => c"INVALID_ARGUMENT",
            Self::InvalidState => c"INVALID_STATE",
            Self::VersionMismatch => c"VERSION_MISMATCH",
            Self::Unsupported => c"UNSUPPORTED",
            Self::Package => c"PACKAGE",
            Self::Backend => c"BACKEND",
            Self::NoResources => c"NO_RESOURCES",
            Self::Callback => c"CALLBACK",
            Self::Internal => c"INTERNAL",
        }
    }
}

/// Why a call did not do what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) code: Code,
    pub(crate) message: Cow<'static, str>,
}

impl Error {
    pub(crate) const fn new(code: Code, message: &'static str) -> Self {
        Self { code, message: Cow::Borrowed(message) }
    }

    pub(crate) fn text(code: Code, message: String) -> Self {
        Self { code, message: Cow::Owned(message) }
    }

    /// From an error of the engine's and what caused it.
    pub(crate) fn chain(code: Code, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            let cause = error.to_string();
            if !text.contains(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
            source = error.source();
        }
        Self::text(code, without_flags(text))
    }
}

/// The engine's messages name settings as the command line does; a host knows them as options.
fn without_flags(mut text: String) -> String {
    for (flag, option) in [
        ("--frame-store", "frame_store"),
        ("--ram-budget", "ram_budget"),
        ("--region-budget", "region_budget"),
        ("--lanes", "lanes"),
        ("--inputs", "inputs"),
        ("--model", "model"),
        ("--batch", "batch"),
        ("--backend", "backend"),
        ("--provider", "provider"),
        ("--ort-lib", "onnxruntime_library"),
        ("--tensorrt-lib", "tensorrt_folder"),
        ("--openvino-lib", "openvino_library"),
        ("--precision", "precision"),
        ("--streams", "streams"),
        ("--profile", "profile"),
        ("--threads", "threads"),
        ("--trust-engine", "trust_engine"),
    ] {
        for before in [" ", "("] {
            text = text.replace(&format!("{before}{flag}"), &format!("{before}{option}"));
        }
        if let Some(rest) = text.strip_prefix(flag) {
            text = format!("{option}{rest}");
        }
    }
    text
}

impl From<ProfileError> for Error {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Dataset(error) => error.into(),
            ProfileError::Select(error) => error.into(),
            error => Self::chain(Code::InvalidArgument, &error),
        }
    }
}

impl From<DatasetError> for Error {
    fn from(error: DatasetError) -> Self {
        let code = match &error {
            DatasetError::NoOpenCv { .. } => Code::Unsupported,
            DatasetError::Memory { .. }
            | DatasetError::Buffers(_)
            | DatasetError::Thread { .. }
            | DatasetError::OverBudget { .. } => Code::NoResources,
            DatasetError::DecoderPanicked { .. } => Code::Internal,
            _ => Code::Package,
        };
        Self::chain(code, &error)
    }
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        let code = match &error {
            BackendError::Memory(_) => Code::NoResources,
            _ => Code::Backend,
        };
        Self::chain(code, &error)
    }
}

impl From<SelectError> for Error {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Backend(error) => error.into(),
            error @ SelectError::NotBuilt { .. } => Self::chain(Code::Unsupported, &error),
            error @ SelectError::OpenVinoOption { .. } => {
                Self::chain(Code::InvalidArgument, &error)
            }
            error => Self::chain(Code::Backend, &error),
        }
    }
}

impl From<CompositeError> for Error {
    fn from(error: CompositeError) -> Self {
        let code = match &error {
            CompositeError::UnsupportedByCpu { .. }
            | CompositeError::BuiltWithoutOpenCv
            | CompositeError::UnsupportedInterpolation { .. } => Code::Unsupported,
            CompositeError::RectOutsideFrame { .. } => Code::Package,
            _ => Code::Internal,
        };
        Self::chain(code, &error)
    }
}

impl From<OutOfMemory> for Error {
    fn from(error: OutOfMemory) -> Self {
        Self::chain(Code::NoResources, &error)
    }
}

impl From<FeedError> for Error {
    fn from(error: FeedError) -> Self {
        let code = match error {
            FeedError::Closed => Code::InvalidState,
            FeedError::Memory => Code::NoResources,
            _ => Code::InvalidArgument,
        };
        Self::chain(code, &error)
    }
}

impl From<PipelineError> for Error {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Dataset(error) => error.into(),
            PipelineError::Backend(error) => error.into(),
            PipelineError::Composite(error) => error.into(),
            PipelineError::Memory(error) => error.into(),
            error @ PipelineError::Thread { .. } => Self::chain(Code::NoResources, &error),
            error @ PipelineError::Range { .. } => Self::chain(Code::InvalidArgument, &error),
            error => Self::chain(Code::Internal, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_the_names_that_a_host_knows() {
        let error = DatasetError::OverBudget { root: "a--batch".into(), needed: 2, budget: 1 };
        let error = Error::from(error);
        assert_eq!(error.code, Code::NoResources);
        assert_eq!(
            error.message,
            "the decoded frames of a--batch need 1 MiB but the budget is 0 MiB: raise ram_budget, \
             or use frame_store stream"
        );
    }

    #[test]
    fn codes_are_those_of_the_header() {
        let header = include_str!("../include/engine/engine.h");
        for (index, code) in (1..).zip(Code::ALL) {
            assert_eq!(code as i32, index);
            let constant = format!("ENGINE_{} = {index}", code.name().to_str().unwrap());
            assert!(header.contains(&constant), "{constant}");
        }
        assert!(header.contains("ENGINE_OK = 0"));
    }
}
