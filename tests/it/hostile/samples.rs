//! Valid bytes, from which the hostile ones are made.

use serde_json::{Value as Json, json};

use super::deaf;

/// The samples of a target.
pub(crate) fn of(target: &str) -> Vec<String> {
    match target {
        "request" => requests(),
        "provider" => answers().iter().map(Json::to_string).collect(),
        "firestore" => replies(),
        "tokens" => tokens(),
        "google" => google(),
        "retry_after" => retry_after(),
        "ids" => ids(),
        "key_file" => key_files(),
        "settings" => settings(),
        other => panic!("no samples of {other}"),
    }
}

fn requests() -> Vec<String> {
    let body = json!({
        "job": "tiingo-daily-prices", "scope": "entire_watchlist", "run_time": "2026-01-31T18:00:00Z",
        "tickers": ["AAPL", "brk.b", "^GSPC", "BRK/B"],
    });
    vec![
        body.to_string(),
        format!("x-cloudscheduler-scheduletime: 2026-01-31T18:00:00Z\ntraceparent: 00-1-1-01\n\n{body}"),
        format!("idempotency-key: abc\n\n{body}"),
        format!("{{\"tickers\":[{}\"A\"]}}", "7,".repeat(4_000)),
    ]
}

/// One envelope for each form of entries.
pub(crate) fn answers() -> Vec<Json> {
    let price = json!({"date": "2026-01-30", "open": 1.5, "high": 2, "low": 1, "close": 1.75, "volume": 1000, "adj": {"close": 1.75}});
    let quote = json!({"current_price": 1.5, "timestamp": 1_700_000_000, "change": -0.1});
    let article = json!({"article_id": "a1", "headline": "h", "title": "t", "summary": "s", "url": "https://x.test/?a=1",
        "source": "s", "published_at": "2026-01-30T10:00:00Z", "datetime": 1_700_000_000, "tickers": ["AAPL"], "related": "AAPL"});
    let figures = json!({"report_date": "2026-01-30", "metrics": {"pe": 1.5, "series": [{"v": 1}]}, "profile": {"name": "n"}});
    let indicators = json!({
        "SMA": {"indicator": "SMA", "data": {"date": "2026-01-30", "value": 1.5, "raw_data": {"a": ["b"]}}},
        "MACD": {"indicator": "MACD", "date": "2026-01-30", "value": {"MACD": 1, "Signal": 2}},
        "RSI": {"error": "no data"},
    });
    let earnings = json!({"earnings_date": "2026-01-30", "eps_estimate": 1.5, "quarter": 1, "year": 2026});
    let entry = |data: Json| json!({"ticker": "AAPL", "data": data, "count": 1});
    let envelope = |data: Vec<Json>| json!({"status": "ok", "fetched": 1, "data": data, "errors": null, "duration_ms": 5});
    vec![
        envelope(vec![
            entry(json!([price, price])),
            json!({"ticker": "T001", "error": "gone", "data": null}),
        ]),
        envelope(vec![entry(quote)]),
        envelope(vec![entry(json!([article])), entry(json!([]))]),
        envelope(vec![article.clone()]),
        envelope(vec![entry(figures)]),
        envelope(vec![entry(indicators)]),
        envelope(vec![entry(json!([earnings]))]),
        envelope(vec![
            // Records with the same document id.
            entry(json!([
                with(&article, "article_id", "None"),
                with(&article, "article_id", "None"),
                with(&article, "title", "other")
            ])),
            entry(json!([price, with(&price, "close", 9), earnings, with(&earnings, "quarter", 2), article])),
        ]),
        json!({"status": "error", "data": null, "errors": ["Failed: AAPL", {"ticker": "T001"}]}),
        json!({"detail": [{"loc": ["body"]}]}),
    ]
}

/// The same with another value.
fn with(record: &Json, name: &str, value: impl Into<Json>) -> Json {
    let mut record = record.clone();
    record[name] = value.into();
    record
}

fn replies() -> Vec<String> {
    let state = json!({
        "run_id": "r", "job": "tiingo-daily-prices", "scope": "entire_watchlist", "trigger": "scheduler",
        "run_time": "2026-01-31T18:00:00Z", "request_digest": "tick", "tickers_given": ["AAPL"], "status": "failed",
        "attempt": 4_294_967_295_u32, "created_at": "2026-01-31T18:00:00Z", "started_at": "2026-01-31T18:00:00Z",
        "ended_at": null, "duration_ms": 5, "planned": true, "tickers_requested": 3,
        "pending": [{"endpoint": "/fetch", "tickers": ["AAPL"], "tries": 4_294_967_295_u32}],
        "failed": [{"ticker": "T001", "endpoint": "/fetch", "class": "timeout", "reason": "x"}],
        "counts": {"collections": {"a": u64::MAX, "b": u64::MAX}, "rejected": {"a": u64::MAX, "b": 1}, "calls": u64::MAX},
        "remarks": ["x"], "stopped": null,
    });
    let fields = json!({
        "state": {"stringValue": state.to_string()}, "owner": {"stringValue": "o"}, "status": {"stringValue": "failed"},
        "lease_ms": {"integerValue": "60000"}, "renewals": {"integerValue": "9"}, "symbol": {"stringValue": "AAPL"},
        "isActive": {"booleanValue": true}, "position": {"stringValue": "open"}, "openings": {"integerValue": "9"},
        "until": {"timestampValue": "9999-12-31T23:59:59.999999Z"}, "jobs_processed": {"integerValue": "9223372036854775807"},
        "duration_ms/sum": {"integerValue": 7}, "d": {"doubleValue": 1.5}, "b": {"bytesValue": "AAAA"},
        "g": {"geoPointValue": {"latitude": 1}}, "a": {"arrayValue": {"values": [{"mapValue": {"fields": {}}}]}},
        "n": {"nullValue": null}, "r": {"referenceValue": "x"},
    });
    // The entry of the requested run, in the database of the settings.
    let document = json!({"name": "projects/p/databases/(default)/documents/ingestion_runs/r", "fields": fields,
        "createTime": "2026-01-31T18:00:00Z", "updateTime": "2026-01-31T18:00:00.123456Z"});
    let error = json!({"error": {"code": 409, "message": "it exists", "status": "ALREADY_EXISTS"}});
    let stated = |status: char, body: &Json| format!("{status}{body}");
    vec![
        json!([{"found": document, "readTime": "2026-01-31T18:00:00Z"}]).to_string(),
        json!([{"document": document, "readTime": "2026-01-31T18:00:00Z", "done": true}]).to_string(),
        json!([{"document": document, "readTime": "2026-01-31T18:00:00Z"}, error]).to_string(),
        json!({"documents": [document], "nextPageToken": "t"}).to_string(),
        json!({"commitTime": "2026-01-31T18:00:00Z", "writeResults": [{"updateTime": "2026-01-31T18:00:00Z"}, {}]}).to_string(),
        json!({"status": [{"code": 8, "message": "slow"}], "writeResults": [{}]}).to_string(),
        stated('\u{1}', &error),
        stated('\u{1}', &json!([error])),
        stated('\u{3}', &json!({"error": {"status": "UNAVAILABLE", "message": "x".repeat(100_000)}})),
    ]
}

