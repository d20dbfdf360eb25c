//! Pauses: jobs whose ticks are skipped until an operator wants them again. One document per job.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::commit::Committed;
use super::{CONFLICTS_MAX, Ledger, contended};
use crate::calendar::new_york::to_new_york;
use crate::catalogue;
use crate::firestore::document::Document;
use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, Fields, FirestoreError, Precondition, Value, Write};

/// Earlier pauses of a job that are remembered, so that no alert asks for the ticks that fell into them.
const EARLIER_MAX: usize = 20;
/// A tick whose time lies this shortly before a pause may have been delivered in it.
const DELIVERY: TimeDelta = TimeDelta::minutes(1);

/// A time during which the ticks of a job are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub since: DateTime<Utc>,
    /// None: until somebody ends it.
    pub until: Option<DateTime<Utc>>,
}

/// The latest pause of a job, and those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub window: Window,
    pub by: String,
    pub reason: String,
    /// Newest first.
    pub earlier: Vec<Window>,
}

/// A pause, for people and tools.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PauseView {
    pub since: DateTime<Utc>,
    /// Null if it lasts until somebody ends it.
    pub until: Option<DateTime<Utc>>,
    /// Who ordered it: the email address of the caller's token, or `operator`.
    pub by: String,
    pub reason: String,
}

impl Window {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    fn covers(&self, tick: DateTime<Utc>) -> bool {
        let begun = self.since.checked_sub_signed(DELIVERY).is_none_or(|since| since <= tick);
        begun && !self.is_over(tick)
    }
}

impl Pause {
    /// Whether it is still going on.
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        !self.window.is_over(now)
    }

    /// Whether a tick at this time was, or will be, skipped because of a pause.
    pub fn covers(&self, tick: DateTime<Utc>) -> bool {
        self.window.covers(tick) || self.earlier.iter().any(|window| window.covers(tick))
    }

    pub fn view(&self) -> PauseView {
        let Window { since, until } = self.window;
        PauseView { since, until, by: self.by.clone(), reason: self.reason.clone() }
    }

    /// Why a tick is skipped, for people.
    pub fn words(&self) -> String {
        let Self { window, by, reason, .. } = self;
        match window.until {
            None => format!("paused by {by}: {reason}"),
            Some(until) => {
                let until = to_new_york(until).format("%Y-%m-%d %H:%M");
                format!("paused by {by} until {until} New York time: {reason}")
            }
        }
    }

    /// This pause after the one before it. A pause that is still going on is replaced, and counts from its beginning.
    fn after(mut self, before: Option<Self>, now: DateTime<Utc>) -> Self {
        let Some(before) = before else { return self };
        self.earlier.clone_from(&before.earlier);
        if before.is_active(now) {
            self.window.since = before.window.since.min(self.window.since);
        } else {
            self.earlier.insert(0, before.window);
        }
        self.earlier.truncate(EARLIER_MAX);
        self
    }

    fn to_fields(&self, job: &str) -> Fields {
        let time = |time: Option<DateTime<Utc>>| time.map_or(Value::NULL, Value::Timestamp);
        let window = |window: &Window| {
            Value::map([("since", Value::Timestamp(window.since)), ("until", time(window.until))])
        };
        fields([
            ("job", Value::string(job)),
            ("since", Value::Timestamp(self.window.since)),
            ("until", time(self.window.until)),
            ("by", Value::string(&self.by)),
            ("reason", Value::string(&self.reason)),
            ("earlier", Value::Array { values: self.earlier.iter().map(window).collect() }),
        ])
    }

    /// None if the document says no time since when.
    fn of(document: &Document) -> Option<Self> {
        let window = |fields: &Fields| {
            let time = |name: &str| fields.get(name).and_then(Value::as_timestamp);
            Some(Window { since: time("since")?, until: time("until") })
        };
        let text = |name: &str| document.text(name).unwrap_or_default().to_owned();
        let earlier = document.fields.get("earlier").and_then(Value::as_array).unwrap_or_default();
        Some(Self {
            window: window(&document.fields)?,
            by: text("by"),
            reason: text("reason"),
            earlier: earlier.iter().filter_map(|known| window(known.as_map()?)).collect(),
        })
    }
}

impl Ledger {
    /// The pause that a job is in now, by Firestore's clock.
    pub async fn paused(&self, job: &str) -> Result<Option<Pause>, FirestoreError> {
        let found = self.firestore.get(&self.pause_of(job)).await?;
        Ok(found
            .and_then(|document| Pause::of(&document).filter(|pause| pause.is_active(document.read_time))))
    }

    /// The latest pause of every job that has had one, by the name of the job.
    pub async fn pauses(&self) -> Result<BTreeMap<String, Pause>, FirestoreError> {
        let paths: Vec<_> = catalogue::jobs().map(|job| self.pause_of(job.name)).collect();
        let found = self.firestore.get_all(&paths).await?;
        let mut pauses = BTreeMap::new();
        pauses.extend(found.iter().filter_map(|document| Some((document.id.clone(), Pause::of(document)?))));
        Ok(pauses)
    }

