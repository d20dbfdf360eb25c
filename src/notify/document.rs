//! An alert's document.

use chrono::{DateTime, Utc};

use super::alert::{Change, Known, Moment, State, Subject};
use super::target::Target;
use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, Fields, Precondition, Value, Write};
use crate::ops::alerts::Severity;

const QUIET_SINCE: &str = "quiet_since";
const CLAIMED_AT: &str = "claimed_at";

/// The write that stores an alert; the times that are Firestore's own are set by it.
pub fn write(path: DocumentPath, known: &Known, precondition: Precondition) -> Write {
    let subject = &known.subject;
    let mut stored = fields([
        ("alert", Value::string(&subject.alert)),
        ("job", text(subject.job.as_ref())),
        ("provider", text(subject.provider.as_ref())),
        ("dataset", text(subject.dataset.as_ref())),
        ("state", Value::string(known.state.name())),
        ("severity", Value::string(severity(known.severity))),
        ("message", Value::string(&known.message)),
        ("since", time(known.since)),
        ("changed_at", time(known.changed_at)),
        ("changes", Value::Array { values: known.changes.iter().map(of_change).collect() }),
    ]);
    let mut times = Vec::new();
    let claim = known.claim.as_ref();
    for (name, moment) in [(QUIET_SINCE, known.quiet_since), (CLAIMED_AT, claim.map(|(_, at)| *at))] {
        match moment {
            Some(Moment::Now) => times.push(name.to_owned()),
            Some(Moment::At(at)) => drop(stored.insert(name.to_owned(), Value::Timestamp(at))),
            None => {}
        }
    }
    if let Some((by, _)) = claim {
        stored.insert("claimed_by".to_owned(), Value::string(by));
    }
    Write { times, ..Write::overwrite(path, stored).only_if(precondition) }
}

/// The alert in a document. Fields that cannot be read count as missing: a document that somebody has spoilt becomes
/// right with the alert's next change.
pub fn read(fields: &Fields) -> Known {
    let words = |name: &str| string(fields, name);
    let at = |name: &str| fields.get(name).and_then(Value::as_timestamp);
    let claimed_at = at(CLAIMED_AT).map(Moment::At);
    Known {
        subject: Subject {
            alert: words("alert").unwrap_or_default(),
            job: words("job"),
            provider: words("provider"),
            dataset: words("dataset"),
        },
        state: state(fields),
        severity: to_severity(fields),
        message: words("message").unwrap_or_default(),
        since: at("since"),
        changed_at: at("changed_at"),
        quiet_since: at(QUIET_SINCE).map(Moment::At),
        changes: fields
            .get("changes")
            .and_then(Value::as_array)
            .unwrap_or_default()
            .iter()
            .filter_map(|change| to_change(change.as_map()?))
            .collect(),
        claim: words("claimed_by").zip(claimed_at),
    }
}

fn of_change(change: &Change) -> Value {
    let pending =
        |(target, error): &(Target, Option<String>)| (target.name().to_owned(), text(error.as_ref()));
    Value::map([
        ("id", Value::string(&change.id)),
        ("state", Value::string(change.state.name())),
        ("at", Value::Timestamp(change.at)),
        ("severity", Value::string(severity(change.severity))),
        ("message", Value::string(&change.message)),
        ("since", time(change.since)),
        ("pending", Value::Map { fields: change.pending.iter().map(pending).collect() }),
    ])
}

fn to_change(fields: &Fields) -> Option<Change> {
    let at = |name: &str| fields.get(name).and_then(Value::as_timestamp);
    let mut pending = Vec::new();
    for (name, error) in fields.get("pending").and_then(Value::as_map)? {
        if let Some(target) = Target::parse(name) {
            pending.push((target, error.as_str().map(ToOwned::to_owned)));
        }
    }
    Some(Change {
        id: string(fields, "id")?,
        state: state(fields),
        at: at("at")?,
        severity: to_severity(fields),
        message: string(fields, "message").unwrap_or_default(),
        since: at("since"),
        pending,
    })
}

fn text(text: Option<&String>) -> Value {
    text.map_or(Value::NULL, Value::string)
}

fn time(time: Option<DateTime<Utc>>) -> Value {
    time.map_or(Value::NULL, Value::Timestamp)
}

fn string(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(ToOwned::to_owned)
}

fn state(fields: &Fields) -> State {
    match fields.get("state").and_then(Value::as_str) {
        Some("firing") => State::Firing,
        _ => State::Resolved,
    }
}

/// The name of a severity in documents and messages.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn to_severity(fields: &Fields) -> Severity {
    match fields.get("severity").and_then(Value::as_str) {
        Some("critical") => Severity::Critical,
        _ => Severity::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let at = |second| DateTime::from_timestamp(second, 0);
        Known {
            subject: Subject {
                alert: "JobFailing".into(),
                job: Some("tiingo-daily-prices".into()),
                provider: Some("tiingo".into()),
                dataset: None,
            },
            state: State::Firing,
            severity: Severity::Critical,
            message: "3 of 3 failed".into(),
            since: at(1),
            changed_at: at(2),
            quiet_since: at(3).map(Moment::At),
            changes: vec![Change {
                id: "c".into(),
                state: State::Resolved,
                at: at(4).unwrap(),
                severity: Severity::Warning,
                message: "m".into(),
                since: None,
                pending: vec![(Target::Slack, None), (Target::Webhook, Some("503".into()))],
            }],
            claim: at(5).map(|at| ("w".into(), Moment::At(at))),
        }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let path = DocumentPath::new("ingestion_alerts", "k");
        let write = write(path.clone(), &known(), Precondition::Missing);
        assert_eq!(read(&write.fields), known());
        assert!(write.times.is_empty());
        let now = Known { quiet_since: Some(Moment::Now), claim: Some(("w".into(), Moment::Now)), ..known() };
        let write = super::write(path, &now, Precondition::Missing);
        assert_eq!(write.times, [QUIET_SINCE, CLAIMED_AT]);
    }

    #[test]
    fn a_spoilt_document_is_an_alert_that_does_not_hold() {
        let broken = fields([("state", Value::Integer(3)), ("changes", Value::strings(["x"]))]);
        assert_eq!(read(&broken).state, State::Resolved);
        assert_eq!(read(&Fields::new()).changes, []);
    }
}