fn tokens() -> Vec<String> {
    let keys = json!({"keys": [
        {"kid": "k1", "kty": "RSA", "alg": "RS256", "n": include_str!("../../../src/auth/testdata/modulus.txt").trim(), "e": "AQAB"},
        {"kid": "k1", "kty": "RSA", "n": "AA", "e": "AA"}, {"kid": "k2", "kty": "EC"},
    ]});
    let claims = json!({"iss": "https://accounts.google.com", "aud": ["https://us"], "exp": 1_795_460_000, "nbf": 1, "iat": 1,
        "email": "scheduler@p.iam", "email_verified": true});
    // {"alg":"RS256","kid":"k1","typ":"JWT"}
    let header = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0";
    let (claimed, signature) = ("eyJleHAiOjF9", "A".repeat(342));
    vec![
        keys.to_string(),
        claims.to_string(),
        format!("authorization: Bearer {header}.{claimed}.{signature}\n\n{keys}"),
        format!("authorization: Bearer {header}.{claimed}.\n\n{keys}"),
        format!("authorization: Bearer ..\nauthorization: x\n\n{keys}"),
        format!("authorization: Basic dXNlcjpwYXNz\nhost: us\norigin: null\n\n{keys}"),
    ]
}

fn google() -> Vec<String> {
    vec![
        json!({"access_token": "ya29.x", "expires_in": 3599, "token_type": "Bearer"}).to_string(),
        json!({"access_token": "a\nb", "expires_in": u64::MAX}).to_string(),
        format!("\u{2}{}", json!({"error": "invalid_grant", "error_description": "x".repeat(60_000)})),
        "eyJhbGciOiJub25lIn0.eyJleHAiOjkyMjMzNzIwMzY4NTQ3NzU4MDd9.".to_owned(),
        "e.eyJleHAiOi05MjIzMzcyMDM2ODU0Nzc1ODA4fQ.s".to_owned(),
    ]
}

fn retry_after() -> Vec<String> {
    [
        "7",
        "99999999999999999999",
        "Mon, 23 Nov 2026 10:01:30 GMT",
        "Monday, 23-Nov-26 10:01:30 GMT",
        "Mon Nov 23 10:01:30 2026",
        "Fri, 31 Dec 262142 23:59:60 +2359",
        "retry-after: Mon, 1 Jan 0000 00:00:00 -0000\n\n5",
    ]
    .map(str::to_owned)
    .into()
}

fn ids() -> Vec<String> {
    let long = "é".repeat(750);
    [
        "AAPL_2026-01-31",
        "BRK/B",
        "..",
        "__x__",
        "%",
        "",
        "MjAyNi0wMS0zMVQxODowMDowMFoKcg",
        "\u{202e}\u{0}`\\",
        long.as_str(),
    ]
    .map(str::to_owned)
    .into()
}

fn key_files() -> Vec<String> {
    let key = |pem: &str| {
        json!({"type": "service_account", "client_email": "x@p.iam", "private_key": pem, "private_key_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token"})
        .to_string()
    };
    let pem = include_str!("../../../src/auth/testdata/key.pem");
    let (head, tail) = pem.split_at(pem.len() / 2);
    vec![
        key(""),
        key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        key(&format!("{head}AAAA{tail}")),
    ]
}

fn settings() -> Vec<String> {
    let mut lines = vec!["retry_max_ms=1".to_owned()];
    let names = orchestrator::config::keys::keys().iter();
    lines.extend(names.clone().map(|key| format!("{}={}", key.name, key.default)));
    lines.extend(names.map(|key| format!("{}=\u{202e}-1,=99999999999999999999,x=1e9", key.name)));
    lines.push(deaf::setting("operator_token").unwrap_or_default());
    vec![
        lines.join("\n"),
        "cors_allow_origins=https://a.test,null,https://[::1]:99999".to_owned(),
        "alert_run_seconds=5,tiingo-daily-prices=6\ngcp_service_account_key={\"private_key\":[[[[".to_owned(),
        "tiingo_service_url=http://a:b@[::1]:0/%ff?x#y\nfirestore_emulator_host=[::1]:0".to_owned(),
        "job_deadline_seconds=5\nretry_base_ms=60000\nretry_max_ms=300000\nlease_seconds=600".to_owned(),
    ]
}
