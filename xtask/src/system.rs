//! How the commands start the component with simulated providers and a Firestore.

use std::path::PathBuf;

use sim::orchestrator::{Builder, Orchestrator};

use crate::runtime::Runtime;
use crate::workspace;

/// The release component on this runtime, with the runtime's local settings.
pub fn builder(runtime: Runtime, program: PathBuf) -> Builder {
    let (runtime, option) = match runtime {
        Runtime::Host => (sim::orchestrator::Runtime::Host { bin: program }, "--runtime-config"),
        Runtime::Spin => (sim::orchestrator::Runtime::Spin { bin: program }, "--runtime-config-file"),
    };
    let builder = Orchestrator::builder(runtime, workspace::manifest()).cache(workspace::host_cache());
    let runtime_config = workspace::runtime_config();
    if runtime_config.exists() {
        return builder.args([option.to_owned(), runtime_config.display().to_string()]);
    }
    builder
}
