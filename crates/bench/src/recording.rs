//! The exchanges of one run with the providers and Firestore, to count them and to repeat them without the
//! orchestrator.

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sim::firestore::proxy::Exchange;
use sim::providers::Providers;

/// Writes in one request, as in the orchestrator's bulk writer.
const BATCH_WRITES_MAX: usize = 500;
/// Bytes of one request, as in the orchestrator's bulk writer.
const BATCH_BYTES_MAX: usize = 3 << 20;

/// A provider call.
#[derive(Clone, Debug)]
pub struct Call {
    pub address: String,
    pub body: Bytes,
}

/// All exchanges of a run.
#[derive(Debug, Default)]
pub struct Recording {
    pub calls: Vec<Call>,
    pub firestore: Vec<Exchange>,
}

/// Documents that a run read and wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    pub read: usize,
    /// Records and raw logs.
    pub written: usize,
    /// Ledger entries and statistics.
    pub ledger: usize,
}

#[derive(Deserialize)]
struct Writes<'a> {
    #[serde(borrow)]
    writes: Vec<&'a RawValue>,
}

impl Recording {
    pub fn new(providers: &Providers, firestore: Vec<Exchange>) -> Self {
        let calls = providers.all().iter().flat_map(|provider| {
            let url = provider.url();
            let address = move |path: &str| format!("{url}{path}");
            provider.journal().calls().into_iter().map(move |call| Call {
                address: address(&call.path),
                body: Bytes::from(call.body.to_string()),
            })
        });
        Self { calls: calls.collect(), firestore }
    }

    /// The run's documents for another project, in as few requests as Firestore allows.
    pub fn writes_for(&self, project: &str) -> Result<Vec<Bytes>> {
        let mut bodies = Vec::new();
        let mut batch: Vec<String> = Vec::new();
        let mut bytes = 0;
        for exchange in self.of(":batchWrite") {
            let own = project_of(&exchange.address)?;
            let sent: Writes<'_> = serde_json::from_slice(&exchange.body)?;
            for write in sent.writes {
                let write = write.get().replace(own, project);
                if batch.len() == BATCH_WRITES_MAX || bytes + write.len() > BATCH_BYTES_MAX {
                    bodies.push(body(&std::mem::take(&mut batch)));
                    bytes = 0;
                }
                bytes += write.len();
                batch.push(write);
            }
        }
        if !batch.is_empty() {
            bodies.push(body(&batch));
        }
        Ok(bodies)
    }

    /// The run's exchanges with Firestore before its first document, and its last commit, for another project.
    pub fn around_for(&self, project: &str) -> Result<(Vec<Exchange>, Vec<Exchange>)> {
        let anew = |exchange: &Exchange| {
            let own = project_of(&exchange.address)?;
            let commit = exchange.address.ends_with(":commit");
            let body = if commit { without_preconditions(&exchange.body)? } else { exchange.body.clone() };
            Ok(Exchange {
                address: exchange.address.replace(own, project),
                body: Bytes::from(String::from_utf8_lossy(&body).replace(own, project)),
                ..exchange.clone()
            })
        };
        let is_write = |exchange: &&Exchange| exchange.address.ends_with(":batchWrite");
        let before = self.firestore.iter().take_while(|exchange| !is_write(exchange)).map(anew);
        let last = self.of(":commit").last().map(anew);
        Ok((before.collect::<Result<_>>()?, last.into_iter().collect::<Result<_>>()?))
    }

    pub fn documents(&self) -> Result<Documents> {
        let mut documents = Documents::default();
        for exchange in &self.firestore {
            let answer: Value = serde_json::from_slice(&exchange.answer)?;
            let written =
                || Ok::<_, anyhow::Error>(serde_json::from_slice::<Writes<'_>>(&exchange.body)?.writes.len());
            if exchange.address.ends_with(":batchWrite") {
                documents.written += written()?;
            } else if exchange.address.ends_with(":commit") {
                documents.ledger += written()?;
            } else {
                let rows = answer.as_array().or_else(|| answer["documents"].as_array());
                documents.read += rows.map_or(0, Vec::len);
            }
        }
        Ok(documents)
    }

    fn of(&self, end: &'static str) -> impl Iterator<Item = &Exchange> {
        self.firestore.iter().filter(move |exchange| exchange.address.ends_with(end))
    }
}

fn body(writes: &[String]) -> Bytes {
    Bytes::from(format!("{{\"writes\":[{}]}}", writes.join(",")))
}

/// The project in an address `/v1/projects/P/databases/…`.
pub fn project_of(address: &str) -> Result<&str> {
    address.split('/').nth(3).with_context(|| format!("no project in {address}"))
}

/// The body of a commit that can be repeated any number of times.
pub fn without_preconditions(body: &[u8]) -> Result<Bytes> {
    let mut commit: Value = serde_json::from_slice(body)?;
    for write in commit["writes"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        write.remove("currentDocument");
    }
    Ok(Bytes::from(json!(commit).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(address: &str, body: &str, answer: &str) -> Exchange {
        let method = reqwest::Method::POST;
        Exchange {
            method,
            address: format!("/v1/projects/old/databases/(default)/documents{address}"),
            body: Bytes::from(body.to_owned()),
            answer: Bytes::from(answer.to_owned()),
        }
    }

    fn recording() -> Recording {
        let write = r#"{"update":{"name":"projects/old/databases/(default)/documents/c/x"}}"#;
        let two = format!(r#"{{"writes":[{write},{write}]}}"#);
        let firestore = vec![
            exchange(":commit", &two, "{}"),
            exchange("/universe?pageSize=500", "", r#"{"documents":[{},{},{}]}"#),
            exchange(":batchGet", "{}", "[{}]"),
            exchange(":batchWrite", &two, "{}"),
            exchange(":batchWrite", &two, "{}"),
        ];
        Recording { calls: Vec::new(), firestore }
    }

    #[test]
    fn documents_are_counted_by_kind() {
        assert_eq!(recording().documents().unwrap(), Documents { read: 4, written: 4, ledger: 2 });
    }

    #[test]
    fn writes_are_repacked_for_another_project() {
        let bodies = recording().writes_for("new").unwrap();
        let [body] = bodies.as_slice() else { panic!("{} requests", bodies.len()) };
        let writes: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(writes["writes"].as_array().unwrap().len(), 4);
        assert_eq!(writes["writes"][3]["update"]["name"], "projects/new/databases/(default)/documents/c/x");
    }

    #[test]
    fn a_commit_loses_only_its_preconditions() {
        let body = br#"{"writes":[{"update":{},"currentDocument":{"exists":false}}]}"#;
        assert_eq!(&without_preconditions(body).unwrap()[..], br#"{"writes":[{"update":{}}]}"#);
    }
}
