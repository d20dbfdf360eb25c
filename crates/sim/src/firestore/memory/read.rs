//! `batchGet`, queries and counts.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::field::{FieldPath, masked};
use super::indexes::Indexes;
use super::query::Query;
use super::{Refusal, Store, Stored, Strictness, Target, rfc3339, to_json};

impl Store {
    /// The named documents, each once, as found or missing.
    pub(super) fn batch_get(&mut self, now: DateTime<Utc>, body: &Json) -> Json {
        let read_time = rfc3339(self.tick(now));
        let names = body["documents"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let mask = body["mask"]["fieldPaths"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let mask: Vec<FieldPath> = mask.map(FieldPath::parse).collect();
        let row = |name: &str| match self.documents.get(name) {
            Some(stored) => {
                json!({"found": to_json(name, stored, &masked(stored, &mask)), "readTime": read_time})
            }
            None => json!({"missing": name, "readTime": read_time}),
        };
        let mut seen = BTreeSet::new();
        names.filter(|name| seen.insert(*name)).map(row).collect()
    }

    /// The documents that a query finds.
    pub(super) fn run_query(
        &mut self,
        now: DateTime<Utc>,
        target: &Target,
        body: &Json,
    ) -> Result<Json, Refusal> {
        let read_time = rfc3339(self.tick(now));
        let query = Query::parse(&body["structuredQuery"], self.strictness)?;
        let document =
            |(name, stored): (String, &Stored)| to_json(&name, stored, &masked(stored, &query.select));
        let found = self.find(target, &query)?.into_iter();
        let mut answer: Vec<Json> =
            found.map(|found| json!({"document": document(found), "readTime": read_time})).collect();
        if answer.is_empty() {
            answer.push(json!({"readTime": read_time}));
        }
        // `done` refers to the request, not the collection: it is also set when the limit has ended it.
        if let Some(last) = answer.last_mut() {
            last["done"] = json!(true);
        }
        Ok(Json::Array(answer))
    }

    /// The number of documents that a query finds.
    pub(super) fn count(
        &mut self,
        now: DateTime<Utc>,
        target: &Target,
        body: &Json,
    ) -> Result<Json, Refusal> {
        let read_time = rfc3339(self.tick(now));
        let aggregation = &body["structuredAggregationQuery"];
        let query = Query::parse(&aggregation["structuredQuery"], self.strictness)?;
        let count = self.find(target, &query)?.len().to_string();
        let mut fields = serde_json::Map::new();
        for one in aggregation["aggregations"].as_array().into_iter().flatten() {
            if one.get("count").is_none() {
                return Err(Refusal::unsupported("an aggregation other than count"));
            }
            let alias = one["alias"].as_str().unwrap_or("field_1");
            fields.insert(alias.to_owned(), json!({"integerValue": count}));
        }
        Ok(json!([{"result": {"aggregateFields": fields}, "readTime": read_time, "done": true}]))
    }

    /// The documents that a query finds, by full name, in its order.
    fn find(&self, target: &Target, query: &Query) -> Result<Vec<(String, &Stored)>, Refusal> {
        if self.strictness == Strictness::Cloud {
            Indexes::deployed().check(query)?;
        }
        let parent = target.name();
        let mut rows: Vec<_> = self
            .collection(&target.database, &target.collection(query.collection))
            .map(|(id, stored)| (format!("{parent}/{}/{id}", query.collection), stored))
            .filter_map(|(name, stored)| Some((query.key(&name, stored)?, name, stored)))
            .collect();
        rows.sort_by(|(a, ..), (b, ..)| query.compare(a, b));
        Ok(rows.into_iter().take(query.limit).map(|(_, name, stored)| (name, stored)).collect())
    }
}
