//! The form that always fits.
//!
//! One line of JSON, then a line for each ticker. Names stand in no JSON, where a quote takes two bytes: so their bytes
//! are exactly those that [`super::PLAN_BYTES_MAX`] bounds. For each endpoint there is one number a ticker: which of
//! the [`Group`]s it is in, 0 where the endpoint has nothing to do with it. What is compressed afterwards is at most
//!
//! | part | bytes |
//! |---|---|
//! | names of tickers, each with its line's end | 650,000 |
//! | numbers, of three digits, of 20,000 tickers at 2 endpoints | 160,000 |
//! | at most 999 groups, of 42 bytes without their reasons | 42,000 |
//! | their reasons | 52,000 |
//! | remarks, and why the run stopped | 22,000 |
//! | documents of the watchlist that cannot be read ([`crate::run::watchlist::ALL_BYTES_MAX`]) | 12,000 |
//! | the rest of the state, which is of no length that others choose | 20,000 |
//!
//! and gzip adds less than a thousandth to what it cannot compress: 959,000 in all.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::base::text::clip;
use crate::catalogue::Ticker;
use crate::resilience::class::Class;
use crate::run::{Failure, Outcome, RunState, Work};

/// Groups in all: the number of one has three digits.
const GROUPS_MAX: usize = 999;
/// Most bytes of all reasons.
const REASONS_BYTES_MAX: usize = 50_000;
/// Most bytes of all remarks.
const REMARKS_BYTES_MAX: usize = 20_000;
const STOPPED_BYTES_MAX: usize = 2_000;
/// The highest count of deferrals that is told from others: beyond it, all are asked for alone.
const DEFERRALS_MAX: u32 = 9;
/// The reason where there is no room for it.
const NO_ROOM: &str = "(no room for the reason: see the run's raw logs)";

/// Tickers with the same fate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Group {
    #[serde(rename = "p")]
    Pending {
        reason: Option<String>,
        #[serde(rename = "tries")]
        deferrals: u32,
    },
    #[serde(rename = "f")]
    Failed { reason: String, class: Option<Class> },
    #[serde(rename = "d")]
    Done { outcome: Outcome },
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The state without its tickers.
    state: RunState,
    /// How many of the tickers are the ones that were given, if some were.
    given: Option<usize>,
    groups: Vec<Group>,
    /// The number of its group for each ticker, by endpoint.
    marks: BTreeMap<String, Vec<usize>>,
}

impl Group {
    fn of_work(work: &Work) -> Self {
        Self::Pending { reason: work.reason.clone(), deferrals: work.deferrals }
    }

    fn of_failure(failure: &Failure) -> Self {
        Self::Failed { reason: failure.reason.clone(), class: failure.class }
    }

    /// The same with its words cut short.
    fn clipped(self, bytes_max: usize) -> Self {
        match self {
            Self::Pending { reason, deferrals } => {
                let reason = reason.map(|reason| clip(&reason, bytes_max));
                Self::Pending { reason, deferrals }
            }
            Self::Failed { reason, class } => Self::Failed { reason: clip(&reason, bytes_max), class },
            Self::Done { .. } => self,
        }
    }

    /// The group for all that are like this one but for their words.
    fn without_words(&self) -> Self {
        let reason = NO_ROOM.to_owned();
        match self {
            Self::Pending { deferrals, .. } => {
                Self::Pending { reason: Some(reason), deferrals: (*deferrals).min(DEFERRALS_MAX) }
            }
            Self::Failed { class, .. } => Self::Failed { reason, class: *class },
            Self::Done { outcome } => Self::Done { outcome: *outcome },
        }
    }
}

/// Most groups without words: each count of tries, each class and none, each outcome of what is done.
const WORDLESS_MAX: usize = DEFERRALS_MAX as usize + 1 + Class::ALL.len() + 1 + DONE_MAX;
/// Outcomes of what is done.
const DONE_MAX: usize = 8;

