//! A small client for Firestore's REST API, with which tests write seed data and read results.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::{Value, json};

use super::value::{plain_fields, typed_fields};
use crate::client::client;

/// Documents per page: some are close to 1 MiB.
const PAGE_SIZE: usize = 300;
/// Writes per request.
const BATCH_SIZE: usize = 250;

/// One database of one project in the emulator.
#[derive(Debug, Clone)]
pub struct Db {
    client: Client,
    host: String,
    /// `projects/P/databases/D/documents`.
    root: String,
    database: String,
}

/// One document.
#[derive(Debug, Clone, PartialEq)]
pub struct Doc {
    /// The last part of the document's name.
    pub id: String,
    /// The fields as plain JSON.
    pub fields: Value,
    /// The fields as typed Firestore values, for tests of their types.
    pub raw: Value,
    /// When the document was first written, RFC 3339.
    pub create_time: String,
    /// When the document was last written, RFC 3339.
    pub update_time: String,
}

impl Db {
    /// A client for `host` (`127.0.0.1:PORT`).
    pub fn new(host: &str, project: &str, database: &str) -> Self {
        let database = format!("projects/{project}/databases/{database}");
        Self { client: client(), host: host.to_owned(), root: format!("{database}/documents"), database }
    }

    /// All documents of a collection, by id.
    pub async fn list(&self, collection: &str) -> Result<Vec<Doc>> {
        let mut docs = Vec::new();
        let mut token = String::new();
        loop {
            let mut url = self.url(&format!("{}/{collection}", self.root))?;
            url.query_pairs_mut()
                .append_pair("pageSize", &PAGE_SIZE.to_string())
                .append_pair("pageToken", &token);
            let page = checked(self.client.get(url).send().await?).await?;
            for doc in page["documents"].as_array().into_iter().flatten() {
                docs.push(Doc::parse(doc)?);
            }
            match page["nextPageToken"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => return Ok(docs),
            }
        }
    }

