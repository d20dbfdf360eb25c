//! The HTTP client of this crate. It ignores proxy settings: all parties are on 127.0.0.1.

use reqwest::Client;

pub(crate) fn client() -> Client {
    // The builder fails only on a broken TLS backend, and this one has no TLS.
    Client::builder().no_proxy().build().unwrap_or_default()
}
