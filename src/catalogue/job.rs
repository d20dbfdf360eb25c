//! The jobs: all rows of all providers' files.
//!
//! Routes, names, scopes, provider calls, datasets, schedules and the documentation all come from
//! [`jobs`]: a further job is one more row in its provider's file.

use chrono::NaiveDate;

use super::providers::PROVIDERS;
use super::{Collection, Dataset, Provider, Scope};

/// One path of a provider's service and what it returns.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Path below the service's base URL.
    pub path: &'static str,
    /// How its entries become records.
    pub dataset: &'static Dataset,
    /// How it takes a range of days; none if it cannot.
    pub window: Option<&'static WindowParameters>,
}

/// How an endpoint takes a range of days.
#[derive(Debug, PartialEq, Eq)]
pub struct WindowParameters {
    /// The parameter with the first day, `YYYY-MM-DD`.
    pub from: &'static str,
    /// The parameter with the last day; none if the endpoint takes one day at a time.
    pub to: Option<&'static str>,
    /// Most days in one request.
    pub days_max: u64,
    /// Records of a ticker to expect for a day.
    pub records_a_day: u64,
    /// The field of a record that says when it is from: a day, an RFC 3339 time, or a Unix time.
    pub dated: &'static str,
}

impl WindowParameters {
    /// The parameters of a request for these days.
    pub fn parameters(&self, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = (&'static str, String)> {
        let last = self.to.map(|name| (name, to));
        std::iter::once((self.from, from)).chain(last).map(|(name, day)| (name, day.to_string()))
    }
}

/// One named unit of work.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    /// The name Cloud Scheduler sends in `job`.
    pub name: &'static str,
    /// The route Cloud Scheduler posts to.
    pub route: &'static str,
    /// Which tickers it covers.
    pub scope: Scope,
    pub provider: Provider,
    /// Every batch of tickers goes to each of these.
    pub endpoints: &'static [Endpoint],
    /// Cron schedule, in [`SCHEDULE_TIME_ZONE`].
    pub schedule: &'static str,
    /// What it does, for people.
    pub summary: &'static str,
}

/// The time zone in which every schedule is read.
pub const SCHEDULE_TIME_ZONE: &str = "America/New_York";

/// All jobs, in the order in which people see them.
pub fn jobs() -> impl Iterator<Item = &'static Job> + Clone {
    PROVIDERS.iter().flat_map(|spec| spec.jobs)
}

/// The job of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Job> {
    jobs().find(|job| job.name == name)
}

/// The names of all jobs, for messages: `a, b, c`.
pub fn names() -> String {
    jobs().map(|job| job.name).collect::<Vec<_>>().join(", ")
}

/// The dataset of that name, if there is one.
pub fn find_dataset(name: &str) -> Option<&'static Dataset> {
    datasets().find(|dataset| dataset.name == name)
}

/// All datasets, each once.
pub fn datasets() -> impl Iterator<Item = &'static Dataset> {
    Provider::all().into_iter().flat_map(Provider::datasets)
}

/// The collections of all datasets, each once.
pub fn collections() -> Vec<&'static Collection> {
    let mut collections: Vec<&'static Collection> = Vec::new();
    for dataset in datasets() {
        if !collections.contains(&dataset.collection) {
            collections.push(dataset.collection);
        }
    }
    collections
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalogue::dataset::IdPart;

    #[test]
    fn names_and_routes_are_unique() {
        let names: BTreeSet<_> = jobs().map(|job| job.name).collect();
        let routes: BTreeSet<_> = jobs().map(|job| job.route).collect();
        assert_eq!((names.len(), routes.len()), (jobs().count(), jobs().count()));
    }

    #[test]
    fn every_job_has_an_endpoint_and_a_five_field_schedule() {
        for job in jobs() {
            assert!(!job.endpoints.is_empty(), "{}", job.name);
            assert_eq!(job.schedule.split_whitespace().count(), 5, "{}", job.name);
        }
    }

    #[test]
    fn datasets_and_settings_of_collections_are_unique() {
        let names: BTreeSet<_> = datasets().map(|dataset| dataset.name).collect();
        assert_eq!(names.len(), datasets().count());
        let keys: BTreeSet<_> = collections().iter().map(|collection| collection.key).collect();
        assert_eq!(keys.len(), collections().len(), "one setting stands for two collections");
    }

    #[test]
    fn every_endpoint_of_a_provider_has_one_dataset() {
        for provider in Provider::all() {
            let endpoints = provider.spec().jobs.iter().flat_map(|job| job.endpoints);
            let pairs: BTreeSet<_> =
                endpoints.map(|endpoint| (endpoint.path, endpoint.dataset.name)).collect();
            assert_eq!(pairs.len(), provider.endpoints().len(), "{provider:?}");
        }
    }

    #[test]
    fn ids_are_made_of_fields_that_every_record_has() {
        for dataset in datasets() {
            for part in dataset.id {
                let (IdPart::Field(name) | IdPart::Second(name) | IdPart::Day(name)) = *part else {
                    continue;
                };
                let is_required = dataset.fields.iter().any(|field| field.name == name && field.required);
                assert!(is_required || matches!(name, "ticker" | "article_id"), "{dataset:?}: {name}");
            }
        }
    }
}
