//! Single requests to Firestore.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::document::{Document, Page};
use super::error::{Code, FirestoreError, shorten};
use super::path::{DocumentPath, encode_segment};
use super::query::{FieldRange, NameRange, Query, Start};
use super::stream::{self, Found};
use super::write::{EncodedWrite, Write};
use crate::base::ports::OutboundRequest;
use crate::base::world::World;
use crate::base::{context, redact};
use crate::firestore::settings::FirestoreConfig;
use crate::google::{Google, Token};
use crate::resilience::backoff::Backoff;

/// Maximum bytes of one response: a page of documents is far smaller.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Maximum attempts of a read.
const READ_ATTEMPTS_MAX: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Documents in one page of a collection: half a megabyte of symbols.
const PAGE_SIZE: usize = 2_000;

/// A client of one database; cheap to clone.
#[derive(Clone)]
pub struct Firestore {
    inner: Arc<Inner>,
}

struct Inner {
    config: FirestoreConfig,
    google: Arc<Google>,
    world: World,
    backoff: Backoff,
}

impl Firestore {
    pub fn new(config: FirestoreConfig, google: Arc<Google>, world: World, backoff: Backoff) -> Self {
        Self { inner: Arc::new(Inner { config, google, world, backoff }) }
    }

    /// The same client with a shorter timeout: none of its requests waits longer than `most`.
    #[must_use]
    pub fn with_timeout(&self, most: Duration) -> Self {
        let inner = &self.inner;
        let config = FirestoreConfig { timeout: inner.config.timeout.min(most), ..inner.config.clone() };
        Self::new(config, inner.google.clone(), inner.world.clone(), inner.backoff)
    }

    /// `projects/P/databases/D`, as encoded writes name it.
    pub fn database(&self) -> &str {
        &self.inner.config.database
    }

    pub fn config(&self) -> &FirestoreConfig {
        &self.inner.config
    }

    /// The document, or none if it does not exist. It is named in the body, because not every server decodes an ID with
    /// percent signs in a URL correctly.
    pub async fn get(&self, document: &DocumentPath) -> Result<Option<Document>, FirestoreError> {
        Ok(self.get_all(std::slice::from_ref(document)).await?.into_iter().next())
    }

    /// The documents that exist, in any order, with one request. It is an error if one is neither found nor missing.
    pub async fn get_all(&self, documents: &[DocumentPath]) -> Result<Vec<Document>, FirestoreError> {
        self.get_fields(documents, &[]).await
    }

    /// The same with only the fields of `mask`; all fields if it is empty.
    pub async fn get_fields(
        &self,
        documents: &[DocumentPath],
        mask: &[&str],
    ) -> Result<Vec<Document>, FirestoreError> {
        let name = |document: &DocumentPath| format!("{}/documents/{document}", self.database());
        let names: Vec<_> = documents.iter().map(name).collect();
        let mut body = serde_json::json!({"documents": names});
        if let Some(body) = body.as_object_mut().filter(|_| !mask.is_empty()) {
            body.insert("mask".to_owned(), serde_json::json!({"fieldPaths": mask}));
        }
        let body = Bytes::from(body.to_string());
        let found = self.read(":batchGet", body, |answer| stream::batch_get(answer, &names)).await?;
        context::documents_read(names.len());
        Ok(found)
    }

    /// One page of a collection, ordered by ID, with only the fields of `mask`. This is a query, because a listing
    /// returns at most 300 documents per round trip.
    pub async fn list(
        &self,
        collection: &str,
        mask: &[&str],
        after: Option<&str>,
    ) -> Result<Page, FirestoreError> {
        // The ID as stored: others write this collection, and escape nothing.
        let name = |id| format!("{}/documents/{collection}/{id}", self.database());
        let from = after.map(|id| Start::After(name(id)));
        self.names(&NameRange { collection, from, until: None, limit: PAGE_SIZE, select: mask }).await
    }

    /// The documents that a query finds.
    pub async fn query(&self, query: &Query<'_>) -> Result<Page, FirestoreError> {
        let found = self.run_query(query.to_json()).await;
        found.map(|found| page(found, query.limit)).map_err(|error| error.of_query(|| query.index()))
    }

    /// The documents whose names are in a range.
    pub async fn names(&self, range: &NameRange<'_>) -> Result<Page, FirestoreError> {
        let found = self.run_query(range.to_json()).await;
        found.map(|found| page(found, range.limit))
    }

    /// The documents with a field in a range.
    pub async fn range(&self, range: &FieldRange<'_>) -> Result<Page, FirestoreError> {
        let found = self.run_query(range.to_json()).await;
        found.map(|found| page(found, range.limit)).map_err(|error| error.of_query(|| range.index()))
    }

    /// A query that finds nothing counts, and costs, as much as one that finds one document.
    async fn run_query(&self, query: Bytes) -> Result<Found, FirestoreError> {
        let found = self.read(":runQuery", query, stream::query).await?;
        context::documents_read(found.documents.len().max(1));
        Ok(found)
    }

