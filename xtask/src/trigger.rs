//! `cargo xtask trigger`: runs a job on a running instance and shows the response.

mod summary;

use anyhow::{Context, Result, bail};
use orchestrator::catalogue;
use serde_json::{Map, Value, json};

use crate::cli::{Output, TriggerArgs};

/// The instance's route for jobs by name.
const ROUTE: &str = "/manual/trigger-job";

/// How alike a known name must be to be suggested, from 0 to 1, and how many are.
const LIKENESS_MIN: f64 = 0.8;
const NEAREST_MAX: usize = 3;

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
    match (args.output, serde_json::from_str::<Value>(&text)) {
        (Output::Summary, Ok(value)) => println!("{}", summary::of(&args.url, &value).join("\n")),
        (Output::Json, Ok(value)) => println!("{value:#}"),
        (_, Err(_)) => println!("{text}"),
    }
    if status.is_success() {
        return Ok(());
    }
    match nearest(&args.job)[..] {
        [] => bail!("{} returned {status}", args.job),
        _ if catalogue::find(&args.job).is_some() => bail!("{} returned {status}", args.job),
        ref names => bail!("{} returned {status}: did you mean {}?", args.job, names.join(" or ")),
    }
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

/// The known jobs whose names are closest to a name that is not among them; the closest first.
fn nearest(name: &str) -> Vec<&'static str> {
    let mut jobs: Vec<_> = catalogue::jobs()
        .map(|job| (strsim::jaro_winkler(name, job.name), job.name))
        .filter(|(likeness, known)| *likeness >= LIKENESS_MIN && *known != name)
        .collect();
    jobs.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    jobs.into_iter().map(|(_, name)| name).take(NEAREST_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            output: Output::Summary,
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

    #[test]
    fn a_mistyped_job_gets_the_nearest_names() {
        assert_eq!(nearest("tingo-daily-prices")[0], "tiingo-daily-prices");
        assert_eq!(nearest("finhub-quotes-portfolio")[0], "finnhub-quote-portfolio");
        assert_eq!(nearest("xyz"), Vec::<&str>::new());
    }
}
