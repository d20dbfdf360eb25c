//! What a seed stands for: settings, tickers, ticks, and everything that goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::America::New_York;
use orchestrator::catalogue::{Job, Provider, Scope, Ticker, Ticks, jobs};
use orchestrator::run::trigger::tick_id;
use orchestrator::settings::Config;

use super::provider::Fetch;
use super::storm::Storm;
use crate::world::clock::EPOCH;
use crate::world::dice::Dice;

/// A whole scenario.
#[derive(Debug)]
pub(super) struct Scenario {
    /// The civil time at its beginning.
    pub(super) begins: DateTime<Utc>,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) instances: usize,
    /// Symbols of the watchlist; the odd ones are active positions.
    pub(super) tickers: Vec<String>,
    pub(super) ticks: Vec<Tick>,
    pub(super) storms: Vec<Storm>,
    /// Tickers that break every batch they are in.
    pub(super) poison: BTreeMap<String, Poison>,
    /// Whether poison outlasts the storms.
    pub(super) poison_stays: bool,
    /// When everything works again.
    pub(super) calm_at: Duration,
    /// Share of instances that are started to die, in percent.
    pub(super) mortality: u64,
    /// How far a civil clock may be wrong, in milliseconds; beyond [`Self::BEHIND_MS_MAX`] only ahead.
    pub(super) skew_ms: u64,
    pub(super) records_per_ticker: usize,
    /// What the services do to stay within their own limits.
    pub(super) pacing: Option<Pacing>,
    /// Whether every request meets a fresh instance, as where idle ones are dropped at once.
    pub(super) is_forgetful: bool,
}

/// How a deployed service keeps to its limit: it answers 200, and puts the limit into the tickers' errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacing {
    /// Tickers that it asks its upstream for in any 60 seconds.
    pub(super) per_minute: usize,
    /// What it waits after each ticker.
    pub(super) pause: Duration,
    /// Whether the service for indicators loses the upstream's words about the limit.
    pub(super) is_mute: bool,
}

/// One tick of the scheduler, or one request by hand under a key.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub(super) job: &'static Job,
    pub(super) at: Duration,
    /// An idempotency key, where it is no tick.
    pub(super) key: Option<String>,
    pub(super) run_time: DateTime<Utc>,
    /// Tickers in the place of the scope's.
    pub(super) tickers: Option<Vec<String>>,
    /// Further deliveries, after the first.
    pub(super) duplicates: Vec<Duration>,
    /// How long the caller waits for an answer.
    pub(super) patience: Duration,
    /// Whether the request goes on when the caller has hung up.
    pub(super) outlives_caller: bool,
}

/// What a poisonous ticker does to its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poison {
    /// 422 for the whole batch.
    Rejected,
    /// 500 for the whole batch.
    Crash,
    /// An error in its entry.
    Error,
    /// 422 that points at it by its place.
    Named,
    /// No answer to the whole batch.
    Hang,
    /// A broken connection.
    Reset,
    /// A body that is no JSON.
    Garbage,
    /// No indicator of it has data, as when the limit of a day is used up.
    Barren,
}

/// Beginnings of worlds, beside an ordinary Monday noon. Ticks come within the first quarter of an hour.
const SPECIAL_DAYS: [&str; 9] = [
    // Thanksgiving Day: its noon, and the minutes before its end in New York.
    "2026-11-26T17:00:00Z",
    "2026-11-27T04:55:00Z",
    // Half an hour after an early close, on the day after it and on Christmas Eve.
    "2026-11-27T18:22:00Z",
    "2026-12-24T18:28:00Z",
    // A Sunday, and its end in New York.
    "2026-11-29T15:00:00Z",
    "2026-11-30T04:52:00Z",
    // The nights in which the clocks change, before both.
    "2026-11-01T05:50:00Z",
    "2027-03-14T06:50:00Z",
    // A day that the operator closed.
    "2027-01-08T15:00:00Z",
];

/// Most tickers of a world on which a service hangs.
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

impl Tick {
    /// The key under which a run's work is done again.
    pub(super) const AGAIN: &str = "again";

    /// Whether a run of that id does the work of this tick.
    pub(super) fn is_done_by(&self, run_id: &str) -> bool {
        run_id == self.run_id() || run_id == format!("{}_key_{}", self.job.name, Self::AGAIN)
    }

    /// The document of the ledger.
    pub(super) fn run_id(&self) -> String {
        match &self.key {
            Some(key) => format!("{}_key_{key}", self.job.name),
            None => {
                let ticker = |symbol: &String| Ticker::parse(symbol).expect("a symbol");
                let tickers: Option<Vec<_>> =
                    self.tickers.as_ref().map(|tickers| tickers.iter().map(ticker).collect());
                tick_id(self.job, self.job.scope, tickers.as_deref(), self.run_time)
            }
        }
    }

