//! The form that always fits.
//!
//! One line of JSON, then a line for each ticker. Names are outside of the JSON, in which a quote takes two bytes, so
//! that they take exactly the bytes that [`super::PLAN_BYTES_MAX`] limits. For each endpoint there is one number per
//! ticker: the [`Group`] that it is in, or 0 if the endpoint has nothing to do with it. Windows are endpoints of their own:
//! a backfill has at most 40,000 numbers, too. The input of the compression is
//! at most
//!
//! | part | bytes |
//! |---|---|
//! | names of tickers, each with its line's end | 650,000 |
//! | numbers, of three digits, of 20,000 tickers at 2 endpoints | 160,000 |
//! | at most 999 groups, of 52 bytes without their reasons | 52,000 |
//! | their reasons | 42,000 |
//! | remarks, and why the run stopped | 22,000 |
//! | documents of the watchlist that cannot be read ([`crate::run::watchlist::ALL_BYTES_MAX`]) | 12,000 |
//! | the rest of the state, whose length nobody else determines | 20,000 |
//!
//! and gzip adds less than 0.1 % to incompressible data: 959,000 in all.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::base::text::clip;
use crate::catalogue::Ticker;
use crate::resilience::class::Class;
use crate::run::{Outcome, RunState, Shortfall, Window, Work};

/// Maximum number of groups: a group's number has three digits.
const GROUPS_MAX: usize = 999;
/// Maximum bytes of all reasons, and of the parts beside them.
const REASONS_BYTES_MAX: usize = 40_000;
/// Maximum bytes of all remarks.
const REMARKS_BYTES_MAX: usize = 20_000;
const STOPPED_BYTES_MAX: usize = 2_000;
/// Bytes of a list in JSON beside its members: its name, quoted, and brackets.
const LIST_BYTES: usize = 7;
/// The highest count of deferrals that is stored: beyond it, every ticker is requested alone anyway.
const DEFERRALS_MAX: u32 = 9;
/// The placeholder for a reason that does not fit.
const NO_ROOM: &str = "(no room for the reason: see the run's raw logs)";

/// Tickers with the same outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Group {
    #[serde(rename = "p")]
    Pending {
        reason: Option<String>,
        #[serde(rename = "tries")]
        deferrals: u32,
        #[serde(default, rename = "e", skip_serializing_if = "std::ops::Not::not")]
        enlarged: bool,
        /// The parts of a ticker's data that are missing, and those that were not current. Without room for them, all
        /// parts are requested again, which tells both.
        #[serde(default, rename = "m", skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        #[serde(default, rename = "o", skip_serializing_if = "Vec::is_empty")]
        outdated: Vec<String>,
    },
    #[serde(rename = "f")]
    Short {
        reason: String,
        class: Option<Class>,
        #[serde(default)]
        outcome: Outcome,
    },
    #[serde(rename = "d")]
    Done { outcome: Outcome },
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The state without its tickers.
    state: RunState,
    /// How many of the tickers were given in the request, if any.
    given: Option<usize>,
    groups: Vec<Group>,
    /// The number of its group for each ticker, by endpoint and window.
    marks: BTreeMap<String, Vec<usize>>,
}

impl Group {
    fn of_work(work: &Work) -> Self {
        Self::Pending {
            reason: work.reason.clone(),
            deferrals: work.deferrals,
            enlarged: work.enlarged,
            parts: work.parts.clone(),
            outdated: work.outdated.clone(),
        }
    }

    fn of_shortfall(short: &Shortfall) -> Self {
        Self::Short { reason: short.reason.clone(), class: short.class, outcome: short.outcome }
    }

    /// The same with a truncated message.
    fn clipped(self, bytes_max: usize) -> Self {
        match self {
            Self::Pending { reason, deferrals, enlarged, parts, outdated } => {
                let taken = list_bytes(&parts) + list_bytes(&outdated);
                let (parts, outdated, left) = match bytes_max.checked_sub(taken) {
                    Some(left) => (parts, outdated, left),
                    None => (Vec::new(), Vec::new(), bytes_max),
                };
                let reason = reason.map(|reason| clip(&reason, left));
                Self::Pending { reason, deferrals, enlarged, parts, outdated }
            }
            Self::Short { reason, class, outcome } => {
                Self::Short { reason: clip(&reason, bytes_max), class, outcome }
            }
            Self::Done { .. } => self,
        }
    }

