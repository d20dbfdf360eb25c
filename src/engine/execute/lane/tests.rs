use super::*;
use crate::run::Work;
use crate::run::tests::work;

const CONFIG: BreakerConfig = BreakerConfig {
    window: 20,
    min_calls: 10,
    failure_percent: 50,
    open: Duration::from_secs(60),
    open_max: Duration::from_secs(600),
};

fn ticker(name: &str) -> Ticker {
    Ticker::parse(name).unwrap()
}

fn lane(control: Option<&str>) -> Lane {
    Lane::new("/a", Diagnosis::default(), 4, control.map(ticker))
}

fn probing() -> Lane {
    let mut lane = lane(None);
    lane.begin_probe();
    lane
}

fn batch(tickers: &[&str]) -> Batch {
    Batch::new("/a", work("/a", tickers).tickers, 4)
}

fn answer() -> Answered {
    Answered { tickers: 1, latency: Duration::ZERO, flukes: 0, control: Some(ticker("A")) }
}

fn held() -> Held {
    Held { reason: "down".into(), retry_after: Duration::from_secs(60), is_breaker: true }
}

#[test]
fn a_lane_calls_probes_or_is_held() {
    let mut lane = lane(None);
    assert!(lane.is_calling() && !lane.is_checking());
    lane.begin_probe();
    assert!(lane.is_probing() && lane.is_checking() && !lane.is_calling());
    lane.hold(held());
    assert_eq!((lane.held(), lane.is_probing()), (Some(&held()), false));
    lane.begin_probe();
    assert!(lane.is_held(), "a probe that was claimed meanwhile comes too late");
    assert!(!lane.on_answered(answer(), &CONFIG));
    assert!(lane.is_held(), "so does an answer to a call that went out before");
}

#[test]
fn an_answer_ends_a_probe() {
    let mut lane = probing();
    assert!(lane.on_answered(answer(), &CONFIG));
    assert!(lane.is_calling() && !lane.is_checking());
    assert!(!lane.on_answered(answer(), &CONFIG), "there is none any more");
    assert_eq!((lane.answered, lane.control), (2, Some(ticker("A"))));
}

#[test]
fn a_refusal_shows_a_probe_that_the_provider_is_back() {
    assert_eq!(probing().on_failed(&batch(&["A"]), Class::BadBatch, &CONFIG), Consequence::IsBack);
    assert_eq!(lane(None).on_failed(&batch(&["A"]), Class::BadBatch, &CONFIG), Consequence::Nothing);
}

#[test]
fn one_bad_ticker_does_not_keep_the_breaker_open() {
    let mut lane = probing();
    let verdicts =
        ["A", "A", "B", "C"].map(|name| lane.on_failed(&batch(&[name]), Class::Unavailable, &CONFIG));
    assert_eq!(verdicts.map(|verdict| verdict == Consequence::IsDown), [false, false, false, true]);
    assert_eq!(probing().on_failed(&batch(&["A"]), Class::Connect, &CONFIG), Consequence::IsDown);
    assert_eq!(probing().on_failed(&batch(&[]), Class::Unavailable, &CONFIG), Consequence::IsDown);
}

#[test]
fn a_call_that_did_not_reach_the_provider_ends_the_probe_and_says_nothing() {
    for class in [Class::Unauthorized, Class::Token] {
        let mut lane = probing();
        assert_eq!(lane.on_failed(&batch(&["A"]), class, &CONFIG), Consequence::Nothing);
        assert!(lane.is_calling() && lane.is_checking(), "still in doubt, to be claimed again");
        assert_eq!(lane.failures, 0);
    }
}

#[test]
fn pieces_of_a_failed_batch_are_no_outage_while_others_are_answered() {
    let mut lane = lane(None);
    let piece = Batch { origin: Origin::Piece, answered_before: Some(0), ..batch(&["A"]) };
    lane.on_failed(&piece, Class::Unavailable, &CONFIG);
    assert_eq!(lane.failures, 1, "nothing was answered since");
    lane.on_answered(answer(), &CONFIG);
    lane.on_failed(&piece, Class::Unavailable, &CONFIG);
    assert_eq!(lane.failures, 0);
    lane.on_failed(&batch(&["A"]), Class::Unavailable, &CONFIG);
    assert_eq!(lane.failures, 1, "a planned batch counts");
}

#[test]
fn calls_that_fail_again_and_again_show_that_the_endpoint_is_down() {
    let mut lane = lane(None);
    let mut down_after = 0;
    for number in 1..=30 {
        let name = format!("T{number}");
        if lane.on_failed(&batch(&[&name]), Class::Unavailable, &CONFIG) == Consequence::IsDown {
            down_after = number;
            break;
        }
    }
    assert_eq!(down_after, 15, "ten fill the window, five single tickers decide");
    lane.forget_failures();
    assert!(!lane.is_checking());
}

#[test]
fn a_control_that_failed_is_not_asked_again_until_something_is_answered() {
    let mut lane = lane(Some("C"));
    let control = lane.control_batch().unwrap();
    assert!(control.is_control());
    lane.on_failed(&control, Class::Unavailable, &CONFIG);
    assert_eq!((lane.control_batch(), lane.flukes), (None, 1));
    lane.on_answered(answer(), &CONFIG);
    assert_eq!(lane.control_batch().map(|batch| batch.tickers), Some(vec![ticker("A")]));
}

#[test]
fn before_the_last_try_and_after_answers_without_data_the_control_is_asked() {
    let queue = |deferrals| Queue::new(vec![Work { deferrals, ..work("/a", &["A"]) }], &["/a"], |_| 1, 4);
    let wants = |deferrals, without_data| lane(Some("C")).wants_control(without_data, &queue(deferrals));
    assert_eq!([wants(0, 0), wants(DEFERRALS_MAX, 0), wants(0, NOTHING_IN_ROW)], [false, true, true]);
    let has_none = lane(None).wants_control(NOTHING_IN_ROW, &queue(DEFERRALS_MAX));
    assert!(!has_none, "there is none to ask");
    let mut failed = lane(Some("C"));
    failed.on_failed(&failed.control_batch().unwrap(), Class::Unavailable, &CONFIG);
    assert!(
        !failed.wants_control(NOTHING_IN_ROW, &queue(0)),
        "it has failed: the suspects are judged without it"
    );
    let mut lane = lane(Some("C"));
    let times = (0..20).filter(|_| lane.may_control()).count();
    assert_eq!(times, usize::try_from(CONTROLS_MAX).unwrap());
    assert!(!lane.wants_control(0, &queue(DEFERRALS_MAX)), "it was asked");
    assert!(!lane.wants_control(NOTHING_IN_ROW, &queue(0)), "it was asked often enough");
    lane.refill_controls();
    assert!(lane.wants_control(NOTHING_IN_ROW, &queue(0)), "it has led to something");
}
