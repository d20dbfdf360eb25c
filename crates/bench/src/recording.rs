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

/// What a run exchanges with Firestore beside the writes of its documents.
#[derive(Debug)]
pub struct Around {
    /// Before its calls, in order: claim, watchlist.
    pub before: Vec<Exchange>,
    /// Reads while it calls and writes: what is stored already, the coverage.
    pub reads: Vec<Exchange>,
    /// Commits after its first document, in order: checkpoints, the coverage, and at last the close.
    pub commits: Vec<Exchange>,
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

    /// The run's exchanges with Firestore other than the writes of its documents, for another project.
    pub fn around_for(&self, project: &str) -> Result<Around> {
        let anew = |exchange: &Exchange| {
            let own = project_of(&exchange.address)?;
            let commit = exchange.address.ends_with(":commit");
            let body = if commit { without_preconditions(&exchange.body)? } else { exchange.body.clone() };
            Ok::<_, anyhow::Error>(Exchange {
                address: exchange.address.replace(own, project),
                body: Bytes::from(String::from_utf8_lossy(&body).replace(own, project)),
                ..exchange.clone()
            })
        };
        let is_write = |exchange: &&Exchange| exchange.address.ends_with(":batchWrite");
        let is_before = |exchange: &&Exchange| !is_write(exchange) && !is_comparison(exchange);
        let before = self.firestore.iter().take_while(is_before).map(anew).collect::<Result<Vec<_>>>()?;
        let (mut reads, mut commits) = (Vec::new(), Vec::new());
        for exchange in self.firestore.iter().skip(before.len()).filter(|exchange| !is_write(exchange)) {
            let commit = exchange.address.ends_with(":commit");
            if commit { &mut commits } else { &mut reads }.push(anew(exchange)?);
        }
        Ok(Around { before, reads, commits })
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

/// Whether an exchange reads what records are compared by: that is done as soon as a call is answered.
fn is_comparison(exchange: &Exchange) -> bool {
    /// The field that says what a record contains.
    const HASH: &[u8] = b"\"content_hash\"";
    exchange.address.ends_with(":batchGet") && exchange.body.windows(HASH.len()).any(|bytes| bytes == HASH)
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
    fn every_exchange_beside_the_writes_is_repeated_once() {
        let commit = r#"{"writes":[]}"#;
        let exchanges = [
            (":commit", commit),
            (":runQuery", "{}"),
            (":batchGet", r#"{"mask":{"fieldPaths":["content_hash"]}}"#),
            (":batchWrite", commit),
            (":batchGet", "{}"),
            (":commit", commit),
            (":batchWrite", commit),
            (":commit", commit),
        ];
        let firestore = exchanges.map(|(address, body)| exchange(address, body, "{}")).into();
        let around = Recording { calls: Vec::new(), firestore }.around_for("new").unwrap();
        let methods = |exchanges: &[Exchange]| {
            let method = |exchange: &Exchange| {
                assert_eq!(project_of(&exchange.address).unwrap(), "new");
                exchange.address.rsplit_once(':').unwrap().1.to_owned()
            };
            exchanges.iter().map(method).collect::<Vec<_>>()
        };
        assert_eq!(methods(&around.before), ["commit", "runQuery"]);
        assert_eq!(methods(&around.reads), ["batchGet", "batchGet"]);
        assert_eq!(methods(&around.commits), ["commit", "commit"]);
    }

    #[test]
    fn a_commit_loses_only_its_preconditions() {
        let body = br#"{"writes":[{"update":{},"currentDocument":{"exists":false}}]}"#;
        assert_eq!(&without_preconditions(body).unwrap()[..], br#"{"writes":[{"update":{}}]}"#);
    }
}
