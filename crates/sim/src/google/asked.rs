//! What Google is asked, and what can be wrong with it.

use std::collections::BTreeMap;

/// A part of Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Desk {
    /// `GET /oauth2/v3/certs`: the published keys.
    Keys,
    /// `POST /token`: tokens for an assertion.
    Token,
    /// The metadata server.
    Metadata,
}

/// What a part does in place of its work.
#[derive(Debug, Clone)]
pub enum Outage {
    /// Answers so.
    Status(u16),
    /// Never answers.
    Hang,
    /// Sends the caller to this address.
    Redirect(String),
    /// Answers 200 with something else.
    Garbage,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The part; none where there is no such address.
    pub desk: Option<Desk>,
    /// The path without the query.
    pub path: String,
    /// The fields of the query and of the form.
    pub fields: BTreeMap<String, String>,
    /// The status of the answer; 0 while there is none.
    pub status: u16,
}
