//! Structured logs: one JSON object a line, in the form that Cloud Logging reads.

use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use chrono::SecondsFormat;
use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::ports::Clock;

/// Takes finished lines.
pub type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Writes every event as one line; spans are not used.
pub struct JsonLog {
    level: Level,
    clock: Arc<dyn Clock>,
    sink: Sink,
}

impl JsonLog {
    /// Logs events of `level` and above.
    pub fn new(level: Level, clock: Arc<dyn Clock>, sink: Sink) -> Self {
        Self { level, clock, sink }
    }
}

impl Subscriber for JsonLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries speak up only when something is wrong.
        let ours = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        *metadata.level() <= if ours { self.level } else { self.level.min(Level::WARN) }
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Map::new());
        fields.0.insert("time".into(), self.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true).into());
        fields.0.insert("severity".into(), severity(*event.metadata().level()).into());
        event.record(&mut fields);
        (self.sink)(&Json::Object(fields.0).to_string());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Cloud Logging's names (<https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#logseverity>).
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

/// Collects the fields of an event.
struct Fields(Map<String, Json>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a text fails only where the value's own formatting does.
        let _ = write!(text, "{value:?}");
        self.0.insert(field.name().into(), text.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use chrono::{DateTime, Utc};

    use super::*;
    use crate::ports::{BoxFuture, Instant};

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> DateTime<Utc> {
            "2026-11-23T12:00:00Z".parse().unwrap()
        }

        fn instant(&self) -> Instant {
            unreachable!()
        }

        fn sleep(&self, _: std::time::Duration) -> BoxFuture<'static, ()> {
            unreachable!()
        }
    }

    #[test]
    fn a_line_is_one_json_object_with_severity_time_and_fields() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        let sink: Sink = Box::new(move |line| into.lock().unwrap().push(line.to_owned()));
        tracing::subscriber::with_default(JsonLog::new(Level::INFO, Arc::new(Noon), sink), || {
            tracing::warn!(run.id = "r", duration_ms = 5, error = %"a \"b\"", "went wrong");
            tracing::debug!("not asked for");
        });
        let expect = r#"{"duration_ms":5,"error":"a \"b\"","message":"went wrong","run.id":"r","severity":"WARNING","time":"2026-11-23T12:00:00.000000Z"}"#;
        assert_eq!(*lines.lock().unwrap(), [expect]);
    }
}
