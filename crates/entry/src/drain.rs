//! Waits until no request is being served.
//!
//! Spin cuts off the requests in progress when it is told to stop, so it is told late: once no connection to its port
//! is open, or time is up. Until then it keeps accepting requests, as it should: a load balancer sends some until it
//! notices that this instance is stopping. Work that is cut off anyway is not lost: the run's next attempt continues
//! it.
//!
//! A run whose caller has hung up has no connection, so it is not waited for. It cannot be found by asking either,
//! because each instance of the component knows only its own requests. Another attempt continues it once its lease has
//! expired.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::say;

/// Time between two checks.
const INTERVAL: Duration = Duration::from_millis(100);

/// This many checks in a row must find nothing.
const QUIET_LOOKS: u32 = 2;

/// Where Linux lists TCP connections; readable by every user.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// The state `ESTABLISHED` in those lists.
const ESTABLISHED: &str = "01";

/// Waits until no connection to `port` is open, at most for `limit`.
///
/// An idle keep-alive connection also counts as open: then the whole time is used up.
pub async fn wait(port: u16, limit: Duration) {
    let end = Instant::now() + limit;
    let (mut told, mut quiet) = (false, 0);
    while let Some(open) = open_connections(port) {
        // The list changes while it is read, so a single check can miss a connection.
        quiet = if open == 0 { quiet + 1 } else { 0 };
        if quiet == QUIET_LOOKS {
            return;
        }
        if open > 0 && Instant::now() >= end {
            say(format_args!("{open} connections were still open after {} s", limit.as_secs()));
            return;
        }
        if open > 0 && !told {
            let limit = limit.as_secs();
            say(format_args!("stopping when {open} connections are closed, or after {limit} s"));
            told = true;
        }
        sleep(INTERVAL).await;
    }
}

/// None if the system does not provide the list.
fn open_connections(port: u16) -> Option<usize> {
    let tables: Vec<_> = TABLES.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    (!tables.is_empty()).then(|| tables.iter().map(|table| count(table, port)).sum())
}

/// Counts the established connections to a local port in one table.
fn count(table: &str, port: u16) -> usize {
    let suffix = format!(":{port:04X}");
    let is_open = |line: &&str| {
        let mut columns = line.split_whitespace().skip(1);
        let (local, _remote, state) = (columns.next(), columns.next(), columns.next());
        local.is_some_and(|local| local.ends_with(&suffix)) && state == Some(ESTABLISHED)
    };
    table.lines().skip(1).filter(is_open).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_established_connections_to_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000
   1: 0100007F:1F40 0100007F:D431 01 00000000:00000000
   2: 0100007F:D431 0100007F:1F40 01 00000000:00000000
   3: 0100007F:1F40 0100007F:D432 06 00000000:00000000
";
        assert_eq!(count(table, 8000), 1);
        assert_eq!(count(table, 8001), 0);
    }
}
