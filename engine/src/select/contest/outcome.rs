//! Which candidate is taken, and how that is said.

use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use crate::quality::decibels;

/// A candidate takes the place of a slower one where it needs at most this part of its time: less
/// than that may be noise, and is not worth a change.
const WORTHWHILE: f64 = 0.95;

/// The worst of the frames that were compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Worst {
    /// Number of the output frame.
    pub(super) frame: u64,
    /// Peak signal-to-noise ratio inside its rectangle; infinite where no byte of any frame differs.
    #[serde(with = "decibels")]
    pub(super) psnr_db: f64,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    /// The others are compared with it.
    Reference,
    /// Good enough, and faster than what came before, or within reach of it.
    Good(Worst),
    /// Faster, and not good enough.
    TooFar(Worst),
    /// No faster, so it was not compared.
    Slower,
    /// It does not run.
    Unusable(String),
}

/// A candidate, and what was found out about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) candidate: Candidate,
    /// Milliseconds a frame; `None` where it does not run.
    pub(super) ms: Option<f64>,
    pub(super) fate: Fate,
}

/// What a contest led to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// The reference first, the others in the order in which they were tried.
    pub(super) entries: Vec<Entry>,
    /// The signal-to-noise ratio that was asked for.
    pub(super) min_psnr_db: f64,
}

/// Why a candidate is out, or everything is.
pub(super) enum Setback<E> {
    /// This one does not run; others may.
    Candidate(String),
    /// Nothing can be decided.
    Everything(E),
}

/// Runs candidates for [`hold`], or is what a test makes of them.
pub(super) trait Arena {
    /// What ends a contest.
    type Error;

    /// Gets `candidate` ready and measures it: milliseconds a frame, roughly where they are far more
    /// than `wanted_ms`.
    fn time(&mut self, candidate: Candidate, wanted_ms: f64) -> Result<f64, Setback<Self::Error>>;

    /// Compares the one that was measured last with the reference.
    fn judge(&mut self) -> Result<Worst, Setback<Self::Error>>;

    /// The one that was measured last is the best so far.
    fn keep(&mut self);
}

/// What is asked of candidates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// What the worst frame must have.
    pub(super) min_psnr_db: f64,
    /// A candidate that needs more than this part of the best time so far is out, and its frames are
    /// not compared.
    pub(super) reach: f64,
}

impl Rules {
    /// Only what is faster counts.
    pub(super) const fn faster(min_psnr_db: f64) -> Self {
        Self { min_psnr_db, reach: WORTHWHILE }
    }
}

/// Measures every candidate against a reference that takes `reference_ms` a frame. One that is within
/// reach of the best so far has its frames compared, and is good where the worst has at least what
/// `rules` ask for. A good one that is faster takes the best one's place.
pub(super) fn hold<A: Arena>(
    reference: Candidate,
    reference_ms: f64,
    candidates: &[Candidate],
    rules: Rules,
    arena: &mut A,
) -> Result<Outcome, A::Error> {
    let Rules { min_psnr_db, reach } = rules;
    let mut best_ms = reference_ms;
    let first = Entry { candidate: reference, ms: Some(best_ms), fate: Fate::Reference };
    let mut entries = vec![first];
    for &candidate in candidates {
        let mut ms = None;
        let mut fate = || {
            let time = arena.time(candidate, best_ms * reach.max(1.0))?;
            ms = Some(time);
            if time > best_ms * reach {
                return Ok(Fate::Slower);
            }
            let worst = arena.judge()?;
            if worst.psnr_db < min_psnr_db {
                return Ok(Fate::TooFar(worst));
            }
            if time <= best_ms * WORTHWHILE {
                best_ms = time;
                arena.keep();
            }
            Ok(Fate::Good(worst))
        };
        let fate = match fate() {
            Ok(fate) => fate,
            Err(Setback::Candidate(why)) => Fate::Unusable(why),
            Err(Setback::Everything(error)) => return Err(error),
        };
        entries.push(Entry { candidate, ms, fate });
    }
    Ok(Outcome { entries, min_psnr_db })
}

impl Outcome {
    /// The one that is taken where only what is [faster](Rules::faster) counts: the last that was good
    /// enough.
    pub(super) fn winner(&self) -> Option<&Entry> {
        let good = |entry: &&Entry| matches!(entry.fate, Fate::Reference | Fate::Good(_));
        self.entries.iter().rev().find(good)
    }

