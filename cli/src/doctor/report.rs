//! Findings, and how they are printed.

use std::borrow::Cow;
use std::fmt;

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Ok,
    /// Something that would be used is not there.
    Missing,
    /// Worth knowing; what works here does not need it.
    Note,
}

pub(super) struct Finding {
    mark: Mark,
    name: &'static str,
    text: String,
    advice: Option<Cow<'static, str>>,
}

impl Finding {
    pub(super) fn new(mark: Mark, name: &'static str, text: impl Into<String>) -> Self {
        Self { mark, name, text: text.into(), advice: None }
    }

    pub(super) fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(Mark::Ok, name, text)
    }

    pub(super) fn missing(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(Mark::Missing, name, text)
    }

    pub(super) fn note(name: &'static str, text: impl Into<String>) -> Self {
        Self::new(Mark::Note, name, text)
    }

    pub(super) fn advise(self, advice: impl Into<Cow<'static, str>>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// The findings; prints as an aligned list, then what to do.
pub(super) struct Report(pub(super) Vec<Finding>);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
        for Finding { mark, name, text, .. } in &self.0 {
            let mark = match mark {
                Mark::Ok => "ok",
                Mark::Missing => "missing",
                Mark::Note => "note",
            };
            let mut lines = text.lines();
            writeln!(f, "{mark:<7}  {name:<width$}  {}", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(f, "{:<7}  {:<width$}  {line}", "", "")?;
            }
        }
        let advised = || self.0.iter().filter_map(|f| Some((f.name, f.advice.as_ref()?)));
        if advised().next().is_none() {
            return writeln!(f, "\nNothing to do.");
        }
        writeln!(f, "\nWhat to do")?;
        for (name, advice) in advised() {
            writeln!(f, "  {name}: {advice}")?;
        }
        Ok(())
    }
}
