use super::*;

fn check(status: u16, body: &str, code: Code, message: &str) {
    let error = FirestoreError::from_answer(StatusCode::from_u16(status).unwrap(), body.as_bytes());
    assert_eq!(error.code(), Some(code), "{body}");
    assert_eq!(error.to_string(), format!("firestore answered {}: {message}", code.name()));
}

#[test]
fn the_bodys_status_wins_over_the_http_status() {
    let exists = r#"{"error":{"code":409,"message":"it exists","status":"ALREADY_EXISTS"}}"#;
    check(409, exists, Code::AlreadyExists, "it exists");
    check(409, &format!("[{exists}]"), Code::AlreadyExists, "it exists");
}

#[test]
fn a_body_without_a_status_falls_back_on_http() {
    check(409, "", Code::Aborted, "");
    check(503, "<html>busy</html>", Code::Unavailable, "<html>busy</html>");
}

#[test]
fn an_index_that_is_not_there_is_named_and_no_outage() {
    let told = |message: &str| {
        let error = FirestoreError::Status { code: Code::FailedPrecondition, message: message.to_owned() };
        error.of_query(|| "ingestion_runs (job, created_at)".to_owned())
    };
    let missing =
        told("The query requires an index. You can create it here: https://console.firebase.google.com/x");
    assert_eq!(
        missing.to_string(),
        "firestore's index ingestion_runs (job, created_at) is missing: create it from firestore.indexes.json \
         (`cargo xtask indexes`, or Terraform)"
    );
    let building = told(
        "The query requires an index. That index is currently building and cannot be used yet. See its status here: x",
    );
    assert_eq!(
        building.to_string(),
        "firestore's index ingestion_runs (job, created_at) is still being built: try again when it is ready"
    );
    assert!(!missing.is_retryable() && !missing.is_ambiguous());
    assert_eq!(told("no such time").to_string(), "firestore answered FAILED_PRECONDITION: no such time");
}

#[test]
fn exactly_the_documented_statuses_are_retried() {
    let retried: Vec<_> =
        CODES.iter().filter(|(.., code)| code.is_retryable()).map(|(_, name, _)| *name).collect();
    assert_eq!(retried, ["DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL", "UNAVAILABLE"]);
}
