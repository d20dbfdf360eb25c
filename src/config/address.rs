//! Which addresses may be configured: those that Spin allows a component to call.
//!
//! `spin.toml` puts them unchanged into `allowed_outbound_hosts`, and Spin parses that list at the first call. One
//! invalid entry invalidates the whole list: then every call is refused, even those to Firestore, while the service
//! itself looks healthy. So a configuration with such an address is rejected here, with the reason.
//!
//! Spin's rules (`AllowedHostConfig::parse` in its `crates/outbound-networking-config/src/allowed_hosts.rs`, which
//! `crates/host/PARITY.md` lists and its tests check): `scheme://host[:port]` with at most a trailing slash; the scheme
//! is case-sensitive; `*`, `{`, `self` and `10.0.0.0/8` have special meanings and are not addresses that could be
//! called. Spin does not accept what a browser would (`http:/host`, `http:\\host`, a tab inside).

use url::Url;

/// The domain under which Spin looks for other components of the same application; there are none.
const SERVICE_CHAINING: &str = ".spin.internal";

/// An absolute http(s) URL of only host and port, without a trailing slash.
pub(super) fn parse(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("`{}` is not a URL: {error}", shown(text)))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("`{}` must be an http or https URL", shown(text)));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err("must have no query, fragment or credentials".to_owned());
    }
    if url.path() != "/" {
        return Err(refused(text, &format!("has the path `{}`", url.path())));
    }
    if !is_plain(text, url.scheme()) {
        return Err(refused(text, "is not written as scheme://host[:port] in plain characters"));
    }
    match url.host_str().unwrap_or_default() {
        "self" | "self.alt" => Err(refused(text, "refers to the application itself")),
        host if host.ends_with(SERVICE_CHAINING) => {
            Err(refused(text, "refers to another component of the application, but there is none"))
        }
        _ => Ok(url.as_str().trim_end_matches('/').to_owned()),
    }
}

/// An address in the form that an error may show: anyone may read the error, so without credentials and parameters.
pub(super) fn shown(text: &str) -> &str {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    text.split_once(['?', '#']).map_or(text, |(address, _)| address)
}

/// Whether a URL that was parsed successfully is also written as Spin requires.
fn is_plain(text: &str, scheme: &str) -> bool {
    let Some((written, rest)) = text.split_once("://") else { return false };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let odd = |c: char| c.is_whitespace() || c.is_control() || r"/\*{}%".contains(c);
    written == scheme && !authority.is_empty() && !authority.contains(odd)
}

fn refused(text: &str, what: &str) -> String {
    format!(
        "`{}` {what}: Spin only accepts addresses of the form scheme://host[:port], and refuses every call if \
         the list contains any other",
        shown(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spin_accepts_is_accepted() {
        for (text, expect) in [
            ("http://localhost:8001", "http://localhost:8001"),
            ("http://localhost:8001/", "http://localhost:8001"),
            ("http://LOCALHOST:8001", "http://localhost:8001"),
            ("https://tiingo-abc123-uc.a.run.app", "https://tiingo-abc123-uc.a.run.app"),
            ("http://tiingo.", "http://tiingo."),
            ("http://tiingo_service:", "http://tiingo_service"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]", "http://[::1]"),
            ("http://[::1]:8001/", "http://[::1]:8001"),
            ("http://metadata.google.internal", "http://metadata.google.internal"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_spin_refuses_is_refused_with_the_reason() {
        for (text, reason) in [
            ("http://gateway/tiingo", "`http://gateway/tiingo` has the path `/tiingo`: Spin only accepts"),
            ("http://gateway:80/tiingo/", "has the path `/tiingo/`"),
            ("http://gateway//", "has the path `//`"),
            ("http://10.0.0.0/8", "has the path `/8`"),
            ("http://gateway/.", "is not written as"),
            ("HTTP://gateway", "is not written as"),
            ("http:/gateway", "is not written as"),
            ("http:gateway", "is not written as"),
            ("http:///gateway", "is not written as"),
            (r"http:\\gateway", "is not written as"),
            ("http://gate\tway", "is not written as"),
            ("http://*", "is not written as"),
            ("http://*.example.com", "is not written as"),
            ("http://{gateway}", "is not written as"),
            ("http://self", "refers to the application itself"),
            ("http://self.alt:80", "refers to the application itself"),
            ("http://tiingo.spin.internal", "refers to another component"),
            ("http://gateway:8001..8003", "is not a URL"),
            ("http://gateway:*", "is not a URL"),
            ("http://gate way", "is not a URL"),
            ("http://", "is not a URL"),
            ("", "is not a URL"),
            ("gateway:8001", "must be an http or https URL"),
            ("*://gateway:80", "is not a URL"),
            ("ftp://gateway", "must be an http or https URL"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
