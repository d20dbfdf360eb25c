//! The stored form of a day's cells: plain lines, compressed only if they are many.
//!
//! ```text
//!  stored expected
//! AAPL
//! MSFT
//!  flagged expected codes=price_jump,repeated_day
//! TSLA
//!  failed expected run=tiingo-daily-prices_2026-11-23T23:00:00Z
//! XYZ
//! ```
//!
//! A line that begins with a space says what is known about the tickers below it; no ticker begins with one. Every name
//! is there once. A document holds 1 MiB: the names take at most [`super::document::NAMES_BYTES_MAX`], gzip adds less
//! than 0.1 % to what cannot be compressed, and if the other lines take too much, they are stored without details.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::document::{DayCells, Known};
use crate::firestore::{Value, payload};
use crate::run::cell::{Cell, CellState};

/// Longest text that is stored as text, in bytes.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// Longest compressed form: 1 MiB, minus the rest of the document.
const PACKED_BYTES_MAX: usize = 960_000;
/// Longest text that is unpacked, in bytes.
const UNPACKED_BYTES_MAX: usize = 8 << 20;
/// The state of tickers about which nothing is known.
const NOTHING: &str = "missing";

pub(super) fn pack(cells: &DayCells) -> Value {
    let text = encode(cells, Clone::clone);
    if text.len() <= TEXT_BYTES_MAX {
        return Value::String(text);
    }
    let packed = payload::compress(text.as_bytes());
    if packed.len() <= PACKED_BYTES_MAX {
        return Value::Bytes(Bytes::from(packed));
    }
    Value::Bytes(Bytes::from(payload::compress(encode(cells, without_details).as_bytes())))
}

pub(super) fn unpack(value: &Value) -> Result<DayCells, String> {
    match value {
        Value::String(text) => decode(text),
        Value::Bytes(packed) => {
            let bytes = payload::join(std::slice::from_ref(packed), UNPACKED_BYTES_MAX)
                .map_err(|error| error.to_string())?;
            decode(&String::from_utf8(bytes).map_err(|error| error.to_string())?)
        }
        _ => Err("its cells are neither a string nor bytes".to_owned()),
    }
}

fn without_details(known: &Known) -> Known {
    let bare = |cell: &Cell| Cell { records: 0, codes: None, run_id: None, ..cell.clone() };
    Known { cell: known.cell.as_ref().map(bare), ..known.clone() }
}

fn encode(cells: &DayCells, shown: impl Fn(&Known) -> Known) -> String {
    let mut groups: BTreeMap<Known, Vec<&str>> = BTreeMap::new();
    for (ticker, known) in cells.iter() {
        groups.entry(shown(known)).or_default().push(ticker);
    }
    let mut text = String::new();
    for (known, tickers) in groups {
        text.push_str(&head(&known));
        for ticker in tickers {
            text.push_str(ticker);
            text.push('\n');
        }
    }
    text
}

fn head(known: &Known) -> String {
    let cell = known.cell.as_ref();
    let mut line = format!(" {}", cell.map_or(NOTHING, |cell| cell.state.name()));
    if known.expected {
        line.push_str(" expected");
    }
    // Writing to a string cannot fail.
    if let Some(records) = cell.map(|cell| cell.records).filter(|records| *records > 0) {
        let _ = write!(line, " records={records}");
    }
    if let Some(codes) = cell.and_then(|cell| cell.codes.as_ref()) {
        let codes: Vec<_> = codes.iter().map(String::as_str).collect();
        let _ = write!(line, " codes={}", codes.join(","));
    }
    // The ID of a run by a person may contain anything visible, but no space.
    if let Some(run_id) =
        cell.and_then(|cell| cell.run_id.as_ref()).filter(|id| !id.contains(char::is_whitespace))
    {
        let _ = write!(line, " run={run_id}");
    }
    line.push('\n');
    line
}

fn decode(text: &str) -> Result<DayCells, String> {
    let mut cells = DayCells::default();
    let mut known = None;
    for line in text.lines() {
        match (line.strip_prefix(' '), &known) {
            (Some(head), _) => known = Some(parse(head)?),
            (None, Some(known)) => cells.insert(Arc::from(line), known.clone()),
            (None, None) => return Err(format!("its first line is `{line}`, which names no state")),
        }
    }
    Ok(cells)
}

fn parse(head: &str) -> Result<Known, String> {
    let mut words = head.split(' ');
    let name = words.next().unwrap_or_default();
    let state = match CellState::parse(name) {
        None if name != NOTHING => return Err(format!("it has cells of the unknown state `{name}`")),
        state => state,
    };
    let (mut expected, mut records, mut codes, mut run_id) = (false, 0, None, None);
    for word in words {
        match word.split_once('=') {
            None => expected |= word == "expected",
            Some(("records", number)) => records = number.parse().unwrap_or_default(),
            Some(("codes", list)) => codes = Some(Arc::new(list.split(',').map(str::to_owned).collect())),
            Some(("run", id)) => run_id = Some(Arc::from(id)),
            // Of a later version.
            Some(_) => {}
        }
    }
    Ok(Known { expected, cell: state.map(|state| Cell { state, records, codes, run_id }) })
}

#[cfg(test)]
mod tests;
