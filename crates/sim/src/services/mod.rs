//! The simulated services: one file each, with its endpoints, data, error messages and Cloud Scheduler's jobs for it.

mod alphavantage;
mod finnhub;
mod level;
mod news;
mod polygon;
mod tiingo;

use crate::endpoint::{Endpoint, Service};
use crate::job::Job;
pub use alphavantage::INDICATORS;

/// Every service with its jobs, in the order of their default ports.
const SERVICES: &[(Service, &[Job])] = &[
    (Service::TIINGO, tiingo::JOBS),
    (Service::FINNHUB, finnhub::JOBS),
    (Service::POLYGON, polygon::JOBS),
    (Service::ALPHAVANTAGE, alphavantage::JOBS),
];

const ENDPOINTS: usize = {
    let (mut count, mut place) = (0, 0);
    while place < SERVICES.len() {
        count += SERVICES[place].0.spec().endpoints.len();
        place += 1;
    }
    count
};

const JOB_COUNT: usize = {
    let (mut count, mut place) = (0, 0);
    while place < SERVICES.len() {
        count += SERVICES[place].1.len();
        place += 1;
    }
    count
};

impl Service {
    /// All of them, in the order of their default ports.
    pub const ALL: [Self; SERVICES.len()] = {
        let mut all = [SERVICES[0].0; SERVICES.len()];
        let mut place = 0;
        while place < SERVICES.len() {
            all[place] = SERVICES[place].0;
            place += 1;
        }
        all
    };
}

impl Endpoint {
    /// All of them, by service.
    pub const ALL: [Self; ENDPOINTS] = {
        let mut all = [SERVICES[0].0.spec().endpoints[0]; ENDPOINTS];
        let (mut count, mut place) = (0, 0);
        while place < SERVICES.len() {
            let endpoints = SERVICES[place].0.spec().endpoints;
            let mut own = 0;
            while own < endpoints.len() {
                all[count] = endpoints[own];
                (count, own) = (count + 1, own + 1);
            }
            place += 1;
        }
        all
    };
}

/// Cloud Scheduler's jobs, by service.
pub const JOBS: [Job; JOB_COUNT] = {
    let mut all = [SERVICES[0].1[0]; JOB_COUNT];
    let (mut count, mut place) = (0, 0);
    while place < SERVICES.len() {
        let mut own = 0;
        while own < SERVICES[place].1.len() {
            all[count] = SERVICES[place].1[own];
            (count, own) = (count + 1, own + 1);
        }
        place += 1;
    }
    all
};

impl Job {
    /// The job of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        const ALL: &[Job] = &JOBS;
        ALL.iter().find(|job| job.name == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_endpoint_is_found_by_its_service_and_path() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::find(endpoint.service(), endpoint.path()), Some(endpoint));
        }
        assert_eq!(Endpoint::find(Service::TIINGO, "/fetch/news"), None);
    }

    #[test]
    fn every_service_offers_its_own_endpoints() {
        for service in Service::ALL {
            let endpoints = service.spec().endpoints;
            assert!(!endpoints.is_empty() && endpoints.iter().all(|endpoint| endpoint.service() == service));
        }
    }

    #[test]
    fn a_quote_is_named_after_its_second_in_utc() {
        let quote = json!({"ticker": "AAPL", "timestamp": 1_710_518_400});
        assert_eq!(Endpoint::FINNHUB_QUOTES.document_id(&quote).as_deref(), Some("AAPL_2024-03-15T16:00:00"));
    }

    #[test]
    fn a_record_without_date_has_no_document() {
        assert_eq!(Endpoint::TIINGO_PRICES.document_id(&json!({"ticker": "AAPL"})), None);
    }
}
