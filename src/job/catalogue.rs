//! The one table of jobs.
//!
//! Routes, names, scopes, provider calls, datasets, schedules and the documentation all come from
//! [`CATALOGUE`]: a new job is one more row.

use std::collections::BTreeSet;

use crate::job::Scope;
use crate::persist::datasets::Dataset;

/// A provider service, which a job's calls go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    Tiingo,
    Finnhub,
    Polygon,
    AlphaVantage,
}

impl Provider {
    /// Every provider, in the order in which people see them.
    pub const ALL: [Self; 4] = [Self::Tiingo, Self::Finnhub, Self::Polygon, Self::AlphaVantage];

    /// The name in code, logs, metric labels, variables and stored documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiingo => "tiingo",
            Self::Finnhub => "finnhub",
            Self::Polygon => "polygon",
            Self::AlphaVantage => "alphavantage",
        }
    }

    /// This provider's one of four things that are kept in the order of [`Provider::ALL`].
    pub fn pick<T>(self, [tiingo, finnhub, polygon, alphavantage]: [T; 4]) -> T {
        match self {
            Self::Tiingo => tiingo,
            Self::Finnhub => finnhub,
            Self::Polygon => polygon,
            Self::AlphaVantage => alphavantage,
        }
    }

    /// The paths of its endpoints, each once.
    pub fn endpoints(self) -> BTreeSet<&'static str> {
        let jobs = CATALOGUE.iter().filter(|job| job.provider == self);
        jobs.flat_map(|job| job.endpoints).map(|endpoint| endpoint.path).collect()
    }

    /// The provider of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }
}

/// One path of a provider's service and what it returns.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Path below the service's base URL.
    pub path: &'static str,
    /// How its entries become records.
    pub dataset: Dataset,
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

/// All jobs.
pub const CATALOGUE: &[Job] = &[
    Job {
        name: "tiingo-daily-prices",
        route: "/tiingo/daily-prices",
        scope: Scope::EntireWatchlist,
        provider: Provider::Tiingo,
        endpoints: &[Endpoint { path: "/fetch", dataset: Dataset::DailyPrices }],
        schedule: "0 18 * * 1-5",
        summary: "End-of-day prices of the entire watchlist",
    },
    Job {
        name: "tiingo-daily-prices-indices",
        route: "/tiingo/daily-prices-indices",
        scope: Scope::Indices,
        provider: Provider::Tiingo,
        endpoints: &[Endpoint { path: "/fetch", dataset: Dataset::DailyPrices }],
        schedule: "5 18 * * 1-5",
        summary: "End-of-day prices of the market indices",
    },
    Job {
        name: "finnhub-quote-portfolio",
        route: "/finnhub/quote-portfolio",
        scope: Scope::ActiveSymbols,
        provider: Provider::Finnhub,
        endpoints: &[Endpoint { path: "/fetch", dataset: Dataset::Quotes }],
        schedule: "*/5 9-16 * * 1-5",
        summary: "Intraday quotes of the active positions",
    },
    Job {
        name: "finnhub-quote-indices",
        route: "/finnhub/quote-indices",
        scope: Scope::Indices,
        provider: Provider::Finnhub,
        endpoints: &[Endpoint { path: "/fetch", dataset: Dataset::Quotes }],
        schedule: "*/5 9-16 * * 1-5",
        summary: "Intraday quotes of the market indices",
    },
    Job {
        name: "finnhub-company-news-universe",
        route: "/finnhub/company-news-universe",
        scope: Scope::EntireWatchlist,
        provider: Provider::Finnhub,
        endpoints: &[Endpoint { path: "/fetch/news", dataset: Dataset::FinnhubNews }],
        schedule: "0 8-18/2 * * 1-5",
        summary: "Company news of the entire watchlist",
    },
    Job {
        name: "finnhub-company-news-portfolio",
        route: "/finnhub/company-news-portfolio",
        scope: Scope::ActiveSymbols,
        provider: Provider::Finnhub,
        endpoints: &[Endpoint { path: "/fetch/news", dataset: Dataset::FinnhubNews }],
        schedule: "0 8-18 * * 1-5",
        summary: "Company news of the active positions",
    },
    Job {
        name: "finnhub-fundamentals-earnings",
        route: "/finnhub/fundamentals-earnings",
        scope: Scope::EntireWatchlist,
        provider: Provider::Finnhub,
        endpoints: &[
            Endpoint { path: "/fetch/fundamentals", dataset: Dataset::Fundamentals },
            Endpoint { path: "/fetch/earnings", dataset: Dataset::Earnings },
        ],
        schedule: "0 7 * * 1-5",
        summary: "Fundamentals and the earnings calendar of the entire watchlist",
    },
    Job {
        name: "polygon-news-universe",
        route: "/polygon/news-universe",
        scope: Scope::EntireWatchlist,
        provider: Provider::Polygon,
        endpoints: &[Endpoint { path: "/fetch", dataset: Dataset::PolygonNews }],
        schedule: "0 8-17/3 * * 1-5",
        summary: "Company news of the entire watchlist",
    },
    Job {
        name: "polygon-news-portfolio",
        route: "/polygon/news-portfolio",
        scope: Scope::ActiveSymbols,
        provider: Provider::Polygon,
        endpoints: &[Endpoint { path: "/fetch", dataset: Dataset::PolygonNews }],
        schedule: "0 8-18 * * 1-5",
        summary: "Company news of the active positions",
    },
    Job {
        name: "polygon-news-market",
        route: "/polygon/news-market",
        scope: Scope::None,
        provider: Provider::Polygon,
        endpoints: &[Endpoint { path: "/fetch/market", dataset: Dataset::MarketNews }],
        schedule: "0,30 8-18 * * 1-5",
        summary: "Market-wide news",
    },
    Job {
        name: "alpha-vantage-technical-indicators",
        route: "/alphavantage/technical-indicators",
        scope: Scope::EntireWatchlist,
        provider: Provider::AlphaVantage,
        endpoints: &[Endpoint { path: "/fetch", dataset: Dataset::TechnicalIndicators }],
        schedule: "0 17 * * 1-5",
        summary: "Technical indicators of the entire watchlist",
    },
];

/// The job of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Job> {
    CATALOGUE.iter().find(|job| job.name == name)
}

/// The names of all jobs, for messages: `a, b, c`.
pub fn names() -> String {
    CATALOGUE.iter().map(|job| job.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_routes_are_unique() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|job| job.name).collect();
        let routes: BTreeSet<_> = CATALOGUE.iter().map(|job| job.route).collect();
        assert_eq!((names.len(), routes.len()), (CATALOGUE.len(), CATALOGUE.len()));
    }

    #[test]
    fn every_job_has_an_endpoint_and_a_five_field_schedule() {
        for job in CATALOGUE {
            assert!(!job.endpoints.is_empty(), "{}", job.name);
            assert_eq!(job.schedule.split_whitespace().count(), 5, "{}", job.name);
        }
    }

    #[test]
    fn a_provider_is_found_by_its_name() {
        for provider in Provider::ALL {
            assert_eq!(Provider::parse(provider.name()), Some(provider));
        }
        assert_eq!(Provider::parse("bloomberg"), None);
    }
}
