//! Records, and what they said before.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use url::form_urlencoded;

use super::answer::json;
use super::runs::unavailable;
use crate::api::problem::{FieldError, Problem};
use crate::api::request::time;
use crate::app::App;
use crate::base::text::excerpt;
use crate::engine::records::{Form, History};
use crate::firestore::Fields;

/// Characters of a value that is repeated in an error.
const EXCERPT_CHARS: usize = 80;

/// A record as it is, or as it was.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct RecordView {
    collection: String,
    /// The document's ID.
    document: String,
    /// The time that was asked for; null for now.
    as_of: Option<DateTime<Utc>>,
    #[serde(flatten)]
    form: FormView,
    /// When it was replaced; null if it is the current form.
    superseded_at: Option<DateTime<Utc>>,
    superseded_by_run: Option<String>,
    /// How many forms have been replaced.
    revisions: usize,
}

/// A record with all of its forms.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct RevisionList {
    collection: String,
    document: String,
    /// Null if the document was deleted.
    current: Option<FormView>,
    /// Newest first.
    revisions: Vec<RevisionView>,
}

/// A form that was replaced.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct RevisionView {
    /// How many forms there were before it.
    number: i64,
    #[serde(flatten)]
    form: FormView,
    superseded_at: DateTime<Utc>,
    superseded_by_run: String,
    /// The fields in which the next form differs.
    changed: Vec<String>,
}

/// What a record says, and since when that is known.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct FormView {
    fields: Map<String, Json>,
    known_since: DateTime<Utc>,
}

impl FormView {
    fn of(form: &Form) -> Self {
        Self { fields: plain(&form.fields), known_since: form.known_since }
    }
}

fn plain(fields: &Fields) -> Map<String, Json> {
    fields.iter().map(|(name, value)| (name.clone(), value.to_plain())).collect()
}

/// `GET /records/{collection}/{id}`
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((collection, id)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let as_of = match as_of(uri.query().unwrap_or_default()) {
        Ok(as_of) => as_of,
        Err(problem) => return problem.into_response(),
    };
    let history = match history(&app, &collection, &id).await {
        Ok(history) => history,
        Err(response) => return response,
    };
    let form = as_of.map_or(history.current.as_ref(), |time| history.at(time));
    let Some(form) = form else {
        return Problem::not_found(match as_of {
            Some(time) => format!("{collection} had no document {id} at {}", time.to_rfc3339()),
            None => format!("{collection} has no document {id}"),
        })
        .into_response();
    };
    let end = form.end.as_ref();
    let view = RecordView {
        as_of,
        form: FormView::of(form),
        superseded_at: end.map(|end| end.superseded_at),
        superseded_by_run: end.map(|end| end.superseded_by_run.clone()),
        revisions: history.revisions.len(),
        collection,
        document: id,
    };
    json(StatusCode::OK, &view)
}

/// `GET /records/{collection}/{id}/revisions`
pub(super) async fn revisions(
    State(app): State<Arc<App>>,
    Path((collection, id)): Path<(String, String)>,
) -> Response {
    let history = match history(&app, &collection, &id).await {
        Ok(history) => history,
        Err(response) => return response,
    };
    if history == History::default() {
        return Problem::not_found(format!("{collection} has no document {id}")).into_response();
    }
    let view = |form: &Form| {
        let end = form.end.clone()?;
        Some(RevisionView {
            number: end.number,
            form: FormView::of(form),
            superseded_at: end.superseded_at,
            superseded_by_run: end.superseded_by_run,
            changed: end.changed,
        })
    };
    let list = RevisionList {
        current: history.current.as_ref().map(FormView::of),
        revisions: history.revisions.iter().rev().filter_map(view).collect(),
        collection,
        document: id,
    };
    json(StatusCode::OK, &list)
}

async fn history(app: &App, collection: &str, id: &str) -> Result<History, Response> {
    let collections = &app.config.collections;
    if !collections.has_records(collection) {
        let known = collections.of_records().collect::<Vec<_>>().join(", ");
        let message = format!("must be a collection of records: {known}");
        let error = FieldError::new("collection", excerpt(collection, EXCERPT_CHARS), message);
        return Err(Problem::invalid(vec![error]).into_response());
    }
    app.engine.history(collection, id).await.map_err(unavailable)
}

/// The time in a query; unknown parameters are ignored.
fn as_of(query: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some((_, text)) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "as_of") else {
        return Ok(None);
    };
    let mut errors = Vec::new();
    let as_of = time("as_of", &text, &mut errors);
    Problem::check(errors)?;
    Ok(as_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_query_is_read_or_named() {
        let time = as_of("x=1&as_of=2026-11-27T01:00:00%2B01:00").unwrap().unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-27T00:00:00+00:00");
        assert_eq!(as_of("").unwrap(), None);
        let problem = as_of("as_of=yesterday").unwrap_err();
        let error = serde_json::to_value(&problem).unwrap()["errors"][0].clone();
        assert_eq!((&error["field"], &error["value"]), (&Json::from("as_of"), &Json::from("yesterday")));
    }
}
