//! The code, the Prometheus rules, the Cloud Monitoring policies and the runbook have the same alerts.
//!
//! `UPDATE=1 cargo test --test it tidy` generates the Cloud Monitoring policies from the Prometheus rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::files::{read, root};
use super::generated;

/// The Prometheus rules.
const RULES: &str = "deploy/monitoring/alerts.yaml";

/// Folder of the Cloud Monitoring policies, one file per rule.
const POLICIES: &str = "deploy/monitoring/policies";

const RUNBOOK: &str = "docs/operations.md";

/// How often Cloud Monitoring evaluates a rule: as often as Prometheus does by default.
const EVALUATION_INTERVAL: &str = "60s";

/// How long an incident stays open without new data: jobs do not run over a weekend.
const AUTO_CLOSE: &str = "259200s";

/// The Prometheus rules, each with the name of its group.
fn rules() -> Vec<(String, Json)> {
    let file: Json = serde_saphyr::from_str(&read(&root().join(RULES))).expect("alerts.yaml is YAML");
    let groups = file["groups"].as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| {
        let name = text(&group["name"]);
        let rules = group["rules"].as_array().expect("rules");
        rules.iter().map(move |rule| (name.clone(), rule.clone()))
    });
    rules.collect()
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a string")).to_owned()
}

/// The sections of the runbook by anchor.
fn sections() -> BTreeMap<String, String> {
    let runbook = read(&root().join(RUNBOOK));
    let sections = runbook.split("\n## ").skip(1);
    sections
        .map(|section| {
            let (title, body) = section.split_once('\n').expect("a section has a body");
            (title.to_lowercase().replace(' ', "-"), body.trim().to_owned())
        })
        .collect()
}

#[test]
fn the_cloud_monitoring_policies_match_the_prometheus_rules() {
    let rules = rules();
    let expected = rules.iter().map(|(group, rule)| {
        let (name, severity) = (text(&rule["alert"]), text(&rule["labels"]["severity"]));
        let twice = rules.iter().filter(|(_, other)| other["alert"] == rule["alert"]).count() > 1;
        let file = if twice { format!("{name}-{severity}.json") } else { format!("{name}.json") };
        (file, serde_json::to_string_pretty(&policy(group, rule)).expect("JSON") + "\n")
    });
    generated::check_folder(POLICIES, &expected.collect());
}

/// The policy of a rule (<https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies>).
fn policy(group: &str, rule: &Json) -> Json {
    let name = text(&rule["alert"]);
    let anchor = name.to_lowercase();
    let section = sections().remove(&anchor).unwrap_or_else(|| panic!("{RUNBOOK} has no section {name}"));
    let labels = rule["labels"].as_object().expect("labels");
    json!({
        "displayName": name,
        "severity": text(&rule["labels"]["severity"]).to_uppercase(),
        "combiner": "OR",
        "conditions": [{
            "displayName": name,
            "conditionPrometheusQueryLanguage": {
                "query": text(&rule["expr"]).trim(),
                "duration": rule["for"].as_str().map_or("0s".to_owned(), seconds),
                "evaluationInterval": EVALUATION_INTERVAL,
                "alertRule": name,
                "ruleGroup": group,
                "labels": labels,
                // The policy may be created before the first scrape.
                "disableMetricValidation": true,
            },
        }],
        "documentation": {
            "mimeType": "text/markdown",
            "subject": format!("{name}: orchestrator"),
            "content": format!("{}\n\nRunbook: `{RUNBOOK}#{anchor}`", by_itself(&section)),
        },
        "alertStrategy": {"autoClose": AUTO_CLOSE},
        "userLabels": {"service": "orchestrator"},
    })
}

/// Converts a Prometheus duration, such as `5m`, to seconds.
fn seconds(length: &str) -> String {
    let (number, unit) = length.split_at(length.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("{length} is not a simple duration"));
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => panic!("{length} has an unknown unit"),
    };
    format!("{}s", number * factor)
}

/// A section for use outside its document: its links lead back into the document.
fn by_itself(section: &str) -> String {
    section.replace("](#", &format!("]({RUNBOOK}#"))
}

#[test]
fn every_alert_of_the_service_is_a_rule_and_a_section_of_the_runbook() {
    let code = read(&root().join("src/ops/alerts.rs"));
    // The name is the first argument of `Alert::new`, which the code also calls `Self::new`.
    let name = |after: &str| Some(after.trim_start().strip_prefix('"')?.split('"').next()?.to_owned());
    let in_code: BTreeSet<_> = code.split("::new(").skip(1).filter_map(name).collect();
    let in_rules: BTreeSet<_> = rules().iter().map(|(_, rule)| text(&rule["alert"])).collect();
    assert!(in_code.len() >= 6, "{in_code:?}");
    assert_eq!(in_code, in_rules);
    let sections = sections();
    for alert in &in_code {
        assert!(sections.contains_key(&alert.to_lowercase()), "{RUNBOOK} has no section {alert}");
    }
}

#[test]
fn every_link_to_the_runbook_has_a_section() {
    let sections = sections();
    for (_, rule) in rules() {
        let link = text(&rule["annotations"]["runbook"]);
        assert_eq!(link, format!("{RUNBOOK}#{}", text(&rule["alert"]).to_lowercase()));
    }
    let runbook = read(&root().join(RUNBOOK));
    let links: Vec<_> = runbook.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 2, "{links:?}");
    for link in links {
        assert!(sections.contains_key(link), "{RUNBOOK} has no section for the link #{link}");
    }
}
