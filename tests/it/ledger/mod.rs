//! The ledger with a Firestore that is slow, breaks off or loses responses, and with instances whose clocks differ.

mod accounts;
mod cancel;
mod changes;
mod closed_days;
mod coverage;
mod documents;
mod leases;
mod lists;
mod lost_answers;
mod order;
mod pauses;
mod planning;
mod publication;
mod replay;
mod streams;
mod tokens;
mod watch;
mod world;
