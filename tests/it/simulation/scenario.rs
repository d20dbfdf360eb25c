//! What a seed determines: settings, tickers, ticks and faults.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::America::New_York;
use orchestrator::catalogue::{Job, Provider, Scope, Ticks, jobs};
use orchestrator::settings::Config;
use sim::endpoint::Endpoint;

use super::alarms::Alarms;
use super::operators::Orders;
use super::provider::Fetch;
use super::settings::settings;
use super::storm::Storm;
pub(super) use super::tick::Tick;
use crate::world::clock::EPOCH;
use crate::world::dice::Dice;

/// A whole scenario.
#[derive(Debug)]
pub(super) struct Scenario {
    /// The civil time at its beginning.
    pub(super) begins: DateTime<Utc>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) instances: usize,
    /// Symbols of the watchlist; those at odd places are active positions.
    pub(super) tickers: Vec<String>,
    pub(super) ticks: Vec<Tick>,
    pub(super) storms: Vec<Storm>,
    /// Tickers that break every batch they are in.
    pub(super) poison: BTreeMap<String, Poison>,
    /// Whether poison outlasts the storms.
    pub(super) poison_stays: bool,
    /// Tickers of which the providers have no current data.
    pub(super) thin: BTreeMap<String, Thin>,
    /// Tickers whose records the providers change, and then change back: from when until when they say something else.
    pub(super) restated: BTreeMap<String, (Duration, Duration)>,
    /// Until then, no provider has the data of the latest session.
    pub(super) published_at: Duration,
    /// When the faults end.
    pub(super) calm_at: Duration,
    /// Percentage of instances that will die.
    pub(super) mortality: u64,
    /// How far a wall clock may be off, in milliseconds; by more than [`Self::BEHIND_MS_MAX`] only ahead.
    pub(super) skew_ms: u64,
    pub(super) records_per_ticker: usize,
    /// Articles of polygon's company news per ticker, if there are more than other records.
    pub(super) articles_per_ticker: Option<usize>,
    /// How the services keep to their own limits.
    pub(super) pacing: Option<Pacing>,
    /// Whether every request gets a new instance, as on a platform that drops idle ones at once.
    pub(super) is_forgetful: bool,
    /// Who is told about alerts.
    pub(super) alarms: Alarms,
    pub(super) orders: Orders,
}

/// How a deployed service keeps to its limit: it answers 200 and reports the limit as the tickers' error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacing {
    /// Tickers that it requests from its upstream in any 60 seconds.
    pub(super) per_minute: usize,
    /// Its pause after each ticker.
    pub(super) pause: Duration,
    /// Whether the service for indicators drops upstream's message about the limit.
    pub(super) is_mute: bool,
}

/// What a bad ticker does to its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poison {
    /// 422 for the whole batch.
    Rejected,
    /// 500 for the whole batch.
    Crash,
    /// An error in its entry.
    Error,
    /// 422 that names its position.
    Named,
    /// No response to the whole batch.
    Hang,
    /// A broken connection.
    Reset,
    /// A body that is not JSON.
    Garbage,
    /// None of its indicators has data, as when the daily limit is used up.
    Barren,
}

/// What a provider has of a ticker that it does not have current data of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thin {
    /// Nothing.
    Empty,
    /// Only data of a week before.
    Stale,
    /// The same of a single indicator, and nothing of another one. Of other data: only that of a week before.
    PartlyStale,
}

/// Beginnings of worlds, beside an ordinary Monday noon. Ticks come within the first quarter of an hour.
const SPECIAL_DAYS: [&str; 11] = [
    // Thanksgiving Day: its noon, and the minutes before its end in New York.
    "2026-11-26T17:00:00Z",
    "2026-11-27T04:55:00Z",
    // Half an hour after an early close, on the day after it and on Christmas Eve.
    "2026-11-27T18:22:00Z",
    "2026-12-24T18:28:00Z",
    // The afternoons after two early closes: the indicators' runs of the days before were about earlier sessions.
    "2026-11-27T21:50:00Z",
    "2026-12-24T21:50:00Z",
    // A Sunday, and its end in New York.
    "2026-11-29T15:00:00Z",
    "2026-11-30T04:52:00Z",
    // The nights in which the clocks change, before both.
    "2026-11-01T05:50:00Z",
    "2027-03-14T06:50:00Z",
    // A day that the operator closed.
    "2027-01-08T15:00:00Z",
];