    /// The time the providers are asked for, as the component writes it.
    pub(super) fn time(&self) -> String {
        self.run_time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

impl Scenario {
    /// An instance whose clock is further behind takes the scheduler's ticks for ones that are still to come.
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
        let ticks = (0..dice.between(1, 3)).map(|number| tick(dice, &tickers, calm_at, number)).collect();
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
        let mut scenario = Self {
            begins: EPOCH,
            poison,
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
            pacing: is_paced.then(|| pacing(dice)),
            is_forgetful: dice.chance(20),
        };
        if scenario.pacing.is_some_and(|pacing| pacing.is_mute) {
            // What may be the limit of a day pauses for an hour, where one of a minute is meant here.
            scenario.settings.insert("limit_window_seconds".to_owned(), "2".to_owned());
        }
        if is_big || is_paced || scenario.poison.values().any(|poison| *poison == Poison::Hang) {
            // A call, or the search for bad tickers, takes longer than an impatient caller waits, who takes the request
            // with it. Whoever resumes a run and never hears of its end has it tried again for ever.
            scenario.ticks.iter_mut().for_each(|tick| tick.patience = Duration::from_secs(1_800));
        }
        // A provider that fails for every ticker of a run cannot be told from one that is down.
        scenario.poison_stays &= scenario.ticks.iter().all(|tick| {
            let plan = scenario.plan(tick);
            plan.is_empty() || plan.iter().any(|ticker| !scenario.poison.contains_key(ticker))
        });
        scenario.choose_day(&dice.split());
        scenario
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

    /// The tick for whose run a provider is called.
    pub(super) fn run_of(&self, fetch: &Fetch) -> Option<&Tick> {
        self.ticks.iter().find(|tick| tick.job.name == fetch.job && tick.time() == fetch.run_time)
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

    /// Whether a provider's storms may say something against a single ticker.
    pub(super) fn may_blame(&self, provider: Provider) -> bool {
        let place = Provider::all().iter().position(|known| *known == provider).expect("one of the four");
        self.storms.iter().any(|storm| storm.may_blame(place))
    }

    /// Whether a ticker breaks its batch at this time.
    pub(super) fn poison_of(&self, ticker: &str, now: Duration) -> Option<Poison> {
        self.poison.get(ticker).copied().filter(|_| self.poison_stays || now < self.calm_at)
    }
}

/// Symbols with what symbols have; some need escaping in a document's name.
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
    // Ticks of one job lie apart, so that each has a time of its own.
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

fn pacing(dice: &Dice) -> Pacing {
    let per_minute = dice.pick(&[5, 20, 60]);
    let even = Duration::from_secs(60) / u32::try_from(per_minute).expect("small");
    Pacing { per_minute, pause: dice.pick(&[Duration::ZERO, even]), is_mute: dice.chance(50) }
}

fn settings(dice: &Dice, is_big: bool, is_paced: bool) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    set("google_cloud_project", "world".into());
    set("inbound_auth", "platform".into());
    if dice.chance(70) {
        set("firestore_emulator_host", "firestore.test:8080".into());
    } else {
        // As the cloud: with the ramp on new writes.
        set("gcp_access_token", "token".into());
        set("firestore_ramp_writes_per_second", dice.pick(&[20, 500]).to_string());
    }
    for provider in Provider::all() {
        let name = provider.name();
        set(&format!("{name}_service_url"), format!("http://{name}.test"));
        let sizes: &[u64] = if is_big { &[20, 50] } else { &[1, 2, 3, 5, 50] };
        let sizes = if is_paced { &[1, 2, 5] } else { sizes };
        set(&format!("batch_size_{name}"), dice.pick(sizes).to_string());
        set(&format!("max_concurrency_{name}"), dice.between(1, 4).to_string());
    }
    let deadlines: &[u64] = if is_big || is_paced { &[120, 840] } else { &[10, 30, 120, 840] };
    set("job_deadline_seconds", dice.pick(deadlines).to_string());
    set("lease_seconds", dice.pick(&[5, 15, 60]).to_string());
    let timeouts: &[u64] = if is_paced { &[300] } else { &[5, 30, 300] };
    set("service_timeout_seconds", dice.pick(timeouts).to_string());
    set("firestore_timeout_seconds", dice.pick(&[2, 10, 60]).to_string());
    set("retry_max_attempts", dice.between(1, 5).to_string());
    set("retry_max_ms", dice.pick(&[1_000, 20_000]).to_string());
    set("breaker_window", "20".into());
    set("breaker_min_calls", dice.pick(&[3, 10]).to_string());
    set("breaker_open_seconds", dice.pick(&[5, 60]).to_string());
    set("breaker_open_max_seconds", dice.pick(&[60, 600]).to_string());
    settings
}