    /// The group for all that differ from this one only in their message.
    fn without_words(&self) -> Self {
        let reason = NO_ROOM.to_owned();
        match self {
            Self::Pending { deferrals, enlarged, .. } => Self::Pending {
                reason: Some(reason),
                deferrals: (*deferrals).min(DEFERRALS_MAX),
                enlarged: *enlarged,
                parts: Vec::new(),
                outdated: Vec::new(),
            },
            Self::Short { class, outcome, .. } => Self::Short { reason, class: *class, outcome: *outcome },
            Self::Done { outcome } => Self::Done { outcome: *outcome },
        }
    }
}

/// Bytes of a list of parts in JSON, with its name.
fn list_bytes(parts: &[String]) -> usize {
    if parts.is_empty() { 0 } else { LIST_BYTES + parts.iter().map(|part| part.len() + 3).sum::<usize>() }
}

/// Maximum number of groups without messages: each count of deferrals, twice, each class, each outcome.
const WORDLESS_MAX: usize = 2 * (DEFERRALS_MAX as usize + 1) + Class::ALL.len() + 1 + Outcome::ALL.len();

pub(super) fn encode(state: &RunState) -> String {
    let mut tickers = Tickers::default();
    tickers.add(state.tickers_given.iter().flatten());
    let given = state.tickers_given.is_some().then_some(tickers.lines.len());
    tickers.add(state.pending.iter().flat_map(|work| &work.tickers));
    tickers.add(state.shortfalls.iter().filter_map(|short| short.ticker.as_ref()));
    tickers.add(state.done.iter().flat_map(|done| &done.tickers));
    let mut names = Names::of(state);
    let mut marks = BTreeMap::<String, Vec<usize>>::new();
    let mut mark = |endpoint: &str, window: Option<Window>, ticker: &Ticker, group: usize| {
        let row = marks.entry(row_of(endpoint, window)).or_insert_with(|| vec![0; tickers.lines.len()]);
        if let Some(mark) = tickers.places.get(ticker).and_then(|place| row.get_mut(*place)) {
            *mark = group;
        }
    };
    let mut bare = without_tickers(state);
    for done in &state.done {
        let (_, number) = names.name(Group::Done { outcome: done.outcome });
        if done.tickers.is_empty() {
            bare.done.push(done.clone());
        }
        done.tickers.iter().for_each(|ticker| mark(&done.endpoint, done.window, ticker, number));
    }
    for work in &state.pending {
        let (group, number) = names.name(Group::of_work(work));
        if work.tickers.is_empty()
            && let Group::Pending { reason, deferrals, parts, outdated, .. } = group
        {
            bare.pending.push(Work { parts, outdated, reason, deferrals, ..work.clone() });
        }
        work.tickers.iter().for_each(|ticker| mark(&work.endpoint, work.window, ticker, number));
    }
    for short in &state.shortfalls {
        let (group, number) = names.name(Group::of_shortfall(short));
        match (&short.ticker, group) {
            (Some(ticker), _) => mark(&short.endpoint, short.window, ticker, number),
            (None, Group::Short { reason, .. }) => {
                bare.shortfalls.push(Shortfall { reason, ..short.clone() });
            }
            (None, Group::Pending { .. } | Group::Done { .. }) => {}
        }
    }
    let remark_bytes = REMARKS_BYTES_MAX / state.remarks.len().max(1);
    bare.remarks = state.remarks.iter().map(|remark| clip(remark, remark_bytes)).collect();
    bare.stopped = state.stopped.as_ref().map(|words| clip(words, STOPPED_BYTES_MAX));
    let head = Head { state: bare, given, groups: names.groups, marks };
    // Plain data with string keys always encodes.
    format!("{}\n{}", serde_json::to_string(&head).unwrap_or_default(), tickers.lines.join("\n"))
}

/// The name of a row of marks. No path contains a space.
fn row_of(endpoint: &str, window: Option<Window>) -> String {
    match window {
        Some(Window { from, to }) => format!("{endpoint} {from} {to}"),
        None => endpoint.to_owned(),
    }
}

fn in_row(row: &str) -> Result<(&str, Option<Window>), String> {
    let Some((endpoint, days)) = row.split_once(' ') else { return Ok((row, None)) };
    let window = days
        .split_once(' ')
        .and_then(|(from, to)| Some(Window { from: from.parse().ok()?, to: to.parse().ok()? }));
    window.map(|window| (endpoint, Some(window))).ok_or_else(|| format!("it has an invalid window: {days}"))
}

fn without_tickers(state: &RunState) -> RunState {
    let (pending, shortfalls, done) = (Vec::new(), Vec::new(), Vec::new());
    RunState { pending, shortfalls, done, tickers_given: None, ..state.clone() }
}

