//! Structured logs: one JSON object per line, in the format that Cloud Logging reads
//! (<https://cloud.google.com/logging/docs/structured-logging>).

use super::context;
use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use chrono::SecondsFormat;
use serde_json::{Map, Value as Json, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::base::ports::Clock;

/// Receives finished lines.
pub type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Writes every event as one line, with the request and the run that it belongs to; spans are not used.
pub struct JsonLog {
    level: Level,
    clock: Arc<dyn Clock>,
    origin: Origin,
    sink: Sink,
}

/// The origin of the log.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The Google Cloud project that holds the traces.
    pub project: String,
    /// This instance's name.
    pub instance: String,
}

/// The prefix of fields that Cloud Logging wants in an object of their own.
const HTTP_REQUEST: &str = "httpRequest.";

impl JsonLog {
    /// Logs events of `level` and above.
    pub fn new(level: Level, clock: Arc<dyn Clock>, origin: Origin, sink: Sink) -> Self {
        Self { level, clock, origin, sink }
    }

    /// The fields of every line, and those of the current request.
    fn start(&self, level: Level) -> Fields {
        let mut fields = Map::new();
        fields.insert("time".into(), self.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true).into());
        fields.insert("severity".into(), severity(level).into());
        let labels = json!({"instance": self.origin.instance, "version": env!("CARGO_PKG_VERSION")});
        fields.insert("logging.googleapis.com/labels".into(), labels);
        if let Some(request) = context::current() {
            let trace = format!("projects/{}/traces/{}", self.origin.project, request.trace.trace_id());
            fields.insert("logging.googleapis.com/trace".into(), trace.into());
            fields.insert("logging.googleapis.com/spanId".into(), request.trace.span_id().into());
            fields.insert("logging.googleapis.com/trace_sampled".into(), request.trace.sampled.into());
            fields.insert("request.id".into(), request.request_id.clone().into());
            if let Some(run) = request.run() {
                fields.insert("job.name".into(), run.job.clone().into());
                fields.insert("run.id".into(), run.run_id.clone().into());
            }
        }
        Fields(fields)
    }
}

impl Subscriber for JsonLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries only log warnings and errors.
        let ours = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        *metadata.level() <= if ours { self.level } else { self.level.min(Level::WARN) }
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = self.start(*event.metadata().level());
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

impl Fields {
    fn insert(&mut self, field: &Field, value: Json) {
        match field.name().strip_prefix(HTTP_REQUEST) {
            None => {
                self.0.insert(field.name().into(), value);
            }
            Some(name) => {
                let request = self.0.entry("httpRequest").or_insert_with(|| json!({}));
                if let Json::Object(request) = request {
                    request.insert(name.into(), value);
                }
            }
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a string fails only if the value's own formatting does.
        let _ = write!(text, "{value:?}");
        self.insert(field, text.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use chrono::{DateTime, Utc};

    use futures::FutureExt as _;
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::base::context::RequestContext;
    use crate::base::ports::{BoxFuture, Instant};
    use crate::base::trace::TraceContext;

    struct Noon;

    struct Ones;

    impl crate::base::ports::Entropy for Ones {
        fn next_u64(&self) -> u64 {
            1
        }
    }

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
        let origin = Origin { project: "p".into(), instance: "i".into() };
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers =
            HeaderMap::from_iter([(crate::base::trace::TRACEPARENT, HeaderValue::from_static(trace))]);
        let trace = TraceContext::of_request(&headers, &Ones);
        let request = Arc::new(RequestContext::new("q".into(), trace));
        tracing::subscriber::with_default(JsonLog::new(Level::INFO, Arc::new(Noon), origin, sink), || {
            tracing::warn!(run.id = "r", duration_ms = 5, error = %"a \"b\"", "went wrong");
            tracing::debug!("not asked for");
            let work = context::within(request, async {
                context::works_on("j", "r");
                tracing::info!(httpRequest.status = 200, httpRequest.latency = "0.1s", "answered");
            });
            work.now_or_never().unwrap();
        });
        let common = r#""time":"2026-11-23T12:00:00.000000Z"}"#;
        let labels = format!(
            r#""logging.googleapis.com/labels":{{"instance":"i","version":"{}"}}"#,
            env!("CARGO_PKG_VERSION")
        );
        let expect = [
            format!(
                r#"{{"duration_ms":5,"error":"a \"b\"",{labels},"message":"went wrong","run.id":"r","severity":"WARNING",{common}"#
            ),
            format!(
                r#"{{"httpRequest":{{"latency":"0.1s","status":200}},"job.name":"j",{labels},"logging.googleapis.com/spanId":"0000000000000001","logging.googleapis.com/trace":"projects/p/traces/0af7651916cd43dd8448eb211c80319c","logging.googleapis.com/trace_sampled":true,"message":"answered","request.id":"q","run.id":"r","severity":"INFO",{common}"#
            ),
        ];
        assert_eq!(*lines.lock().unwrap(), expect);
    }
}