    /// What is said about it, two lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let Some(winner) = self.winner() else { return Vec::new() };
        let name = &winner.candidate;
        let time = winner.ms.map_or_else(String::new, |ms| format!("{ms:.1} ms a frame"));
        let taken = match &winner.fate {
            Fate::Good(worst) => format!(
                "backend     {name}: {time}, {}; --precision fp32 computes in full precision",
                worst.words()
            ),
            _ => format!("backend     {name}: {time}, and nothing good enough is faster"),
        };
        let others = self.entries.iter().filter(|entry| *entry != winner);
        let others: Vec<String> = others.map(|entry| entry.words(self.min_psnr_db)).collect();
        let measured = (!others.is_empty()).then(|| format!("not taken   {}", others.join("; ")));
        std::iter::once(taken).chain(measured).collect()
    }
}

impl Entry {
    /// What became of it.
    pub(super) fn words(&self, min_psnr_db: f64) -> String {
        let Self { candidate, ms, fate } = self;
        let time = ms.map_or_else(String::new, |ms| format!("{ms:.1} ms"));
        match fate {
            Fate::Reference => format!("{candidate} ({time})"),
            Fate::Good(worst) => format!("{candidate} ({time}, {})", worst.words()),
            Fate::TooFar(worst) => {
                format!("{candidate} ({time}, but {}, below {min_psnr_db})", worst.words())
            }
            Fate::Slower => format!("{candidate} ({time}, no faster)"),
            Fate::Unusable(why) => format!("{candidate} ({why})"),
        }
    }
}

impl Worst {
    fn words(&self) -> String {
        match self.psnr_db.is_finite() {
            // Rounded down, so that what is below a limit does not read as if it reached it.
            true => {
                let db = (self.psnr_db * 10.0).floor() / 10.0;
                format!("{db:.1} dB in the worst frame, {}", self.frame)
            }
            false => "no byte differs".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::candidate::{Computed, Runtime};
    use super::*;

    /// Milliseconds and decibels of a candidate, or why it does not run.
    type Answer = Result<(f64, f64), &'static str>;

    /// Answers from a list.
    struct Script {
        answers: Vec<Answer>,
        last: usize,
        judged: Vec<usize>,
        kept: Vec<usize>,
        wanted: Vec<f64>,
    }

    impl Arena for Script {
        type Error = &'static str;

        fn time(&mut self, _: Candidate, wanted_ms: f64) -> Result<f64, Setback<&'static str>> {
            self.wanted.push(wanted_ms);
            self.last += 1;
            let answer = self.answers[self.last - 1];
            answer.map(|(ms, _)| ms).map_err(|why| match why {
                "stop" => Setback::Everything(why),
                _ => Setback::Candidate(why.to_owned()),
            })
        }

        fn judge(&mut self) -> Result<Worst, Setback<&'static str>> {
            self.judged.push(self.last - 1);
            let psnr_db = self.answers[self.last - 1].unwrap().1;
            Ok(Worst { frame: 11 + self.last as u64, psnr_db })
        }

        fn keep(&mut self) {
            self.kept.push(self.last - 1);
        }
    }

    fn candidates() -> [Candidate; 4] {
        [
            Candidate::new(Runtime::OnnxRuntime, Computed::Fp32),
            Candidate::new(Runtime::OpenVino, Computed::Int8),
            Candidate::new(Runtime::OpenVino, Computed::Bf16),
            Candidate::new(Runtime::OpenVino, Computed::Fp32),
        ]
    }

    /// The reference takes 60 ms.
    fn held(answers: [Answer; 3]) -> (Result<Outcome, &'static str>, Script) {
        let mut script = Script {
            answers: answers.to_vec(),
            last: 0,
            judged: vec![],
            kept: vec![],
            wanted: vec![],
        };
        let [reference, others @ ..] = candidates();
        (hold(reference, 60.0, &others, Rules::faster(40.0), &mut script), script)
    }

