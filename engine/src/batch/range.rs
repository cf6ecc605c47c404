//! From the smallest batch to the largest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The batches that an engine takes: at least 1, ascending, at most [`BatchRange::MAX`] frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "[usize; 3]", into = "[usize; 3]")]
pub struct BatchRange {
    min: usize,
    opt: usize,
    max: usize,
}

/// No range of batches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{found}\" is no range of batches; expected MIN:OPT:MAX with 1 <= MIN <= OPT <= MAX <= {}, or \
     one number for all three",
    BatchRange::MAX
)]
pub struct BadBatchRange {
    /// What was given.
    pub found: String,
}

impl BatchRange {
    /// The largest batch.
    pub const MAX: usize = 1024;

    /// From `min` to `max` frames, fastest at `opt`. `None` where they do not ascend from at least 1
    /// to at most [`MAX`](Self::MAX).
    pub fn new(min: usize, opt: usize, max: usize) -> Option<Self> {
        let ascending = 1 <= min && min <= opt && opt <= max && max <= Self::MAX;
        ascending.then_some(Self { min, opt, max })
    }

    /// The smallest batch.
    pub fn min(self) -> usize {
        self.min
    }

    /// The batch that the engine is made fast for.
    pub fn opt(self) -> usize {
        self.opt
    }

    /// The largest batch.
    pub fn max(self) -> usize {
        self.max
    }
}

impl Default for BatchRange {
    /// One frame at a time up to 16, fastest at 4, the default of `--batch`.
    fn default() -> Self {
        Self { min: 1, opt: 4, max: 16 }
    }
}

impl fmt::Display for BatchRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.min, self.opt, self.max)
    }
}

impl FromStr for BatchRange {
    type Err = BadBatchRange;

    fn from_str(text: &str) -> Result<Self, BadBatchRange> {
        let sizes: Option<Vec<usize>> = text.split(':').map(|size| size.parse().ok()).collect();
        let range = match sizes.as_deref() {
            Some(&[all]) => Self::new(all, all, all),
            Some(&[min, opt, max]) => Self::new(min, opt, max),
            _ => None,
        };
        range.ok_or_else(|| BadBatchRange { found: text.to_owned() })
    }
}

impl From<BatchRange> for [usize; 3] {
    fn from(BatchRange { min, opt, max }: BatchRange) -> Self {
        [min, opt, max]
    }
}

impl TryFrom<[usize; 3]> for BatchRange {
    type Error = BadBatchRange;

    fn try_from([min, opt, max]: [usize; 3]) -> Result<Self, BadBatchRange> {
        Self::new(min, opt, max)
            .ok_or_else(|| BadBatchRange { found: format!("{min}:{opt}:{max}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_they_are_written() {
        let range: BatchRange = "1:4:16".parse().unwrap();
        assert_eq!((range.min(), range.opt(), range.max()), (1, 4, 16));
        assert_eq!(range.to_string(), "1:4:16");
        assert_eq!("8".parse::<BatchRange>().unwrap().to_string(), "8:8:8");
        assert_eq!(serde_json::to_string(&range).unwrap(), "[1,4,16]");
        assert_eq!(serde_json::from_str::<BatchRange>("[1,4,16]").unwrap(), range);
        for text in ["", "0", "1:2", "4:2:8", "1:9:8", "1:2:1025", "1:2:3:4", "a:b:c", "-1", "1::2"]
        {
            let error = text.parse::<BatchRange>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?} is no range")), "{error}");
        }
        assert!(serde_json::from_str::<BatchRange>("[4,2,8]").is_err());
    }
}
