//! Trace context: which trace a request belongs to, in both forms that reach us.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::base::ports::Entropy;

/// The header of W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CLOUD_TRACE: HeaderName = HeaderName::from_static("x-cloud-trace-context");

/// A place in a trace (<https://www.w3.org/TR/trace-context/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    pub sampled: bool,
}

impl TraceContext {
    /// The caller's trace with a span of our own; a new trace if the caller has none.
    pub fn of_request(headers: &HeaderMap, entropy: &dyn Entropy) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let caller = text(TRACEPARENT)
            .and_then(Self::parse_traceparent)
            .or_else(|| text(CLOUD_TRACE).and_then(Self::parse_cloud_trace));
        match caller {
            Some(caller) => caller.child(entropy),
            None => Self {
                trace_id: (u128::from(non_zero(entropy)) << 64) | u128::from(entropy.next_u64()),
                span_id: non_zero(entropy),
                sampled: false,
            },
        }
    }

    /// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may append fields.
    fn parse_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let (trace_id, span_id, flags) =
            (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        Self::valid(trace_id, u64::try_from(span_id).ok()?, flags & 1 == 1)
    }

    /// `TRACE_ID/SPAN_ID;o=OPTIONS`: hex, then decimal (<https://cloud.google.com/trace/docs/trace-context>).
    fn parse_cloud_trace(text: &str) -> Option<Self> {
        let (trace, rest) = text.split_once('/').unwrap_or((text, "1"));
        let (span, options) = rest.split_once(';').unwrap_or((rest, ""));
        Self::valid(hex(trace, 32)?, span.parse().ok()?, options.trim() == "o=1")
    }

    fn valid(trace_id: u128, span_id: u64, sampled: bool) -> Option<Self> {
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, sampled })
    }

    /// Another span of the same trace.
    #[must_use]
    pub fn child(self, entropy: &dyn Entropy) -> Self {
        Self { span_id: non_zero(entropy), ..self }
    }

    /// 32 hex digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// 16 hex digits.
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span_id)
    }

    /// The value of `traceparent`.
    pub fn header(&self) -> HeaderValue {
        // Hex digits and dashes are always a header's value.
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// A number of exactly so many lower-case hex digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = text.len() == digits && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

fn non_zero(entropy: &dyn Entropy) -> u64 {
    entropy.next_u64().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fives;

    impl Entropy for Fives {
        fn next_u64(&self) -> u64 {
            0x5555_5555_5555_5555
        }
    }

    const OURS: &str = "5555555555555555";
    const NEW: &str = "00-55555555555555555555555555555555-5555555555555555-00";

    fn of(header: &'static str, value: &'static str) -> String {
        let header = (HeaderName::from_static(header), HeaderValue::from_static(value));
        TraceContext::of_request(&HeaderMap::from_iter([header]), &Fives).to_string()
    }

    #[test]
    fn the_callers_trace_goes_on_under_a_span_of_ours() {
        let w3c = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(of("traceparent", w3c), format!("00-0af7651916cd43dd8448eb211c80319c-{OURS}-01"));
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-more";
        assert_eq!(of("traceparent", later), format!("00-0af7651916cd43dd8448eb211c80319c-{OURS}-00"));
        let cloud = "105445aa7843bc8bf206b12000100000/1;o=1";
        assert_eq!(
            of("x-cloud-trace-context", cloud),
            format!("00-105445aa7843bc8bf206b12000100000-{OURS}-01")
        );
        let bare = "105445aa7843bc8bf206b12000100000";
        assert_eq!(
            of("x-cloud-trace-context", bare),
            format!("00-105445aa7843bc8bf206b12000100000-{OURS}-00")
        );
    }

    #[test]
    fn what_is_no_trace_context_starts_a_new_trace() {
        for value in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(of("traceparent", value), NEW, "{value}");
        }
        assert_eq!(of("x-cloud-trace-context", "105445aa7843bc8bf206b12000100000/-1"), NEW);
    }
}
