use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::catalogue::ticker::TICKER_BYTES_MAX;
use crate::firestore::value::fields_stored_bytes;
use crate::ledger::entry::Entry;
use crate::resilience::class::Class;
use crate::run::tests::{failure, state};
use crate::run::window::tests::window;
use crate::run::{Done, Outcome, Shortfall, Status, Window};

/// What a document may have, less what Firestore adds.
const DOCUMENT_BYTES_MAX: usize = 1_000_000;

/// Bytes that no packing makes shorter.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn text(&mut self, alphabet: &str, characters: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let count = u64::try_from(alphabet.len()).unwrap();
        (0..characters).map(|_| alphabet[usize::try_from(self.next() % count).unwrap()]).collect()
    }

    fn tickers(&mut self, count: usize, bytes: usize) -> Vec<Ticker> {
        let text = |_| self.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:^=/+", bytes);
        (0..count).map(text).map(|text| Ticker::parse(&text).unwrap()).collect()
    }
}

/// Words of providers that mean no good: of every width, with what JSON must escape.
const HOSTILE: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 \"\\\u{1}\u{2}\u{1f}äß日本語한국어😀😈\n\t";

fn entry(state: RunState) -> Entry {
    Entry { state, owner: "o".repeat(36), lease: std::time::Duration::from_secs(60), renewals: 1 }
}

/// Everything that is known of a run's work, by endpoint and ticker.
fn left(state: &RunState) -> BTreeMap<Place, (Outcome, Option<Class>, u32, bool)> {
    let pending = state.pending.iter().flat_map(|work| {
        let names: Vec<_> = match work.tickers.as_slice() {
            [] => vec![String::new()],
            tickers => tickers.iter().map(ToString::to_string).collect(),
        };
        names.into_iter().map(|name| {
            (
                place(&work.endpoint, work.window, name),
                (Outcome::Pending, None, work.deferrals, work.enlarged),
            )
        })
    });
    let failed = state.shortfalls.iter().map(|failure| {
        let name = failure.ticker.as_ref().map(ToString::to_string).unwrap_or_default();
        (place(&failure.endpoint, failure.window, name), (failure.outcome, failure.class, 0, false))
    });
    let done = state.units().filter(|unit| unit.outcome == Outcome::Stored);
    let done = done.map(|unit| {
        let name = unit.ticker.map(ToString::to_string).unwrap_or_default();
        (place(unit.endpoint, unit.window, name), (unit.outcome, None, 0, false))
    });
    pending.chain(failed).chain(done).collect()
}

/// Endpoint, window, ticker.
type Place = (String, Option<Window>, String);

fn place(endpoint: &str, window: Option<Window>, ticker: String) -> Place {
    (endpoint.to_owned(), window, ticker)
}

/// Stores a state and reads it again; checks that it fits, and that nothing is left out.
fn check(state: &RunState) -> RunState {
    let fields = entry(state.clone()).to_fields(chrono::TimeDelta::days(90));
    let bytes = fields_stored_bytes(&fields);
    assert!(bytes < DOCUMENT_BYTES_MAX, "{bytes} bytes");
    let stored = Entry::from_fields(&fields).unwrap().state;
    assert!(left(&stored) == left(state), "a ticker is lost");
    assert_eq!((&stored.tickers_given, &stored.counts), (&state.tickers_given, &state.counts));
    stored
}

fn hostile_run(tickers: &[Ticker], words: usize, noise: &mut Noise) -> RunState {
    let mut shortfalls = Vec::new();
    for endpoint in ["/fetch/fundamentals", "/fetch/earnings"] {
        for (at, ticker) in tickers.iter().enumerate() {
            let class = [None, Some(Class::BadBatch), Some(Class::Timeout)][at % 3];
            let reason = noise.text(HOSTILE, words);
            // Failures have a class; a ticker without one came short in any way.
            let outcome = if class.is_some() { Outcome::Failed } else { Outcome::SHORTFALLS[at % 4] };
            let ticker = Some(ticker.clone());
            shortfalls.push(Shortfall {
                ticker,
                endpoint: endpoint.into(),
                window: None,
                outcome,
                class,
                reason,
            });
        }
    }
    let mut run = RunState { shortfalls, tickers_given: Some(tickers.to_vec()), ..state() };
    run.tickers_requested = tickers.len();
    (0..100).for_each(|_| run.remark(noise.text(HOSTILE, 5_000)));
    for _ in 0..100 {
        let [document, value, problem] =
            [noise.text(HOSTILE, 500), noise.text(HOSTILE, 500), noise.text(HOSTILE, 500)];
        run.watchlist_problems.note(&document, "isActive", &value, &problem);
    }
    run.stopped = Some(noise.text(HOSTILE, 100_000));
    run.status = Status::Failed;
    run
}

#[test]
fn a_usual_run_is_readable_text() {
    let shortfalls = (0..50).map(|n| failure("/fetch", &format!("T{n}"))).collect();
    let run = RunState { shortfalls, ..state() };
    assert!(matches!(pack(&run), Value::String(_)));
    assert_eq!(check(&run), run);
}

#[test]
fn twenty_thousand_failures_with_the_same_words_keep_them() {
    let shortfalls = (0..20_000).map(|n| failure("/fetch", &format!("T{n}"))).collect();
    let run = RunState { shortfalls, ..state() };
    assert_eq!(check(&run), run);
}

