//! The targets of hostile bytes: one function for each place where bytes come in from outside.
//!
//! A function that returns has passed. `fuzz/` includes this file, so it uses only the component's public interface.

use std::collections::HashSet;

use chrono::DateTime;

use http::request::Parts;
use orchestrator::api::problem::Problem;
use orchestrator::api::request::{parse_job, parse_manual};
use orchestrator::app::App;
use orchestrator::auth::claims::{self, Claims, Expected};
use orchestrator::auth::keys::KeySet;
use orchestrator::base::instance::Instance;
use orchestrator::base::world::World;
use orchestrator::catalogue::{Provider, Scope, Ticker, jobs};
use orchestrator::engine::plan;
use orchestrator::firestore::value::is_field_name;
use orchestrator::firestore::write::field_path;
use orchestrator::firestore::{DocumentPath, Write, path};
use orchestrator::google::Google;
use orchestrator::google::assertion::ServiceAccountKey;
use orchestrator::google::jwt::unverified_expiry;
use orchestrator::google::settings::Credentials;
use orchestrator::intake::answer::take_in;
use orchestrator::intake::envelope::{Envelope, check_values, failure_message};
use orchestrator::intake::record::{Asked, Context};
use orchestrator::intake::rejected::{self, Origin};
use orchestrator::ledger::entry::Entry;
use orchestrator::ledger::statistics::JobTotals;
use orchestrator::ledger::{Filter, PageToken};
use orchestrator::provider::breakers::StoredBreaker;
use orchestrator::resilience::retry_after;
use orchestrator::run::Trigger;
use orchestrator::run::report::RunReport;
use orchestrator::settings::Config;
use serde_json::Value as Json;

use super::deaf::{self, Deaf, message, now, wait};

/// Maximum size of a problem response: small enough to log.
const PROBLEM_BYTES_MAX: usize = 64 << 10;
/// Firestore's limit of a document.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Maximum bytes of an error message in logs and documents.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// Maximum documents of a response that are checked: they are all made in the same way.
const WRITES_MAX: usize = 200;

pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("request", request),
    ("provider", provider),
    ("firestore", firestore),
    ("tokens", tokens),
    ("google", google),
    ("retry_after", retry),
    ("ids", ids),
    ("key_file", key_file),
    ("settings", settings),
];

/// The headers and body of a request for a run.
pub fn request(bytes: &[u8]) {
    let (headers, body) = message(bytes);
    let world = deaf::world(Deaf::silent());
    let job = jobs().find(|job| job.scope != Scope::None).expect("jobs with tickers");
    for trigger in [parse_job(job, &headers, body, &world), parse_manual(&headers, body, &world)] {
        match trigger {
            Ok(trigger) => triggered(trigger),
            Err(problem) => check_problem(&problem),
        }
    }
}

fn triggered(trigger: Trigger) {
    let state = trigger.into_state(now());
    let id = DocumentPath::new("runs", &state.identity.run_id);
    assert!(id.id().len() <= path::ID_BYTES_MAX);
    serde_json::to_vec(&RunReport::new(&state)).expect("a report is JSON");
}

fn check_problem(problem: &Problem) {
    assert!(problem.status.is_client_error() || problem.status.is_server_error());
    let bytes = serde_json::to_vec(problem).expect("a problem is JSON").len();
    assert!(bytes <= PROBLEM_BYTES_MAX, "a problem of {bytes} bytes");
}

