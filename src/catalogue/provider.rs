//! A provider as data, and the small key by which everything else refers to it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::providers::{COUNT, PROVIDERS};
use super::trouble::Phrase;
use super::{Dataset, Job};

/// Everything that the component knows about a provider: one file below `providers/`.
pub struct ProviderSpec {
    /// The name in code, logs, metric labels, settings and stored documents.
    pub name: &'static str,
    /// The name that people read.
    pub title: &'static str,
    /// The default address of its service; `{name}_service_url` overrides it.
    pub service_url: &'static str,
    /// Default number of tickers per call; `batch_size_{name}` overrides it.
    pub batch_size: u16,
    /// Default number of concurrent calls; `max_concurrency_{name}` overrides it.
    pub max_concurrency: u16,
    /// The prefix of article IDs from its service.
    pub article_prefixes: &'static [&'static str],
    /// What its service's error messages mean, in lower case; the first matching phrase decides.
    pub phrases: &'static [Phrase],
    /// What further phrases mean if a ticker has no data at all.
    pub phrases_without_data: &'static [Phrase],
    pub jobs: &'static [Job],
}

/// A provider service, the target of a job's calls.
#[derive(Clone, Copy)]
pub struct Provider(pub(super) &'static ProviderSpec);

#[cfg_attr(
    not(test),
    expect(clippy::indexing_slicing, reason = "a constant: where this would panic, the build fails")
)]
const ALL: [Provider; COUNT] = {
    let mut all = [Provider(PROVIDERS[0]); COUNT];
    let mut place = 1;
    while place < COUNT {
        all[place] = Provider(PROVIDERS[place]);
        place += 1;
    }
    all
};

impl Provider {
    /// Every provider, in the order in which people see them.
    pub const fn all() -> [Self; COUNT] {
        ALL
    }

    /// The provider of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        ALL.into_iter().find(|provider| provider.name() == name)
    }

    pub const fn spec(self) -> &'static ProviderSpec {
        self.0
    }

    /// The name in code, logs, metric labels, settings and stored documents.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The paths of its endpoints, each once.
    pub fn endpoints(self) -> BTreeSet<&'static str> {
        self.0.jobs.iter().flat_map(|job| job.endpoints).map(|endpoint| endpoint.path).collect()
    }

    /// Its datasets, in the order of its jobs, each once.
    pub fn datasets(self) -> Vec<&'static Dataset> {
        let mut datasets: Vec<&'static Dataset> = Vec::new();
        for endpoint in self.0.jobs.iter().flat_map(|job| job.endpoints) {
            if !datasets.contains(&endpoint.dataset) {
                datasets.push(endpoint.dataset);
            }
        }
        datasets
    }

    fn place(self) -> usize {
        ALL.iter().position(|known| *known == self).unwrap_or_default()
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Provider {}

impl Hash for Provider {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl PartialOrd for Provider {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Provider {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.title)
    }
}

/// One value for each provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PerProvider<T>([T; COUNT]);

impl<T> PerProvider<T> {
    /// Makes the value of each.
    pub fn from_fn(make: impl FnMut(Provider) -> T) -> Self {
        Self(ALL.map(make))
    }

    pub fn get(&self, provider: Provider) -> &T {
        let [first, others @ ..] = &self.0;
        // The place before the first wraps around and is not among the others.
        others.get(provider.place().wrapping_sub(1)).unwrap_or(first)
    }

    pub fn get_mut(&mut self, provider: Provider) -> &mut T {
        let [first, others @ ..] = &mut self.0;
        others.get_mut(provider.place().wrapping_sub(1)).unwrap_or(first)
    }

    /// All of them, each with its provider, in the order in which people see them.
    pub fn iter(&self) -> impl Iterator<Item = (Provider, &T)> {
        ALL.into_iter().zip(&self.0)
    }
}

impl<T> PerProvider<Option<T>> {
    /// All values, if none is missing.
    pub fn complete(self) -> Option<PerProvider<T>> {
        let values: Vec<T> = self.0.into_iter().collect::<Option<_>>()?;
        values.try_into().ok().map(PerProvider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_found_by_its_name() {
        for provider in Provider::all() {
            assert_eq!(Provider::parse(provider.name()), Some(provider));
        }
        assert_eq!(Provider::parse("bloomberg"), None);
    }

    #[test]
    fn every_provider_has_a_name_of_its_own_and_jobs_that_name_it() {
        let names: BTreeSet<_> = Provider::all().map(Provider::name).into();
        assert_eq!(names.len(), Provider::all().len());
        for provider in Provider::all() {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            assert!(
                provider.name().chars().all(is_plain),
                "{provider:?}: its name is part of settings' names"
            );
            assert!(!provider.spec().jobs.is_empty(), "{provider:?}");
            assert!(provider.spec().jobs.iter().all(|job| job.provider == provider), "{provider:?}");
        }
    }

    #[test]
    fn phrases_are_in_lower_case() {
        for spec in Provider::all().map(Provider::spec) {
            for (phrase, _) in spec.phrases.iter().chain(spec.phrases_without_data) {
                assert_eq!(*phrase, phrase.to_lowercase(), "{}", spec.name);
            }
        }
    }

    #[test]
    fn each_provider_has_a_value_of_its_own() {
        let mut names = PerProvider::from_fn(|provider| provider.name().to_owned());
        for provider in Provider::all() {
            assert_eq!(names.get(provider), provider.name());
            names.get_mut(provider).push('!');
        }
        for (provider, name) in names.iter() {
            assert_eq!(*name, format!("{}!", provider.name()));
        }
        let one_missing = PerProvider::from_fn(|provider| Some(()).filter(|()| provider.place() > 0));
        assert_eq!(one_missing.complete(), None);
    }
}