    /// All documents of a collection, by id, with only these fields.
    ///
    /// This is one query, because the emulator scans the whole collection for every page of a list.
    pub async fn list_fields(&self, collection: &str, fields: &[&str]) -> Result<Vec<Doc>> {
        let (parent, id) = self.parent_and_id(collection);
        let fields: Vec<Value> = fields.iter().map(|field| json!({"fieldPath": field})).collect();
        let query =
            json!({"structuredQuery": {"select": {"fields": fields}, "from": [{"collectionId": id}]}});
        let answer = self.post(&format!("{parent}:runQuery"), &query).await?;
        // An empty collection is answered with one element that has no document.
        answer
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row.get("document"))
            .map(Doc::parse)
            .collect()
    }

    /// The ids of all documents of a collection, without loading their content.
    pub async fn ids(&self, collection: &str) -> Result<Vec<String>> {
        let docs = self.list_fields(collection, &["__name__"]).await?;
        Ok(docs.into_iter().map(|doc| doc.id).collect())
    }

    /// The document at `collection/id`, if it exists.
    pub async fn get(&self, path: &str) -> Result<Option<Doc>> {
        let answer = self.client.get(self.url(&format!("{}/{path}", self.root))?).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Doc::parse(&checked(answer).await?).map(Some)
    }

    /// Number of documents in a collection, counted by Firestore.
    pub async fn count(&self, collection: &str) -> Result<usize> {
        let (parent, id) = self.parent_and_id(collection);
        let query = json!({"structuredAggregationQuery": {
            "aggregations": [{"alias": "count", "count": {}}],
            "structuredQuery": {"from": [{"collectionId": id}]},
        }});
        let answer = self.post(&format!("{parent}:runAggregationQuery"), &query).await?;
        let count = answer.pointer("/0/result/aggregateFields/count/integerValue").and_then(Value::as_str);
        count.context("the aggregation has no count")?.parse().context("the count is not a number")
    }

    /// The names of the top-level collections that have documents.
    pub async fn collections(&self) -> Result<Vec<String>> {
        let answer =
            self.post(&format!("{}:listCollectionIds", self.root), &json!({"pageSize": 1000})).await?;
        let ids = answer["collectionIds"].as_array().into_iter().flatten();
        Ok(ids.filter_map(|id| id.as_str().map(str::to_owned)).collect())
    }

    /// Writes documents, each `(collection/id, fields)`, replacing existing ones.
    pub async fn seed(&self, docs: Vec<(String, Value)>) -> Result<()> {
        for batch in docs.chunks(BATCH_SIZE) {
            let writes: Vec<Value> = batch.iter().map(|(path, fields)| self.write(path, fields)).collect();
            let answer = self.post(&format!("{}:batchWrite", self.root), &json!({"writes": writes})).await?;
            let refused = answer["status"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|status| status["code"].as_i64() > Some(0));
            if let Some(status) = refused {
                bail!("Firestore refused a seed document: {status}");
            }
        }
        Ok(())
    }

    /// Sets one field of a document to a time; the others stay.
    pub async fn set_time(&self, path: &str, field: &str, time: &str) -> Result<()> {
        let update =
            json!({"name": format!("{}/{path}", self.root), "fields": {field: {"timestampValue": time}}});
        let write = json!({"update": update, "updateMask": {"fieldPaths": [field]}});
        let answer = self.post(&format!("{}:commit", self.root), &json!({"writes": [write]})).await?;
        answer.get("commitTime").map(drop).with_context(|| format!("not written: {answer}"))
    }

    /// Writes one document with typed fields, as [`Doc::raw`] has them.
    pub async fn put(&self, path: &str, raw: &Value) -> Result<()> {
        let update = json!({"name": format!("{}/{path}", self.root), "fields": raw});
        let writes = json!({"writes": [{"update": update}]});
        self.post(&format!("{}:commit", self.root), &writes).await.map(drop)
    }

    /// Deletes one document; it need not exist.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let url = self.url(&format!("{}/{path}", self.root))?;
        checked(self.client.delete(url).send().await?).await.map(drop)
    }

    /// Deletes many documents; they need not exist.
    pub async fn delete_many(&self, paths: &[String]) -> Result<()> {
        for batch in paths.chunks(BATCH_SIZE) {
            let writes: Vec<Value> =
                batch.iter().map(|path| json!({"delete": format!("{}/{path}", self.root)})).collect();
            self.post(&format!("{}:batchWrite", self.root), &json!({"writes": writes})).await?;
        }
        Ok(())
    }

    /// Empties the database.
    pub async fn delete_all(&self) -> Result<()> {
        let url = format!("http://{}/emulator/v1/{}/documents", self.host, self.database);
        checked(self.client.delete(url).send().await?).await.map(drop)
    }

    fn parent_and_id<'a>(&self, collection: &'a str) -> (String, &'a str) {
        match collection.rsplit_once('/') {
            Some((parent, id)) => (format!("{}/{parent}", self.root), id),
            None => (self.root.clone(), collection),
        }
    }

    fn write(&self, path: &str, fields: &Value) -> Value {
        let fields = fields.as_object().map(typed_fields);
        json!({"update": {"name": format!("{}/{path}", self.root), "fields": fields.unwrap_or_default()}})
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        // The emulator lets only its owner use batchWrite.
        let request = self.client.request(Method::POST, self.url(path)?).bearer_auth("owner").json(body);
        checked(request.send().await?).await
    }

    /// The address of a resource, with the document id escaped.
    fn url(&self, path: &str) -> Result<Url> {
        let mut url = Url::parse(&format!("http://{}/v1", self.host))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path.split('/'));
        }
        Ok(url)
    }
}

impl Doc {
    fn parse(doc: &Value) -> Result<Self> {
        let text = |field: &str| {
            doc[field].as_str().map(str::to_owned).with_context(|| format!("no {field} in {doc}"))
        };
        let name = text("name")?;
        Ok(Self {
            id: name.rsplit('/').next().unwrap_or(&name).to_owned(),
            fields: plain_fields(&doc["fields"]),
            raw: doc["fields"].clone(),
            create_time: text("createTime")?,
            update_time: text("updateTime")?,
        })
    }
}

/// A project id that no other test uses, so that the test has its own database in a shared emulator.
pub fn unique_project() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("sim-{}-{}-{number}", since.as_millis() % 1_000_000_000, std::process::id())
}

async fn checked(answer: reqwest::Response) -> Result<Value> {
    let (status, address) = (answer.status(), answer.url().clone());
    let body = answer.text().await?;
    if !status.is_success() {
        bail!("Firestore returned {status} for {address}: {body}");
    }
    serde_json::from_str(&body).with_context(|| format!("not JSON, from {address}: {body}"))
}