/// The body of a provider's response, for every endpoint.
pub fn provider(body: &[u8]) {
    let message = failure_message(body);
    assert!(message.len() <= MESSAGE_BYTES_MAX);
    let config = deaf::config();
    let Ok(envelope) = Envelope::parse(body) else { return };
    if check_values(body).is_err() {
        return;
    }
    let asked = ["AAPL", "T001", "BRK/B"].map(|ticker| Ticker::parse(ticker).expect("a ticker"));
    for job in jobs() {
        let context = Context {
            collections: &config.collections,
            source: job.provider.name(),
            run_id: "r",
            now: now(),
            calendar: &config.ticks.calendar,
            tick: now(),
            asked: Asked { is_enlarged: body.len().is_multiple_of(2), ..Asked::default() },
        };
        let origin = Origin { collection: "rejected_records", job, run_id: "r", now: now() };
        for endpoint in job.endpoints {
            let Ok(intake) = take_in(&envelope, endpoint.dataset, &asked, &context) else { continue };
            let partly = intake.partly.len();
            assert_eq!(intake.answered().count() + intake.failed.len() + partly, asked.len());
            assert!(intake.failed.iter().all(|(_, reason)| reason.len() <= MESSAGE_BYTES_MAX));
            let documents: HashSet<_> = intake.records.iter().map(|write| &write.document).collect();
            assert_eq!(documents.len(), intake.records.len(), "records collide");
            let rejected = intake.rejected.iter().take(WRITES_MAX);
            rejected
                .flat_map(|rejected| rejected::writes(rejected, &origin))
                .for_each(|(_, write)| storable(&write));
            intake.records.iter().take(WRITES_MAX).for_each(storable);
        }
    }
}

fn storable(write: &Write) {
    assert!(write.document.id().len() <= path::ID_BYTES_MAX);
    assert!(write.stored_bytes() <= DOCUMENT_BYTES_MAX, "{}: {}", write.document, write.stored_bytes());
    let encoded = write.encode("projects/p/databases/d");
    // A write that Firestore refuses is parsed again so that it can be kept.
    serde_json::from_slice::<Json>(&encoded.json).expect("a write is JSON");
}

/// Firestore's response to every request: a status, then the body.
pub fn firestore(bytes: &[u8]) {
    let config = deaf::config();
    let retention = config.run.retention;
    let world = deaf::world(Deaf::saying(bytes));
    let instance = Instance::new(&world);
    let app = App::new(config, world.clone(), instance);
    let paths = [DocumentPath::new("ingestion_runs", "r"), DocumentPath::new("breakers", "tiingo")];
    let _ = wait(app.engine.firestore.get_all(&paths));
    // A query's results may have any name.
    let found =
        wait(app.engine.firestore.list("things", &[], None)).map(|page| page.documents).unwrap_or_default();
    for document in found {
        let _ =
            (StoredBreaker::from_document(&document), JobTotals::from_document(&document), document.age());
        let encoded =
            Write::overwrite(paths[0].clone(), document.fields.clone()).encode("projects/p/databases/d");
        serde_json::from_slice::<Json>(&encoded.json).expect("a write is JSON");
        let Ok(entry) = Entry::from_fields(&document.fields) else { continue };
        serde_json::to_vec(&RunReport::new(&entry.state)).expect("a report is JSON");
        let _ = entry.to_fields(retention);
    }
    let _ = wait(plan::resolve(&app.engine.firestore, &app.config.collections, Scope::EntireWatchlist));
    let _ = wait(app.engine.ledger.list(&Filter { limit: 1, ..Filter::default() }));
    let _ = wait(app.engine.ledger.recent("tiingo-daily-prices", 1));
    let _ = (wait(app.engine.ledger.get("r")), wait(app.engine.ledger.resume("r", &|_, _| Vec::new())));
    let tiingo = Provider::parse("tiingo").expect("known");
    let _ = wait(app.engine.breakers.refresh(tiingo));
    let _ = (app.engine.breakers.admit(tiingo, "/fetch"), app.engine.breakers.state(tiingo));
    let _ = wait(app.engine.breakers.open(tiingo, "/fetch", "r", "message"));
    let _ = wait(app.engine.breakers.limit_hit(tiingo, None, "message", false));
    let _ = app.engine.breakers.farewell(tiingo, "o", &[]);
    let write = Write::overwrite(paths[0].clone(), orchestrator::firestore::Fields::new());
    let _ = wait(app.engine.firestore.commit(std::slice::from_ref(&write)));
    match wait(app.engine.firestore.batch_write(&[write.encode("projects/p/databases/d")])) {
        Ok(statuses) => {
            assert!(statuses.iter().flatten().all(|(_, message)| message.len() <= MESSAGE_BYTES_MAX));
        }
        Err(error) => {
            assert!(error.to_string().len() <= MESSAGE_BYTES_MAX, "{} bytes", error.to_string().len());
        }
    }
}

