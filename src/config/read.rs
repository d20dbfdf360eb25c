//! Reading single settings; every mistake is kept, none ends the reading.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

use super::{PerJob, keys};
use crate::job;

/// Reads settings and collects what is wrong with them.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    errors: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, errors: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<String> {
        self.errors
    }

    /// Notes a mistake; always none, so that a reader can end with it.
    pub(super) fn error<T>(&mut self, name: &str, message: &str) -> Option<T> {
        self.errors.push(format!("{name} {message}"));
        None
    }

    /// The text of a setting, trimmed; its default where it is unset.
    #[inline(never)]
    pub(super) fn text(&mut self, name: &str) -> String {
        let Some(key) = keys::find(name) else {
            // A name that the table lacks is a mistake of ours; it must show, not pass as empty.
            self.errors.push(format!("{name} is not in the table of settings"));
            return String::new();
        };
        (self.lookup)(name).unwrap_or_else(|| key.default.to_owned()).trim().to_owned()
    }

    /// A list, comma separated; empty items do not count.
    #[inline(never)]
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let text = self.text(name);
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect()
    }

    #[inline(never)]
    pub(super) fn integer(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
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
    pub(super) fn per_job(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<PerJob> {
        let (mut default, mut jobs) = (None, BTreeMap::new());
        for item in self.list(name) {
            let (job, number) = item
                .split_once('=')
                .map_or((None, item.as_str()), |(job, number)| (Some(job.trim()), number));
            let Some(number) = number.trim().parse().ok().filter(|number| range.contains(number)) else {
                let message = format!(
                    "must have whole numbers from {} to {}, not `{item}`",
                    range.start(),
                    range.end()
                );
                return self.error(name, &message);
            };
            match job.map(job::find) {
                None if default.is_none() => default = Some(number),
                None => return self.error(name, &format!("has a second number for all jobs: `{item}`")),
                Some(Some(job)) => drop(jobs.insert(job.name, number)),
                Some(None) => return self.error(name, &format!("names no job: `{item}`")),
            }
        }
        match default {
            Some(default) => Some(PerJob { default, jobs }),
            None => self.error(name, "has no number for all jobs"),
        }
    }

    pub(super) fn seconds(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.integer(name, range).map(Duration::from_secs)
    }

    pub(super) fn milliseconds(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.integer(name, range).map(Duration::from_millis)
    }

    pub(super) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name);
        match choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(&text)) {
            Some((_, value)) => Some(*value),
            None => {
                let known = choices.iter().map(|(choice, _)| *choice).collect::<Vec<_>>().join(", ");
                self.error(name, &format!("must be one of {known}, not `{text}`"))
            }
        }
    }

    /// A text that can stand in a resource name: not empty, no slash, no white space.
    #[inline(never)]
    pub(super) fn path_segment(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        if text.is_empty() {
            return self.error(name, "is empty");
        }
        if text.contains('/') || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return self.error(name, &format!("must not contain a slash or white space: `{text}`"));
        }
        Some(text)
    }

    /// `host:port`.
    #[inline(never)]
    pub(super) fn authority(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        match text.parse::<http::uri::Authority>() {
            Ok(authority) if authority.port_u16().is_some() && !text.contains('@') => Some(text),
            _ => self.error(name, &format!("must be host:port, not `{}`", shown(&text))),
        }
    }

    #[inline(never)]
    pub(super) fn base_url(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        match parse_base_url(&text) {
            Ok(url) => Some(url),
            Err(error) => self.error(name, &error),
        }
    }

    /// A list of origins, comma separated; `*` is no origin.
    #[inline(never)]
    pub(super) fn origins(&mut self, name: &str) -> Option<Vec<http::HeaderValue>> {
        let text = self.text(name);
        let mut origins = Vec::new();
        for origin in text.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            let valid = Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == origin);
            match http::HeaderValue::from_str(origin) {
                Ok(value) if valid => origins.push(value),
                _ => {
                    return self.error(name, &format!("`{origin}` is no origin such as https://example.com"));
                }
            }
        }
        Some(origins)
    }
}

/// An address as an error may show it: anybody may read the error, so without credentials and parameters.
fn shown(text: &str) -> &str {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    text.split_once(['?', '#']).map_or(text, |(address, _)| address)
}

/// Whether a text is an absolute http(s) URL with a host and without query, fragment or credentials.
fn parse_base_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("`{}` is no URL: {error}", shown(text)))?;
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
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
