//! Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write as _;

use crate::run::counts::{BEYOND, Histogram};

/// The content type.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The kinds of metrics.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Writes metrics one after the other.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    name: &'static str,
}

/// Names and values of labels.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

impl Exposition {
    /// Starts a metric; its samples follow.
    pub fn metric(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.name = name;
        // Writing to a string cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    pub fn sample(&mut self, labels: Labels<'_>, value: f64) {
        self.line("", labels, None, value);
    }

    pub fn count(&mut self, labels: Labels<'_>, value: u64) {
        self.sample(labels, float(value));
    }

    /// A histogram whose values were measured in milliseconds, exported in seconds.
    pub fn histogram(&mut self, labels: Labels<'_>, bounds_ms: &[u64], histogram: &Histogram) {
        let count = |bucket: &str| histogram.buckets.get(bucket).copied().unwrap_or_default();
        let mut total = 0;
        for bound in bounds_ms {
            total += count(&bound.to_string());
            let seconds = seconds(*bound).to_string();
            self.line("_bucket", labels, Some(&seconds), float(total));
        }
        total += count(BEYOND);
        self.line("_bucket", labels, Some("+Inf"), float(total));
        self.line("_sum", labels, None, seconds(histogram.sum_ms));
        self.line("_count", labels, None, float(total));
    }

    pub fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<&str>, value: f64) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        let bound = bound.map(|bound| ("le", bound));
        for (at, (name, value)) in labels.iter().copied().chain(bound).enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{name}=\"{value}\"");
        }
        if !labels.is_empty() || bound.is_some() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// Milliseconds as seconds.
pub fn seconds(ms: u64) -> f64 {
    float(ms) / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers; exact up to 2^53")]
pub fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_labels_are_escaped() {
        let mut histogram = Histogram::default();
        for ms in [5, 20, 20, 5000] {
            histogram.observe(&[10, 2500], ms);
        }
        let mut text = Exposition::default();
        text.metric("a_seconds", Kind::Histogram, "Time.");
        text.histogram(&[("x", "a\"\\\n")], &[10, 2500], &histogram);
        text.metric("up", Kind::Gauge, "Whether.");
        text.count(&[], 1);
        let expect = r#"# HELP a_seconds Time.
# TYPE a_seconds histogram
a_seconds_bucket{x="a\"\\\n",le="0.01"} 1
a_seconds_bucket{x="a\"\\\n",le="2.5"} 3
a_seconds_bucket{x="a\"\\\n",le="+Inf"} 4
a_seconds_sum{x="a\"\\\n"} 5.045
a_seconds_count{x="a\"\\\n"} 4
# HELP up Whether.
# TYPE up gauge
up 1
"#;
        assert_eq!(text.finish(), expect);
    }
}
