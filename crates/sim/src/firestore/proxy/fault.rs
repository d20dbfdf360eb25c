//! Scripted faults of the proxy: which requests they strike, and what happens to those.

use std::time::Duration;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is not carried out, and answered with this status.
    Status(u16),
    /// It is not carried out: the caller is sent to this port.
    Redirect { port: u16 },
    /// It is carried out, but nobody learns of it: the connection breaks in place of the answer.
    LoseAnswer,
    /// It is not carried out: the connection breaks.
    Reset,
    /// It is carried out this much later.
    Delay(Duration),
    /// Of a `batchWrite`, the writes that contain the text get this code; the others are carried out.
    RefuseWrites { code: i64, text: &'static str },
}

/// One fault of a proxy's script: without further conditions it meets every request, for ever.
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
    /// An error of Firestore in place of the work.
    pub fn status(code: u16) -> Self {
        Self::new(Effect::Status(code))
    }

    /// The caller is sent to the same address at another port of 127.0.0.1.
    pub fn redirect(port: u16) -> Self {
        Self::new(Effect::Redirect { port })
    }

    /// The work is done, but its answer is lost.
    pub fn lose_answer() -> Self {
        Self::new(Effect::LoseAnswer)
    }

    /// The connection breaks before the work is done.
    pub fn reset() -> Self {
        Self::new(Effect::Reset)
    }

    /// The work is done this much later.
    pub fn delay(delay: Duration) -> Self {
        Self::new(Effect::Delay(delay))
    }

    /// Writes of a `batchWrite` that contain the text end with this canonical code (3, 8, 10, 14, …) in the list of
    /// statuses; the others are carried out.
    pub fn refuse_writes(code: i64, text: &'static str) -> Self {
        Self::new(Effect::RefuseWrites { code, text }).operation(":batchWrite").containing(text)
    }

    /// Only requests whose address ends so: `:commit`, `:batchWrite`, `:runQuery`, `/documents/collection`.
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

    /// Spares the first `count` requests that meet the other conditions.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Strikes `count` times and is spent.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    fn new(effect: Effect) -> Self {
        Self { effect, operation: None, containing: None, lacking: None, after: 0, times: u64::MAX }
    }

    /// Whether it strikes this request; counts the requests that it concerns.
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
