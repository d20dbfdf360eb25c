//! Reading single settings; every error is collected, none stops the reading.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

use super::address::{self, shown};
use super::{PerJob, Secret, keys};
use crate::catalogue;

/// Reads settings and collects what is wrong with them.
pub struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, errors: Vec::new() }
    }

    pub fn finish(self) -> Vec<String> {
        self.errors
    }

    /// Records an error; always returns none, so that a reader can end with it.
    pub fn error<T>(&mut self, name: &str, message: &str) -> Option<T> {
        self.errors.push(format!("{name} {message}"));
        None
    }

    /// The value of a setting, trimmed; its default if it is unset.
    #[inline(never)]
    pub fn text(&mut self, name: &str) -> String {
        let Some(key) = keys::find(name) else {
            // A name missing from the table is our bug; it must show, not pass as empty.
            self.errors.push(format!("{name} is not in the table of settings"));
            return String::new();
        };
        (self.lookup)(name).unwrap_or_else(|| key.default.to_owned()).trim().to_owned()
    }

    /// A comma-separated list; empty items are ignored.
    #[inline(never)]
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name);
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// The numbers that a setting may have, by the table.
    fn range(&mut self, name: &str) -> Option<RangeInclusive<u64>> {
        match keys::find(name).and_then(|key| key.range.clone()) {
            Some(range) => Some(range),
            None => self.error(name, "has no range in the table of settings"),
        }
    }

    #[inline(never)]
    pub fn integer(&mut self, name: &str) -> Option<u64> {
        let range = self.range(name)?;
        let text = self.text(name);
        match text.parse::<u64>() {
            Ok(value) if range.contains(&value) => Some(value),
            _ => self.error(
                name,
                &format!("must be a whole number from {} to {}, not `{text}`", range.start(), range.end()),
            ),
        }
    }

    /// A number for all jobs, and others for some: `50, polygon-news-universe=80`.
    #[inline(never)]
    pub fn per_job(&mut self, name: &str) -> Option<PerJob> {
        let range = self.range(name)?;
        let (mut default, mut jobs) = (None, BTreeMap::new());
        for item in self.list(name) {
            let (job, number) = item
                .split_once('=')
                .map_or((None, item.as_str()), |(job, number)| (Some(job.trim()), number));
            let Some(number) = number.trim().parse().ok().filter(|number| range.contains(number)) else {
                let message = format!(
                    "must contain whole numbers from {} to {}, not `{item}`",
                    range.start(),
                    range.end()
                );
                return self.error(name, &message);
            };
            match job.map(catalogue::find) {
                None if default.is_none() => default = Some(number),
                None => return self.error(name, &format!("sets the default for all jobs twice: `{item}`")),
                Some(Some(job)) => drop(jobs.insert(job.name, number)),
                Some(None) => return self.error(name, &format!("names an unknown job: `{item}`")),
            }
        }
        match default {
            Some(default) => Some(PerJob { default, jobs }),
            None => self.error(name, "has no default for all jobs"),
        }
    }

    pub fn seconds(&mut self, name: &str) -> Option<Duration> {
        self.integer(name).map(Duration::from_secs)
    }

    pub fn milliseconds(&mut self, name: &str) -> Option<Duration> {
        self.integer(name).map(Duration::from_millis)
    }

    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name);
        match choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(&text)) {
            Some((_, value)) => Some(*value),
            None => {
                let known = choices.iter().map(|(choice, _)| *choice).collect::<Vec<_>>().join(", ");
                self.error(name, &format!("must be one of {known}, not `{text}`"))
            }
        }
    }

    /// A value that can be part of a resource name: not empty, no slash, no whitespace.
    #[inline(never)]
    pub fn path_segment(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        if text.is_empty() {
            return self.error(name, "is empty");
        }
        if text.contains('/') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return self.error(name, &format!("must not contain a slash or whitespace: `{text}`"));
        }
        Some(text)
    }

    /// `host:port`, which the manifest turns into an address; empty if it is not set.
    #[inline(never)]
    pub fn authority(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        if text.is_empty() && (self.lookup)(name).is_some_and(|given| !given.is_empty()) {
            // Spin skips an empty address, but not one that is only whitespace.
            return self.error(name, "is only whitespace: leave it empty");
        }
        if text.is_empty() {
            return Some(text);
        }
        let has_port = text.parse::<http::uri::Authority>().is_ok_and(|it| it.port_u16().is_some());
        if !has_port || text.contains('@') {
            return self.error(name, &format!("must be host:port, not `{}`", shown(&text)));
        }
        match address::parse(&format!("http://{text}")) {
            Ok(_) => Some(text),
            Err(error) => self.error(name, &error),
        }
    }

    /// An address that may be called; see [`address`].
    #[inline(never)]
    pub fn base_url(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        match address::parse(&text) {
            Ok(url) => Some(url),
            Err(error) => self.error(name, &error),
        }
    }

    /// An origin that may be called; none if it is empty.
    #[inline(never)]
    pub fn origin(&mut self, name: &str) -> Option<Option<String>> {
        let text = self.text(name);
        if !text.is_empty() {
            return self.base_url(name).map(Some);
        }
        if (self.lookup)(name).is_some_and(|given| !given.is_empty()) {
            // Spin skips an empty address, but not one that is only whitespace.
            return self.error(name, "is only whitespace: leave it empty");
        }
        Some(None)
    }

    /// An address that is a secret, so no error repeats any of it; `origin` is the setting that allows calls to it.
    #[inline(never)]
    pub fn secret_url(&mut self, name: &str, origin: &str) -> Option<Option<Secret>> {
        let allowed = self.origin(origin)?;
        let text = self.text(name);
        if text.is_empty() {
            return Some(None);
        }
        let Some(allowed) = allowed else {
            let message =
                format!("requires {origin}, its scheme://host[:port]: the runtime allows no other calls");
            return self.error(name, &message);
        };
        let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(mut url) = url else { return self.error(name, "is not an http or https URL") };
        if !url.username().is_empty() || url.password().is_some() {
            return self.error(name, "must have no user name or password in front of its host");
        }
        if Url::parse(&allowed).is_ok_and(|allowed| allowed.origin() != url.origin()) {
            let message = format!("does not have the origin that {origin} allows, `{allowed}`");
            return self.error(name, &message);
        }
        url.set_fragment(None);
        Some(Some(Secret::new(url.into())))
    }

    /// A comma-separated list of origins; `*` is not an origin.
    #[inline(never)]
    pub fn origins(&mut self, name: &str) -> Option<Vec<http::HeaderValue>> {
        let text = self.text(name);
        let mut origins = Vec::new();
        for origin in text.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            let valid = Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == origin);
            match http::HeaderValue::from_str(origin) {
                Ok(value) if valid => origins.push(value),
                _ => {
                    return self
                        .error(name, &format!("`{origin}` is not an origin such as https://example.com"));
                }
            }
        }
        Some(origins)
    }
}
