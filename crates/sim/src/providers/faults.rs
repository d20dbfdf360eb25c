//! Scripted faults: what goes wrong, for which requests, and how often.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use super::defects::Defect;

/// The `Retry-After` header of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// `Retry-After: <seconds>`.
    Seconds(u64),
    /// `Retry-After: <HTTP date>`, this far in the future, in whole seconds.
    Date(Duration),
}

impl RetryAfter {
    pub(super) fn header(self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(ahead) => DateTime::<Utc>::from(SystemTime::now() + ahead)
                .format("%a, %d %b %Y %H:%M:%S GMT")
                .to_string(),
        }
    }
}

/// What a fault does to the answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    Status { code: u16, retry_after: Option<RetryAfter>, detail: String },
    Hang,
    Reset,
    Truncated,
    Garbage,
    WrongShape,
    Body(String),
    Slow(Duration),
    SlowBody(Duration),
    TickerErrors { tickers: Vec<String>, message: String },
    IndicatorErrors { indicators: Vec<String>, message: Option<String> },
    Leak,
    DropTickers(Vec<String>),
    BadRecords { ticker: Option<String>, defects: Vec<Defect> },
    HugeBody(usize),
    HugeRecords(usize),
    Redirect(String),
    Echo,
    IgnoredDays,
}

impl Effect {
    /// Whether it replaces the answer, so that no other effect applies. The other effects add up.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Hang
                | Self::Reset
                | Self::Truncated
                | Self::Garbage
                | Self::WrongShape
                | Self::Body(_)
                | Self::Redirect(_)
        )
    }
}

/// One fault of a provider's script.
///
/// Without further conditions it applies to every fetch, forever. Faults are tried in script order. Of those that
/// replace the answer, the first wins and the later ones are not used up, so `status(503).times(2)` followed by
/// `status(429).times(1)` is a sequence.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) effect: Effect,
    pub(super) path: Option<String>,
    pub(super) ticker: Option<String>,
    pub(super) tickers_min: usize,
    pub(super) after: u64,
    pub(super) times: Option<u64>,
    pub(super) probability: f64,
}

impl Fault {
    /// An error status with a `{"detail": …}` body.
    pub fn status(code: u16) -> Self {
        Self::new(Effect::Status { code, retry_after: None, detail: format!("simulated status {code}") })
    }

    /// No answer at all until the caller gives up.
    pub fn hang() -> Self {
        Self::new(Effect::Hang)
    }

    /// A TCP reset instead of an answer.
    pub fn reset() -> Self {
        Self::new(Effect::Reset)
    }

    /// Half of the body that `Content-Length` announces, then the end of the connection.
    pub fn truncated() -> Self {
        Self::new(Effect::Truncated)
    }

