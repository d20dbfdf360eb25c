//! Reading stored responses back from the raw logs.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flate2::Crc;
use http::StatusCode;

use super::call_log::{Logged, window};
use super::replayed::time;
use crate::catalogue::Ticker;
use crate::firestore::document::Document;
use crate::firestore::{DocumentPath, Fields, Firestore, FirestoreError, Value, payload};
use crate::run::Window;

/// Bytes of responses that are read in one request, and their number.
const BYTES_MAX: usize = 1 << 20;
const ANSWERS_MAX: usize = 50;
/// Parts of a payload that are read in one request.
const PARTS_MAX: usize = 8;
/// Longest response that is read back: no provider's answer may be longer.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A response as it arrived, and what it was asked for.
#[derive(Debug)]
pub struct Recalled {
    pub endpoint: String,
    pub tickers: Vec<Ticker>,
    pub window: Option<Window>,
    /// The parameters of the request.
    pub parameters: Fields,
    pub received_at: DateTime<Utc>,
    /// When its raw log was stored, by Firestore's clock.
    pub logged_at: DateTime<Utc>,
    /// Whether it counted as a failure of the call.
    pub had_failed: bool,
    pub status: StatusCode,
    pub body: Bytes,
}

/// A log ID and its response, or why that cannot be read.
pub type Answer = (String, Result<Recalled, String>);

/// Splits responses into groups of which each is read in one go, in the same order.
pub fn groups(answers: Vec<Logged>) -> Vec<Vec<Logged>> {
    let mut groups: Vec<Vec<Logged>> = Vec::new();
    let mut bytes = 0;
    for answer in answers {
        bytes += answer.bytes;
        match groups.last_mut().filter(|group| bytes <= BYTES_MAX && group.len() < ANSWERS_MAX) {
            Some(group) => group.push(answer),
            None => {
                bytes = answer.bytes;
                groups.push(vec![answer]);
            }
        }
    }
    groups
}

/// Reads responses, in the order given.
pub async fn read(
    firestore: &Firestore,
    collection: &str,
    logged: &[Logged],
) -> Result<Vec<Answer>, FirestoreError> {
    let path = |log: &Logged| DocumentPath::new(collection, &log.log_id);
    let paths: Vec<_> = logged.iter().map(path).collect();
    let documents = firestore.get_all(&paths).await?;
    let mut answers = Vec::with_capacity(logged.len());
    for (log, path) in logged.iter().zip(&paths) {
        let document = documents.iter().find(|document| document.id == path.id());
        let answer = match document {
            None => Err("its raw log has expired".to_owned()),
            Some(document) => recalled(firestore, path, document).await?,
        };
        answers.push((log.log_id.clone(), answer));
    }
    Ok(answers)
}

async fn recalled(
    firestore: &Firestore,
    path: &DocumentPath,
    document: &Document,
) -> Result<Result<Recalled, String>, FirestoreError> {
    let part = |name: &str| document.fields.get(name).and_then(Value::as_map);
    let (Some(request), Some(response), Some(metadata)) =
        (part("request"), part("response"), part("metadata"))
    else {
        return Ok(Err("its raw log lacks the request, the response or its metadata".to_owned()));
    };
    let body = match body(firestore, path, response).await? {
        Ok(body) => body,
        Err(reason) => return Ok(Err(reason)),
    };
    let status = response.get("status_code").and_then(Value::as_i64);
    let status = status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let endpoint = metadata.get("endpoint").and_then(Value::as_str).map(ToOwned::to_owned);
    let received_at = metadata.get("ingested_at").and_then(time);
    let (Some(status), Some(endpoint), Some(received_at)) = (status, endpoint, received_at) else {
        return Ok(Err("its raw log lacks its status, its endpoint or its time".to_owned()));
    };
    let tickers = metadata.get("tickers_requested").and_then(Value::as_array).unwrap_or_default();
    let tickers = tickers.iter().filter_map(|ticker| Ticker::parse(ticker.as_str()?).ok()).collect();
    let parameters = request.get("params").and_then(Value::as_map).cloned().unwrap_or_default();
    let window = metadata.get("window").and_then(Value::as_map).and_then(window);
    let had_failed = response.get("error").is_some_and(|error| error.as_str().is_some());
    Ok(Ok(Recalled {
        endpoint,
        tickers,
        window,
        parameters,
        received_at,
        logged_at: document.create_time,
        had_failed,
        status,
        body,
    }))
}

/// The bytes of a response, from its document or from its parts.
async fn body(
    firestore: &Firestore,
    path: &DocumentPath,
    response: &Fields,
) -> Result<Result<Bytes, String>, FirestoreError> {
    if let Some(text) = response.get("data").and_then(Value::as_str) {
        return Ok(Ok(Bytes::copy_from_slice(text.as_bytes())));
    }
    let number = |name: &str| response.get(name).and_then(Value::as_i64);
    let (Some(count), Some(length), Some(sum)) =
        (number("parts"), number("data_bytes"), number("data_crc32"))
    else {
        return Ok(Err("its raw log has no response".to_owned()));
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let count = usize::try_from(count).unwrap_or_default();
    if length > BODY_BYTES_MAX || count > length.div_ceil(payload::PART_BYTES_MAX) + 1 {
        return Ok(Err(format!("its raw log claims {length} bytes in {count} parts")));
    }
    let paths: Vec<_> =
        (0..count).map(|at| path.child(payload::PARTS_COLLECTION, &format!("{at:04}"))).collect();
    let mut parts = Vec::with_capacity(count);
    for some in paths.chunks(PARTS_MAX) {
        let documents = firestore.get_all(some).await?;
        for path in some {
            let data = documents.iter().find(|document| document.id == path.id());
            match data.and_then(|document| document.fields.get("data")) {
                Some(Value::Bytes(data)) => parts.push(data.clone()),
                _ => return Ok(Err(format!("part {} of its response is missing", path.id()))),
            }
        }
    }
    let joined = match payload::join(&parts, length) {
        Ok(joined) => joined,
        Err(error) => return Ok(Err(format!("its response cannot be unpacked: {error}"))),
    };
    let mut crc = Crc::new();
    crc.update(&joined);
    if joined.len() != length || i64::from(crc.sum()) != sum {
        return Ok(Err("its response is not what was stored: length or checksum differ".to_owned()));
    }
    Ok(Ok(Bytes::from(joined)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::call_log;

    #[test]
    fn responses_are_read_in_order_and_a_large_one_alone() {
        let of = |call, bytes| call_log::tests::logged(call, bytes);
        let all = vec![of(1, 10), of(2, 2 << 20), of(3, 600 << 10), of(4, 300 << 10), of(5, 300 << 10)];
        let numbers = |group: &Vec<Logged>| group.iter().map(|log| log.log_id.clone()).collect::<Vec<_>>();
        let groups: Vec<_> = groups(all).iter().map(numbers).collect();
        assert_eq!(groups, [vec!["r_a1_c1"], vec!["r_a1_c2"], vec!["r_a1_c3", "r_a1_c4"], vec!["r_a1_c5"]]);
        assert_eq!(super::groups((0..120).map(|call| of(call, 1)).collect()).len(), 3);
    }
}
