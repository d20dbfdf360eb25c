//! The words of the deployed services: each of these texts was seen when they ran before an imitated upstream.
//!
//! The services answer 200 to almost everything and put what went wrong into the `error` of a ticker, or of an
//! indicator. Tests script them with [`Fault::ticker_errors`](super::Fault::ticker_errors) and
//! [`detail`](super::Fault::detail).

use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Service};

/// The API key with which a simulated service calls its upstream. No document may ever hold it.
pub const fn api_key(service: Service) -> &'static str {
    match service {
        Service::Tiingo => "7e1a5c0de7e1a5c0de7e1a5c0de7e1a5c0de7e1a",
        Service::Finnhub => "c5finnhubr01qk3y0uaeg",
        Service::Polygon => "p0LyG0nKeYp0LyG0nKeYp0LyG0nKeY00",
        Service::Alphavantage => "A1PHAVANTAGEKEY0",
    }
}

/// A text without any service's API key, as it may be stored.
pub fn without_keys(text: &str) -> String {
    Service::ALL.iter().fold(text.to_owned(), |text, service| text.replace(api_key(*service), "[redacted]"))
}

/// Upstream has answered 429.
pub fn upstream_limit(endpoint: Endpoint, ticker: &str) -> String {
    wrapped(endpoint, ticker, &format!("{} API rate limit exceeded", title(endpoint.service())))
}

/// Upstream has answered 429 with a date in `Retry-After`, which the services read as a number.
pub fn upstream_limit_with_date() -> String {
    "Request failed: invalid literal for int() with base 10: 'Wed, 21 Oct 2026 07:28:00 GMT'".to_owned()
}

/// Upstream has not answered in time: the words end there.
pub fn timed_out() -> String {
    "Request failed: ".to_owned()
}

/// Upstream has closed the connection.
pub fn disconnected() -> String {
    "Request failed: Server disconnected".to_owned()
}

/// Upstream has answered 500.
pub fn server_error(service: Service) -> String {
    match service {
        Service::Alphavantage => "AlphaVantage API HTTP error 500".to_owned(),
        _ => format!("{} API error 500: Internal error", title(service)),
    }
}

/// Upstream, or something in front of it, has answered with a page. The words hold the address with the API key.
pub fn html_page(service: Service, ticker: &str) -> String {
    let key = api_key(service);
    let address = match service {
        Service::Tiingo => format!(
            "https://api.tiingo.com/tiingo/daily/{ticker}/prices?startDate=2026-10-27&endDate=2026-11-26&format=json&token={key}"
        ),
        Service::Finnhub => format!("https://finnhub.io/api/v1/quote?symbol={ticker}&token={key}"),
        Service::Polygon => {
            format!("https://api.polygon.io/v2/reference/news?ticker={ticker}&limit=10&apikey={key}")
        }
        Service::Alphavantage => format!(
            "https://www.alphavantage.co/query?interval=daily&time_period=14&function=RSI&symbol={ticker}&apikey={key}"
        ),
    };
    format!(
        "Invalid JSON response: 0, message='Attempt to decode JSON with unexpected mimetype: text/html; charset=utf-8', \
         url=URL('{address}'). Response: <html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    )
}

/// The symbol does not exist, for those services that say so.
pub fn unknown_symbol(endpoint: Endpoint, ticker: &str) -> String {
    match endpoint {
        Endpoint::FinnhubQuotes => {
            wrapped(endpoint, ticker, "float() argument must be a string or a real number, not 'NoneType'")
        }
        Endpoint::AlphavantageIndicators => {
            "API Error: Invalid API call. Please retry or visit the documentation \
             (https://www.alphavantage.co/documentation/) for RSI."
                .to_owned()
        }
        _ => format!("{} API error 404: Error: Ticker '{ticker}' not found", title(endpoint.service())),
    }
}

/// The indicator is not in the plan, or the day's quota is spent: alphavantage's service drops upstream's own words.
pub fn no_series(indicator: &str) -> String {
    format!("No time series data found for {indicator}")
}

/// What the service puts around the words of an error that is not upstream's own.
pub(super) fn wrapped(endpoint: Endpoint, ticker: &str, inner: &str) -> String {
    let what = match endpoint {
        Endpoint::TiingoPrices => "daily prices",
        Endpoint::FinnhubQuotes => "quote",
        Endpoint::FinnhubNews | Endpoint::PolygonNews => "news",
        Endpoint::FinnhubFundamentals => "fundamentals",
        Endpoint::FinnhubEarnings | Endpoint::AlphavantageIndicators => return inner.to_owned(),
        Endpoint::PolygonMarket => {
            return format!("Polygon API error: Failed to fetch market news: {inner}");
        }
    };
    format!("Failed to fetch {what} for {ticker}: {inner}")
}

/// The same for one indicator.
pub(super) fn of_indicator(indicator: &str, ticker: &str, inner: &str) -> String {
    format!("Failed to fetch {indicator} for {ticker}: {inner}")
}

/// The `data` of a ticker that failed.
pub(super) fn nothing(endpoint: Endpoint) -> Value {
    match endpoint {
        Endpoint::TiingoPrices | Endpoint::FinnhubQuotes | Endpoint::FinnhubFundamentals => Value::Null,
        Endpoint::AlphavantageIndicators => json!({}),
        _ => json!([]),
    }
}

pub(super) fn title(service: Service) -> &'static str {
    match service {
        Service::Tiingo => "Tiingo",
        Service::Finnhub => "Finnhub",
        Service::Polygon => "Polygon",
        Service::Alphavantage => "AlphaVantage",
    }
}