    /// Commits all writes or none; returns the times at which the documents were changed. Tried once: only the caller
    /// knows whether it is safe to retry.
    pub async fn commit(&self, writes: &[Write]) -> Result<Vec<DateTime<Utc>>, FirestoreError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            commit_time: DateTime<Utc>,
            #[serde(default)]
            write_results: Vec<WriteResult>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct WriteResult {
            update_time: Option<DateTime<Utc>>,
        }
        let writes: Vec<_> = writes.iter().map(|write| write.encode(self.database())).collect();
        let answer: Answer = self.send(":commit", writes_body(&writes), parse).await?;
        accounted(answer.write_results.len(), writes.len())?;
        context::documents_written(writes.len());
        // A write that changed nothing has no update time of its own.
        Ok(answer
            .write_results
            .iter()
            .map(|result| result.update_time.unwrap_or(answer.commit_time))
            .collect())
    }

    /// Each write on its own; one status per write, none for success. Tried once.
    pub async fn batch_write(
        &self,
        writes: &[impl Borrow<EncodedWrite>],
    ) -> Result<Vec<Option<(Code, String)>>, FirestoreError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            status: Vec<Status>,
        }
        #[derive(Deserialize)]
        struct Status {
            #[serde(default)]
            code: i64,
            #[serde(default)]
            message: String,
        }
        let answer: Answer = self.send(":batchWrite", writes_body(writes), parse).await?;
        accounted(answer.status.len(), writes.len())?;
        let status =
            |status: Status| Code::from_number(status.code).map(|code| (code, shorten(&status.message)));
        let statuses: Vec<_> = answer.status.into_iter().map(status).collect();
        context::documents_written(statuses.iter().filter(|status| status.is_none()).count());
        Ok(statuses)
    }

    /// A read-only request: retried as long as that may help.
    async fn read<T>(&self, method: &str, body: Bytes, decode: impl Decode<T>) -> Result<T, FirestoreError> {
        let mut attempt = 1;
        loop {
            match self.send(method, body.clone(), &decode).await {
                Err(error) if error.is_retryable() && attempt < READ_ATTEMPTS_MAX => {
                    tracing::debug!(call.attempt = attempt, error = %error, "firestore read failed, retrying");
                    self.back_off(attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Waits as long as the backoff says after failed attempt number `attempt`.
    pub async fn back_off(&self, attempt: u32) {
        let delay = self.inner.backoff.delay(attempt, self.inner.world.entropy.next_u64());
        self.inner.world.clock.sleep(delay).await;
    }

    /// One request to a method such as `:commit`; a token that is not accepted is renewed once.
    async fn send<T>(&self, method: &str, body: Bytes, decode: impl Decode<T>) -> Result<T, FirestoreError> {
        let token = self.inner.google.access_token().await?;
        let answer = match self.send_as(&token, method, body.clone()).await {
            Err(error) if error.code() == Some(Code::Unauthenticated) => {
                self.inner.google.reject_access(&token);
                let token = self.inner.google.access_token().await?;
                self.send_as(&token, method, body).await
            }
            result => result,
        };
        decode(&answer?)
    }

    /// The body of a success.
    async fn send_as(&self, token: &Token, method: &str, body: Bytes) -> Result<Bytes, FirestoreError> {
        let mut headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        headers.insert(AUTHORIZATION, token.header());
        let request = OutboundRequest {
            method: Method::POST,
            url: self.url(method),
            headers,
            body,
            connect_timeout: CONNECT_TIMEOUT,
            timeout: self.inner.config.timeout,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self.inner.world.send(request).await?;
        if !answer.status.is_success() {
            let body = redact::secret(answer.body, token.secret.expose());
            return Err(FirestoreError::from_answer(answer.status, &body));
        }
        Ok(answer.body)
    }

    /// The address of a method such as `:commit`.
    fn url(&self, method: &str) -> String {
        let config = &self.inner.config;
        let database = config.database.split('/').map(encode_segment).collect::<Vec<_>>().join("/");
        format!("{}/{database}/documents{method}", config.endpoint)
    }
}

/// Parses the body of a success.
trait Decode<T>: Fn(&[u8]) -> Result<T, FirestoreError> {}

impl<T, F: Fn(&[u8]) -> Result<T, FirestoreError>> Decode<T> for F {}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, FirestoreError> {
    serde_json::from_slice(body).map_err(|broken| FirestoreError::of_body(body, &broken))
}

/// Whether every write has its result.
fn accounted(results: usize, writes: usize) -> Result<(), FirestoreError> {
    if results == writes {
        return Ok(());
    }
    Err(FirestoreError::Protocol(format!("{results} results for {writes} writes")))
}

/// A page ends at its limit, or because Firestore says that the results are complete. A shorter page that does not say
/// so proves nothing; only an empty page after it does.
fn page(found: Found, limit: usize) -> Page {
    let is_short = found.documents.len() < limit;
    let is_last = found.documents.is_empty() || (is_short && found.is_done);
    Page { documents: found.documents, is_last }
}

/// `{"writes":[…]}` from writes that are already encoded.
fn writes_body(writes: &[impl Borrow<EncodedWrite>]) -> Bytes {
    let length = writes.iter().map(|write| write.borrow().sent_bytes()).sum::<usize>() + 16;
    let mut body = BytesMut::with_capacity(length);
    body.put_slice(b"{\"writes\":[");
    for (at, write) in writes.iter().enumerate() {
        if at > 0 {
            body.put_u8(b',');
        }
        write.borrow().put(&mut body);
    }
    body.put_slice(b"]}");
    body.freeze()
}
