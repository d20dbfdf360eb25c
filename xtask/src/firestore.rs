//! The Firestore of the commands that start a system: Google's emulator, or the embedded one, which needs nothing else.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use sim::firestore::memory::Strictness;
use sim::firestore::{Embedded, Emulator, Firestore, Kind};

use crate::progress;

/// Which Firestore, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The one of this repository: in memory, without Java and the Cloud SDK
    Embedded,
    /// Google's: needs Java and the Cloud SDK's emulator
    Emulator,
}

/// The chosen one; by default the emulator where this machine has one. Says why if it has none.
pub fn kind(choice: Option<Choice>) -> Kind {
    match choice {
        Some(Choice::Embedded) => Kind::Embedded,
        Some(Choice::Emulator) => Kind::Emulator,
        None => match Emulator::find() {
            Ok(_) => Kind::Emulator,
            Err(missing) => {
                progress::note(&format!("using the embedded Firestore: {missing:#}"));
                Kind::Embedded
            }
        },
    }
}

/// Starts an empty one.
pub async fn start(kind: Kind, port: Option<u16>) -> Result<Firestore> {
    Firestore::start(kind, port, Strictness::Emulator).await
}

/// Starts the embedded one with the data of a file.
pub async fn with_data(path: PathBuf, port: Option<u16>) -> Result<Firestore> {
    Ok(Firestore::Embedded(Embedded::with_data(port, Strictness::Emulator, path).await?))
}