/// The headers of a request that must be authenticated, Google's key set, the claims of a valid token.
pub fn tokens(bytes: &[u8]) {
    let (headers, body) = message(bytes);
    let world = deaf::world(Deaf::saying(body));
    let mut config = deaf::config();
    config.auth.inbound = orchestrator::auth::settings::InboundAuth::Oidc;
    let auth = orchestrator::auth::Authenticator::new(world.clone(), config.auth.clone());
    let mut parts: Parts = http::Request::new(()).into_parts().0;
    parts.headers = headers;
    assert!(wait(auth.authenticate(&parts)).is_err(), "these bytes are accepted as authentication");
    let _ = wait(KeySet::default().find(&world, "https://keys.test", "k1"));
    if let Ok(claims) = serde_json::from_slice::<Claims>(body) {
        let expected =
            Expected { audiences: &["https://us".to_owned()], emails: &config.auth.scheduler_accounts };
        let _ = claims::check(&claims, &expected, now());
    }
    let _ = unverified_expiry(&String::from_utf8_lossy(body));
}

/// The metadata server's response.
pub fn google(bytes: &[u8]) {
    let config = deaf::config();
    let google = Google::new(deaf::world(Deaf::saying(bytes)), config.google, Credentials::Metadata);
    match wait(google.access_token()) {
        Ok(token) => assert!(token.header().is_sensitive()),
        Err(error) => assert!(error.to_string().len() <= MESSAGE_BYTES_MAX),
    }
    let _ = wait(google.identity_token("https://tiingo.test")).map(|token| token.header());
}

/// A provider's `Retry-After` header.
pub fn retry(bytes: &[u8]) {
    let (headers, rest) = message(bytes);
    let _ = retry_after::parse(&headers, now());
    if let Ok(value) = http::HeaderValue::from_bytes(rest) {
        let headers = http::HeaderMap::from_iter([(http::header::RETRY_AFTER, value)]);
        for now in
            [now(), DateTime::UNIX_EPOCH, DateTime::<chrono::Utc>::MAX_UTC, DateTime::<chrono::Utc>::MIN_UTC]
        {
            let wait = retry_after::parse(&headers, now);
            assert!(wait.is_none_or(|wait| wait <= retry_after::RETRY_AFTER_MAX));
        }
    }
}

/// Names of documents and fields, page tokens, tickers.
pub fn ids(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let path = DocumentPath::new("c", &text).child("parts", &text);
    assert!(!path.id().is_empty() && path.id().len() <= path::ID_BYTES_MAX);
    assert_eq!(path.as_str().split('/').count(), 4);
    assert!(path::encode_segment(&text).is_ascii());
    let _ = (field_path(&text), is_field_name(&text), PageToken::parse(&text));
    match Ticker::parse(&text) {
        Ok(ticker) => assert_eq!(Ticker::parse(ticker.as_str()).as_ref(), Ok(&ticker)),
        Err(error) => assert!(error.to_string().len() <= MESSAGE_BYTES_MAX),
    }
}

/// The JSON of a service account's key.
pub fn key_file(bytes: &[u8]) {
    let Err(error) = ServiceAccountKey::parse(&String::from_utf8_lossy(bytes)) else { return };
    assert!(error.len() <= MESSAGE_BYTES_MAX, "the key is repeated in its error");
}

/// Settings, one per line: `name=value`.
pub fn settings(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lookup = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).or_else(|| deaf::setting(name))
    };
    match Config::parse(lookup) {
        Ok(config) => {
            let world: World = deaf::world(Deaf::silent());
            let instance = Instance::new(&world);
            let app = App::new(config, world, instance);
            drop(orchestrator::api::router(std::sync::Arc::new(app)));
        }
        Err(errors) => assert!(!errors.0.is_empty()),
    }
    let world = deaf::world(Deaf::silent());
    drop(orchestrator::api::misconfigured(
        orchestrator::settings::ConfigErrors(vec![text.into_owned()]),
        world,
    ));
}
