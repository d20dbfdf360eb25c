//! The real Firestore emulator as a process, and a small client that reads it back.
//!
//! The client shares no code with the orchestrator: what it reads is what another program would see.

mod db;
mod emulator;
mod install;
pub mod proxy;
mod value;

pub use db::{Db, Doc, unique_project};
pub use emulator::Emulator;
pub use install::Installation;
pub use value::{to_plain, to_typed};
