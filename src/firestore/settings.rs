//! Where Firestore is and how it is reached: the settings.

use std::time::Duration;

use crate::config::read::Reader;

/// Where Firestore is and how it is reached.
#[derive(Clone, Debug)]
pub struct FirestoreConfig {
    /// `https://HOST/v1`, without a trailing slash.
    pub endpoint: String,
    pub project: String,
    /// `projects/{project}/databases/{database}`.
    pub database: String,
    pub timeout: Duration,
    /// Write rate limit; none against the emulator.
    pub ramp: Option<RampConfig>,
}

/// How fast writes may grow against the cloud (Firestore's 500/50/5 rule).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RampConfig {
    pub writes_per_second: u32,
    pub step: Duration,
}

/// Reads the settings.
pub fn read(r: &mut Reader<'_>) -> Option<FirestoreConfig> {
    let project = r.path_segment("google_cloud_project");
    let database = r.path_segment("firestore_database");
    let emulator = r.authority("firestore_emulator_host");
    let on_cloud = emulator.as_ref().is_some_and(String::is_empty);
    let endpoint = emulator.map(|host| match host.as_str() {
        "" => "https://firestore.googleapis.com/v1".to_owned(),
        host => format!("http://{host}/v1"),
    });
    let timeout = r.seconds("firestore_timeout_seconds");
    let writes_per_second = r.integer("firestore_ramp_writes_per_second");
    let step_minutes = r.integer("firestore_ramp_minutes");
    let ramp = RampConfig {
        writes_per_second: u32::try_from(writes_per_second?).ok()?,
        step: Duration::from_secs(60 * step_minutes?),
    };
    let project = project?;
    Some(FirestoreConfig {
        endpoint: endpoint?,
        database: format!("projects/{project}/databases/{}", database?),
        project,
        timeout: timeout?,
        ramp: on_cloud.then_some(ramp),
    })
}
