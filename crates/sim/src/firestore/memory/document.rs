//! Requests for a single document or collection by its address.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE as BASE64;
use chrono::{DateTime, Utc};
use http::Method;
use serde_json::{Value as Json, json};
use url::form_urlencoded;

use super::field::{FieldPath, masked};
use super::{Refusal, Store, Target, parse, to_json};

/// Most documents in one page of a list, and as many as there are if the request does not say.
const PAGE_SIZE_MAX: usize = 300;
/// Most parameters that are read.
const PARAMETERS_MAX: usize = 1_000;

impl Store {
    /// A request to `documents/…`: the path leads to a document or to a collection.
    pub(super) fn on_document(
        &mut self,
        now: DateTime<Utc>,
        method: &Method,
        target: &Target,
        parameters: &str,
        body: &[u8],
    ) -> Result<Json, Refusal> {
        let parameters = Parameters::parse(parameters);
        let is_document = target.path.len().is_multiple_of(2);
        match (method, is_document) {
            (&Method::GET, true) => self.get(target, &parameters),
            (&Method::GET, false) => self.list(target, &parameters),
            (&Method::PATCH, true) => self.patch(now, target, &parameters, body),
            (&Method::POST, false) => self.create(now, target, &parameters, body),
            (&Method::DELETE, true) => {
                let delete = json!({"delete": target.name(), "currentDocument": parameters.precondition()});
                self.commit(now, &target.database, &json!({"writes": [delete]}))?;
                Ok(json!({}))
            }
            _ => Err(Refusal::not_found("no such method")),
        }
    }

    /// The ids of the collections below a document or the root.
    pub(super) fn collection_ids(&self, target: &Target) -> Json {
        let prefix = format!("{}/", target.name());
        let below = self.documents.range(prefix.clone()..).map_while(|(name, _)| name.strip_prefix(&prefix));
        let mut ids: Vec<&str> = below.filter_map(|path| path.split('/').next()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() { json!({}) } else { json!({"collectionIds": ids}) }
    }

    fn get(&self, target: &Target, parameters: &Parameters) -> Result<Json, Refusal> {
        let name = target.name();
        let Some(stored) = self.documents.get(&name) else {
            return Err(Refusal::not_found(format!("Document ({name}) not found.")));
        };
        Ok(to_json(&name, stored, &masked(stored, &parameters.mask("mask.fieldPaths"))))
    }

    fn list(&self, target: &Target, parameters: &Parameters) -> Result<Json, Refusal> {
        let size = match parameters.first("pageSize") {
            None | Some("0") => PAGE_SIZE_MAX,
            Some(size) => {
                size.parse().map_err(|_| Refusal::invalid(format!("page size is not a number: {size}")))?
            }
        };
        let size = PAGE_SIZE_MAX.min(size);
        let after = match parameters.first("pageToken").filter(|token| !token.is_empty()) {
            None => None,
            Some(token) => Some(id_of_token(token).ok_or_else(|| Refusal::invalid("invalid page token"))?),
        };
        let mask = parameters.mask("mask.fieldPaths");
        let mut rest = self
            .collection(&target.database, &target.path.join("/"))
            .skip_while(|(id, _)| after.as_deref().is_some_and(|after| *id <= after));
        let page: Vec<_> = rest.by_ref().take(size).collect();
        let documents: Vec<Json> = page
            .iter()
            .map(|(id, stored)| to_json(&format!("{}/{id}", target.name()), stored, &masked(stored, &mask)))
            .collect();
        let mut answer = json!({});
        if let Some((last, _)) = page.last() {
            answer["documents"] = Json::Array(documents);
            if rest.next().is_some() {
                answer["nextPageToken"] = json!(BASE64.encode(last));
            }
        }
        Ok(answer)
    }

    fn patch(
        &mut self,
        now: DateTime<Utc>,
        target: &Target,
        parameters: &Parameters,
        body: &[u8],
    ) -> Result<Json, Refusal> {
        let name = target.name();
        let mut write = json!({
            "update": {"name": name, "fields": parse(body)?["fields"]},
            "currentDocument": parameters.precondition(),
        });
        let paths: Vec<&str> = parameters.all("updateMask.fieldPaths").collect();
        if !paths.is_empty() {
            write["updateMask"] = json!({"fieldPaths": paths});
        }
        self.write_one(now, target, &name, &write)
    }

    fn create(
        &mut self,
        now: DateTime<Utc>,
        target: &Target,
        parameters: &Parameters,
        body: &[u8],
    ) -> Result<Json, Refusal> {
        let id = match parameters.first("documentId").filter(|id| !id.is_empty()) {
            Some(id) => id.to_owned(),
            // No two requests have the same time.
            None => format!("{:020}", self.tick(now).timestamp_micros()),
        };
        let name = format!("{}/{id}", target.name());
        let write = json!({
            "update": {"name": name, "fields": parse(body)?["fields"]},
            "currentDocument": {"exists": false},
        });
        self.write_one(now, target, &name, &write)
    }

    /// Carries out one write; returns the document.
    fn write_one(
        &mut self,
        now: DateTime<Utc>,
        target: &Target,
        name: &str,
        write: &Json,
    ) -> Result<Json, Refusal> {
        self.commit(now, &target.database, &json!({"writes": [write]}))?;
        let stored =
            self.documents.get(name).ok_or_else(|| Refusal::not_found("it has just been written"))?;
        Ok(to_json(name, stored, &stored.fields))
    }
}

/// The parameters in an address.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(parameters: &str) -> Self {
        let pairs = form_urlencoded::parse(parameters.as_bytes()).into_owned();
        Self(pairs.take(PARAMETERS_MAX).collect())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn mask(&self, name: &str) -> Vec<FieldPath> {
        self.all(name).map(FieldPath::parse).collect()
    }

    /// The precondition as the body of a write has it.
    fn precondition(&self) -> Json {
        if let Some(exists) = self.first("currentDocument.exists") {
            return json!({"exists": exists == "true"});
        }
        self.first("currentDocument.updateTime").map_or(Json::Null, |time| json!({"updateTime": time}))
    }
}

fn id_of_token(token: &str) -> Option<String> {
    String::from_utf8(BASE64.decode(token).ok()?).ok()
}
