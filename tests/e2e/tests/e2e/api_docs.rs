//! Runs the examples of docs/api.md, one after the other, against one system.

use e2e::system::{PATIENCE, start};
use reqwest::{Client, Method};
use serde_json::Value;
use sim::watchlist::Watchlist;

const DOCUMENT: &str = include_str!("../../../../docs/api.md");

/// A request in the document and the response below it.
#[derive(Debug, Default)]
struct Example {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    /// `json` or `text`.
    kind: String,
    answer: String,
}

/// The fenced blocks: the info string and the text.
fn blocks() -> Vec<(&'static str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    for line in DOCUMENT.lines() {
        match line.strip_prefix("```") {
            Some(info) if !inside => {
                blocks.push((info, String::new()));
                inside = true;
            }
            Some(_) => inside = false,
            None if inside => {
                let (_, text) = blocks.last_mut().expect("a block");
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    for pair in blocks().chunks(2) {
        let [("http", request), (info, answer)] = pair else {
            panic!("a request without a response: {pair:?}")
        };
        let (kind, status) = info.split_once(' ').expect("a kind and a status");
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let mut lines = head.lines();
        let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("a method and a path");
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.into(), value.into()));
        examples.push(Example {
            method: method.into(),
            path: path.trim().into(),
            headers: lines.map(|line| header(line).expect("a header")).collect(),
            body: body.trim().into(),
            status: status.parse().expect("a number"),
            kind: kind.into(),
            answer: answer.clone(),
        });
    }
    examples
}

/// Checks that everything that the document shows is present, with the same kind of value.
fn check(shown: &Value, real: &Value, place: &str) {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            for (name, value) in shown {
                let real = real.get(name).unwrap_or_else(|| panic!("{place}.{name} is not in {real:#?}"));
                check(value, real, &format!("{place}.{name}"));
            }
        }
        (Value::Array(shown), Value::Array(real)) => {
            for item in shown {
                let real = real.first().unwrap_or_else(|| panic!("{place} is empty"));
                check(item, real, &format!("{place}[0]"));
            }
        }
        (Value::String(shown), Value::String(real))
            if shown.chars().all(|c| c.is_ascii_lowercase() || c == '_') =>
        {
            assert_eq!(shown, real, "{place}");
        }
        _ => {
            let kind = |value: &Value| value.as_str().map_or_else(|| value.to_string().len().min(1), |_| 2);
            let same =
                std::mem::discriminant(shown) == std::mem::discriminant(real) && kind(shown) == kind(real);
            assert!(same, "{place} is shown as {shown}, but is {real}");
        }
    }
}

#[tokio::test]
async fn every_example_gets_the_documented_response() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    let client = Client::builder().no_proxy().build().expect("a client");
    let examples = examples();
    assert!(examples.len() >= 15, "{}", examples.len());
    for example in examples {
        let method: Method = example.method.parse().expect("a method");
        let mut request = client.request(method, format!("{}{}", stack.orchestrator.url(), example.path));
        for (name, value) in &example.headers {
            request = request.header(name, value);
        }
        let answer = request.body(example.body.clone()).timeout(PATIENCE).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a whole answer");
        assert_eq!(status, example.status, "{} {}: {text}", example.method, example.path);
        if example.kind == "json" {
            let shown = serde_json::from_str(&example.answer)
                .unwrap_or_else(|error| panic!("{}: {error}", example.answer));
            check(&shown, &serde_json::from_str(&text).expect("JSON"), &example.path);
        } else {
            for line in example.answer.lines() {
                assert!(text.contains(line), "`{line}` is not in the response of {}:\n{text}", example.path);
            }
        }
    }
}

/// The document must show every route of the API description.
#[tokio::test]
async fn every_route_has_an_example() {
    let stack = start(Watchlist::new(1, 1), &[]).await;
    let description = e2e::system::get(&stack.orchestrator, "/openapi.json").await.body;
    let shown: Vec<_> =
        examples().into_iter().map(|example| (example.method.to_lowercase(), example.path)).collect();
    let (mut jobs, mut missing) = (0, Vec::new());
    for (route, operations) in description["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            let is_job = sim::scheduler::JOBS.iter().any(|job| job.route == route);
            let shape = route.split('/').map(|part| if part.starts_with('{') { "*" } else { part });
            let shape: Vec<_> = shape.collect();
            let fits = |path: &str| {
                let path = path.split('?').next().unwrap_or_default();
                let parts: Vec<_> = path.split('/').collect();
                parts.len() == shape.len()
                    && parts.iter().zip(&shape).all(|(part, shape)| *shape == "*" || part == shape)
            };
            let found = shown.iter().any(|(shown, path)| shown == method && fits(path));
            jobs += usize::from(is_job && found);
            if !found && !is_job {
                missing.push(format!("{method} {route}"));
            }
        }
    }
    assert_eq!((jobs, missing), (1, vec![]), "one job's route is the example for all");
}
