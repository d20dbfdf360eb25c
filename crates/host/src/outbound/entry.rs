//! One entry of `allowed_outbound_hosts`, as Spin reads it (its `crates/outbound-networking-config/src/allowed_hosts.rs`).
//!
//! An entry is `scheme://host[:port]`. The scheme may be `*`; the host `*`, `*.domain`, a range of addresses such as
//! `10.0.0.0/8`, or `self`, which means requests without a host; the port may be `*` or a range `from..to` that
//! excludes its end. A missing port is the scheme's default.

use std::net::IpAddr;
use std::ops::Range;

use http::Uri;
use url::{Host, Url};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    scheme: Scheme,
    host: Hosts,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq)]
enum Scheme {
    Any,
    /// Case-sensitive: `HTTP` allows nothing.
    Only(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Hosts {
    Any,
    /// The dot and what follows it.
    Subdomain(String),
    Only(Host),
    /// An address and its prefix length.
    Range(IpAddr, u8),
    /// Requests to the application itself, which this host does not serve.
    Itself,
}

#[derive(Clone, Debug, PartialEq)]
enum Ports {
    Any,
    Within(Range<u16>),
    Only(u16),
}

/// The target of a request, as Spin parses its URL.
pub(super) struct Asked {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

impl Asked {
    /// None if the URL has no host.
    pub(super) fn new(uri: &Uri) -> Option<Self> {
        let url = Url::parse(&uri.to_string()).ok()?;
        let host = Host::parse(url.host_str()?).ok()?;
        Some(Self { scheme: url.scheme().to_owned(), host, port: url.port_or_known_default() })
    }
}

impl Entry {
    /// Parses an entry; the error completes the sentence "the entry …".
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.trim().split_once("://").ok_or("does not contain a scheme")?;
        let (host, port) = match rest.rsplit_once(':') {
            None => (rest, ""),
            Some((host, "")) => (host, ""),
            // The colons belong to an IPv6 address.
            Some(_) if Hosts::parse(rest).is_ok() => (rest, ""),
            Some((host, tail)) => match tail.split_once('/') {
                Some((port, "")) => (host, port),
                Some(_) => return Err("has a path but is not allowed to".into()),
                None => (host, tail),
            },
        };
        Ok(Self {
            ports: Ports::parse(port, scheme)?,
            scheme: Scheme::parse(scheme)?,
            host: Hosts::parse(host)?,
        })
    }

    pub(super) fn allows(&self, asked: &Asked) -> bool {
        self.scheme.allows(&asked.scheme) && self.host.allows(&asked.host) && self.ports.allow(asked.port)
    }
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            _ if text.chars().all(char::is_alphabetic) => Ok(Self::Only(text.into())),
            _ => Err("has a scheme of more than letters".into()),
        }
    }

    fn allows(&self, scheme: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == scheme,
        }
    }
}

impl Hosts {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::Itself),
            _ if text.starts_with('{') => {
                return Err("has a list of hosts, which are not yet supported".into());
            }
            _ => {}
        }
        if let Some(range) = address_range(text) {
            return Ok(range);
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.contains('/') {
            return Err("must not include a path".into());
        }
        let host = |text| Host::parse(text).map_err(|error| format!("has no valid host: {error}"));
        match text.strip_prefix("*.") {
            Some(domain) if domain.contains('*') => Err("has a wildcard that is not a prefix".into()),
            Some(domain) => match host(domain)? {
                Host::Domain(domain) => Ok(Self::Subdomain(format!(".{domain}"))),
                _ => Err("has a wildcard that is not followed by a domain".into()),
            },
            None if text.contains('*') => Err("has a wildcard that is not a subdomain".into()),
            None => host(text).map(Self::Only),
        }
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Subdomain(suffix), Host::Domain(domain)) => domain.ends_with(suffix),
            (Self::Only(only), _) => only == host,
            (Self::Range(IpAddr::V4(first), bits), Host::Ipv4(ip)) => {
                same_bits(first.to_bits().into(), ip.to_bits().into(), 32 - bits)
            }
            (Self::Range(IpAddr::V6(first), bits), Host::Ipv6(ip)) => {
                same_bits(first.to_bits(), ip.to_bits(), 128 - bits)
            }
            (Self::Subdomain(_) | Self::Range(..) | Self::Itself, _) => false,
        }
    }
}

/// Reads `ADDRESS/BITS`.
fn address_range(text: &str) -> Option<Hosts> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some(Hosts::Range(address, bits))
}

/// Whether two numbers are equal except for their last bits.
fn same_bits(one: u128, other: u128, but: u8) -> bool {
    (one ^ other).checked_shr(but.into()).unwrap_or(0) == 0
}

