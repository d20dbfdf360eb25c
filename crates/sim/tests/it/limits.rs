//! The limits, pauses and error messages of the deployed services.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use sim::endpoint::{Endpoint, Service};
use sim::providers::{Defect, Fault, Pace, Ports, Providers, words};

/// A minute takes three seconds: enough for the steps of a test on a busy machine.
const FASTER: u32 = 20;
const PACE: Pace = Pace::Deployed { times_faster: FASTER };

async fn start() -> Providers {
    let providers = Providers::start(Ports::default()).await.expect("started");
    providers.set_pace(PACE);
    providers
}

async fn fetch(providers: &Providers, endpoint: Endpoint, tickers: usize, more: Value) -> (u16, Value) {
    let names: Vec<String> = (0..tickers).map(|number| format!("T{number:03}")).collect();
    let mut body = json!({"tickers": names, "scope": "entire_watchlist", "job_id": "j", "run_time": "2026-11-20T15:00:00Z"});
    body.as_object_mut().expect("a map").extend(more.as_object().cloned().unwrap_or_default());
    let url = format!("{}{}", providers.get(endpoint.service()).url(), endpoint.path());
    let answer = Client::new().post(url).json(&body).send().await.expect("answered");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// The positions of the tickers that failed, and the first one's message.
fn failed(answer: &Value) -> (Vec<usize>, Option<&str>) {
    let entries = answer["data"].as_array().expect("a list");
    let places = entries.iter().enumerate().filter(|(_, entry)| entry.get("error").is_some());
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    let message = places.first().and_then(|place| entries[*place]["error"].as_str());
    (places, message)
}

#[tokio::test]
async fn tickers_over_the_limit_fail_inside_a_200() {
    let providers = start().await;
    // The start cost one request; five sent together may pass when one was left.
    let (status, answer) = fetch(&providers, Endpoint::TIINGO_PRICES, 120, json!({})).await;
    assert_eq!((status, &answer["status"], &answer["fetched"]), (200, &json!("ok"), &json!(50)));
    let (places, message) = failed(&answer);
    assert_eq!(places, (50..120).collect::<Vec<_>>());
    let expected = "Failed to fetch daily prices for T050: Per-minute rate limit (50) exceeded";
    assert_eq!(message, Some(expected));
    assert_eq!(answer["data"][50], json!({"ticker": "T050", "error": expected, "data": null}));
    assert_eq!(answer["errors"][0], "Failed: T050");
}

#[tokio::test]
async fn all_kinds_of_finnhub_share_one_limit_and_earnings_are_one_request() {
    let providers = start().await;
    let (_, quotes) = fetch(&providers, Endpoint::FINNHUB_QUOTES, 30, json!({})).await;
    let (_, earnings) = fetch(&providers, Endpoint::FINNHUB_EARNINGS, 500, json!({})).await;
    assert_eq!((failed(&quotes).0.len(), failed(&earnings).0.len()), (0, 0));
    let (_, news) = fetch(&providers, Endpoint::FINNHUB_NEWS, 40, json!({})).await;
    let (places, message) = failed(&news);
    assert_eq!(places, (28..40).collect::<Vec<_>>(), "1 of the start, 30, 1 and 28 are 60");
    assert_eq!(message, Some("Failed to fetch news for T028: Per-minute rate limit (60) exceeded"));
    providers.set_pace(Pace::REAL);
    for _ in 0..59 {
        fetch(&providers, Endpoint::FINNHUB_EARNINGS, 1, json!({})).await;
    }
    let (_, earnings) = fetch(&providers, Endpoint::FINNHUB_EARNINGS, 2, json!({})).await;
    assert_eq!(failed(&earnings), (vec![0, 1], Some("Per-minute rate limit (60) exceeded")));
}

#[tokio::test]
async fn polygon_stays_within_its_limit_alone_but_not_next_to_another_call() {
    let providers = start().await;
    let start = Instant::now();
    let (_, alone) = fetch(&providers, Endpoint::POLYGON_NEWS, 5, json!({})).await;
    assert!(start.elapsed() >= Duration::from_secs(5 * 12) / FASTER, "12 s after each");
    let (places, _) = failed(&alone);
    assert!(
        places.is_empty() || places == [4],
        "{places:?}: the start's own request may fill the first minute"
    );
    providers.set_pace(PACE);
    let (one, other) = tokio::join!(
        fetch(&providers, Endpoint::POLYGON_NEWS, 4, json!({})),
        fetch(&providers, Endpoint::POLYGON_NEWS, 4, json!({}))
    );
    let refused = failed(&one.1).0.len() + failed(&other.1).0.len();
    assert!(refused >= 3, "{refused} of 8 within a minute that has room for 5");
}

#[tokio::test]
async fn market_news_at_the_limit_is_a_502() {
    let providers = start().await;
    providers.set_pace(Pace::REAL);
    for _ in 0..4 {
        assert_eq!(fetch(&providers, Endpoint::POLYGON_MARKET, 0, json!({})).await.0, 200);
    }
    let (status, answer) = fetch(&providers, Endpoint::POLYGON_MARKET, 0, json!({})).await;
    let message = "Polygon API error: Failed to fetch market news: Per-minute rate limit (5) exceeded";
    assert_eq!((status, &answer["detail"]), (502, &json!(message)));
}

#[tokio::test]
async fn alphavantage_never_answers_all_indicators_in_one_call() {
    let providers = start().await;
    providers.set_pace(PACE);
    let (_, answer) = fetch(&providers, Endpoint::ALPHAVANTAGE_INDICATORS, 2, json!({})).await;
    assert_eq!(
        (&answer["fetched"], &answer["errors"]),
        (&json!(2), &Value::Null),
        "the tickers count as fetched"
    );
    let error = |place: usize, name: &str| answer["data"][place]["data"][name]["error"].as_str();
    assert_eq!(error(0, "SMA"), None);
    let message = Some("Failed to fetch ADX for T000: Per-minute rate limit (5) exceeded");
    assert_eq!(error(0, "ADX"), message);
    assert!(error(1, "RSI").is_some(), "nothing is left for the next ticker");

    providers.set_pace(PACE);
    let chosen = json!({"indicators": ["STOCH", "ADX"]});
    let (_, answer) = fetch(&providers, Endpoint::ALPHAVANTAGE_INDICATORS, 2, chosen).await;
    let data = answer["data"][1]["data"].as_object().expect("a map");
    assert_eq!(data.keys().collect::<Vec<_>>(), ["ADX", "STOCH"]);
    assert!(data["ADX"]["data"]["value"].is_number(), "{data:?}");
}

#[tokio::test]
async fn a_health_check_costs_a_request_and_takes_alphavantage_ten_seconds() {
    let providers = start().await;
    let health = async |service: Service| {
        let url = format!("{}/health", providers.get(service).url());
        let answer = Client::new().get(url).send().await.expect("answered");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    providers.set_pace(Pace::REAL);
    for _ in 0..4 {
        let (status, body) = health(Service::POLYGON).await;
        assert_eq!((status, &body["service"]), (200, &json!("polygon-service")));
    }
    let (status, body) = health(Service::POLYGON).await;
    let message = "Service unhealthy: Health check failed: Per-minute rate limit (5) exceeded";
    assert_eq!((status, &body["detail"]), (503, &json!(message)));
    let market = fetch(&providers, Endpoint::POLYGON_MARKET, 0, json!({})).await;
    assert_eq!(market.0, 502, "the health checks have used up the minute");

    providers.set_pace(PACE);
    let start = Instant::now();
    assert_eq!(health(Service::ALPHAVANTAGE).await.0, 200);
    assert!(start.elapsed() >= Duration::from_secs(10) / FASTER);
}

#[tokio::test]
async fn work_continues_when_the_caller_hangs_up() {
    let providers = start().await;
    let hurried = fetch(&providers, Endpoint::TIINGO_PRICES, 50, json!({}));
    assert!(tokio::time::timeout(Duration::from_millis(60), hurried).await.is_err());
    // The list continues without its caller: its ten requests of five take 9 · 0.5 s.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let (_, answer) = fetch(&providers, Endpoint::TIINGO_PRICES, 1, json!({})).await;
    assert_eq!(failed(&answer).0, [0], "the abandoned call has used up the minute");
}

#[tokio::test]
async fn keys_appear_where_the_deployed_services_put_them_and_a_leak_puts_them_everywhere() {
    let providers = start().await;
    providers.set_pace(Pace::Unlimited);
    let key = words::api_key(Service::ALPHAVANTAGE);
    let (_, answer) = fetch(&providers, Endpoint::ALPHAVANTAGE_INDICATORS, 1, json!({})).await;
    assert_eq!(answer["data"][0]["data"]["RSI"]["parameters"]["apikey"], key);
    assert_eq!(answer["data"][0]["data"]["RSI"]["parameters"]["function"], "RSI");
    assert!(words::html_page(Service::TIINGO, "AAPL").contains(words::api_key(Service::TIINGO)));

    let tiingo = providers.tiingo();
    tiingo.fault(Fault::leak());
    tiingo.fault(Fault::ticker_errors(["T001"]).detail(words::timed_out()));
    tiingo.fault(Fault::bad_records([Defect::NullRecord]).ticker("T000"));
    let (_, answer) = fetch(&providers, Endpoint::TIINGO_PRICES, 2, json!({})).await;
    let times = answer.to_string().matches(words::api_key(Service::TIINGO)).count();
    assert!(times > 20, "{times}");
    assert!(!words::without_keys(&answer.to_string()).contains(words::api_key(Service::TIINGO)));
}

#[tokio::test]
async fn a_single_indicator_can_fail() {
    let providers = start().await;
    providers.set_pace(Pace::Unlimited);
    providers.alphavantage().fault(Fault::indicator_errors(["MACD"]));
    let (_, answer) = fetch(&providers, Endpoint::ALPHAVANTAGE_INDICATORS, 1, json!({})).await;
    assert_eq!(answer["data"][0]["data"]["MACD"], json!({"error": "No time series data found for MACD"}));
    assert!(answer["data"][0]["data"]["ADX"]["data"].is_object());
}
