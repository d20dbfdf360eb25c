//! Orders: what people have told the service to do, who, when and why. They are kept for good.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Ledger;
use super::commit::Committed;
use crate::base::id::new_uuid;
use crate::firestore::document::Document;
use crate::firestore::query::Query;
use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, FirestoreError, Value, Write};

/// Firestore's time of the commit.
const WHEN: &str = "when";

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Pause,
    Unpause,
    Cancel,
    Resume,
    ResumeRuns,
    ResetBreaker,
    Backfill,
    Replay,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Cancel => "cancel",
            Self::Resume => "resume",
            Self::ResumeRuns => "resume_runs",
            Self::ResetBreaker => "reset_breaker",
            Self::Backfill => "backfill",
            Self::Replay => "replay",
        }
    }
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    pub what: Action,
    /// The job, run or provider that it is about.
    pub subject: String,
    /// The email address of the caller's token, or `operator`.
    pub who: String,
    pub why: Option<String>,
    /// What else it says, for people.
    pub details: Option<String>,
}

/// An order that was given.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GivenOrder {
    pub when: Option<DateTime<Utc>>,
    /// The email address of the caller's token; `operator` for the operator token.
    pub who: String,
    pub what: String,
    /// The job, run or provider that it is about.
    pub subject: String,
    /// Null for an order that needs no reason and was given none.
    pub why: Option<String>,
    pub details: Option<String>,
}

impl Ledger {
    /// The document of an order, for the commit of its effect. Repeating the commit is harmless.
    pub fn order(&self, order: &Order) -> Write {
        let Order { what, subject, who, why, details } = order;
        tracing::info!(
            order.what = what.name(),
            order.subject = subject,
            order.who = who,
            order.why = why.as_deref().unwrap_or_default(),
            "order received"
        );
        let text = |text: &Option<String>| text.as_ref().map_or(Value::NULL, Value::string);
        let fields = fields([
            ("what", Value::string(what.name())),
            ("subject", Value::string(subject)),
            ("who", Value::string(who)),
            ("why", text(why)),
            ("details", text(details)),
        ]);
        let path = DocumentPath::new(&self.collections.orders, &new_uuid(&self.world));
        Write { times: vec![WHEN.to_owned()], ..Write::overwrite(path, fields) }
    }

    /// Stores an order whose effect is not one commit; before the effect.
    pub async fn record(&self, order: &Order) -> Result<(), FirestoreError> {
        match self.commit(&[self.order(order)]).await? {
            Committed::Done(_) => Ok(()),
            Committed::Conflict => Err(FirestoreError::Protocol("a conflict without a condition".to_owned())),
        }
    }

    /// The latest orders, newest first.
    pub async fn orders(&self, limit: usize) -> Result<Vec<GivenOrder>, FirestoreError> {
        let query =
            Query { collection: &self.collections.orders, newest_by: WHEN, limit, ..Query::default() };
        let page = self.firestore.query(&query).await?;
        Ok(page.documents.iter().map(GivenOrder::of).collect())
    }
}

impl GivenOrder {
    fn of(document: &Document) -> Self {
        let text = |name: &str| document.text(name).map(ToOwned::to_owned);
        Self {
            when: document.fields.get(WHEN).and_then(Value::as_timestamp),
            who: text("who").unwrap_or_default(),
            what: text("what").unwrap_or_default(),
            subject: text("subject").unwrap_or_default(),
            why: text("why"),
            details: text("details"),
        }
    }
}