    /// Pauses a job; an earlier pause that is still going on is replaced. `beside` is written in the same commit.
    pub async fn pause(&self, job: &str, new: &Pause, beside: &Write) -> Result<Pause, FirestoreError> {
        let now = new.window.since;
        let change = |before: Option<Pause>| Some(new.clone().after(before, now));
        self.change_pause(job, beside, &change).await.map(|pause| pause.unwrap_or_else(|| new.clone()))
    }

    /// Ends the pause of a job; none if it was not paused.
    pub async fn unpause(
        &self,
        job: &str,
        now: DateTime<Utc>,
        beside: &Write,
    ) -> Result<Option<Pause>, FirestoreError> {
        let change = |before: Option<Pause>| {
            let Pause { window, .. } = before.as_ref().filter(|pause| pause.is_active(now))?;
            let window = Window { until: Some(now.max(window.since)), ..*window };
            before.map(|pause| Pause { window, ..pause })
        };
        self.change_pause(job, beside, &change).await
    }

    /// Changes the pause of a job, unless it is to stay as it is; starts over if somebody else was faster.
    async fn change_pause(
        &self,
        job: &str,
        beside: &Write,
        change: &(dyn Fn(Option<Pause>) -> Option<Pause> + Sync),
    ) -> Result<Option<Pause>, FirestoreError> {
        let path = self.pause_of(job);
        let mut sent: Option<Pause> = None;
        for _ in 0..CONFLICTS_MAX {
            let found = self.firestore.get(&path).await?;
            let before = found.as_ref().and_then(Pause::of);
            // It was stored, and the response was lost.
            if before.is_some() && before == sent {
                return Ok(sent);
            }
            let Some(after) = change(before) else { return Ok(None) };
            let condition = found
                .map_or(Precondition::Missing, |document| Precondition::UnchangedSince(document.update_time));
            let write = Write::overwrite(path.clone(), after.to_fields(job)).only_if(condition);
            if let Committed::Done(_) = self.commit(&[write, beside.clone()]).await? {
                return Ok(Some(after));
            }
            sent = Some(after);
        }
        Err(contended(job))
    }

    fn pause_of(&self, job: &str) -> DocumentPath {
        DocumentPath::new(&self.collections.pauses, job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    fn pause(since: &str, until: Option<&str>) -> Pause {
        let window = Window { since: at(since), until: until.map(at) };
        Pause { window, by: "ann@example.com".into(), reason: "key expired".into(), earlier: Vec::new() }
    }

    fn stored(pause: &Pause) -> Document {
        let (update_time, read_time) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
        Document {
            id: "j".into(),
            fields: pause.to_fields("j"),
            create_time: update_time,
            update_time,
            read_time,
        }
    }

    #[test]
    fn a_pause_comes_back_as_it_was_stored() {
        let open = pause("23T10:00", None);
        let later = pause("24T10:00", Some("25T10:00"))
            .after(Some(pause("20T10:00", Some("20T11:00"))), at("24T10:00"));
        for pause in [open, later] {
            assert_eq!(Pause::of(&stored(&pause)), Some(pause));
        }
    }

    #[test]
    fn a_pause_ends_when_it_says_or_not_at_all() {
        let limited = pause("23T10:00", Some("23T12:00"));
        assert!(limited.is_active(at("23T11:59")) && !limited.is_active(at("23T12:00")));
        assert!(pause("23T10:00", None).is_active(at("29T12:00")));
    }

    #[test]
    fn ticks_of_all_remembered_pauses_are_covered() {
        let first = pause("23T10:00", Some("23T11:00"));
        let second = pause("23T12:00", Some("23T13:00")).after(Some(first), at("23T12:00"));
        let covered =
            ["23T09:59", "23T10:30", "23T11:00", "23T12:00", "23T13:00"].map(|time| second.covers(at(time)));
        assert_eq!(covered, [true, true, false, true, false]);
        assert!(!second.covers(at("23T09:58")), "that one was delivered before");
    }

    #[test]
    fn a_pause_of_a_paused_job_replaces_it_and_counts_from_its_beginning() {
        let longer = pause("23T11:00", None).after(Some(pause("23T10:00", Some("23T12:00"))), at("23T11:00"));
        assert_eq!((longer.window.since, longer.window.until), (at("23T10:00"), None));
        assert!(longer.earlier.is_empty());
    }

    #[test]
    fn the_oldest_pauses_are_forgotten() {
        let mut latest = pause("01T00:00", Some("01T01:00"));
        for day in 2..=28 {
            let since = format!("{day:02}T00:00");
            latest = pause(&since, Some(&format!("{day:02}T01:00"))).after(Some(latest), at(&since));
        }
        assert_eq!((latest.earlier.len(), latest.earlier[0].since), (EARLIER_MAX, at("27T00:00")));
    }

    #[test]
    fn the_words_say_who_why_and_until_when() {
        assert_eq!(pause("23T10:00", None).words(), "paused by ann@example.com: key expired");
        let until = "paused by ann@example.com until 2026-11-23 13:00 New York time: key expired";
        assert_eq!(pause("23T10:00", Some("23T18:00")).words(), until);
    }
}
