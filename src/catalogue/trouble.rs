//! What a provider's error messages mean. Each provider's own phrases, as its service writes them, are in its file; the
//! phrases that all services share are here.
//!
//! The deployed services answer 200 and put a rate limit, a timeout or a broken upstream into the ticker's `error`, so
//! the message alone carries what a status code would elsewhere.

use std::time::Duration;

use super::Provider;

/// What a failure says about the ticker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing: the provider's limit is exhausted. With the time in which the limit resets.
    Limited(Duration),
    /// Nothing: the provider or its upstream failed, or does not accept our key.
    Transient,
    /// The provider does not know the ticker, or does not offer it to us.
    Permanent,
    /// There was no data, for one of two reasons: the limit is exhausted, or the provider has no data for the ticker.
    /// The fate of other tickers tells which. With the time in which the limit resets.
    Nothing(Duration),
    /// The message says neither.
    Unknown,
}

impl Trouble {
    /// The reset time of a limit that is exhausted, or may be.
    pub fn reset_time(self) -> Option<Duration> {
        match self {
            Self::Limited(window) | Self::Nothing(window) => Some(window),
            Self::Transient | Self::Permanent | Self::Unknown => None,
        }
    }
}

pub(super) const MINUTE: Trouble = Trouble::Limited(Duration::from_secs(60));
/// Not the whole window, because it is unknown how much of it has passed.
pub(super) const PART_OF_AN_HOUR: Trouble = Trouble::Limited(Duration::from_secs(600));
const PART_OF_A_DAY: Trouble = Trouble::Limited(Duration::from_secs(3600));
/// The same if the message only says that there is no data.
pub(super) const NOTHING_OF_A_DAY: Trouble = Trouble::Nothing(Duration::from_secs(3600));