impl Ports {
    fn parse(text: &str, scheme: &str) -> Result<Self, String> {
        let number =
            |text: &str| text.parse::<u16>().map_err(|_| "has a port that is not a number".to_owned());
        match text {
            "" => default_port(scheme)
                .map(Self::Only)
                .ok_or_else(|| format!("has no port, and the scheme {scheme:?} has no port of its own")),
            "*" => Ok(Self::Any),
            _ => match text.split_once("..") {
                Some((from, to)) => Ok(Self::Within(number(from)?..number(to)?)),
                None => number(text).map(Self::Only),
            },
        }
    }

    fn allow(&self, port: Option<u16>) -> bool {
        match self {
            Self::Any => true,
            Self::Within(range) => port.is_some_and(|port| range.contains(&port)),
            Self::Only(only) => port == Some(*only),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entry: &str, url: &str) -> bool {
        let entry = Entry::parse(entry).unwrap_or_else(|reason| panic!("{entry:?} {reason}"));
        Asked::new(&url.parse().unwrap()).is_some_and(|asked| entry.allows(&asked))
    }

    #[test]
    fn entries_allow_what_spin_allows() {
        for (entry, allowed, refused) in [
            ("http://a.com", "http://a.com/x", "https://a.com/"),
            ("http://a.com", "http://a.com:80/", "http://a.com:81/"),
            ("http://A.com", "http://A.COM/", "http://b.a.com/"),
            (" http://a.com:81/ ", "http://a.com:81/", "http://a.com/"),
            ("http://a.com:", "http://a.com/", "http://a.com:81/"),
            ("https://a.com/", "https://a.com:443/", "https://a.com.evil/"),
            ("http://a.com:*", "http://a.com:9/", "http://b.com:9/"),
            ("http://a.com:80..82", "http://a.com:81/", "http://a.com:82/"),
            ("*://a.com:8080", "https://a.com:8080/", "https://a.com/"),
            ("*://*:*", "http://anything:1/", "/relative"),
            ("https://*.a.com", "https://x.y.a.com/", "https://a.com/"),
            ("https://*.a.com", "https://x.a.com/", "https://xa.com/"),
            ("http://127.0.0.1:5", "http://127.0.0.1:5/", "http://localhost:5/"),
            ("http://127.0.0.1:5", "http://127.1:5/", "http://127.2:5/"),
            ("http://[::1]:5", "http://[::1]:5/", "http://[::2]:5/"),
            ("http://[::1]", "http://[::1]/", "http://[::1]:5/"),
            ("http://10.0.0.0/8", "http://10.9.9.9/", "http://11.0.0.0/"),
            ("*://127.0.0.0/24:80", "http://127.0.0.255/", "http://127.0.1.0/"),
            ("http://2001:db8::/32", "http://[2001:db8::1]/", "http://[2001:db9::1]/"),
            ("http://0.0.0.0/0", "http://1.2.3.4/", "http://a.com/"),
        ] {
            assert!(allows(entry, allowed), "{entry} must allow {allowed}");
            assert!(!allows(entry, refused), "{entry} must refuse {refused}");
        }
        assert!(!allows("HTTP://a.com:80", "http://a.com/"), "schemes are case-sensitive");
        assert!(!allows("http://self", "http://self/"), "only requests without a host go to the application");
    }

    #[test]
    fn invalid_entries_have_a_reason() {
        for (entry, reason) in [
            ("a.com", "does not contain a scheme"),
            ("", "does not contain a scheme"),
            ("http:/a.com", "does not contain a scheme"),
            ("http://", "no valid host: empty host"),
            ("http:///a.com", "must not include a path"),
            ("http://a.com/path", "must not include a path"),
            ("http://a.com//", "must not include a path"),
            ("http://a.com:80/path", "has a path but is not allowed to"),
            ("http://10.0.0.0/33", "must not include a path"),
            ("http://a.com:x", "has a port that is not a number"),
            ("http://a.com:70000", "has a port that is not a number"),
            ("*://a.com", "has no port"),
            ("HTTP://a.com", "has no port"),
            ("h2c+x://a.com:1", "has a scheme of more than letters"),
            ("http://a*.com", "has a wildcard that is not a subdomain"),
            ("http://*.*.com", "has a wildcard that is not a prefix"),
            ("http://{a,b}", "has a list of hosts"),
            ("http://a b", "no valid host"),
            ("http://a.com?x=1", "no valid host"),
        ] {
            let error = Entry::parse(entry).expect_err(entry);
            assert!(error.contains(reason), "{entry}: {error}");
        }
    }
}
