use super::*;

const TARGETS: &[Target] = &[Target::Webhook, Target::Slack];

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000 + second, 0).unwrap()
}

fn alert(severity: Severity, message: &str) -> Alert {
    let Alert { runbook, .. } = Alert::firestore_unreachable("");
    Alert {
        alert: "JobFailing",
        severity,
        job: Some("tiingo-daily-prices"),
        provider: Some("tiingo"),
        dataset: None,
        message: message.to_owned(),
        since: Some(at(-60)),
        runbook,
    }
}

/// An alert's document as watches change it, one after the other; every write happens at the time of the look.
#[derive(Default)]
struct Document(Option<Known>);

impl Document {
    fn look(&mut self, second: i64, targets: &[Target], found: Found<'_>) -> bool {
        let id = format!("change-{second}");
        let look = Look { targets, now: at(second), read_at: at(second), id: &id, watch: "w" };
        let next = Known::next(self.0.as_ref(), found, &look);
        let changes = next.is_some();
        if let Some(next) = next {
            self.store(next, second);
        }
        changes
    }

    fn store(&mut self, mut next: Known, second: i64) {
        let set = |moment: &mut Moment| {
            if *moment == Moment::Now {
                *moment = Moment::At(at(second));
            }
        };
        if let Some(moment) = &mut next.quiet_since {
            set(moment);
        }
        if let Some((_, moment)) = &mut next.claim {
            set(moment);
        }
        self.0 = Some(next);
    }

    /// Tells all that is pending; the target takes it unless there is an error.
    fn tell(&mut self, target: Target, error: Option<&str>) -> Vec<String> {
        let known = self.0.clone().unwrap();
        let pending = known.changes.iter().filter(|change| change.is_pending(target));
        let ids: Vec<_> = pending.map(|change| change.id.clone()).collect();
        let error = error.map(ToOwned::to_owned);
        let told = |id: &String| Told { change: id.clone(), target, error: error.clone() };
        self.0 = Some(known.told(&ids.iter().map(told).collect::<Vec<_>>(), "w"));
        ids
    }

    fn tell_all(&mut self) -> Vec<String> {
        let ids = self.tell(Target::Webhook, None);
        assert_eq!(self.tell(Target::Slack, None), ids);
        ids
    }
}

#[test]
fn an_alert_is_told_when_it_begins_and_when_it_has_been_gone_for_five_minutes() {
    let (mut document, alert) = (Document::default(), alert(Severity::Critical, "3 of 3 failed"));
    assert!(!document.look(0, TARGETS, Found::Gone), "nothing was ever wrong");
    assert!(document.look(60, TARGETS, Found::Holds(&alert)));
    assert_eq!(document.tell_all(), ["change-60"]);
    assert!(!document.look(120, TARGETS, Found::Holds(&alert)), "no news");
    assert!(document.look(180, TARGETS, Found::Gone));
    assert!(document.tell_all().is_empty(), "it may come back");
    assert!(!document.look(479, TARGETS, Found::Gone));
    assert!(document.look(480, TARGETS, Found::Gone));
    assert_eq!(document.0.as_ref().unwrap().changes[0].state, State::Resolved);
    assert_eq!(document.tell_all(), ["change-480"]);
    assert!(!document.look(540, TARGETS, Found::Gone));
    assert!(document.look(600, TARGETS, Found::Holds(&alert)));
    assert_eq!(document.tell_all(), ["change-600"], "a new change has a new id");
}

#[test]
fn an_alert_that_comes_and_goes_or_changes_its_words_is_told_once() {
    let mut document = Document::default();
    for minute in 0..60 {
        let alert = alert(Severity::Warning, &format!("minute {minute}"));
        let found = if minute % 4 == 0 { Found::Holds(&alert) } else { Found::Gone };
        document.look(minute * 60, TARGETS, found);
        let told = document.tell_all();
        assert_eq!(told.len(), usize::from(minute == 0), "minute {minute}");
    }
}

#[test]
fn a_higher_severity_is_told_and_a_lower_one_is_not() {
    let mut document = Document::default();
    let [warning, critical] = [Severity::Warning, Severity::Critical].map(|severity| alert(severity, "m"));
    document.look(0, TARGETS, Found::Holds(&warning));
    document.tell_all();
    document.look(60, TARGETS, Found::Holds(&critical));
    assert_eq!(document.0.as_ref().unwrap().changes[0].severity, Severity::Critical);
    assert_eq!(document.tell_all(), ["change-60"]);
    assert!(!document.look(120, TARGETS, Found::Holds(&warning)));
    assert!(!document.look(180, TARGETS, Found::Holds(&critical)));
}

