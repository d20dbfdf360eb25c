//! Text from others, which may have any length: shortened before it is stored or reported.

/// What replaces the end of a text that is too long.
const CUT: char = '…';

/// A number with its noun: `1 ticker`, `2 tickers`.
pub fn count(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// Bytes of a character in a JSON string.
fn json_bytes_of(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..' ' => 6,
        other => other.len_utf8(),
    }
}

/// Bytes of a string in JSON, without its quotes.
pub fn json_bytes(text: &str) -> usize {
    text.chars().map(json_bytes_of).sum()
}

/// The text, or as much of its beginning as takes `bytes_max` bytes in JSON.
pub fn clip(text: &str, bytes_max: usize) -> String {
    let (mut bytes, mut end) = (0, 0);
    for (at, character) in text.char_indices() {
        bytes += json_bytes_of(character);
        if bytes > bytes_max {
            return format!("{}{CUT}", text.get(..end).unwrap_or_default());
        }
        if bytes + CUT.len_utf8() <= bytes_max {
            end = at + character.len_utf8();
        }
    }
    text.to_owned()
}

/// The text, or its first `chars_max` characters.
pub fn excerpt(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => text.get(..end).unwrap_or_default().chars().chain([CUT]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_words_stay_and_long_ones_end_in_dots() {
        assert_eq!(clip("unknown symbol", 14), "unknown symbol");
        assert_eq!(clip("unknown symbol", 13), "unknown sy…");
        assert_eq!(clip("\u{1}\u{1}\u{1}", 13), "\u{1}…");
        assert_eq!(clip("abc", 0), "…");
    }

    proptest! {
        #[test]
        fn no_words_are_longer_in_json_than_they_may_be(text: String, limit in 3usize..100) {
            let clipped = clip(&text, limit);
            let in_json = serde_json::to_string(&clipped).unwrap().len() - 2;
            prop_assert!(in_json <= limit, "{in_json} bytes, limit {limit}");
            prop_assert_eq!(json_bytes(&clipped), in_json);
            prop_assert!(clipped == text || json_bytes(&text) > limit);
        }
    }
}
