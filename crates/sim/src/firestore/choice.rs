//! The Firestore of a system: the real emulator or the embedded one.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::OnceCell;

use super::db::Db;
use super::embedded::Embedded;
use super::emulator::Emulator;
use super::kind::Kind;
use super::memory::Strictness;

/// A running Firestore.
#[derive(Debug)]
pub enum Firestore {
    /// The one of this crate.
    Embedded(Embedded),
    /// Google's.
    Emulator(Emulator),
}

impl Firestore {
    /// Starts an empty one on a free port, or on `port`.
    pub async fn start(kind: Kind, port: Option<u16>, strictness: Strictness) -> Result<Self> {
        Ok(match kind {
            Kind::Embedded => Self::Embedded(Embedded::start(port, strictness).await?),
            Kind::Emulator => Self::Emulator(Emulator::start(port).await?),
        })
    }

    /// Starts one for tests on a free port. If it is the embedded one, it is as strict as Google's cloud.
    pub async fn for_tests() -> Result<Self> {
        let kind = Kind::demanded()?.unwrap_or_else(Kind::available);
        Self::start(kind, None, Strictness::Cloud).await
    }

    /// The one that all tests of this process share; it ends with the process. Each test uses its own project.
    pub async fn shared() -> Result<Arc<Self>> {
        static SHARED: OnceCell<Arc<Firestore>> = OnceCell::const_new();
        let start = async || Self::for_tests().await.map(Arc::new);
        SHARED.get_or_try_init(start).await.cloned()
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Embedded(_) => Kind::Embedded,
            Self::Emulator(_) => Kind::Emulator,
        }
    }

    /// `127.0.0.1:PORT`, the format of `FIRESTORE_EMULATOR_HOST`.
    pub fn host(&self) -> String {
        match self {
            Self::Embedded(embedded) => embedded.host(),
            Self::Emulator(emulator) => emulator.host(),
        }
    }

    /// A client for the default database of `project`.
    pub fn db(&self, project: &str) -> Db {
        Db::new(&self.host(), project, "(default)")
    }

    /// Kills it and waits until its port is closed. Its data is lost.
    pub async fn kill(&self) -> Result<()> {
        match self {
            Self::Embedded(embedded) => {
                embedded.kill().await;
                Ok(())
            }
            Self::Emulator(emulator) => emulator.kill().await,
        }
    }

    /// Starts again, empty, on the same port.
    pub async fn restart(&self) -> Result<()> {
        match self {
            Self::Embedded(embedded) => embedded.restart().await,
            Self::Emulator(emulator) => emulator.restart().await,
        }
    }
}