    /// A 307 to this address.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self::new(Effect::Redirect(to.into()))
    }

    /// The answer repeats the caller's Authorization header: next to the data and in an error message, of the whole
    /// answer or of its last entry.
    pub fn echo() -> Self {
        Self::new(Effect::Echo)
    }

    /// The answer is the one to a request without days.
    pub fn ignored_days() -> Self {
        Self::new(Effect::IgnoredDays)
    }

    /// A 200 whose body is not JSON.
    pub fn garbage() -> Self {
        Self::new(Effect::Garbage)
    }

    /// A 200 whose body is JSON of another shape.
    pub fn wrong_shape() -> Self {
        Self::new(Effect::WrongShape)
    }

    /// A 200 with exactly this body.
    pub fn body(text: impl Into<String>) -> Self {
        Self::new(Effect::Body(text.into()))
    }

    /// The answer comes this much later.
    pub fn slow(delay: Duration) -> Self {
        Self::new(Effect::Slow(delay))
    }

    /// The head of the answer comes at once, the body in pieces over this duration.
    pub fn slow_body(duration: Duration) -> Self {
        Self::new(Effect::SlowBody(duration))
    }

    /// These tickers fail inside a 200: `{ticker, error, data}`, with null, `[]` and `{}` as data in turn.
    pub fn ticker_errors<T: Into<String>>(tickers: impl IntoIterator<Item = T>) -> Self {
        let tickers = tickers.into_iter().map(Into::into).collect();
        Self::new(Effect::TickerErrors { tickers, message: "symbol not found".to_owned() })
    }

    /// These indicators of every ticker fail: `{"error": …}` in their place, with the message for a plan without them.
    /// Their ticker counts as fetched.
    pub fn indicator_errors<T: Into<String>>(indicators: impl IntoIterator<Item = T>) -> Self {
        let indicators = indicators.into_iter().map(Into::into).collect();
        Self::new(Effect::IndicatorErrors { indicators, message: None })
    }

    /// The service's API key appears wherever one has been seen, and in more places: in every record, next to the
    /// records, in error messages.
    pub fn leak() -> Self {
        Self::new(Effect::Leak)
    }

    /// These tickers are silently missing from a 200.
    pub fn drop_tickers<T: Into<String>>(tickers: impl IntoIterator<Item = T>) -> Self {
        Self::new(Effect::DropTickers(tickers.into_iter().map(Into::into).collect()))
    }

    /// One defective record per defect, next to the valid ones, in the entry of the fault's ticker (else the first).
    pub fn bad_records(defects: impl IntoIterator<Item = Defect>) -> Self {
        Self::new(Effect::BadRecords { ticker: None, defects: defects.into_iter().collect() })
    }

    /// A field `padding` next to `data` makes the body at least this large; the records do not change.
    pub fn huge_body(bytes: usize) -> Self {
        Self::new(Effect::HugeBody(bytes))
    }

    /// A field `padding` in one record of every entry makes the body at least this large. If the entry has a list of
    /// records, it is an additional one, as with [`Fault::bad_records`].
    pub fn huge_records(bytes: usize) -> Self {
        Self::new(Effect::HugeRecords(bytes))
    }

    /// Sets the error message: the `detail` of [`Fault::status`], the `error` of [`Fault::ticker_errors`] and
    /// [`Fault::indicator_errors`].
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        if let Effect::Status { detail: text, .. } | Effect::TickerErrors { message: text, .. } =
            &mut self.effect
        {
            *text = detail.into();
        } else if let Effect::IndicatorErrors { message, .. } = &mut self.effect {
            *message = Some(detail.into());
        }
        self
    }

    /// Adds `Retry-After` to [`Fault::status`].
    #[must_use]
    pub fn retry_after(mut self, when: RetryAfter) -> Self {
        if let Effect::Status { retry_after, .. } = &mut self.effect {
            *retry_after = Some(when);
        }
        self
    }

    /// Only requests to this path. Only so can a fault apply to `/health`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Only requests for this ticker.
    #[must_use]
    pub fn ticker(mut self, ticker: impl Into<String>) -> Self {
        let ticker = ticker.into();
        if let Effect::BadRecords { ticker: target, .. } = &mut self.effect {
            *target = Some(ticker.clone());
        }
        self.ticker = Some(ticker);
        self
    }

    /// Only requests for at least this many tickers: a service that refuses long lists.
    #[must_use]
    pub fn min_tickers(mut self, count: usize) -> Self {
        self.tickers_min = count;
        self
    }

    /// Skips the first `count` requests that meet the other conditions.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Applies `count` times. Otherwise a fault lasts forever.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = Some(count);
        self
    }

    /// Applies to this fraction of the requests (0 to 1), the same ones in every run.
    #[must_use]
    pub fn probability(mut self, part: f64) -> Self {
        self.probability = part;
        self
    }

    fn new(effect: Effect) -> Self {
        Self { effect, path: None, ticker: None, tickers_min: 0, after: 0, times: None, probability: 1.0 }
    }

    pub(super) fn concerns(&self, path: &str, tickers: &[String]) -> bool {
        self.path.as_ref().map_or(path != "/health", |wanted| wanted == path)
            && self.ticker.as_ref().is_none_or(|wanted| tickers.contains(wanted))
            && tickers.len() >= self.tickers_min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_date_is_an_http_date() {
        let date = RetryAfter::Date(Duration::from_secs(5)).header();
        assert!(DateTime::parse_from_rfc2822(&date.replace("GMT", "+0000")).is_ok(), "{date}");
    }
}
