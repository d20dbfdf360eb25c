use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::ledger::coverage::fields::COUNTS;
use crate::ledger::coverage::text;
use crate::run::cell::Day;
use crate::run::cell::tests::any_cell;

pub(crate) fn name(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn expecting(tickers: &[&str]) -> Change {
    Change { expected: tickers.iter().copied().map(name).collect(), ..Change::default() }
}

fn learnt(cells: &[(&str, Cell)]) -> Change {
    let mut change = Change::default();
    for (ticker, cell) in cells {
        change.note(&name(ticker), cell);
    }
    change
}

fn failed() -> Cell {
    Cell::lacking(CellState::Failed, &name("run"))
}

fn day() -> Day {
    Day { dataset: "daily_prices", date: "2026-11-23".parse().unwrap() }
}

#[test]
fn only_real_changes_count() {
    let mut cells = DayCells::default();
    assert!(!cells.apply(&Change::default()));
    assert!(cells.apply(&expecting(&["A", "B"])));
    assert!(!cells.apply(&expecting(&["B"])));
    assert!(cells.apply(&learnt(&[("A", Cell::answered(0)), ("C", failed())])));
    assert!(!cells.apply(&learnt(&[("A", failed()), ("C", failed())])));
}

#[test]
fn counts_are_by_state_and_name_what_is_missing() {
    let mut cells = DayCells::default();
    cells.apply(&expecting(&["A", "B", "C", "D"]));
    let deferred = Cell::lacking(CellState::Deferred, &name("run"));
    cells.apply(&learnt(&[
        ("A", Cell::answered(0)),
        ("B", failed()),
        ("D", deferred),
        ("X", Cell::stored(["jump"])),
    ]));
    let expect = Counts {
        expected: 4,
        stored: 1,
        flagged: 1,
        failed: 1,
        deferred: 1,
        missing: 1,
        covered: 1,
        due: 3,
        ..Counts::default()
    };
    assert_eq!(cells.counts(), expect);
    let fields = cells.to_fields(day(), "run", DateTime::UNIX_EPOCH);
    assert_eq!(Counts::from_value(fields.get(COUNTS)), expect);
    assert_eq!(DayCells::from_fields(&fields).unwrap(), cells);
}

#[test]
fn what_was_deleted_becomes_a_hole_and_what_was_found_is_stored() {
    let mut cells = DayCells::default();
    cells.apply(&expecting(&["A", "B"]));
    cells.apply(&learnt(&[("A", Cell::answered(0)), ("B", failed()), ("Z", Cell::answered(0))]));
    let counted = BTreeMap::from([(name("B"), Cell::stored(["jump"])), (name("C"), Cell::answered(0))]);
    assert!(cells.correct(&counted));
    assert_eq!(cells.get("A"), Some(&Known { expected: true, cell: None }));
    assert_eq!(cells.get("B").unwrap().cell, Some(Cell::stored(["jump"])));
    assert_eq!(cells.get("C").unwrap().cell, Some(Cell::answered(0)));
    assert_eq!(cells.get("Z"), None, "nobody expects it");
    assert!(!cells.correct(&counted));
}

#[test]
fn a_full_document_takes_no_further_names() {
    let mut cells = DayCells::default();
    let many: Vec<_> = (0..NAMES_BYTES_MAX / 50 + 10).map(|number| format!("{number:049}")).collect();
    let change = Change { expected: many.iter().map(|text| name(text)).collect(), ..Change::default() };
    assert!(cells.apply(&change));
    assert_eq!(cells.len(), NAMES_BYTES_MAX / 50);
    assert!(!cells.apply(&change));
}

fn any_change() -> impl Strategy<Value = Change> {
    let names = || proptest::sample::select(vec!["A", "B", "C", "D"]).prop_map(name);
    let expected = proptest::collection::btree_set(names(), 0..4);
    let cells = proptest::collection::btree_map(names(), any_cell(), 0..4);
    (expected, cells).prop_map(|(expected, cells)| Change { expected, cells })
}

proptest! {
    #[test]
    fn applying_again_changes_nothing(changes in proptest::collection::vec(any_change(), 1..4)) {
        let mut cells = DayCells::default();
        for change in &changes {
            cells.apply(change);
            prop_assert!(!cells.apply(change));
        }
    }

    #[test]
    fn changes_may_be_collected_before_they_are_applied(one in any_change(), other in any_change()) {
        let (mut apart, mut together) = (DayCells::default(), DayCells::default());
        apart.apply(&one);
        apart.apply(&other);
        let mut both = one;
        both.then(other);
        together.apply(&both);
        prop_assert_eq!(apart, together);
    }

    #[test]
    fn who_writes_first_does_not_matter_for_what_is_stored(one in any_change(), other in any_change()) {
        let mut orders = [DayCells::default(), DayCells::default()];
        for change in [&one, &other] {
            orders[0].apply(change);
        }
        for change in [&other, &one] {
            orders[1].apply(change);
        }
        let stored = |cells: &DayCells| -> Vec<(Arc<str>, bool, bool)> {
            let is_stored = |known: &Known| known.cell.as_ref().is_some_and(|cell| cell.state.is_stored());
            cells.iter().map(|(ticker, known)| (ticker.clone(), known.expected, is_stored(known))).collect()
        };
        prop_assert_eq!(stored(&orders[0]), stored(&orders[1]));
    }

    #[test]
    fn a_day_comes_back_as_it_was_stored(changes in proptest::collection::vec(any_change(), 0..4)) {
        let mut cells = DayCells::default();
        for change in &changes {
            cells.apply(change);
        }
        prop_assert_eq!(text::unpack(&text::pack(&cells)).unwrap(), cells);
    }
}
