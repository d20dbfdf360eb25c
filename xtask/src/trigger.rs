//! `cargo xtask trigger`: runs a job on a running instance and shows the response.

use anyhow::{Context, Result, bail};
use comfy_table::Table;
use serde_json::{Map, Value, json};

use crate::cli::TriggerArgs;
use crate::progress;

/// The instance's route for jobs by name.
const ROUTE: &str = "/manual/trigger-job";

/// Maximum elements of a list that are shown.
const ELEMENTS_MAX: usize = 20;

/// Shown for null and for an empty list.
const NOTHING: &str = "-";

/// Posts the request, prints the response, and fails on anything other than 2xx.
pub async fn run(args: &TriggerArgs) -> Result<()> {
    let url = format!("{}{ROUTE}", args.url.trim_end_matches('/'));
    let mut request = reqwest::Client::new().post(&url).json(&body(args));
    if let Ok(token) = std::env::var("OPERATOR_TOKEN") {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.with_context(|| {
        format!(
            "no response from {url}; `cargo xtask up` starts an instance and prints its address for --url"
        )
    })?;
    let status = answer.status();
    let text = answer.text().await.context("the response ended early")?;
    match serde_json::from_str(&text) {
        Ok(value) => println!("{}", render(&value)),
        Err(_) => println!("{text}"),
    }
    if !status.is_success() {
        bail!("{} returned {status}", args.job);
    }
    Ok(())
}

fn body(args: &TriggerArgs) -> Value {
    let mut body = Map::new();
    body.insert("job".to_owned(), json!(args.job));
    if let Some(scope) = &args.scope {
        body.insert("scope".to_owned(), json!(scope));
    }
    if !args.tickers.is_empty() {
        body.insert("tickers".to_owned(), json!(args.tickers));
    }
    let others = [("run_time", &args.run_time), ("from", &args.from), ("to", &args.to), ("only", &args.only)];
    for (name, value) in others {
        if let Some(value) = value {
            body.insert(name.to_owned(), json!(value));
        }
    }
    for (name, is_set) in [("dry_run", args.dry_run), ("force", args.force)] {
        if is_set {
            body.insert(name.to_owned(), json!(true));
        }
    }
    Value::Object(body)
}

/// One row for each value of the response, labelled with its path.
fn render(value: &Value) -> Table {
    let mut rows = Vec::new();
    flatten("", value, &mut rows);
    let mut table = progress::table(["field", "value"]);
    table.add_rows(rows);
    table
}

fn flatten(path: &str, value: &Value, rows: &mut Vec<[String; 2]>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&below, field, rows);
            }
        }
        Value::Array(elements) => rows.push([path.to_owned(), list(elements)]),
        _ => rows.push([path.to_owned(), plain(value)]),
    }
}

fn list(elements: &[Value]) -> String {
    if elements.is_empty() {
        return NOTHING.to_owned();
    }
    let separator = if elements.iter().any(Value::is_object) { "\n" } else { ", " };
    let shown: Vec<_> = elements.iter().take(ELEMENTS_MAX).map(plain).collect();
    let more = match elements.len().saturating_sub(ELEMENTS_MAX) {
        0 => String::new(),
        more => format!("{separator}and {more} more"),
    };
    shown.join(separator) + &more
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => NOTHING.to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_shown_by_path() {
        let answer =
            json!({"status": "ok", "data": {"tickers_processed": 2, "failed": ["A", "B"], "none": null}});
        let mut rows = Vec::new();
        flatten("", &answer, &mut rows);
        rows.sort();
        let expected =
            [["data.failed", "A, B"], ["data.none", "-"], ["data.tickers_processed", "2"], ["status", "ok"]];
        assert_eq!(rows, expected.map(|row| row.map(str::to_owned)));
    }

    #[test]
    fn long_lists_are_truncated() {
        let many: Vec<_> = (0..25).map(|n| json!(n)).collect();
        assert!(list(&many).ends_with("19, and 5 more"));
    }

    #[test]
    fn only_given_arguments_are_sent() {
        let mut args = TriggerArgs {
            job: "polygon-news-market".to_owned(),
            url: String::new(),
            scope: None,
            tickers: Vec::new(),
            run_time: None,
            from: None,
            to: None,
            only: None,
            dry_run: false,
            force: false,
        };
        assert_eq!(body(&args), json!({"job": "polygon-news-market"}));
        args.tickers = vec!["AAPL".to_owned()];
        args.scope = Some("active_symbols".to_owned());
        assert_eq!(
            body(&args),
            json!({"job": "polygon-news-market", "scope": "active_symbols", "tickers": ["AAPL"]})
        );
        let days = (Some("2026-01-02".to_owned()), Some("2026-01-30".to_owned()));
        args =
            TriggerArgs { tickers: Vec::new(), scope: None, from: days.0, to: days.1, dry_run: true, ..args };
        let expect = json!({
            "job": "polygon-news-market",
            "from": "2026-01-02",
            "to": "2026-01-30",
            "dry_run": true
        });
        assert_eq!(body(&args), expect);
    }
}
