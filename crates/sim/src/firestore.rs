//! Firestore for tests and demonstrations, and a small client that reads it back.
//!
//! There are two: the real emulator as a process, and the embedded one, which needs nothing else on the machine.
//! The client shares no code with the orchestrator: what it reads is what another program would see.

mod choice;
mod db;
mod embedded;
mod emulator;
mod install;
mod kind;
pub mod memory;
pub mod proxy;
mod value;

pub use choice::Firestore;
pub use db::{Db, Doc, unique_project};
pub use embedded::Embedded;
pub use emulator::Emulator;
pub use install::Installation;
pub use kind::Kind;
pub use value::{to_plain, to_typed};
