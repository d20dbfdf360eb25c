use proptest::prelude::*;

use super::*;

fn lacking(state: CellState) -> Cell {
    Cell::lacking(state, &Arc::from("run"))
}

fn flagged(code: &str) -> Cell {
    Cell::stored([code])
}

fn stored() -> Cell {
    Cell::answered(0)
}

#[test]
fn what_wins_over_what() {
    use CellState::{Deferred, Empty, Failed, Stale};
    let table: Vec<(Option<Cell>, Cell, Option<Cell>)> = vec![
        // Anything is more than nothing.
        (None, stored(), Some(stored())),
        (None, lacking(Failed), Some(lacking(Failed))),
        // What is stored stays stored.
        (Some(stored()), lacking(Failed), None),
        (Some(stored()), lacking(Stale), None),
        (Some(stored()), lacking(Empty), None),
        (Some(stored()), lacking(Deferred), None),
        (Some(flagged("jump")), lacking(Failed), None),
        // What arrives later replaces what was missing.
        (Some(lacking(Stale)), stored(), Some(stored())),
        (Some(lacking(Empty)), flagged("jump"), Some(flagged("jump"))),
        // The latest answer that stored something says whether it is doubtful.
        (Some(stored()), flagged("jump"), Some(flagged("jump"))),
        (Some(flagged("jump")), stored(), Some(stored())),
        (Some(flagged("jump")), flagged("split"), Some(flagged("split"))),
        // Of the others, the latest counts.
        (Some(lacking(Stale)), lacking(Failed), Some(lacking(Failed))),
        (Some(lacking(Failed)), lacking(Empty), Some(lacking(Empty))),
        (Some(lacking(Deferred)), lacking(Stale), Some(lacking(Stale))),
        // The same again is no change, whoever found it.
        (Some(stored()), stored(), None),
        (Some(flagged("jump")), flagged("jump"), None),
        (Some(lacking(Failed)), Cell::lacking(Failed, &Arc::from("another")), None),
        // The larger answer of a day counts.
        (Some(Cell::answered(3)), Cell::answered(5), Some(Cell::answered(5))),
        (Some(Cell::answered(5)), Cell::answered(3), None),
    ];
    for (old, new, expect) in table {
        assert_eq!(Cell::merge(old.as_ref(), &new), expect, "{old:?} and then {new:?}");
    }
}

#[test]
fn a_doubt_about_one_record_is_a_doubt_about_the_cell() {
    assert_eq!(stored().and(&flagged("jump")), flagged("jump"));
    assert_eq!(flagged("a").and(&flagged("b")), Cell::stored(["a", "b"]));
    assert_eq!(stored().and(&stored()), stored());
}

#[test]
fn a_code_fits_into_its_line() {
    assert_eq!(Cell::stored(["a b,c\n", " ", ""]), flagged("abc"));
    let long = Cell::stored(["x".repeat(100)]);
    assert_eq!(long, flagged(&"x".repeat(CODE_BYTES_MAX)));
}

#[test]
fn every_state_has_a_name_of_its_own() {
    for state in CellState::ALL {
        assert_eq!(CellState::parse(state.name()), Some(state));
    }
    assert_eq!(CellState::parse("missing"), None);
}

pub(crate) fn any_cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        (0usize..5).prop_map(Cell::answered),
        proptest::sample::subsequence(vec!["jump", "split", "cut"], 1..=3).prop_map(Cell::stored),
        (proptest::sample::select(&CellState::ALL[2..]), 0..3)
            .prop_map(|(state, run)| { Cell::lacking(state, &Arc::from(format!("run-{run}"))) }),
    ]
}

fn after(old: Option<Cell>, new: &Cell) -> Option<Cell> {
    Cell::merge(old.as_ref(), new).or(old)
}

proptest! {
    #[test]
    fn merging_again_changes_nothing(old in proptest::option::of(any_cell()), new in any_cell()) {
        let merged = after(old, &new);
        prop_assert_eq!(Cell::merge(merged.as_ref(), &new), None);
    }

    #[test]
    fn whether_something_is_stored_does_not_depend_on_the_order(cells in proptest::collection::vec(any_cell(), 1..6)) {
        let merge = |cells: &[Cell]| cells.iter().fold(None, after).expect("there is one");
        let mut backwards = cells.clone();
        backwards.reverse();
        let (one, other) = (merge(&cells), merge(&backwards));
        prop_assert_eq!(one.state.is_stored(), other.state.is_stored());
        prop_assert_eq!(one.state.is_stored(), cells.iter().any(|cell| cell.state.is_stored()));
        if one.state.is_stored() {
            prop_assert_eq!(one.records, other.records);
        }
    }

    #[test]
    fn shortfalls_do_not_change_what_is_stored(
        cells in proptest::collection::vec(any_cell(), 1..6), at in 0usize..6, short in proptest::sample::select(&CellState::ALL[2..])
    ) {
        let merge = |cells: &[Cell]| cells.iter().fold(None, after).expect("there is one");
        let without = merge(&cells);
        prop_assume!(without.state.is_stored());
        let mut with = cells.clone();
        with.insert(at.min(cells.len()), lacking(short));
        prop_assert_eq!(merge(&with), without);
    }
}
