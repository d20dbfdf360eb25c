//! How much of a run a response shows, so that its size stays acceptable to callers, logs and proxies.

use serde::Serialize;

use crate::base::text::{clip, json_bytes};
use crate::catalogue::Ticker;
use crate::run::{Outcome, Shortfall, Work};

/// Maximum bytes of all listed failures, and likewise of all pending work.
const LISTED_BYTES_MAX: usize = 400_000;
/// Maximum bytes of one reason.
const REASON_BYTES_MAX: usize = 1_000;
/// Bytes of the names of the fields around an item.
const FRAME_BYTES: usize = 80;

/// The tickers of a run that are over without the data that was expected, by outcome. Each list has as many as fit into
/// a response; its `…_left_out` is the number of further ones.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the response")]
pub struct Shortfalls {
    /// The provider reported an error, or every record was rejected.
    pub tickers_failed: Vec<Shortfall>,
    #[serde(skip_serializing_if = "is_zero")]
    pub tickers_failed_left_out: usize,
    /// The provider had nothing, though the dataset expects something.
    pub tickers_empty: Vec<Shortfall>,
    #[serde(skip_serializing_if = "is_zero")]
    pub tickers_empty_left_out: usize,
    /// The newest record is too old.
    pub tickers_stale: Vec<Shortfall>,
    #[serde(skip_serializing_if = "is_zero")]
    pub tickers_stale_left_out: usize,
    /// Not requested, because the provider's quota is used up.
    pub tickers_deferred: Vec<Shortfall>,
    #[serde(skip_serializing_if = "is_zero")]
    pub tickers_deferred_left_out: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Shortfalls {
    pub(super) fn new(shortfalls: &[Shortfall]) -> Self {
        let (mut lists, mut room) = (Self::default(), LISTED_BYTES_MAX);
        for short in shortfalls {
            let (list, left_out) = match short.outcome {
                Outcome::Empty => (&mut lists.tickers_empty, &mut lists.tickers_empty_left_out),
                Outcome::Stale => (&mut lists.tickers_stale, &mut lists.tickers_stale_left_out),
                Outcome::Deferred => (&mut lists.tickers_deferred, &mut lists.tickers_deferred_left_out),
                _ => (&mut lists.tickers_failed, &mut lists.tickers_failed_left_out),
            };
            let reason = clip(&short.reason, REASON_BYTES_MAX);
            let ticker = short.ticker.as_ref().map_or(0, name_bytes);
            let bytes = FRAME_BYTES + json_bytes(&reason) + ticker + json_bytes(&short.endpoint);
            match room.checked_sub(bytes) {
                Some(left) => {
                    room = left;
                    list.push(Shortfall { reason, ..short.clone() });
                }
                None => *left_out += 1,
            }
        }
        lists
    }
}

/// The first pieces of pending work, and how many tickers are left out.
pub(super) fn works(pending: &[Work]) -> (Vec<Work>, usize) {
    let mut room = LISTED_BYTES_MAX;
    let mut listed: Vec<Work> = Vec::new();
    for work in pending {
        let reason = work.reason.as_ref().map(|reason| clip(reason, REASON_BYTES_MAX));
        let frame = FRAME_BYTES + reason.as_deref().map_or(0, json_bytes) + json_bytes(&work.endpoint);
        let Some(left) = room.checked_sub(frame) else { break };
        room = left;
        let fits = |ticker: &&Ticker| match room.checked_sub(name_bytes(ticker)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let tickers: Vec<_> = work.tickers.iter().take_while(fits).cloned().collect();
        let is_cut = tickers.len() < work.tickers.len();
        // Work without tickers is different from work whose tickers do not fit.
        if !(is_cut && tickers.is_empty()) {
            listed.push(Work { tickers, reason, ..work.clone() });
        }
        if is_cut {
            break;
        }
    }
    let units = |works: &[Work]| works.iter().map(Work::units).sum::<usize>();
    let left_out = units(pending) - units(&listed);
    (listed, left_out)
}

/// With quotes and a comma.
fn name_bytes(ticker: &Ticker) -> usize {
    json_bytes(ticker.as_str()) + 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{failure, work};

    #[test]
    fn a_usual_run_is_told_whole() {
        let failed: Vec<_> = (0..1_000).map(|n| failure("/fetch", &format!("T{n}"))).collect();
        let lists = Shortfalls::new(&failed);
        assert_eq!((lists.tickers_failed, lists.tickers_failed_left_out), (failed, 0));
        let pending = vec![work("/fetch", &["A", "B"]), work("/market", &[])];
        assert_eq!(works(&pending), (pending, 0));
    }

    #[test]
    fn each_outcome_has_its_list() {
        let short = |outcome| Shortfall { outcome, ..failure("/fetch", outcome.name()) };
        let lists = Shortfalls::new(&Outcome::SHORTFALLS.map(short));
        for (list, outcome) in [
            (lists.tickers_failed, Outcome::Failed),
            (lists.tickers_empty, Outcome::Empty),
            (lists.tickers_stale, Outcome::Stale),
            (lists.tickers_deferred, Outcome::Deferred),
        ] {
            assert_eq!(list, [short(outcome)]);
        }
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let hostile = |n| {
            let outcome = if n % 2 == 0 { Outcome::Failed } else { Outcome::Stale };
            Shortfall { reason: "\u{1}".repeat(5_000), outcome, ..failure("/fetch", &format!("T{n}")) }
        };
        let short: Vec<_> = (0..20_000).map(hostile).collect();
        let lists = Shortfalls::new(&short);
        assert_eq!(lists.tickers_failed.len() + lists.tickers_failed_left_out, 10_000);
        assert_eq!(lists.tickers_stale.len() + lists.tickers_stale_left_out, 10_000);
        let bytes = serde_json::to_vec(&lists).unwrap().len();
        let listed = lists.tickers_failed.len() + lists.tickers_stale.len();
        assert!(listed > 300 && bytes <= LISTED_BYTES_MAX + 500, "{listed} in {bytes} bytes");

        let names: Vec<_> = (0..50_000).map(|n| format!("TICKER{n:05}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let pending = vec![work("/a", &names), work("/b", &names), work("/c", &[])];
        let (listed, left_out) = works(&pending);
        assert_eq!(listed.iter().map(Work::units).sum::<usize>() + left_out, 100_001);
        let bytes = serde_json::to_vec(&listed).unwrap().len();
        assert!(listed[0].tickers.len() > 20_000 && bytes <= LISTED_BYTES_MAX, "{bytes} bytes");
    }
}
