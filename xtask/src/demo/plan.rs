//! The expected results of the demo, computed with the simulators' own functions.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use orchestrator::config::keys;
use sim::data::{self, Spec};
use sim::scheduler::{JOBS, Job};
use sim::watchlist::{Scope, Watchlist};

/// Document ids by collection.
pub type Documents = BTreeMap<&'static str, BTreeSet<String>>;

/// One job and its expected results.
#[derive(Debug)]
pub struct JobPlan {
    pub job: &'static Job,
    pub tickers: usize,
    /// Provider calls; each response becomes one raw log.
    pub calls: usize,
    pub documents: Documents,
}

impl JobPlan {
    /// Number of documents.
    pub fn records(&self) -> usize {
        self.documents.values().map(BTreeSet::len).sum()
    }
}

/// Every job of Cloud Scheduler with this watchlist.
pub fn plan(watchlist: &Watchlist, spec: &Spec, run_time: DateTime<Utc>) -> Result<Vec<JobPlan>> {
    JOBS.iter().map(|job| plan_job(job, watchlist, spec, run_time)).collect()
}

/// The documents of all jobs together: jobs with the same tickers write the same ones.
pub fn all_documents(plans: &[JobPlan]) -> Documents {
    let mut all = Documents::new();
    for (collection, ids) in plans.iter().flat_map(|plan| &plan.documents) {
        all.entry(collection).or_default().extend(ids.iter().cloned());
    }
    all
}

/// One job with this watchlist.
pub fn plan_job(
    job: &'static Job,
    watchlist: &Watchlist,
    spec: &Spec,
    run_time: DateTime<Utc>,
) -> Result<JobPlan> {
    let tickers = watchlist.tickers(job.scope);
    let mut calls = 0;
    let mut documents = Documents::new();
    for endpoint in job.endpoints {
        let batches =
            tickers.len().div_ceil(default_of(&format!("batch_size_{}", endpoint.service().name()))?);
        calls += if job.scope == Scope::None { 1 } else { batches };
        for (collection, id) in data::documents(spec, *endpoint, &tickers, run_time).into_keys() {
            documents.entry(collection).or_default().insert(id);
        }
    }
    Ok(JobPlan { job, tickers: tickers.len(), calls, documents })
}

/// The component's default, which the demo does not change.
pub fn default_of(name: &str) -> Result<usize> {
    let key = keys::find(name).with_context(|| format!("unknown setting {name}"))?;
    key.default.parse().with_context(|| format!("the default of {name} is not a number"))
}

#[cfg(test)]
mod tests {
    use orchestrator::catalogue::jobs;

    use super::*;

    #[test]
    fn the_simulators_jobs_match_the_catalogue() {
        let ours: Vec<_> = jobs()
            .map(|job| {
                let paths: Vec<_> = job.endpoints.iter().map(|endpoint| endpoint.path).collect();
                (job.name, job.route, job.scope.name(), job.schedule, job.provider.name(), paths)
            })
            .collect();
        let theirs: Vec<_> = JOBS
            .iter()
            .map(|job| {
                let paths: Vec<_> = job.endpoints.iter().map(|endpoint| endpoint.path()).collect();
                let provider = job.endpoints[0].service().name();
                (job.name, job.route, job.scope.name(), job.schedule, provider, paths)
            })
            .collect();
        assert_eq!(ours, theirs, "the simulators' jobs and orchestrator::catalogue::jobs() differ");
    }

    #[test]
    fn calls_and_documents_follow_from_the_watchlist() {
        let plans = plan(&Watchlist::new(500, 50), &Spec::default(), data::moment(None)).unwrap();
        let of = |name: &str| {
            let plan = plans.iter().find(|plan| plan.job.name == name).unwrap();
            (plan.tickers, plan.calls, plan.records())
        };
        assert_eq!(of("tiingo-daily-prices"), (508, 11, 508 * 5));
        assert_eq!(of("finnhub-quote-indices"), (8, 1, 8));
        assert_eq!(of("finnhub-fundamentals-earnings"), (508, 22, 508 + 508 * 5));
        assert_eq!(of("polygon-news-market"), (0, 1, 20));
        assert_eq!(of("alpha-vantage-technical-indicators"), (508, 254, 508 * 7));
        let prices = &all_documents(&plans)["prices_daily"];
        assert_eq!(prices.len(), 508 * 5, "the indices are part of the watchlist");
    }
}
