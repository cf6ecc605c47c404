//! `cache/crop_rectangles.json`: where in each frame the face crop belongs.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::DatasetError;
use super::manifest::field_error;
use crate::file::regular;
use crate::frame::{Rect, Size};

/// Reads one rectangle for each frame, all inside `frame_size`.
pub(super) fn load(path: &Path, frame_size: Size) -> Result<Vec<Rect>, DatasetError> {
    let text =
        regular::read(path).map_err(|source| DatasetError::Io { path: path.to_owned(), source })?;
    let Entries(entries) = serde_json::from_slice(&text)
        .map_err(|source| DatasetError::Json { path: path.to_owned(), source })?;
    let whole = |found: String, expected: &str| DatasetError::Field {
        path: path.to_owned(),
        field: "the list of frames".to_owned(),
        found,
        expected: expected.to_owned(),
    };
    if entries.is_empty() {
        return Err(whole("empty".to_owned(), "a rectangle for each frame, \"0\" first"));
    }

    let count = entries.len();
    let mut rects: Vec<Option<Rect>> = vec![None; count];
    let mut beyond = None;
    for (key, entry) in &entries {
        let Some(frame) = frame_number(key) else {
            return Err(whole(
                format!("one with the entry {key:?}"),
                "frame numbers as names: \"0\", \"1\", ...",
            ));
        };
        let rect = rectangle(path, key, entry, frame_size)?;
        match rects.get_mut(frame) {
            None => beyond = beyond.max(Some(frame)),
            Some(slot) => {
                if slot.replace(rect).is_some() {
                    return Err(whole(
                        format!("one with frame {frame} twice"),
                        "each frame number once",
                    ));
                }
            }
        }
    }
    if let Some(missing) = rects.iter().position(Option::is_none) {
        let last = beyond.map_or(String::new(), |last| format!(" and the last is frame {last}"));
        return Err(whole(
            format!("without frame {missing}, though it has {count} entries{last}"),
            "every frame number from 0 without a gap",
        ));
    }
    Ok(rects.into_iter().flatten().collect())
}

fn frame_number(key: &str) -> Option<usize> {
    let number: usize = key.parse().ok()?;
    // "+1" and "01" parse too, and would let two names stand for one frame.
    (number.to_string() == key).then_some(number)
}

fn rectangle(
    path: &Path,
    frame: &str,
    entry: &Value,
    frame_size: Size,
) -> Result<Rect, DatasetError> {
    let Some(value) = entry.get("rect") else {
        return Err(field_error(
            path,
            format!("frame {frame}"),
            entry,
            "an object with \"rect\": [x1, y1, x2, y2]".to_owned(),
        ));
    };
    let wrong = |expected| field_error(path, format!("frame {frame} \"rect\""), value, expected);
    let whole_numbers =
        || wrong(format!("four whole numbers [x1, y1, x2, y2] inside the {frame_size} frame"));
    let items = value.as_array().ok_or_else(whole_numbers)?;
    let corners = items
        .iter()
        .map(|item| item.as_u64().and_then(|number| usize::try_from(number).ok()))
        .collect::<Option<Vec<usize>>>()
        .ok_or_else(whole_numbers)?;
    let [x1, y1, x2, y2] = corners[..] else { return Err(whole_numbers()) };
    let rect = Rect { x1, y1, x2, y2 };
    if !rect.fits(frame_size) {
        return Err(wrong(format!(
            "0 <= x1 < x2 <= {} and 0 <= y1 < y2 <= {}, for frames of {frame_size}",
            frame_size.width, frame_size.height
        )));
    }
    Ok(rect)
}

/// The members of a JSON object in file order. A map would silently keep one of two equal names.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an entry for each frame")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