/// Maximum tickers in a world on which a service hangs.
const HANGING_MAX: usize = 3;

const POISONS: [Poison; 8] = [
    Poison::Rejected,
    Poison::Crash,
    Poison::Error,
    Poison::Named,
    Poison::Hang,
    Poison::Reset,
    Poison::Garbage,
    Poison::Barren,
];

impl Scenario {
    /// An instance whose clock is further behind takes the scheduler's ticks for future ones.
    pub(super) const BEHIND_MS_MAX: u64 = 20_000;

    pub(super) fn draw(dice: &Dice) -> Self {
        let is_big = dice.chance(2);
        let size = match dice.chance(50) {
            _ if is_big => dice.between(500, 2_000),
            true => dice.between(1, 8),
            false => dice.between(9, 60),
        };
        let tickers: Vec<String> = (0..size).map(symbol).collect();
        let calm_at = Duration::from_secs(dice.between(30, 1_800));
        let mut ticks: Vec<_> =
            (0..dice.between(1, 3)).map(|number| tick(dice, &tickers, calm_at, number)).collect();
        if dice.chance(40) {
            feed_one_dataset(&mut ticks);
        }
        let storms_max = if is_big || dice.chance(20) { 0 } else { 6 };
        let storms = (0..dice.between(0, storms_max)).map(|_| Storm::draw(dice, calm_at)).collect();
        let poisoned = match dice.chance(30) {
            // Up to one ticker in ten.
            _ if is_big => dice.between(1, size / 10),
            true => dice.between(1, 3),
            false => 0,
        };
        let of_one_kind = dice.chance(50).then(|| dice.pick(&POISONS));
        let kind = || of_one_kind.unwrap_or_else(|| dice.pick(&POISONS));
        let poison = (0..poisoned).map(|_| (tickers[dice.below(tickers.len())].clone(), kind()));
        let mut poison: BTreeMap<_, _> = poison.collect();
        // Each ticker on which a service hangs takes minutes: hundreds would take days.
        let hanging = poison.values_mut().filter(|poison| **poison == Poison::Hang);
        hanging.skip(HANGING_MAX).for_each(|poison| *poison = Poison::Crash);
        let is_paced = !is_big && dice.chance(15);
        let thin = |_| (tickers[dice.below(tickers.len())].clone(), dice.pick(&[Thin::Empty, Thin::Stale]));
        let lacking = if dice.chance(25) { dice.between(1, size / 3 + 1) } else { 0 };
        let thin = (0..lacking).map(thin).collect();
        let published_at = Duration::from_secs(if dice.chance(20) { dice.between(60, 7_200) } else { 0 });
        let mut scenario = Self {
            begins: EPOCH,
            poison,
            thin,
            restated: BTreeMap::new(),
            published_at,
            settings: settings(dice, is_big, is_paced),
            instances: usize::try_from(dice.between(1, 3)).expect("small"),
            tickers,
            ticks,
            storms,
            poison_stays: dice.chance(50),
            calm_at,
            mortality: dice.pick(&[0, 0, 30, 60, 90]),
            skew_ms: dice.pick(&[0, 100, 5_000, 20_000, 3_600_000]),
            records_per_ticker: usize::try_from(dice.between(1, 3)).expect("small"),
            articles_per_ticker: None,
            pacing: is_paced.then(|| pacing(dice)),
            is_forgetful: dice.chance(20),
            alarms: Alarms::default(),
            orders: Orders::default(),
        };
        if scenario.pacing.is_some_and(|pacing| pacing.is_mute) {
            // What may be a daily limit pauses for an hour, but here it is one per minute.
            scenario.settings.insert("limit_window_seconds".to_owned(), "2".to_owned());
        }
        if is_big || is_paced || scenario.poison.values().any(|poison| *poison == Poison::Hang) {
            // A call, or the search for bad tickers, takes longer than an impatient caller waits, and the request ends
            // with the caller. A caller that never sees the end of the run that it resumes would have it retried
            // forever.
            scenario.ticks.iter_mut().for_each(|tick| tick.patience = Duration::from_secs(1_800));
        }
        // A provider that fails for every ticker of a run looks the same as one that is down.
        scenario.poison_stays &= scenario.ticks.iter().all(|tick| {
            let plan = scenario.plan(tick);
            plan.is_empty() || plan.iter().any(|ticker| !scenario.poison.contains_key(ticker))
        });
        scenario.choose_day(&dice.split());
        scenario.choose_data(&dice.split(), is_big);
        scenario.alarms = Alarms::draw(&dice.split(), calm_at, &mut scenario.settings);
        scenario.orders = Orders::draw(&dice.split(), &scenario.ticks);
        scenario
    }