pub(super) fn encode(state: &RunState) -> String {
    let mut tickers = Tickers::default();
    tickers.add(state.tickers_given.iter().flatten());
    let given = state.tickers_given.is_some().then_some(tickers.lines.len());
    tickers.add(state.pending.iter().flat_map(|work| &work.tickers));
    tickers.add(state.failed.iter().filter_map(|failure| failure.ticker.as_ref()));
    tickers.add(state.done.iter().flat_map(|done| &done.tickers));
    let mut names = Names::of(state);
    let mut marks = BTreeMap::<String, Vec<usize>>::new();
    let mut mark = |endpoint: &str, ticker: &Ticker, group: usize| {
        let row = marks.entry(endpoint.to_owned()).or_insert_with(|| vec![0; tickers.lines.len()]);
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
        done.tickers.iter().for_each(|ticker| mark(&done.endpoint, ticker, number));
    }
    for work in &state.pending {
        let (group, number) = names.name(Group::of_work(work));
        if work.tickers.is_empty()
            && let Group::Pending { reason, deferrals } = group
        {
            bare.pending.push(Work { reason, deferrals, ..work.clone() });
        }
        work.tickers.iter().for_each(|ticker| mark(&work.endpoint, ticker, number));
    }
    for failure in &state.failed {
        let (group, number) = names.name(Group::of_failure(failure));
        match (&failure.ticker, group) {
            (Some(ticker), _) => mark(&failure.endpoint, ticker, number),
            (None, Group::Failed { reason, .. }) => bare.failed.push(Failure { reason, ..failure.clone() }),
            (None, Group::Pending { .. } | Group::Done { .. }) => {}
        }
    }
    let remark_bytes = REMARKS_BYTES_MAX / state.remarks.len().max(1);
    bare.remarks = state.remarks.iter().map(|remark| clip(remark, remark_bytes)).collect();
    bare.stopped = state.stopped.as_ref().map(|words| clip(words, STOPPED_BYTES_MAX));
    let head = Head { state: bare, given, groups: names.groups, marks };
    // Plain data with text keys cannot fail to encode.
    format!("{}\n{}", serde_json::to_string(&head).unwrap_or_default(), tickers.lines.join("\n"))
}

fn without_tickers(state: &RunState) -> RunState {
    let (pending, failed, done) = (Vec::new(), Vec::new(), Vec::new());
    RunState { pending, failed, done, tickers_given: None, ..state.clone() }
}

/// Every ticker once; first those that were given.
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

/// Gives groups their numbers, from 1.
struct Names {
    groups: Vec<Group>,
    numbers: HashMap<Group, usize>,
    /// Most bytes of a reason.
    words_bytes_max: usize,
}

impl Names {
    /// Those groups that have the most tickers keep their words.
    fn of(state: &RunState) -> Self {
        let mut sizes = HashMap::<Group, (usize, usize)>::new();
        let works = state.pending.iter().map(|work| (Group::of_work(work), work.units()));
        let failures = state.failed.iter().map(|failure| (Group::of_failure(failure), 1));
        let done = state.done.iter().map(|done| (Group::Done { outcome: done.outcome }, done.units()));
        for (place, (group, size)) in works.chain(failures).chain(done).enumerate() {
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
    for (endpoint, marks) in marks {
        let mut works: Vec<(usize, Work)> = Vec::new();
        for (ticker, number) in tickers.iter().zip(marks) {
            let Some(at) = number.checked_sub(1) else { continue };
            match groups.get(at).ok_or_else(|| format!("it has no group {number}"))? {
                Group::Done { outcome } => state.settle(&endpoint, vec![ticker.clone()], *outcome),
                Group::Failed { reason, class } => state.failed.push(Failure {
                    ticker: Some(ticker.clone()),
                    endpoint: endpoint.clone(),
                    class: *class,
                    reason: reason.clone(),
                }),
                Group::Pending { reason, deferrals } => {
                    match works.iter_mut().find(|(of, _)| *of == number) {
                        Some((_, work)) => work.tickers.push(ticker.clone()),
                        None => {
                            let (tickers, reason) = (vec![ticker.clone()], reason.clone());
                            works.push((
                                number,
                                Work {
                                    endpoint: endpoint.clone(),
                                    tickers,
                                    parts: Vec::new(),
                                    reason,
                                    deferrals: *deferrals,
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
