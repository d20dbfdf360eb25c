//! The error messages of the deployed services: each was seen when they ran against a simulated upstream.
//!
//! The services answer 200 to almost everything and put what went wrong into the `error` of a ticker, or of an
//! indicator. Tests script them with [`Fault::ticker_errors`](super::Fault::ticker_errors) and
//! [`detail`](super::Fault::detail).

use crate::endpoint::{Endpoint, Service};

/// The API key with which a simulated service calls its upstream. No document may contain it.
pub const fn api_key(service: Service) -> &'static str {
    service.spec().api_key
}

/// Redacts the API keys of all services, as must happen before a text is stored.
pub fn without_keys(text: &str) -> String {
    Service::ALL.iter().fold(text.to_owned(), |text, service| text.replace(api_key(*service), "[redacted]"))
}

/// Upstream has answered 429.
pub fn upstream_limit(endpoint: Endpoint, ticker: &str) -> String {
    wrapped(endpoint, ticker, &format!("{} API rate limit exceeded", endpoint.service().spec().title))
}

/// Upstream has answered 429 with a date in `Retry-After`, which the services read as a number.
pub fn upstream_limit_with_date() -> String {
    "Request failed: invalid literal for int() with base 10: 'Wed, 21 Oct 2026 07:28:00 GMT'".to_owned()
}

/// Upstream has not answered in time: the message ends there.
pub fn timed_out() -> String {
    "Request failed: ".to_owned()
}

/// Upstream has closed the connection.
pub fn disconnected() -> String {
    "Request failed: Server disconnected".to_owned()
}

/// Upstream has answered 500.
pub fn server_error(service: Service) -> String {
    service.spec().server_error.to_owned()
}

/// Upstream, or a proxy in front of it, has answered with an HTML page. The message contains the address with the API
/// key.
pub fn html_page(service: Service, ticker: &str) -> String {
    let address = (service.spec().address)(ticker, api_key(service));
    format!(
        "Invalid JSON response: 0, message='Attempt to decode JSON with unexpected mimetype: text/html; charset=utf-8', \
         url=URL('{address}'). Response: <html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    )
}

/// The symbol does not exist, for services that say so.
pub fn unknown_symbol(endpoint: Endpoint, ticker: &str) -> String {
    match endpoint.spec().unknown_symbol {
        Some(message) => wrapped(endpoint, ticker, message),
        None => {
            format!("{} API error 404: Error: Ticker '{ticker}' not found", endpoint.service().spec().title)
        }
    }
}

/// The indicator is not in the plan, or the daily quota is used up: alphavantage's service drops upstream's message.
pub fn no_series(indicator: &str) -> String {
    format!("No time series data found for {indicator}")
}

/// Wraps the message of an error that does not come from upstream.
pub(super) fn wrapped(endpoint: Endpoint, ticker: &str, inner: &str) -> String {
    (endpoint.spec().wrapped)(ticker, inner)
}

/// The same for one indicator.
pub(super) fn of_indicator(indicator: &str, ticker: &str, inner: &str) -> String {
    format!("Failed to fetch {indicator} for {ticker}: {inner}")
}