    /// In some worlds, companies have more news than the service sends unless it is asked for more, or than it is asked
    /// for. Some tickers with old data have only one old indicator.
    fn choose_data(&mut self, dice: &Dice, is_big: bool) {
        let articles = dice.pick(&[9, 10, 11, 40, 99, 100, 101, 130]);
        self.articles_per_ticker = (!is_big && dice.chance(30)).then_some(articles);
        let stale = self.thin.values_mut().filter(|thin| **thin == Thin::Stale);
        stale.filter(|_| dice.chance(50)).for_each(|thin| *thin = Thin::PartlyStale);
        let restated = self.tickers.iter().filter(|_| dice.chance(20)).cloned();
        let span = |ticker| {
            let from = dice.between(0, self.calm_at.as_secs());
            (ticker, (Duration::from_secs(from), Duration::from_secs(from + dice.between(1, 900))))
        };
        self.restated = if dice.chance(40) { restated.map(span).collect() } else { BTreeMap::new() };
    }

    /// Moves some worlds to a day on which something is different.
    fn choose_day(&mut self, dice: &Dice) {
        if dice.chance(30) {
            self.begins = dice.pick(&SPECIAL_DAYS).parse().expect("a time");
        }
        let later = self.begins - EPOCH;
        self.ticks.iter_mut().for_each(|tick| tick.run_time += later);
        let closed_days = dice.pick(&["skip", "skip", "skip", "run"]);
        let settings = [("closed_days", closed_days), ("calendar_overrides", "2027-01-08=closed")];
        self.settings.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    pub(super) fn config(&self) -> Config {
        Config::parse(|name| self.settings.get(name).cloned()).expect("the drawn settings are valid")
    }

    /// The true civil time, `now` after the world's beginning.
    pub(super) fn civil(&self, now: Duration) -> DateTime<Utc> {
        self.begins + now
    }

    /// Whether a tick has nothing to collect. It asks the calendar itself, and the time zone database for the day.
    pub(super) fn is_skipped(&self, tick: &Tick) -> bool {
        let Ticks { calendar, skip } = self.config().ticks;
        if tick.key.is_some() || !skip {
            return false;
        }
        let session = calendar.session(tick.run_time.with_timezone(&New_York).date_naive());
        let is_over = |minutes| {
            session.is_none_or(|session| {
                session.early && tick.run_time > session.close + TimeDelta::minutes(minutes)
            })
        };
        tick.job.endpoints.iter().all(|endpoint| match endpoint.dataset.name {
            "daily_prices" | "technical_indicators" => session.is_none(),
            "quotes" => is_over(30),
            _ => false,
        })
    }

    /// The tick whose run makes a call.
    pub(super) fn run_of(&self, fetch: &Fetch) -> Option<&Tick> {
        self.ticks.iter().find(|tick| tick.job.name == fetch.job && tick.time() == fetch.run_time)
    }

    /// What a provider lacks of a ticker at this time, if its data must be current.
    pub(super) fn lack(&self, endpoint: Endpoint, ticker: &str, now: Duration) -> Option<Thin> {
        let is_current = endpoint == Endpoint::TIINGO_PRICES
            || endpoint == Endpoint::FINNHUB_QUOTES
            || endpoint == Endpoint::ALPHAVANTAGE_INDICATORS;
        let unpublished = || (now < self.published_at).then_some(Thin::Stale);
        if is_current { self.thin.get(ticker).copied().or_else(unpublished) } else { None }
    }

    /// How long after its scheduled time a run waits for data.
    pub(super) fn patience(&self) -> Duration {
        self.config().run.publish.patience
    }

    /// The tickers that a tick's run covers.
    pub(super) fn plan(&self, tick: &Tick) -> Vec<String> {
        if let Some(tickers) = &tick.tickers {
            return tickers.clone();
        }
        match tick.job.scope {
            Scope::None => Vec::new(),
            Scope::EntireWatchlist => self.tickers.clone(),
            Scope::ActiveSymbols => self.active().cloned().collect(),
            Scope::Indices => ["SPY", "QQQ", "IWM", "DIA"].map(str::to_owned).to_vec(),
        }
    }

    pub(super) fn active(&self) -> impl Iterator<Item = &String> {
        self.tickers.iter().step_by(2)
    }

    /// Whether a provider's storms may blame a single ticker.
    pub(super) fn may_blame(&self, provider: Provider) -> bool {
        let place = Provider::all().iter().position(|known| *known == provider).expect("one of the four");
        self.storms.iter().any(|storm| storm.may_blame(place))
    }

    /// Whether a provider's records of a ticker say something else than usual at this time.
    pub(super) fn is_restated(&self, ticker: &str, now: Duration) -> bool {
        self.restated.get(ticker).is_some_and(|(from, to)| (*from..*to).contains(&now))
    }

    /// How a ticker breaks its batch at this time, if it does.
    pub(super) fn poison_of(&self, ticker: &str, now: Duration) -> Option<Poison> {
        self.poison.get(ticker).copied().filter(|_| self.poison_stays || now < self.calm_at)
    }
}

/// Realistic symbols; some need escaping in a document's name.
fn symbol(number: u64) -> String {
    match number % 9 {
        7 => format!("B{number}/A"),
        8 => format!("^X{number}"),
        _ => format!("T{number}"),
    }
}

fn tick(dice: &Dice, tickers: &[String], calm_at: Duration, number: u64) -> Tick {
    let at = Duration::from_secs(dice.between(0, calm_at.as_secs() / 2));
    let job = jobs().nth(dice.below(jobs().count())).expect("below the number of jobs");
    let given = job.scope != Scope::None && dice.chance(25);
    let some = |dice: &Dice| tickers.iter().take(1 + dice.below(tickers.len())).cloned().collect();
    // Ticks of one job are spaced so that each has a different time.
    let late = Duration::from_secs(dice.pick(&[0, 0, 1, 40]));
    Tick {
        job,
        at: at + late,
        key: dice.chance(30).then(|| format!("key-{number}")),
        run_time: EPOCH + at + TimeDelta::milliseconds(i64::try_from(number).expect("small")),
        tickers: given.then(|| some(dice)),
        duplicates: (0..dice.pick(&[0, 0, 1, 1, 5])).map(|_| dice.millis(0, 60_000)).collect(),
        patience: Duration::from_secs(dice.pick(&[15, 180, 1_800])),
        outlives_caller: dice.chance(50),
    }
}

/// Gives the second tick a job that feeds the same dataset as the first one's, if there is another.
fn feed_one_dataset(ticks: &mut [Tick]) {
    let [first, second, ..] = ticks else { return };
    let feeds = |job: &Job| {
        let fed = |dataset| job.endpoints.iter().any(|endpoint| endpoint.dataset == dataset);
        job.name != first.job.name && first.job.endpoints.iter().any(|endpoint| fed(endpoint.dataset))
    };
    if let Some(job) = jobs().find(|job| feeds(job)) {
        second.job = job;
    }
}

fn pacing(dice: &Dice) -> Pacing {
    let per_minute = dice.pick(&[5, 20, 60]);
    let even = Duration::from_secs(60) / u32::try_from(per_minute).expect("small");
    Pacing { per_minute, pause: dice.pick(&[Duration::ZERO, even]), is_mute: dice.chance(50) }
}
