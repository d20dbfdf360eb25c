//! A symbol that is safe to send, to log and to build a document id from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest symbol accepted, in bytes. Exchange-qualified symbols stay below 24.
pub const TICKER_BYTES_MAX: usize = 32;

/// Most tickers one run may name.
pub const TICKERS_MAX: usize = 5_000;

/// A symbol: trimmed, upper case, 1 to [`TICKER_BYTES_MAX`] characters out of `A-Z 0-9 . - _ : ^ = / +`.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(not(target_family = "wasm"), schema(value_type = String, pattern = r"^[A-Za-z0-9.\-_:^=/+]{1,32}$", example = "AAPL"))]
pub struct Ticker(Box<str>);

/// Why a text is no ticker.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TickerError {
    #[error("ticker is empty")]
    Empty,
    #[error("ticker `{0}` too long: {1} bytes, limit {TICKER_BYTES_MAX}")]
    TooLong(String, usize),
    #[error("ticker `{0}` has the character `{1}`; allowed are letters, digits and . - _ : ^ = / +")]
    Character(String, char),
}

impl Ticker {
    /// Reads a symbol; surrounding white space goes, letters become upper case.
    pub fn parse(text: &str) -> Result<Self, TickerError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TickerError::Empty);
        }
        if text.len() > TICKER_BYTES_MAX {
            return Err(TickerError::TooLong(shorten(text), text.len()));
        }
        match text.chars().find(|c| !c.is_ascii_alphanumeric() && !".-_:^=/+".contains(*c)) {
            Some(character) => Err(TickerError::Character(text.to_owned(), character)),
            None => Ok(Self(text.to_ascii_uppercase().into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The start of a text that is too long to repeat.
fn shorten(text: &str) -> String {
    text.chars().take(TICKER_BYTES_MAX).chain(['…']).collect()
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
    fn symbols_are_trimmed_and_upper_cased() {
        check(" aapl ", Ok("AAPL"));
        check("brk.b", Ok("BRK.B"));
        check("^gspc", Ok("^GSPC"));
        check("BRK/B", Ok("BRK/B"));
    }

    #[test]
    fn the_message_names_the_value_and_the_limit() {
        check("  ", Err("ticker is empty"));
        check(
            "A B",
            Err("ticker `A B` has the character ` `; allowed are letters, digits and . - _ : ^ = / +"),
        );
        check(&"A".repeat(40), Err(&format!("ticker `{}…` too long: 40 bytes, limit 32", "A".repeat(32))));
    }
}
