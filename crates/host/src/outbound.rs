//! Where a component may send requests to: its `allowed_outbound_hosts`, with the meaning that Spin gives them.
//!
//! An entry is `scheme://host[:port]`. The scheme may be `*`, the host `*` or `*.domain`, the port `*` or a range
//! `from..to` without its end; a missing port is the scheme's own. Not supported, and refused: address ranges
//! (`10.0.0.0/8`) and requests to the application itself (`self`).

use std::ops::Range;

use http::Uri;

use crate::problems::Problems;
use crate::template;
use crate::variables::Values;

/// The parsed `allowed_outbound_hosts` of one component.
#[derive(Clone, Debug, Default)]
pub struct OutboundRules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq)]
struct Rule {
    scheme: Scheme,
    host: Host,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq)]
enum Scheme {
    Any,
    Only(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Host {
    Any,
    /// Holds the dot and what follows it.
    Subdomain(String),
    Only(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Ports {
    Any,
    Within(Range<u32>),
}

impl OutboundRules {
    /// Expands and parses the entries of a manifest.
    ///
    /// A template that expands to nothing, or to `http://` or `https://` without a host, is left out, as in Spin: an
    /// optional endpoint is switched off by an empty variable.
    pub fn resolve(entries: &[String], values: &Values, problems: &mut Problems) -> Self {
        let mut rules = Vec::with_capacity(entries.len());
        for entry in entries {
            let expanded = template::expand(entry, values);
            if let Ok(text) = &expanded
                && !template::is_literal(entry)
                && matches!(text.as_str(), "" | "http://" | "https://")
            {
                continue;
            }
            let rule = expanded.and_then(|text| Rule::parse(&text));
            rules.extend(problems.take(rule.map_err(|reason| format!("allowed_outbound_hosts: {reason}"))));
        }
        Self { rules }
    }

    /// Whether a request to `uri`, which names its scheme, may be sent.
    pub fn allow(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let host = host.to_ascii_lowercase();
        let port = uri.port_u16().or_else(|| default_port(scheme));
        self.rules
            .iter()
            .any(|rule| rule.scheme.allow(scheme) && rule.host.allow(&host) && rule.ports.allow(port))
    }
}

impl Rule {
    fn parse(entry: &str) -> Result<Self, String> {
        let wrong = |reason: &str| format!("{entry:?} {reason}");
        let (scheme, rest) = entry.trim().split_once("://").ok_or_else(|| {
            wrong("has no scheme: write scheme://host[:port], such as \"https://example.com\"")
        })?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('/') {
            return Err(wrong("has a path or is an address range: only scheme://host[:port] is possible"));
        }
        let (host, port) = split_port(authority);
        Ok(Self {
            scheme: Scheme::parse(scheme).map_err(wrong)?,
            host: Host::parse(host).map_err(wrong)?,
            ports: Ports::parse(port, scheme).map_err(wrong)?,
        })
    }
}

/// Splits `host:port`; the colons inside the brackets of an IPv6 address belong to the host.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port).filter(|port| !port.is_empty())),
        _ => (authority, None),
    }
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "*" => Ok(Self::Any),
            name if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                Ok(Self::Only(name.into()))
            }
            _ => Err("has a scheme that is neither letters nor *"),
        }
    }

    fn allow(&self, scheme: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(name) => name == scheme,
        }
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Any),
            _ if text == "self" || text == "self.alt" => {
                Err("names the application itself, which this host does not serve")
            }
            Some(domain) if is_host(domain) => Ok(Self::Subdomain(format!(".{domain}"))),
            None if is_host(&text) => Ok(Self::Only(text)),
            _ => Err("has no valid host: write a name, an address, *.domain or *"),
        }
    }

    fn allow(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Subdomain(suffix) => host.ends_with(suffix),
            Self::Only(name) => name == host,
        }
    }
}

fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        }
    }
}

