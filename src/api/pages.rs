//! Static files: the dashboard's page with its assets, and the API description.

use std::io::Read as _;

use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

/// One file.
pub(super) struct Asset {
    pub route: &'static str,
    media_type: &'static str,
    /// The file, compressed.
    gzip: &'static [u8],
}

/// All files; `build.rs` writes the table.
pub(super) const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A page may use our own files and nothing else: nothing inline, nothing from elsewhere.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

impl Asset {
    pub(super) fn answer(&'static self, headers: &HeaderMap) -> Response {
        let accepted = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let takes_gzip = accepted.flat_map(|value| value.split(',')).any(|coding| is_gzip(coding.trim()));
        let mut response = if takes_gzip {
            ([(CONTENT_ENCODING, "gzip")], self.gzip).into_response()
        } else {
            let mut plain = Vec::new();
            match GzDecoder::new(self.gzip).read_to_end(&mut plain) {
                Ok(_) => plain.into_response(),
                Err(error) => {
                    tracing::error!(%error, http.path = self.route, "a compressed asset could not be read");
                    return StatusCode::INTERNAL_SERVER_ERROR.into_response();
                }
            }
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        response
    }
}

/// Whether an item of Accept-Encoding takes gzip; a weight of zero refuses it.
fn is_gzip(coding: &str) -> bool {
    let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
    let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
    matches!(name.trim(), "gzip" | "*") && weight.is_none_or(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_goes_to_those_who_take_it() {
        for (value, expect) in [
            ("gzip", true),
            ("gzip; q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("br", false),
            ("", false),
        ] {
            assert_eq!(is_gzip(value), expect, "{value}");
        }
    }

    #[test]
    fn every_file_can_be_unpacked() {
        for asset in ASSETS {
            let mut plain = Vec::new();
            GzDecoder::new(asset.gzip).read_to_end(&mut plain).unwrap();
            assert!(!plain.is_empty(), "{}", asset.route);
        }
        assert!(ASSETS.iter().any(|asset| asset.route == "/"));
    }
}