#[test]
fn a_target_that_failed_is_told_again_and_the_others_are_not() {
    let (mut document, alert) = (Document::default(), alert(Severity::Critical, "m"));
    document.look(0, TARGETS, Found::Holds(&alert));
    document.tell(Target::Webhook, None);
    document.tell(Target::Slack, Some("it answered 503"));
    let pending = &document.0.as_ref().unwrap().changes[0].pending;
    assert_eq!(*pending, [(Target::Slack, Some("it answered 503".to_owned()))]);
    assert!(document.look(60, TARGETS, Found::Holds(&alert)), "it is claimed again");
    assert!(document.tell(Target::Webhook, None).is_empty());
    assert_eq!(document.tell(Target::Slack, None), ["change-0"]);
    assert!(!document.look(120, TARGETS, Found::Holds(&alert)));
}

#[test]
fn changes_wait_in_order_for_a_target_that_is_down() {
    let (mut document, alert) = (Document::default(), alert(Severity::Critical, "m"));
    document.look(0, TARGETS, Found::Holds(&alert));
    document.tell(Target::Slack, Some("down"));
    document.look(60, TARGETS, Found::Gone);
    document.tell(Target::Slack, Some("down"));
    document.look(360, TARGETS, Found::Gone);
    assert_eq!(document.tell(Target::Slack, None), ["change-0", "change-360"]);
    assert_eq!(document.tell(Target::Webhook, None), ["change-0", "change-360"]);
    assert_eq!(document.0.unwrap().changes, []);
}

#[test]
fn another_watchs_claim_holds_for_a_minute() {
    let alert = alert(Severity::Critical, "m");
    let look =
        |watch, second| Look { targets: TARGETS, now: at(second), read_at: at(second), id: "c", watch };
    let mut claimed = Known::next(None, Found::Holds(&alert), &look("a", 0)).unwrap();
    claimed.claim = Some(("a".to_owned(), Moment::At(at(0))));
    assert_eq!(Known::next(Some(&claimed), Found::Holds(&alert), &look("b", 59)), None);
    let taken = Known::next(Some(&claimed), Found::Holds(&alert), &look("b", 60)).unwrap();
    assert_eq!(taken.claim, Some(("b".to_owned(), Moment::Now)));
    assert_eq!(taken.changes, claimed.changes, "the same change, under the same id");
    // What the first watch has told meanwhile is kept, and so is the second one's claim.
    let told = Told { change: "c".to_owned(), target: Target::Slack, error: None };
    let both = taken.told(&[told], "a");
    assert_eq!(both.claim, taken.claim);
    assert!(!both.changes[0].is_pending(Target::Slack));
}

#[test]
fn what_could_not_be_evaluated_does_not_change() {
    let (mut document, alert) = (Document::default(), alert(Severity::Critical, "m"));
    document.look(0, TARGETS, Found::Holds(&alert));
    document.tell_all();
    assert!(!document.look(60, TARGETS, Found::Unknown));
    assert_eq!(document.0.unwrap().quiet_since, None);
}

#[test]
fn without_targets_the_state_is_kept_and_later_ones_hear_of_later_changes() {
    let (mut document, alert) = (Document::default(), alert(Severity::Critical, "m"));
    assert!(document.look(0, &[], Found::Holds(&alert)));
    assert!(document.0.as_ref().unwrap().claim.is_none());
    assert!(!document.look(60, TARGETS, Found::Holds(&alert)));
    document.look(120, TARGETS, Found::Gone);
    document.look(420, TARGETS, Found::Gone);
    assert_eq!(document.tell_all(), ["change-420"]);
}

#[test]
fn a_target_that_never_takes_anything_costs_a_bounded_document() {
    let (mut document, alert) = (Document::default(), alert(Severity::Critical, "m"));
    for hour in 0..30 {
        let second = hour * 600;
        document.look(second, TARGETS, Found::Holds(&alert));
        document.tell(Target::Slack, Some("down"));
        document.look(second + 60, TARGETS, Found::Gone);
        document.look(second + 360, TARGETS, Found::Gone);
        document.tell(Target::Slack, Some("down"));
    }
    let last = 30 * 600;
    assert_eq!(document.0.as_ref().unwrap().changes.len(), CHANGES_MAX);
    document.look(last + 86_400, TARGETS, Found::Gone);
    assert_eq!(document.0.as_ref().unwrap().changes, []);
    // A target that is switched off is not waited for.
    document.look(last + 86_460, TARGETS, Found::Holds(&alert));
    document.tell(Target::Webhook, None);
    document.look(last + 86_520, &[Target::Webhook], Found::Holds(&alert));
    assert_eq!(document.0.unwrap().changes, []);
}
