//! Ledger commits: each begins with a write under a precondition, so it is safe to repeat.

use chrono::{DateTime, Utc};

use super::{Ledger, entry};
use crate::firestore::{Code, FirestoreError, Write};

/// Attempts of one commit while Firestore fails.
const COMMIT_ATTEMPTS_MAX: u32 = 4;

/// Result of a commit.
pub(super) enum Committed {
    Done(DateTime<Utc>),
    /// The precondition failed.
    Conflict,
}

impl Ledger {
    /// Commits a claim; a conflict with `owner`'s own write, whose response was lost, is a success.
    pub(super) async fn commit_owned(
        &self,
        writes: &[Write],
        owner: &str,
    ) -> Result<Committed, FirestoreError> {
        let committed = self.commit(writes).await?;
        if let (Committed::Conflict, Some(write)) = (&committed, writes.first())
            && let Some(document) = self.firestore.get(&write.document).await?
            && document.text(entry::OWNER) == Some(owner)
        {
            return Ok(Committed::Done(document.update_time));
        }
        Ok(committed)
    }

    /// Commits, with retries while Firestore fails; safe because every first write has a precondition.
    pub(super) async fn commit(&self, writes: &[Write]) -> Result<Committed, FirestoreError> {
        let mut attempt = 1;
        loop {
            match self.firestore.commit(writes).await {
                Ok(times) => match times.first() {
                    Some(time) => return Ok(Committed::Done(*time)),
                    None => return Err(FirestoreError::Protocol("a commit without results".to_owned())),
                },
                Err(error) if is_conflict(&error) => return Ok(Committed::Conflict),
                Err(error) if error.is_retryable() && attempt < COMMIT_ATTEMPTS_MAX => {
                    self.firestore.back_off(attempt).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether a precondition failed.
fn is_conflict(error: &FirestoreError) -> bool {
    matches!(error.code(), Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound))
}
