//! A scheduled job as Cloud Scheduler knows it.

use crate::endpoint::Endpoint;
use crate::watchlist::Scope;

/// One job of Cloud Scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The name in the body and in `X-CloudScheduler-JobName`.
    pub name: &'static str,
    /// The path to which ticks are posted.
    pub route: &'static str,
    /// The tickers that it covers.
    pub scope: Scope,
    /// Unix cron, in New York time.
    pub schedule: &'static str,
    /// The provider endpoints that the job must call.
    pub endpoints: &'static [Endpoint],
}
