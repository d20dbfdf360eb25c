//! The HTTP client of this crate: no proxy may come between parties on 127.0.0.1.

use reqwest::Client;

pub(crate) fn client() -> Client {
    // Only a broken TLS backend can make the builder fail, and there is none here.
    Client::builder().no_proxy().build().unwrap_or_default()
}
