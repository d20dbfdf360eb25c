//! Cuts JSON into its pieces without reading them.
//!
//! A piece that the parser rejects (nested too deep, a number out of range, bytes that are not text, `NaN`) then
//! affects only itself. Cutting only looks at brackets, quotes and commas; whether a piece is JSON is for the parser to
//! decide.

/// The elements of a list, or nothing if the bytes are not a list.
pub(super) fn elements(json: &[u8]) -> Option<Vec<&[u8]>> {
    cut(json, b'[', b']')
}

/// Names and values of a map, or nothing if the bytes are not a map. Names include their quotes.
pub(super) fn members(json: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    cut(json, b'{', b'}')?.into_iter().map(member).collect()
}

fn member(piece: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut text = Text::default();
    let colon = piece.iter().position(|byte| !text.has(*byte) && *byte == b':')?;
    let (name, value) = piece.split_at_checked(colon)?;
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

/// The pieces between brackets.
fn cut(json: &[u8], open: u8, close: u8) -> Option<Vec<&[u8]>> {
    let inside = json.trim_ascii().strip_prefix(&[open])?.strip_suffix(&[close])?;
    let (mut pieces, mut text, mut depth, mut start) = (Vec::new(), Text::default(), 0_usize, 0);
    for (at, byte) in inside.iter().enumerate() {
        if text.has(*byte) {
            continue;
        }
        match byte {
            b'[' | b'{' => depth += 1,
            // A bracket that was not opened: what looks like the end is not.
            b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                pieces.push(inside.get(start..at)?.trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = inside.get(start..)?.trim_ascii();
    if !last.is_empty() || !pieces.is_empty() {
        pieces.push(last);
    }
    (depth == 0 && !text.is_open).then_some(pieces)
}

/// Tracks whether a byte is inside a string.
#[derive(Default)]
struct Text {
    is_open: bool,
    is_escaped: bool,
}

impl Text {
    /// Takes the next byte; quotes are not part of a string.
    fn has(&mut self, byte: u8) -> bool {
        let was_open = self.is_open;
        match byte {
            _ if std::mem::take(&mut self.is_escaped) => {}
            b'\\' if was_open => self.is_escaped = true,
            b'"' => self.is_open = !was_open,
            _ => {}
        }
        was_open
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Json;
    use serde_json::value::RawValue;

    use super::*;

    fn texts(pieces: Option<Vec<&[u8]>>) -> Option<Vec<String>> {
        Some(pieces?.into_iter().map(|piece| String::from_utf8_lossy(piece).into_owned()).collect())
    }

    #[test]
    fn a_list_is_cut_at_its_own_commas() {
        for (json, expect) in [
            (
                r#" [1, [2, 3] ,{"a":[4,5]}, "x,\"]", ""] "#,
                Some(vec!["1", "[2, 3]", r#"{"a":[4,5]}"#, r#""x,\"]""#, r#""""#]),
            ),
            ("[]", Some(vec![])),
            ("[ ]", Some(vec![])),
            ("[NaN,1e999,\"\u{1}\\x\"]", Some(vec!["NaN", "1e999", "\"\u{1}\\x\""])),
            ("[1,", None),
            ("[1]]", None),
            ("[\"a]", None),
            ("{}", None),
            ("", None),
        ] {
            let expect = expect.map(|pieces| pieces.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(texts(elements(json.as_bytes())), expect, "{json}");
        }
    }

    #[test]
    fn a_map_is_cut_into_names_and_values() {
        let json = br#"{"a:b" : {"c": [1, 2]}, "d\"": "e: f"}"#;
        let pieces: [(&[u8], &[u8]); 2] = [(b"\"a:b\"", b"{\"c\": [1, 2]}"), (b"\"d\\\"\"", b"\"e: f\"")];
        assert_eq!(members(json), Some(pieces.to_vec()));
        assert_eq!(members(b"{1}"), None);
    }

    proptest! {
        #[test]
        fn json_is_cut_as_the_parser_cuts_it(values in prop::collection::vec(any::<(String, i64, [String; 2])>(), 0..4)) {
            let json = serde_json::to_string_pretty(&values).unwrap();
            let expect: Vec<&RawValue> = serde_json::from_str(&json).unwrap();
            let pieces = elements(json.as_bytes()).unwrap();
            prop_assert_eq!(pieces, expect.iter().map(|raw| raw.get().as_bytes()).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (elements(&bytes), members(&bytes));
            let wrapped = [b"[", bytes.as_slice(), b"]"].concat();
            if let Ok(Json::Array(items)) = serde_json::from_slice(&wrapped) {
                prop_assert_eq!(elements(&wrapped).map(|pieces| pieces.len()), Some(items.len()));
            }
        }
    }
}
