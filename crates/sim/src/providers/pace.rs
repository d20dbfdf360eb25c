//! A service's pace: the limits and pauses in the code of the deployed services, in scaled time.
//!
//! Each service counts the requests that it sends upstream, refuses to send more than its plan allows, and pauses
//! between the tickers of its list. Both are on unless a test turns them off; only their time passes faster. Each call
//! keeps its own account of time, so that what it is refused does not depend on how busy the machine is.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lock;
use crate::endpoint::{DAY, MINUTE, Service};

/// How many times faster the services' time passes by default: their minute is a quarter of a second.
const QUICK: u32 = 240;

/// The services' limits and pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The limits and pauses of the deployed services, faster than real time.
    Deployed {
        /// 1 is real time.
        times_faster: u32,
    },
    /// No limits and no pauses: for tests and measurements of something else, which count calls.
    Unlimited,
}

impl Pace {
    /// Real time.
    pub const REAL: Self = Self::Deployed { times_faster: 1 };

    /// The real duration of the services' minute; zero without limits.
    pub fn minute(self) -> Duration {
        match self {
            Self::Deployed { times_faster } => MINUTE / times_faster.max(1),
            Self::Unlimited => Duration::ZERO,
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::Deployed { times_faster: QUICK }
    }
}

/// One service's clock and the upstream requests that it has sent.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<Mutex<Account>>);

#[derive(Debug)]
struct Account {
    service: Service,
    pace: Pace,
    started: Instant,
    /// When requests were sent, by the service's time since it started.
    sent: Vec<Duration>,
    /// How long alphavantage waits after its next request.
    wait: Duration,
}

impl Meter {
    pub(super) fn new(service: Service) -> Self {
        Self(Arc::new(Mutex::new(Account::new(service, Pace::default()))))
    }

    /// Resets the service's clock and limits. Starting costs a request: each service checks upstream's health.
    pub(super) fn start(&self, pace: Pace) {
        let mut account = lock(&self.0);
        *account = Account::new(account.service, pace);
        account.sent.push(Duration::ZERO);
    }

    pub(super) fn pace(&self) -> Pace {
        lock(&self.0).pace
    }

    /// Begins a call.
    pub(super) fn walk(&self) -> Walk {
        let account = lock(&self.0);
        let now = match account.pace {
            Pace::Deployed { times_faster } => account.started.elapsed() * times_faster,
            Pace::Unlimited => Duration::ZERO,
        };
        Walk { meter: self.clone(), pace: account.pace, now }
    }
}

impl Account {
    fn new(service: Service, pace: Pace) -> Self {
        let wait = Duration::from_secs(12);
        Self { service, pace, started: Instant::now(), sent: Vec::new(), wait }
    }

    /// Sends requests upstream at `now`, or returns the service's error message. Requests that are sent together are
    /// checked before any of them counts: five may pass when one was left.
    fn send(&mut self, now: Duration, together: usize) -> Result<(), String> {
        self.sent.retain(|sent| *sent + DAY > now);
        let within = |window: Duration| self.sent.iter().filter(|sent| **sent + window > now).count();
        for (window, limit, message) in self.service.spec().limits {
            if within(*window) >= *limit {
                return Err(format!("{message} ({limit}) exceeded"));
            }
        }
        self.sent.extend(std::iter::repeat_n(now, together));
        Ok(())
    }
}

/// A call working through its list, and its time on the service's clock.
#[derive(Debug)]
pub(super) struct Walk {
    meter: Meter,
    pace: Pace,
    now: Duration,
}

impl Walk {
    /// Sends a request upstream, or returns the service's error message.
    pub(super) fn send(&self) -> Result<(), String> {
        self.send_together(1)
    }

    /// Sends several at once: all of them or none.
    pub(super) fn send_together(&self, count: usize) -> Result<(), String> {
        if self.pace == Pace::Unlimited { Ok(()) } else { lock(&self.meter.0).send(self.now, count) }
    }

    /// Waits as the service does between two tickers.
    pub(super) async fn pause(&mut self, pause: Duration) {
        if let Pace::Deployed { times_faster } = self.pace {
            self.now += pause;
            tokio::time::sleep(pause / times_faster.max(1)).await;
        }
    }

    /// Waits as alphavantage does after an answered request: 12 s, then a little less each time, down to 10 s. So the
    /// sixth request of a call falls into the same minute as the first and is refused.
    pub(super) async fn wait(&mut self) {
        let wait = {
            let mut account = lock(&self.meter.0);
            account.wait = (account.wait * 95 / 100).max(Duration::from_secs(10));
            account.wait
        };
        self.pause(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::HOUR;

    fn account(service: Service) -> Account {
        Account::new(service, Pace::REAL)
    }

    #[test]
    fn a_minute_allows_as_many_requests_as_its_limit_and_the_window_slides() {
        for (service, limit) in [(Service::TIINGO, 50), (Service::FINNHUB, 60), (Service::POLYGON, 5)] {
            let mut account = account(service);
            assert!((0..limit).all(|_| account.send(Duration::ZERO, 1).is_ok()));
            let refused = account.send(Duration::from_secs(59), 1).expect_err("refused");
            assert_eq!(refused, format!("Per-minute rate limit ({limit}) exceeded"));
            assert!(account.send(MINUTE, 1).is_ok(), "the window slides");
        }
    }

    #[test]
    fn five_sent_together_pass_when_one_was_left() {
        let mut tiingo = account(Service::TIINGO);
        assert!((0..49).all(|_| tiingo.send(Duration::ZERO, 1).is_ok()));
        assert!(tiingo.send(Duration::ZERO, 5).is_ok());
        assert!(tiingo.send(Duration::ZERO, 5).is_err());
    }

    #[test]
    fn tiingo_also_has_an_hourly_and_alphavantage_a_daily_limit() {
        let seconds = |seconds: usize| Duration::from_secs(seconds as u64);
        let mut tiingo = account(Service::TIINGO);
        assert!((0..1000).all(|place| tiingo.send(seconds(place * 2), 1).is_ok()));
        assert_eq!(tiingo.send(seconds(2000), 1).expect_err("refused"), "Hourly rate limit (1000) exceeded");
        let mut alphavantage = account(Service::ALPHAVANTAGE);
        assert!((0..500).all(|place| alphavantage.send(seconds(place * 12), 1).is_ok()));
        let refused = alphavantage.send(seconds(500 * 12), 1).expect_err("refused");
        assert_eq!(refused, "Daily rate limit (500) exceeded");
    }

    #[tokio::test]
    async fn without_limits_nothing_is_refused_and_nothing_waits() {
        let meter = Meter::new(Service::POLYGON);
        meter.start(Pace::Unlimited);
        let mut walk = meter.walk();
        for _ in 0..100 {
            assert!(walk.send().is_ok());
            walk.pause(HOUR).await;
        }
    }
}