impl Ports {
    fn parse(text: Option<&str>, scheme: &str) -> Result<Self, &'static str> {
        let number = |text: &str| {
            text.parse::<u16>().map(u32::from).map_err(|_| "has a port that is not a number, a range or *")
        };
        let one = |port: u32| Self::Within(port..port + 1);
        match text {
            None => default_port(scheme)
                .map(|port| one(port.into()))
                .ok_or("has neither a port nor a scheme with a port of its own: add a port or :*"),
            Some("*") => Ok(Self::Any),
            Some(text) => match text.split_once("..") {
                Some((from, to)) => Ok(Self::Within(number(from)?..number(to)?)),
                None => Ok(one(number(text)?)),
            },
        }
    }

    fn allow(&self, port: Option<u16>) -> bool {
        match self {
            Self::Any => true,
            Self::Within(range) => port.is_some_and(|port| range.contains(&port.into())),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(entries: &[&str]) -> Result<OutboundRules, Problems> {
        let entries: Vec<_> = entries.iter().map(ToString::to_string).collect();
        let values =
            Values::from([("base".into(), "http://tiingo:8001".into()), ("empty".into(), String::new())]);
        let mut problems = Problems::default();
        let rules = OutboundRules::resolve(&entries, &values, &mut problems);
        problems.into_result(rules)
    }

    #[test]
    fn entries_allow_what_spin_allows() {
        for (entry, allowed, refused) in [
            ("http://a.com", "http://a.com/x", "https://a.com/"),
            ("http://a.com", "http://a.com:80/", "http://a.com:81/"),
            ("http://a.com", "http://A.COM/", "http://b.a.com/"),
            ("https://a.com/", "https://a.com:443/", "https://a.com.evil/"),
            ("http://a.com:*", "http://a.com:9/", "http://b.com:9/"),
            ("http://a.com:80..82", "http://a.com:81/", "http://a.com:82/"),
            ("*://a.com:8080", "https://a.com:8080/", "https://a.com/"),
            ("*://*:*", "http://anything:1/", "/relative"),
            ("https://*.a.com", "https://x.y.a.com/", "https://a.com/"),
            ("https://*.a.com", "https://x.a.com/", "https://xa.com/"),
            ("http://127.0.0.1:5", "http://127.0.0.1:5/", "http://localhost:5/"),
            ("http://[::1]:5", "http://[::1]:5/", "http://[::2]:5/"),
            ("http://[::1]", "http://[::1]/", "http://[::1]:5/"),
            ("{{ base }}", "http://tiingo:8001/fetch", "http://tiingo/fetch"),
        ] {
            let rules = rules(&[entry]).unwrap();
            assert!(rules.allow(&allowed.parse().unwrap()), "{entry} must allow {allowed}");
            assert!(!rules.allow(&refused.parse().unwrap()), "{entry} must refuse {refused}");
        }
    }

    #[test]
    fn templates_that_expand_to_no_host_are_left_out() {
        let rules = rules(&["http://{{ empty }}", "https://{{ empty }}", "{{ empty }}"]).unwrap();
        assert!(rules.rules.is_empty());
    }

    #[test]
    fn entries_that_mean_nothing_are_problems() {
        for (entry, reason) in [
            ("a.com", "has no scheme"),
            ("", "has no scheme"),
            ("http://", "has no valid host"),
            ("http://{{ empty }}:*", "has no valid host"),
            ("http://a.com/path", "has a path"),
            ("http://10.0.0.0/8", "has a path or is an address range"),
            ("http://a.com:x", "has a port that is not a number"),
            ("http://a.com:70000", "has a port that is not a number"),
            ("*://a.com", "has neither a port nor a scheme"),
            ("h2c+x://a.com:1", "has a scheme that is neither"),
            ("http://a*.com", "has no valid host"),
            ("http://self", "names the application itself"),
            ("http://{{ nope }}", "unknown variable \"nope\""),
        ] {
            let problem = rules(&[entry]).unwrap_err().to_string();
            assert!(problem.contains(reason), "{entry}: {problem}");
        }
    }
}
