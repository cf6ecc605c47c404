//! JSON that other programs, or hands, may have written.

use serde::de::DeserializeOwned;

/// What `text` says; else what is wrong with it, with the name of the field.
pub(crate) fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| error.to_string())?;
    json.end().map_err(|error| error.to_string())?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        inner: Vec<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        count: usize,
    }

    #[test]
    fn what_is_wrong_is_said_with_the_field() {
        let good = br#"{"inner": [{"count": 3}]}"#;
        assert_eq!(from_json(good), Ok(Outer { inner: vec![Inner { count: 3 }] }));
        let cases: [(&[u8], &str); 4] = [
            (
                br#"{"inner": [{"count": 3}, {"count": "x"}]}"#,
                "inner[1].count: invalid type: string",
            ),
            (br#"{"inner": [{"counts": 3}]}"#, "inner[0]: missing field `count`"),
            (br#"{"inner": []} {"#, "trailing characters"),
            (b"", "EOF while parsing"),
        ];
        for (text, expected) in cases {
            let problem = from_json::<Outer>(text).unwrap_err();
            assert!(problem.contains(expected), "{expected}: {problem}");
        }
    }
}
