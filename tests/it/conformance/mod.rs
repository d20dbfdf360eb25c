//! One suite for all Firestores: the in-memory store must answer as the real emulator does.
//!
//! Each case gets the component's own client with an empty database. It runs three times: in virtual time against the
//! in-memory store, over HTTP against the same store in its server, and over HTTP against the emulator if this machine
//! has one.

mod batches;
mod cloud;
mod commits;
mod documents;
mod limits;
mod listing;
mod queries;
mod reach;

use orchestrator::firestore::value::fields;
use orchestrator::firestore::{Code, DocumentPath, Fields, FirestoreError, Value, Write};

/// Makes three tests of each case: `in_memory`, `embedded` and `emulator`.
macro_rules! each {
    ($($module:ident: $($case:ident)*;)*) => {
        mod in_memory {
            $($(#[test]
            fn $case() {
                super::reach::in_memory(super::$module::$case);
            })*)*
        }
        mod embedded {
            $($(#[tokio::test]
            async fn $case() {
                let (_server, db) = super::reach::embedded().await;
                super::$module::$case(db).await;
            })*)*
        }
        mod emulator {
            $($(#[tokio::test]
            async fn $case() {
                if let Some(db) = super::reach::emulator().await {
                    super::$module::$case(db).await;
                }
            })*)*
        }
    };
}

each! {
    documents:
        a_missing_document_is_none
        every_requested_document_is_found_or_missing_once
        a_document_has_the_time_since_its_last_change
        every_kind_of_value_comes_back
        every_id_comes_back
        an_overwrite_removes_what_it_does_not_name
        a_merge_keeps_what_it_does_not_name;
    commits:
        a_document_is_created_once
        a_change_needs_the_time_of_the_latest_one
        a_missing_document_has_no_time
        a_commit_is_all_or_nothing
        a_write_that_changes_nothing_keeps_the_documents_time
        increments_start_at_zero_and_add_up
        a_commit_may_write_a_document_twice;
    batches:
        each_write_has_its_own_status
        a_document_may_be_in_a_batch_only_once
        a_malformed_write_refuses_the_whole_batch
        an_empty_batch_is_accepted;
    limits:
        a_document_just_below_the_limit_is_stored
        a_document_above_the_limit_is_refused
        a_request_above_the_limit_is_refused
        nesting_is_limited;
    listing:
        a_collection_of_many_pages_is_read_in_the_order_of_its_ids
        only_the_fields_of_the_mask_are_returned
        an_empty_collection_has_no_documents
        documents_below_documents_are_not_listed;
    queries:
        the_newest_come_first
        equal_times_are_ordered_by_name
        filters_must_all_hold
        a_page_starts_after_the_last_document_of_the_previous_one;
}

fn path(id: &str) -> DocumentPath {
    DocumentPath::new("things", id)
}

fn number(number: i64) -> Fields {
    fields([("number", Value::Integer(number))])
}

fn write(id: &str, value: i64) -> Write {
    Write::overwrite(path(id), number(value))
}

/// The status of a request that must have failed.
fn code<T: std::fmt::Debug>(result: Result<T, FirestoreError>) -> Option<Code> {
    result.expect_err("the request is refused").code()
}
