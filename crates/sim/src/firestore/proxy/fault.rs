//! Scripted faults of the proxy: which requests they apply to and what happens to those.

use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is not carried out; this status is the response.
    Status(u16),
    /// It is not carried out: the caller is redirected to this port.
    Redirect { port: u16 },
    /// It is carried out, but the connection breaks before the response.
    LoseAnswer,
    /// It is not carried out: the connection breaks.
    Reset,
    /// It is carried out this much later.
    Delay(Duration),
    /// Of a `batchWrite`, the writes that contain the text get this code; the others are carried out.
    RefuseWrites { code: i64, text: &'static str },
}

/// One fault of a proxy's script. Without further conditions it applies to every request, forever.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) effect: Effect,
    operation: Option<&'static str>,
    containing: Option<String>,
    lacking: Option<String>,
    after: u64,
    times: u64,
}

impl Fault {
    /// A Firestore error; the request is not carried out.
    pub fn status(code: u16) -> Self {
        Self::new(Effect::Status(code))
    }

    /// A redirect to the same address at another port of 127.0.0.1.
    pub fn redirect(port: u16) -> Self {
        Self::new(Effect::Redirect { port })
    }

    /// The request is carried out, but its response is lost.
    pub fn lose_answer() -> Self {
        Self::new(Effect::LoseAnswer)
    }

    /// The connection breaks before the request is carried out.
    pub fn reset() -> Self {
        Self::new(Effect::Reset)
    }

    /// The request is carried out this much later.
    pub fn delay(delay: Duration) -> Self {
        Self::new(Effect::Delay(delay))
    }

    /// Writes of a `batchWrite` that contain the text get this canonical code (3, 8, 10, 14, …) in the list of
    /// statuses; the others are carried out.
    pub fn refuse_writes(code: i64, text: &'static str) -> Self {
        Self::new(Effect::RefuseWrites { code, text }).operation(":batchWrite").containing(text)
    }

    /// Only requests whose address ends with this: `:commit`, `:batchWrite`, `:runQuery`, `/documents/collection`.
    #[must_use]
    pub fn operation(mut self, end: &'static str) -> Self {
        self.operation = Some(end);
        self
    }

    /// Only requests whose body contains this text.
    #[must_use]
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.containing = Some(text.into());
        self
    }

    /// Only requests whose body does not contain this text.
    #[must_use]
    pub fn lacking(mut self, text: impl Into<String>) -> Self {
        self.lacking = Some(text.into());
        self
    }

    /// Skips the first `count` requests that meet the other conditions.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Applies `count` times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    fn new(effect: Effect) -> Self {
        Self { effect, operation: None, containing: None, lacking: None, after: 0, times: u64::MAX }
    }

    /// Whether it applies to this request; counts the requests that match.
    pub(super) fn strikes(&mut self, path: &str, body: &str) -> bool {
        let concerned = self.operation.is_none_or(|end| path.ends_with(end))
            && self.containing.as_ref().is_none_or(|text| body.contains(text))
            && self.lacking.as_ref().is_none_or(|text| !body.contains(text));
        if !concerned {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        let strikes = self.times > 0;
        self.times = self.times.saturating_sub(1);
        strikes
    }
}
