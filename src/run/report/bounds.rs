//! How much of a run a response shows, so that its size stays acceptable to callers, logs and proxies.

use crate::base::text::{clip, json_bytes};
use crate::catalogue::Ticker;
use crate::run::{Failure, Work};

/// Maximum bytes of all listed failures, and likewise of all pending work.
const LISTED_BYTES_MAX: usize = 400_000;
/// Maximum bytes of one reason.
const REASON_BYTES_MAX: usize = 1_000;
/// Bytes of the names of the fields around an item.
const FRAME_BYTES: usize = 80;

/// The first failures, and how many are left out.
pub(super) fn failures(failed: &[Failure]) -> (Vec<Failure>, usize) {
    let mut room = LISTED_BYTES_MAX;
    let mut listed = Vec::new();
    for failure in failed {
        let reason = clip(&failure.reason, REASON_BYTES_MAX);
        let ticker = failure.ticker.as_ref().map_or(0, name_bytes);
        let bytes = FRAME_BYTES + json_bytes(&reason) + ticker + json_bytes(&failure.endpoint);
        let Some(left) = room.checked_sub(bytes) else { break };
        room = left;
        listed.push(Failure { reason, ..failure.clone() });
    }
    let left_out = failed.len() - listed.len();
    (listed, left_out)
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
        assert_eq!(failures(&failed), (failed, 0));
        let pending = vec![work("/fetch", &["A", "B"]), work("/market", &[])];
        assert_eq!(works(&pending), (pending, 0));
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let hostile = |n| Failure { reason: "\u{1}".repeat(5_000), ..failure("/fetch", &format!("T{n}")) };
        let failed: Vec<_> = (0..20_000).map(hostile).collect();
        let (listed, left_out) = failures(&failed);
        assert_eq!(listed.len() + left_out, 20_000);
        let bytes = serde_json::to_vec(&listed).unwrap().len();
        assert!(listed.len() > 300 && bytes <= LISTED_BYTES_MAX, "{} in {bytes} bytes", listed.len());

        let names: Vec<_> = (0..50_000).map(|n| format!("TICKER{n:05}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let pending = vec![work("/a", &names), work("/b", &names), work("/c", &[])];
        let (listed, left_out) = works(&pending);
        assert_eq!(listed.iter().map(Work::units).sum::<usize>() + left_out, 100_001);
        let bytes = serde_json::to_vec(&listed).unwrap().len();
        assert!(listed[0].tickers.len() > 20_000 && bytes <= LISTED_BYTES_MAX, "{bytes} bytes");
    }
}
