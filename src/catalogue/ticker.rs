//! A symbol that is safe to send, to log and to build a document id from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest symbol accepted, in bytes.
pub const TICKER_BYTES_MAX: usize = 64;

/// Maximum tickers that one run may name.
pub const TICKERS_MAX: usize = 5_000;

/// A symbol: 1 to [`TICKER_BYTES_MAX`] bytes of visible characters, and spaces between them.
///
/// It is stored as given: securities may differ only in the case of one letter (`BACpL`), and a space, `&` or `$` is a
/// character like any other. The one exception: a symbol entirely in lower case, as people type it, is upper-cased.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(not(target_family = "wasm"), schema(value_type = String, pattern = r"^[^\x00-\x1f\x7f]{1,64}$", example = "AAPL"))]
pub struct Ticker(Box<str>);

/// Why a string is not a ticker.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TickerError {
    #[error("ticker is empty")]
    Empty,
    #[error("ticker `{0}` too long: {1} bytes, limit {TICKER_BYTES_MAX}")]
    TooLong(String, usize),
    #[error("ticker `{shown}` contains an invisible character: {1:?}", shown = .0.escape_debug())]
    Character(String, char),
}

impl Ticker {
    /// Reads a symbol; surrounding spaces are removed, and one entirely in lower case becomes upper case.
    pub fn parse(text: &str) -> Result<Self, TickerError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TickerError::Empty);
        }
        let mixed = text.chars().any(char::is_uppercase);
        let symbol = if mixed { text.to_owned() } else { text.to_uppercase() };
        if symbol.len() > TICKER_BYTES_MAX {
            return Err(TickerError::TooLong(shorten(text), symbol.len()));
        }
        match text.chars().find(|c| !is_visible(*c)) {
            Some(character) => Err(TickerError::Character(text.to_owned(), character)),
            None => Ok(Self(symbol.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character is visible, or a plain space: not a control or format character, not unassigned, no other white
/// space.
fn is_visible(character: char) -> bool {
    // After a letter, so that a combining character is treated as one.
    let pair = ['a', character];
    let quoted = ['"', '\'', '\\'].contains(&character);
    (' '..='~').contains(&character) || quoted || String::from_iter(pair).escape_debug().eq(pair)
}

/// The start of a text that is too long to repeat.
fn shorten(text: &str) -> String {
    const CHARS_MAX: usize = 32;
    text.chars().take(CHARS_MAX).chain(['…']).collect()
}

impl fmt::Display for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Ticker {
    type Error = TickerError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Ticker> for String {
    fn from(ticker: Ticker) -> Self {
        ticker.0.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: Result<&str, &str>) {
        let got = Ticker::parse(text);
        assert_eq!(
            got.as_ref().map(Ticker::as_str).map_err(ToString::to_string),
            expect.map_err(str::to_owned),
            "{text:?}"
        );
    }

    #[test]
    fn symbols_stay_as_they_are() {
        for symbol in [
            "AAPL",
            "BRK/B",
            "^GSPC",
            "BACpL",
            "BACPL",
            "M&M.NS",
            "BAC$L",
            "IC MARKETS:1",
            "50%",
            "СБЕР",
            "e\u{301}T",
        ] {
            check(symbol, Ok(symbol));
        }
        check(" \tIC MARKETS:1\n", Ok("IC MARKETS:1"));
        check(&"A".repeat(64), Ok(&"A".repeat(64)));
    }

    #[test]
    fn only_a_symbol_wholly_in_lower_case_is_raised() {
        check(" aapl ", Ok("AAPL"));
        check("brk.b", Ok("BRK.B"));
        check("^gspc", Ok("^GSPC"));
        check("сбер", Ok("СБЕР"));
        check("bacPl", Ok("bacPl"));
        check("0700.hk", Ok("0700.HK"));
    }

    #[test]
    fn the_message_names_the_value_and_the_limit() {
        check("  ", Err("ticker is empty"));
        check("A\u{0}B", Err(r"ticker `A\0B` contains an invisible character: '\0'"));
        check("A\u{202e}B", Err(r"ticker `A\u{202e}B` contains an invisible character: '\u{202e}'"));
        check("A\u{a0}B", Err(r"ticker `A\u{a0}B` contains an invisible character: '\u{a0}'"));
        check(&"A".repeat(65), Err(&format!("ticker `{}…` too long: 65 bytes, limit 64", "A".repeat(32))));
        // In upper case it is longer.
        check(
            &"ŉ".repeat(30),
            Err(&format!("ticker `{}` too long: 90 bytes, limit 64", "ŉ".repeat(30) + "…")),
        );
    }

    proptest! {
        #[test]
        fn reading_twice_changes_nothing(text in "\\PC{0,20}") {
            if let Ok(ticker) = Ticker::parse(&text) {
                prop_assert_eq!(Ticker::parse(ticker.as_str()), Ok(ticker));
            }
        }
    }
}