/// Every ticker once, starting with those given in the request.
#[derive(Default)]
struct Tickers<'a> {
    lines: Vec<&'a str>,
    places: HashMap<&'a Ticker, usize>,
}

impl<'a> Tickers<'a> {
    fn add(&mut self, tickers: impl Iterator<Item = &'a Ticker>) {
        for ticker in tickers {
            self.places.entry(ticker).or_insert_with(|| {
                self.lines.push(ticker.as_str());
                self.lines.len() - 1
            });
        }
    }
}

/// Numbers groups, from 1.
struct Names {
    groups: Vec<Group>,
    numbers: HashMap<Group, usize>,
    /// Maximum bytes of a reason.
    words_bytes_max: usize,
}

impl Names {
    /// The groups with the most tickers keep their messages.
    fn of(state: &RunState) -> Self {
        let mut sizes = HashMap::<Group, (usize, usize)>::new();
        let works = state.pending.iter().map(|work| (Group::of_work(work), work.units()));
        let short = state.shortfalls.iter().map(|short| (Group::of_shortfall(short), 1));
        let done = state.done.iter().map(|done| (Group::Done { outcome: done.outcome }, done.units()));
        for (place, (group, size)) in works.chain(short).chain(done).enumerate() {
            sizes.entry(group).or_insert((0, place)).0 += size;
        }
        let kept = sizes.len().min(GROUPS_MAX - WORDLESS_MAX);
        let words_bytes_max = REASONS_BYTES_MAX / kept.max(1);
        let mut names = Self { groups: Vec::new(), numbers: HashMap::new(), words_bytes_max };
        let mut largest: Vec<_> = sizes.into_iter().collect();
        largest.sort_unstable_by_key(|(_, (size, place))| (std::cmp::Reverse(*size), *place));
        for (group, _) in largest.into_iter().take(kept) {
            names.number(group.clipped(words_bytes_max));
        }
        names
    }

    fn number(&mut self, group: Group) -> usize {
        if let Some(number) = self.numbers.get(&group) {
            return *number;
        }
        self.groups.push(group.clone());
        self.numbers.insert(group, self.groups.len());
        self.groups.len()
    }

    /// The group as it is stored, and its number.
    fn name(&mut self, group: Group) -> (Group, usize) {
        let group = group.clipped(self.words_bytes_max);
        let group = if self.numbers.contains_key(&group) { group } else { group.without_words() };
        let number = self.number(group.clone());
        (group, number)
    }
}

pub(super) fn decode(head: &str, lines: &str) -> Result<RunState, String> {
    let Head { mut state, given, groups, marks } =
        serde_json::from_str(head).map_err(|error| error.to_string())?;
    let tickers: Vec<Ticker> = lines
        .lines()
        .map(Ticker::parse)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("one of its tickers is invalid: {error}"))?;
    state.tickers_given = given.map(|given| tickers.iter().take(given).cloned().collect());
    for (row, marks) in marks {
        let (endpoint, window) = in_row(&row)?;
        let mut works: Vec<(usize, Work)> = Vec::new();
        for (ticker, number) in tickers.iter().zip(marks) {
            let Some(at) = number.checked_sub(1) else { continue };
            match groups.get(at).ok_or_else(|| format!("it has no group {number}"))? {
                Group::Done { outcome } => {
                    state.settle(endpoint, window, vec![ticker.clone()], *outcome);
                }
                Group::Short { reason, class, outcome } => state.shortfalls.push(Shortfall {
                    ticker: Some(ticker.clone()),
                    endpoint: endpoint.to_owned(),
                    window,
                    outcome: *outcome,
                    class: *class,
                    reason: reason.clone(),
                }),
                Group::Pending { reason, deferrals, enlarged, parts, outdated } => {
                    match works.iter_mut().find(|(of, _)| *of == number) {
                        Some((_, work)) => work.tickers.push(ticker.clone()),
                        None => {
                            let (tickers, reason) = (vec![ticker.clone()], reason.clone());
                            works.push((
                                number,
                                Work {
                                    window,
                                    reason,
                                    deferrals: *deferrals,
                                    enlarged: *enlarged,
                                    parts: parts.clone(),
                                    outdated: outdated.clone(),
                                    ..Work::new(endpoint, tickers)
                                },
                            ));
                        }
                    }
                }
            }
        }
        state.pending.extend(works.into_iter().map(|(_, work)| work));
    }
    Ok(state)
}
