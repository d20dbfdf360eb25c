//! The settings of a drawn world.

use std::collections::BTreeMap;

use orchestrator::catalogue::Provider;

use crate::world::dice::Dice;

pub(super) fn settings(dice: &Dice, is_big: bool, is_paced: bool) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    set("google_cloud_project", "world".into());
    set("inbound_auth", "platform".into());
    if dice.chance(70) {
        set("firestore_emulator_host", "firestore.test:8080".into());
    } else {
        // As on Google Cloud: with the ramp-up of writes.
        set("gcp_access_token", "token".into());
        set("firestore_ramp_writes_per_second", dice.pick(&[20, 500]).to_string());
    }
    for provider in Provider::all() {
        let name = provider.name();
        set(&format!("{name}_service_url"), format!("http://{name}.test"));
        let sizes: &[u64] = if is_big { &[20, 50] } else { &[1, 2, 3, 5, 50] };
        let sizes = if is_paced { &[1, 2, 5] } else { sizes };
        set(&format!("batch_size_{name}"), dice.pick(sizes).to_string());
        set(&format!("max_concurrency_{name}"), dice.between(1, 4).to_string());
    }
    let deadlines: &[u64] = if is_big || is_paced { &[120, 840] } else { &[10, 30, 120, 840] };
    set("job_deadline_seconds", dice.pick(deadlines).to_string());
    set("lease_seconds", dice.pick(&[5, 15, 60]).to_string());
    let timeouts: &[u64] = if is_paced { &[300] } else { &[5, 30, 300] };
    set("service_timeout_seconds", dice.pick(timeouts).to_string());
    set("firestore_timeout_seconds", dice.pick(&[2, 10, 60]).to_string());
    // What the service makes by itself is in the worlds of the market (`tests/it/market`).
    set("heal_sessions", "0".into());
    set("refetch_history_sessions", "0".into());
    set("publish_patience_minutes", dice.pick(&[0, 30, 240]).to_string());
    set("publish_retry_seconds", dice.pick(&[60, 900]).to_string());
    set("retry_max_attempts", dice.between(1, 5).to_string());
    set("retry_max_ms", dice.pick(&[1_000, 20_000]).to_string());
    set("breaker_window", "20".into());
    set("breaker_min_calls", dice.pick(&[3, 10]).to_string());
    set("breaker_open_seconds", dice.pick(&[5, 60]).to_string());
    set("breaker_open_max_seconds", dice.pick(&[60, 600]).to_string());
    settings
}
