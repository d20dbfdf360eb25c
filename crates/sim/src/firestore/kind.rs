//! Which Firestore a system uses.

use anyhow::{Result, bail};

use super::install::Installation;

/// Selects the Firestore of tests: `emulator` or `embedded`. If it is not set, they use the emulator where there is one.
const VARIABLE: &str = "E2E_FIRESTORE";

/// Which Firestore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The one of this crate.
    Embedded,
    /// Google's.
    Emulator,
}

impl Kind {
    /// The emulator if this machine has one, otherwise the embedded one.
    pub fn available() -> Self {
        if Installation::find().is_ok() { Self::Emulator } else { Self::Embedded }
    }

    /// The one that tests must use, if they are told.
    pub fn demanded() -> Result<Option<Self>> {
        match std::env::var(VARIABLE).as_deref() {
            Ok("emulator") => Ok(Some(Self::Emulator)),
            Ok("embedded") => Ok(Some(Self::Embedded)),
            Err(_) => Ok(None),
            Ok(other) => bail!("{VARIABLE} is `{other}`: set it to emulator or embedded"),
        }
    }

    /// Whether tests of the emulator itself are left out, because this machine has none and nobody demands it.
    pub fn leaves_out_emulator() -> Result<bool> {
        Ok(Self::demanded()? != Some(Self::Emulator) && Self::available() == Self::Embedded)
    }

    /// The name on command lines and in the tests' environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Emulator => "emulator",
        }
    }
}
