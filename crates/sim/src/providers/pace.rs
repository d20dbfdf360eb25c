//! The time of a service, and the limits that the deployed services have in their code.
//!
//! Each service counts the requests that it sends upstream and refuses to send more than its plan allows; between
//! the tickers of its list it pauses. Both are part of what they are, so both are on unless a test says otherwise;
//! only the time in which they happen passes faster. A walk through a list keeps its own account of the time, so
//! that what is refused within one call does not depend on how busy the machine is.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lock;
use crate::endpoint::{DAY, MINUTE, Service};

/// How many times faster than real the services' time passes: their minute is a quarter of a second.
const QUICK: u32 = 240;

/// How the services keep time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The limits and pauses of the deployed services, so many times faster.
    Deployed {
        /// 1 is as in life.
        times_faster: u32,
    },
    /// No limits and no pauses: for tests and measurements that are about something else, and count calls.
    Unlimited,
}

impl Pace {
    /// As in life, to the second.
    pub const REAL: Self = Self::Deployed { times_faster: 1 };

    /// How long the services' minute takes, if they have one.
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

/// One service's time and its account of the requests that it has sent upstream.
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

    /// Starts the service's time afresh. Its start costs a request: each of them asks how upstream is.
    pub(super) fn start(&self, pace: Pace) {
        let mut account = lock(&self.0);
        *account = Account::new(account.service, pace);
        account.sent.push(Duration::ZERO);
    }

    pub(super) fn pace(&self) -> Pace {
        lock(&self.0).pace
    }

    /// Begins to work on a call.
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

    /// Sends requests upstream at `now`, or says in the service's words why not. Those that leave together are
    /// checked before any of them counts: five may pass where one was left.
    fn send(&mut self, now: Duration, together: usize) -> Result<(), String> {
        self.sent.retain(|sent| *sent + DAY > now);
        let within = |window: Duration| self.sent.iter().filter(|sent| **sent + window > now).count();
        for (window, limit, words) in self.service.spec().limits {
            if within(*window) >= *limit {
                return Err(format!("{words} ({limit}) exceeded"));
            }
        }
        self.sent.extend(std::iter::repeat_n(now, together));
        Ok(())
    }
}

/// A call on its way through its list, at a moment of the service's time.
#[derive(Debug)]
pub(super) struct Walk {
    meter: Meter,
    pace: Pace,
    now: Duration,
}

impl Walk {
    /// Sends a request upstream, or says in the service's words why not.
    pub(super) fn send(&self) -> Result<(), String> {
        self.send_together(1)
    }

    /// Sends several at once; all of them leave, or none.
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

    /// Waits as alphavantage does after a request that was answered: 12 s, then a little less each time, down to 10.
    /// So the sixth request of a call falls into the minute of the first and is refused.
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
    fn a_minute_holds_as_many_requests_as_the_code_says_and_the_next_one_none_of_them() {
        for (service, limit) in [(Service::TIINGO, 50), (Service::FINNHUB, 60), (Service::POLYGON, 5)] {
            let mut account = account(service);
            assert!((0..limit).all(|_| account.send(Duration::ZERO, 1).is_ok()));
            let refused = account.send(Duration::from_secs(59), 1).expect_err("refused");
            assert_eq!(refused, format!("Per-minute rate limit ({limit}) exceeded"));
            assert!(account.send(MINUTE, 1).is_ok(), "the window slides");
        }
    }

    #[test]
    fn five_that_leave_together_pass_where_one_was_left() {
        let mut tiingo = account(Service::TIINGO);
        assert!((0..49).all(|_| tiingo.send(Duration::ZERO, 1).is_ok()));
        assert!(tiingo.send(Duration::ZERO, 5).is_ok());
        assert!(tiingo.send(Duration::ZERO, 5).is_err());
    }

    #[test]
    fn tiingo_has_an_hour_and_alphavantage_a_day_too() {
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