#[test]
fn five_thousand_tickers_that_fail_twice_with_words_of_their_own_fit() {
    let mut noise = Noise(1);
    let tickers = noise.tickers(5_000, 5);
    let stored = check(&hostile_run(&tickers, 300, &mut noise));
    assert!(stored.shortfalls.iter().all(|failure| failure.reason.len() > 20), "some words are kept of each");
}

#[test]
fn ten_thousand_of_the_longest_tickers_fit_whatever_words_they_fail_with() {
    let mut noise = Noise(2);
    for words in [0, 1, 10, 300] {
        let tickers = noise.tickers(10_000, TICKER_BYTES_MAX);
        check(&hostile_run(&tickers, words, &mut noise));
    }
}

#[test]
fn what_a_plan_may_have_at_most_fits_by_its_length_alone() {
    let mut noise = Noise(3);
    let by_count = (PLAN_TICKERS_MAX, PLAN_BYTES_MAX / PLAN_TICKERS_MAX - 1);
    let by_bytes = (PLAN_BYTES_MAX / (TICKER_BYTES_MAX + 1), TICKER_BYTES_MAX);
    for (count, bytes) in [by_count, by_bytes] {
        let tickers = noise.tickers(count.min(PLAN_TICKERS_MAX), bytes.min(TICKER_BYTES_MAX));
        assert_eq!(excess(&tickers), None);
        let run = hostile_run(&tickers, 100, &mut noise);
        let text = tight::encode(&run);
        assert!(text.len() <= 947_000, "{} bytes before they are compressed", text.len());
        check(&run);
    }
}

#[test]
fn pending_work_with_words_of_its_own_fits_and_goes_on() {
    let mut noise = Noise(4);
    let tickers = noise.tickers(10_000, TICKER_BYTES_MAX);
    let work = |(at, ticker): (usize, &Ticker)| Work {
        reason: Some(noise.text(HOSTILE, 300)),
        deferrals: u32::try_from(at % 5).unwrap(),
        enlarged: at % 3 == 0,
        outdated: vec![noise.text(HOSTILE, at % 40)],
        ..Work::new("/fetch", vec![ticker.clone()])
    };
    let pending = tickers.iter().enumerate().map(work).collect();
    let run = RunState { pending, shortfalls: vec![failure("/fetch", "ALONE")], ..state() };
    check(&run);
}

#[test]
fn pending_work_keeps_what_an_answer_has_said_of_its_parts() {
    let tickers = ["A", "B"].map(|ticker| Ticker::parse(ticker).unwrap()).to_vec();
    let work = Work {
        enlarged: true,
        parts: vec!["rsi".into(), "sma".into()],
        outdated: vec!["ema".into()],
        ..Work::new("/fetch", tickers)
    };
    let run = RunState { pending: vec![work], ..state() };
    let text = tight::encode(&run);
    let (head, lines) = text.split_once('\n').unwrap();
    assert_eq!(tight::decode(head, lines).unwrap().pending, run.pending);
}

#[test]
fn a_plan_beyond_the_limits_is_named() {
    let mut noise = Noise(5);
    let many = noise.tickers(PLAN_TICKERS_MAX + 1, 4);
    assert_eq!(excess(&many).unwrap(), "too many tickers for one run: 20001, limit 20000");
    let long = noise.tickers(PLAN_TICKERS_MAX, TICKER_BYTES_MAX);
    assert!(excess(&long).unwrap().ends_with("bytes, limit 650000"), "{:?}", excess(&long));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any mixture of fates, also of endpoints without tickers and of words that meet when they are cut.
    #[test]
    fn the_tight_form_loses_nobody(
        fates in prop::collection::vec((0usize..3, 0usize..9, 0usize..40, any::<String>(), 0u32..12), 0..200),
        given in any::<bool>(),
    ) {
        let (mut run, mut seen) = (state(), std::collections::BTreeSet::new());
        for (kind, place, ticker, words, deferrals) in fates {
            let endpoint = ["/a", "/b", "/c"][place % 3].to_owned();
            let windows = [None, Some(window("2025-01-01", "2025-12-31")), Some(window("2026-11-25", "2026-11-25"))];
            let window = windows[place / 3];
            if !seen.insert((place, ticker)) {
                continue;
            }
            let ticker = (ticker > 0).then(|| Ticker::parse(&format!("T{ticker}")).unwrap());
            if kind == 0 {
                let (tickers, reason) = (Vec::from_iter(ticker), Some(words));
                let enlarged = deferrals % 2 == 1;
                run.pending.push(Work { window, reason, deferrals, enlarged, ..Work::new(&endpoint, tickers) });
            } else if kind == 1 {
                let (outcome, class) = (Outcome::Failed, Some(Class::Refused));
                run.shortfalls.push(Shortfall { ticker, endpoint, window, outcome, class, reason: words });
            } else {
                run.done.push(Done { endpoint, window, outcome: Outcome::Stored, tickers: Vec::from_iter(ticker) });
            }
        }
        run.tickers_given = given.then(|| vec![Ticker::parse("T7").unwrap(), Ticker::parse("X").unwrap()]);
        let text = tight::encode(&run);
        let (head, lines) = text.split_once('\n').unwrap();
        let stored = tight::decode(head, lines).unwrap();
        prop_assert_eq!(left(&stored), left(&run));
        prop_assert_eq!(stored.tickers_given, run.tickers_given);
    }
}
