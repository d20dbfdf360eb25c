use std::collections::BTreeSet;

use super::*;
use crate::firestore::write::DOCUMENT_BYTES_MAX;
use crate::ledger::coverage::Change;
use crate::ledger::packing::{PLAN_BYTES_MAX, PLAN_TICKERS_MAX};

#[test]
fn a_small_day_can_be_read_in_the_database() {
    let mut cells = DayCells::default();
    let known = |expected, cell| Known { expected, cell };
    cells.insert("MSFT".into(), known(true, Some(Cell::answered(0))));
    cells.insert("AAPL".into(), known(true, Some(Cell::answered(0))));
    cells.insert("NEWS".into(), known(true, Some(Cell::answered(12))));
    cells.insert("TSLA".into(), known(false, Some(Cell::stored(["split", "jump"]))));
    cells.insert("XYZ".into(), known(true, Some(Cell::lacking(CellState::Failed, &"run-1".into()))));
    cells.insert("NEW".into(), known(true, None));
    let expect = " missing expected\nNEW\n stored expected\nAAPL\nMSFT\n stored expected records=12\nNEWS\n \
                  failed expected run=run-1\nXYZ\n flagged codes=jump,split\nTSLA\n";
    let Value::String(text) = pack(&cells) else { panic!("compressed") };
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(sorted(&text), sorted(expect), "{text}");
    assert_eq!(unpack(&Value::String(text)).unwrap(), cells);
}

/// Names that no compression makes shorter.
fn random_names(count: usize, bytes: usize) -> Vec<Arc<str>> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut letter = || char::from(b'!' + u8::try_from(next() % 94).unwrap());
    (0..count).map(|_| (0..bytes).map(|_| letter()).collect::<String>().into()).collect()
}

#[test]
fn the_longest_plan_fits_into_a_document_whatever_becomes_of_it() {
    let names = random_names(PLAN_TICKERS_MAX, PLAN_BYTES_MAX / PLAN_TICKERS_MAX - 1);
    let mut cells = DayCells::default();
    let mut change = Change::default();
    for (at, name) in names.iter().enumerate() {
        change.expected.insert(name.clone());
        let run: Arc<str> = format!("run-{at}-{}", "x".repeat(200)).into();
        let cell = match at % 3 {
            0 => Cell::answered(at % 900),
            1 => Cell::stored([format!("code-{at}-{}", "y".repeat(20))]),
            _ => Cell::lacking(CellState::Stale, &run),
        };
        change.note(name, &cell);
    }
    cells.apply(&change);
    assert_eq!(cells.len(), PLAN_TICKERS_MAX);
    let packed = pack(&cells);
    assert!(packed.stored_bytes() + 2_000 < DOCUMENT_BYTES_MAX, "{} bytes", packed.stored_bytes());
    let read = unpack(&packed).unwrap();
    assert_eq!((read.len(), read.counts()), (cells.len(), cells.counts()));
}

#[test]
fn a_usual_day_of_a_large_watchlist_is_small() {
    let mut cells = DayCells::default();
    for number in 0..5_000 {
        let cell = Some(Cell::answered(0));
        cells.insert(format!("T{number}").into(), Known { expected: true, cell });
    }
    let Value::String(text) = pack(&cells) else { panic!("compressed") };
    assert!(text.len() < 32_000, "{}", text.len());
}

#[test]
fn what_cannot_be_read_says_why() {
    assert!(unpack(&Value::NULL).unwrap_err().contains("neither"));
    assert!(unpack(&Value::string("AAPL\n")).unwrap_err().contains("names no state"));
    assert!(unpack(&Value::string(" odd\nAAPL\n")).unwrap_err().contains("`odd`"));
    assert_eq!(unpack(&Value::string("")).unwrap(), DayCells::default());
}