/// A phrase in lower case, and what it means anywhere in a message.
pub type Phrase = (&'static str, Trouble);

/// Phrases of all services; the first match decides, so the narrower ones come first.
const COMMON: &[Phrase] = &[
    ("daily rate limit", PART_OF_A_DAY),
    ("requests per day", PART_OF_A_DAY),
    ("hourly rate limit", PART_OF_AN_HOUR),
    ("rate limit", MINUTE),
    ("call frequency", MINUTE),
    ("too many requests", MINUTE),
    // The services read `Retry-After` as a number; a date there is a limit in disguise.
    ("invalid literal for int() with base 10: 'mon, ", MINUTE),
    ("invalid literal for int() with base 10: 'tue, ", MINUTE),
    ("invalid literal for int() with base 10: 'wed, ", MINUTE),
    ("invalid literal for int() with base 10: 'thu, ", MINUTE),
    ("invalid literal for int() with base 10: 'fri, ", MINUTE),
    ("invalid literal for int() with base 10: 'sat, ", MINUTE),
    ("invalid literal for int() with base 10: 'sun, ", MINUTE),
    // The key, not the ticker.
    ("api error 401", Trouble::Transient),
    ("invalid api key", Trouble::Transient),
    ("request failed:", Trouble::Transient),
    ("invalid json response", Trouble::Transient),
    ("timed out", Trouble::Transient),
    ("timeout", Trouble::Transient),
    ("error 500", Trouble::Transient),
    ("error 502", Trouble::Transient),
    ("error 503", Trouble::Transient),
    ("error 504", Trouble::Transient),
    ("error 429", MINUTE),
    ("error 400", Trouble::Permanent),
    ("error 403", Trouble::Permanent),
    ("error 404", Trouble::Permanent),
];

impl Provider {
    /// What this provider's message means about a ticker without any data.
    pub fn trouble(self, words: &str) -> Trouble {
        self.find(words, self.spec().phrases_without_data)
    }

    /// What its message means about a part of a ticker, an indicator, if it has answered others.
    pub fn trouble_of_part(self, words: &str) -> Trouble {
        self.find(words, &[])
    }

    fn find(self, words: &str, last: &[Phrase]) -> Trouble {
        let words = words.to_ascii_lowercase();
        let found =
            self.spec().phrases.iter().chain(COMMON).chain(last).find(|(phrase, _)| words.contains(phrase));
        found.map_or(Trouble::Unknown, |(_, trouble)| *trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The services' messages, as observed from the deployed ones.
    #[test]
    fn the_services_own_words_are_understood() {
        use Trouble::{Permanent, Transient, Unknown};
        let table = [
            ("tiingo", "Failed to fetch daily prices for A: Per-minute rate limit (50) exceeded", MINUTE),
            (
                "tiingo",
                "Failed to fetch daily prices for A: Hourly rate limit (1000) exceeded",
                PART_OF_AN_HOUR,
            ),
            ("tiingo", "Failed to fetch daily prices for A: Tiingo API rate limit exceeded", MINUTE),
            (
                "tiingo",
                "Invalid JSON response: Expecting value. Response: You have run over your 500 symbol look up for this month.",
                PART_OF_AN_HOUR,
            ),
            ("tiingo", "Tiingo API error 404: Error: Ticker 'A' not found", Permanent),
            ("tiingo", "Tiingo API error 401: Invalid token.", Transient),
            ("tiingo", "Tiingo API error 500: Internal error", Transient),
            ("tiingo", "Request failed: ", Transient),
            ("tiingo", "Unexpected response format for A: expected list, got <class 'dict'>", Unknown),
            ("finnhub", "Failed to fetch quote for A: Per-minute rate limit (60) exceeded", MINUTE),
            (
                "finnhub",
                "Failed to fetch quote for A: float() argument must be a string or a real number, not 'NoneType'",
                Permanent,
            ),
            ("finnhub", "Finnhub API error 403: You don't have access to this resource.", Permanent),
            ("finnhub", "Finnhub API error 401: Invalid API key", Transient),
            ("finnhub", "Missing required fields in quote response for A", Unknown),
            ("polygon", "Failed to fetch news for A: Per-minute rate limit (5) exceeded", MINUTE),
            (
                "polygon",
                "Polygon API error: Failed to fetch market news: Per-minute rate limit (5) exceeded",
                MINUTE,
            ),
            (
                "polygon",
                "Request failed: invalid literal for int() with base 10: 'Wed, 21 Oct 2026 07:28:00 GMT'",
                MINUTE,
            ),
            ("polygon", "Request failed: Server disconnected", Transient),
            ("polygon", "Failed to fetch news for A: 'NoneType' object has no attribute 'get'", Unknown),
            ("alphavantage", "Failed to fetch RSI for A: Daily rate limit (500) exceeded", PART_OF_A_DAY),
            (
                "alphavantage",
                "Failed to fetch RSI for A: AlphaVantage API call frequency limit exceeded",
                MINUTE,
            ),
            (
                "alphavantage",
                "We have detected your API key and our standard API rate limit is 25 requests per day.",
                PART_OF_A_DAY,
            ),
            ("alphavantage", "AlphaVantage API HTTP error 503", Transient),
            (
                "alphavantage",
                "API Error: Invalid API call. Please retry or visit the documentation for RSI.",
                Permanent,
            ),
            ("alphavantage", "API Error: the parameter apikey is invalid or missing.", Transient),
            (
                "alphavantage",
                "No time series data found for MACD",
                Trouble::Nothing(Duration::from_secs(3600)),
            ),
        ];
        for (provider, words, expect) in table {
            let provider = Provider::parse(provider).unwrap();
            assert_eq!(provider.trouble(words), expect, "{words}");
        }
    }

    #[test]
    fn an_indicator_without_data_beside_others_is_not_in_the_plan() {
        let words = "No time series data found for MACD";
        assert_eq!(Provider::parse("alphavantage").unwrap().trouble_of_part(words), Trouble::Unknown);
    }
}
