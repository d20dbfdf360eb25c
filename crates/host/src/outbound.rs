//! Where a component may send requests: its `allowed_outbound_hosts`, as Spin interprets them.
//!
//! Spin reads the list twice: when it loads the application, with the variables' defaults, and when an instance sends
//! its first request, with their values. An error in the defaults keeps the application from starting. An error in the
//! values alone invalidates the list: the application runs, its health is fine, and every request that it sends is
//! refused, which is reported only on standard error.

mod entry;

use http::Uri;

use crate::problems::Problems;
use crate::template;
use crate::variables::Values;
use entry::Entry;

/// The parsed `allowed_outbound_hosts` of one component, or the mistake that makes them invalid.
#[derive(Clone, Debug)]
pub struct OutboundRules {
    entries: Result<Vec<Entry>, String>,
}

/// Why a request may not be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// No entry allows it.
    NotListed,
    /// The whole list is invalid for this reason.
    Void(&'a str),
}

impl OutboundRules {
    /// Parses the entries of a manifest twice: with the variables' defaults, to find mistakes, and with their values.
    pub fn resolve(entries: &[String], defaults: &Values, values: &Values, problems: &mut Problems) -> Self {
        for entry in entries {
            // An entry whose variable has no default cannot be checked yet.
            if template::is_literal(entry) || template::expand(entry, defaults).is_ok() {
                let read = read(entry, defaults);
                problems.take(read.map_err(|reason| format!("allowed_outbound_hosts: {reason}")));
            }
        }
        let kept = entries.iter().filter_map(|entry| read(entry, values).transpose());
        Self { entries: kept.collect() }
    }

    /// Whether a request to `uri`, which must have a scheme, may be sent.
    pub fn check(&self, uri: &Uri) -> Result<(), Refusal<'_>> {
        let entries = self.entries.as_ref().map_err(|reason| Refusal::Void(reason))?;
        let Some(asked) = entry::Asked::new(uri) else { return Err(Refusal::NotListed) };
        if entries.iter().any(|entry| entry.allows(&asked)) { Ok(()) } else { Err(Refusal::NotListed) }
    }
}

/// One entry; none if a template expands to no address, because an empty variable disables an optional endpoint.
fn read(entry: &str, values: &Values) -> Result<Option<Entry>, String> {
    let text = template::expand(entry, values)?;
    if !template::is_literal(entry) && matches!(text.as_str(), "" | "http://" | "https://") {
        return Ok(None);
    }
    Entry::parse(&text).map(Some).map_err(|reason| format!("{text:?} {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variable `base` has this value and a valid default, `required` has only a value, `empty` has neither.
    fn rules(entries: &[&str], base: &str) -> Result<OutboundRules, Problems> {
        let entries: Vec<_> = entries.iter().map(ToString::to_string).collect();
        let defaults =
            Values::from([("base".into(), "http://tiingo:8001".into()), ("empty".into(), String::new())]);
        let mut values = defaults.clone();
        values.extend([("base".into(), base.into()), ("required".into(), base.into())]);
        let mut problems = Problems::default();
        let rules = OutboundRules::resolve(&entries, &defaults, &values, &mut problems);
        problems.into_result(rules)
    }

    fn void(entries: &[&str], base: &str) -> String {
        let rules = rules(entries, base).expect("starts");
        match rules.check(&Uri::from_static("http://other:1/")) {
            Err(Refusal::Void(reason)) => reason.to_owned(),
            other => panic!("{entries:?} with {base}: {other:?}"),
        }
    }

    #[test]
    fn a_value_that_is_not_an_address_invalidates_the_whole_list() {
        for template in ["{{ base }}", "{{ required }}"] {
            let reason = void(&["http://other:1", template], "http://tiingo/base");
            assert_eq!(reason, "\"http://tiingo/base\" must not include a path");
        }
        assert!(void(&["{{ base }}"], "tiingo").contains("does not contain a scheme"));
        // Spin leaves out empty entries, not blank ones.
        assert!(void(&["http://{{ required }}"], " ").contains("empty host"));
        assert!(void(&["{{ nope }}"], "").contains("unknown variable"));
    }

    #[test]
    fn a_mistake_in_the_defaults_is_a_problem_at_startup() {
        for (entry, reason) in [
            ("nowhere", "does not contain a scheme"),
            ("http://a/path", "must not include a path"),
            ("{{ base }}/path", "has a path"),
            ("http://{{ empty }}:*", "empty host"),
        ] {
            let problem = rules(&[entry], "http://fine:1").unwrap_err().to_string();
            assert!(problem.contains(reason), "{entry}: {problem}");
        }
    }

    #[test]
    fn templates_that_expand_to_no_host_are_left_out() {
        let rules = rules(&["http://{{ empty }}", "https://{{ empty }}", "{{ empty }}"], "").unwrap();
        assert_eq!(rules.check(&Uri::from_static("http://a/")), Err(Refusal::NotListed));
    }

    #[test]
    fn a_template_allows_the_address_in_its_value() {
        let rules = rules(&["{{ base }}"], "http://tiingo:8001/").unwrap();
        assert_eq!(rules.check(&Uri::from_static("http://tiingo:8001/fetch")), Ok(()));
        assert_eq!(rules.check(&Uri::from_static("http://tiingo/fetch")), Err(Refusal::NotListed));
    }
}
