//! Google's endpoints, how they can fail, and the requests they receive.

use std::collections::BTreeMap;

/// An endpoint of Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Desk {
    /// `GET /oauth2/v3/certs`: the published keys.
    Keys,
    /// `POST /token`: exchanges an assertion for a token.
    Token,
    /// The metadata server.
    Metadata,
}

/// How an endpoint fails.
#[derive(Debug, Clone)]
pub enum Outage {
    /// Answers with this status.
    Status(u16),
    /// Never answers.
    Hang,
    /// Redirects the caller to this address.
    Redirect(String),
    /// Answers 200 with an unrelated body.
    Garbage,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The endpoint; none if the address is unknown.
    pub desk: Option<Desk>,
    /// The path without the query.
    pub path: String,
    /// The fields of the query and the form.
    pub fields: BTreeMap<String, String>,
    /// The status of the response; 0 until it is sent.
    pub status: u16,
}
