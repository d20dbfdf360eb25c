//! How a simulated party authenticates its callers.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Checks a bearer token; the error is the status of the refusal.
type Check = dyn Fn(&str) -> Result<(), u16> + Send + Sync;

/// Admits requests with a valid bearer token.
#[derive(Clone)]
pub struct Gate(Arc<Check>);

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// Admits tokens that `check` accepts; its error is the status of the refusal.
    pub fn new(check: impl Fn(&str) -> Result<(), u16> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// Admits only this token.
    pub fn token(token: impl Into<String>) -> Self {
        let token = token.into();
        Self::new(move |shown| if shown == token { Ok(()) } else { Err(401) })
    }

    /// The status to refuse the request with, if it must be refused.
    pub(crate) fn refuses(&self, headers: &HeaderMap) -> Option<u16> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Some(401) };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        token.map_or(Some(401), |token| (self.0)(token).err())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_right_bearer_token_passes() {
        let gate = Gate::token("good");
        let headers = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, http::HeaderValue::from_static(value));
            }
            headers
        };
        assert_eq!(gate.refuses(&headers(&["Bearer good"])), None);
        for values in [&[][..], &["Bearer bad"], &["good"], &["Basic good"], &["Bearer good", "Bearer good"]]
        {
            assert_eq!(gate.refuses(&headers(values)), Some(401), "{values:?}");
        }
    }
}