    #[test]
    fn the_fastest_that_is_good_enough_is_taken() {
        let (outcome, script) = held([Ok((23.0, 41.5)), Ok((32.0, 43.7)), Ok((66.0, 90.0))]);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.winner().unwrap().candidate.to_string(), "openvino int8");
        // No frame is compared of what is slower.
        assert_eq!((script.judged, script.kept), (vec![0], vec![0]));
        assert_eq!(
            outcome.lines(),
            [
                "backend     openvino int8: 23.0 ms a frame, 41.5 dB in the worst frame, 12; \
                 --precision fp32 computes in full precision",
                "not taken   onnxruntime fp32 (60.0 ms); openvino bf16 (32.0 ms, no faster); \
                 openvino fp32 (66.0 ms, no faster)",
            ]
        );
    }

    #[test]
    fn what_is_too_far_makes_way_for_the_next() {
        let (outcome, script) = held([Ok((23.0, 38.2)), Ok((32.0, 43.7)), Ok((31.0, 90.0))]);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.winner().unwrap().candidate.to_string(), "openvino bf16");
        assert_eq!((script.judged, script.kept), (vec![0, 1], vec![1]));
        assert_eq!(
            outcome.lines()[1],
            "not taken   onnxruntime fp32 (60.0 ms); openvino int8 (23.0 ms, but 38.2 dB in the worst \
             frame, 12, below 40); openvino fp32 (31.0 ms, no faster)"
        );
    }

    #[test]
    fn exactly_what_was_asked_for_is_good_enough_and_equal_is_best() {
        let all_good = [Ok((50.0, 40.0)), Ok((40.0, f64::INFINITY)), Ok((70.0, 0.0))];
        let (outcome, script) = held(all_good);
        let outcome = outcome.unwrap();
        assert_eq!(script.kept, [0, 1]);
        assert_eq!(script.wanted, [60.0, 50.0, 40.0]);
        assert_eq!(
            outcome.lines(),
            [
                "backend     openvino bf16: 40.0 ms a frame, no byte differs; --precision fp32 \
                 computes in full precision",
                "not taken   onnxruntime fp32 (60.0 ms); openvino int8 (50.0 ms, 40.0 dB in the worst \
                 frame, 12); openvino fp32 (70.0 ms, no faster)",
            ]
        );
    }

    #[test]
    fn nothing_gets_slower_than_the_reference() {
        let (outcome, script) =
            held([Ok((57.1, 99.0)), Err("no such instructions"), Ok((61.0, 99.0))]);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.winner().unwrap().fate, Fate::Reference);
        assert_eq!((script.judged.len(), script.kept.len()), (0, 0));
        assert_eq!(
            outcome.lines(),
            [
                "backend     onnxruntime fp32: 60.0 ms a frame, and nothing good enough is faster",
                "not taken   openvino int8 (57.1 ms, no faster); openvino bf16 (no such \
                 instructions); openvino fp32 (61.0 ms, no faster)",
            ]
        );
    }

    #[test]
    fn what_is_within_reach_is_compared_and_does_not_take_the_place_of_the_best() {
        let mut script = Script {
            answers: vec![Ok((23.0, 41.5)), Ok((27.0, 40.5)), Ok((29.0, 90.0))],
            last: 0,
            judged: vec![],
            kept: vec![],
            wanted: vec![],
        };
        let [reference, others @ ..] = candidates();
        let rules = Rules { min_psnr_db: 40.0, reach: 1.25 };
        let outcome = hold(reference, 60.0, &others, rules, &mut script).unwrap();
        let fates: Vec<_> = outcome.entries.iter().map(|entry| &entry.fate).collect();
        assert!(matches!(fates[..], [Fate::Reference, Fate::Good(_), Fate::Good(_), Fate::Slower]));
        assert_eq!((script.judged, script.kept), (vec![0, 1], vec![0]));
    }

    #[test]
    fn what_ends_everything_ends_it_at_once() {
        let (ended, script) = held([Ok((20.0, 50.0)), Err("stop"), Ok((1.0, 99.0))]);
        assert_eq!(ended, Err("stop"));
        assert_eq!(script.last, 2);
    }

    #[test]
    fn an_outcome_survives_json() {
        let (outcome, _) = held([Ok((23.0, 30.0)), Ok((32.0, f64::INFINITY)), Err("broken")]);
        let outcome = outcome.unwrap();
        let json = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), outcome);
    }
}
