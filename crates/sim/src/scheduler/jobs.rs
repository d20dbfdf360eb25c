//! The eleven scheduled jobs as Cloud Scheduler knows them.
//!
//! This table is written down independently of the orchestrator's own, so that a test can hold one against the other.

use crate::endpoint::Endpoint;
use crate::watchlist::Scope;

/// One job of Cloud Scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The name in the body and in `X-CloudScheduler-JobName`.
    pub name: &'static str,
    /// The path that ticks are posted to.
    pub route: &'static str,
    /// The tickers that it covers.
    pub scope: Scope,
    /// Unix cron, in the time of New York.
    pub schedule: &'static str,
    /// The provider endpoints that the job must call.
    pub endpoints: &'static [Endpoint],
}

impl Job {
    /// The job of this name, if there is one.
    pub fn find(name: &str) -> Option<&'static Self> {
        JOBS.iter().find(|job| job.name == name)
    }
}

/// All jobs.
pub const JOBS: [Job; 11] = [
    Job {
        name: "tiingo-daily-prices",
        route: "/tiingo/daily-prices",
        scope: Scope::EntireWatchlist,
        schedule: "0 18 * * 1-5",
        endpoints: &[Endpoint::TiingoPrices],
    },
    Job {
        name: "tiingo-daily-prices-indices",
        route: "/tiingo/daily-prices-indices",
        scope: Scope::Indices,
        schedule: "5 18 * * 1-5",
        endpoints: &[Endpoint::TiingoPrices],
    },
    Job {
        name: "finnhub-quote-portfolio",
        route: "/finnhub/quote-portfolio",
        scope: Scope::ActiveSymbols,
        schedule: "*/5 9-16 * * 1-5",
        endpoints: &[Endpoint::FinnhubQuotes],
    },
    Job {
        name: "finnhub-quote-indices",
        route: "/finnhub/quote-indices",
        scope: Scope::Indices,
        schedule: "*/5 9-16 * * 1-5",
        endpoints: &[Endpoint::FinnhubQuotes],
    },
    Job {
        name: "finnhub-company-news-universe",
        route: "/finnhub/company-news-universe",
        scope: Scope::EntireWatchlist,
        schedule: "0 8-18/2 * * 1-5",
        endpoints: &[Endpoint::FinnhubNews],
    },
    Job {
        name: "finnhub-company-news-portfolio",
        route: "/finnhub/company-news-portfolio",
        scope: Scope::ActiveSymbols,
        schedule: "0 8-18 * * 1-5",
        endpoints: &[Endpoint::FinnhubNews],
    },
    Job {
        name: "finnhub-fundamentals-earnings",
        route: "/finnhub/fundamentals-earnings",
        scope: Scope::EntireWatchlist,
        schedule: "0 7 * * 1-5",
        endpoints: &[Endpoint::FinnhubFundamentals, Endpoint::FinnhubEarnings],
    },
    Job {
        name: "polygon-news-universe",
        route: "/polygon/news-universe",
        scope: Scope::EntireWatchlist,
        schedule: "0 8-17/3 * * 1-5",
        endpoints: &[Endpoint::PolygonNews],
    },
    Job {
        name: "polygon-news-portfolio",
        route: "/polygon/news-portfolio",
        scope: Scope::ActiveSymbols,
        schedule: "0 8-18 * * 1-5",
        endpoints: &[Endpoint::PolygonNews],
    },
    Job {
        name: "polygon-news-market",
        route: "/polygon/news-market",
        scope: Scope::None,
        schedule: "0,30 8-18 * * 1-5",
        endpoints: &[Endpoint::PolygonMarket],
    },
    Job {
        name: "alpha-vantage-technical-indicators",
        route: "/alphavantage/technical-indicators",
        scope: Scope::EntireWatchlist,
        schedule: "0 17 * * 1-5",
        endpoints: &[Endpoint::AlphavantageIndicators],
    },
];
