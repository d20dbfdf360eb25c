//! The routes of records.

use serde_json::{Value as Json, json};

use super::{parameter, read, with_parameters};
use crate::catalogue;

pub(super) fn operations() -> [(&'static str, &'static str, Json); 2] {
    let as_of = json!({"type": "string", "format": "date-time"});
    let as_of = parameter("as_of", "query", "The time of the form that is wanted; now by default", &as_of);
    let show = "A record as it is, or as it was at some time; 404 if there was none";
    let revisions = "A record with everything that it said before, newest first";
    let of_record = |operation, more: &[Json]| {
        let names: Vec<_> = catalogue::collections().iter().map(|known| known.default).collect();
        let collection = json!({"type": "string", "examples": names});
        let mut parameters = vec![
            parameter("collection", "path", "Collection of records, as the settings name it", &collection),
            parameter("id", "path", "The document's ID", &json!({"type": "string", "minLength": 1})),
        ];
        parameters.extend_from_slice(more);
        with_parameters(operation, &parameters)
    };
    [
        (
            "/records/{collection}/{id}",
            "get",
            of_record(read("record", show, "RecordView", &[404, 422]), &[as_of]),
        ),
        (
            "/records/{collection}/{id}/revisions",
            "get",
            of_record(read("revisions", revisions, "RevisionList", &[404, 422]), &[]),
        ),
    ]
}
