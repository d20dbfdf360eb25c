//! `cargo xtask indexes`: Firestore's composite indexes, exemptions and TTL policies, from `firestore.indexes.json`.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cli::IndexesArgs;
use crate::gcloud::{Call, Mode};
use crate::{progress, workspace};

/// An index in comparable form: collection group, scope, fields with their order.
#[derive(Debug, PartialEq, Eq)]
struct Index {
    group: String,
    scope: String,
    fields: Vec<(String, String)>,
}

/// Creates the missing composite indexes, then sets exemptions and TTL policies, which may already be set.
pub fn run(args: &IndexesArgs) -> Result<()> {
    let mode = args.mode.chosen();
    let path = workspace::root().join("firestore.indexes.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let wanted: Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let present = present(args, mode)?;
    let mut new = 0;
    for index in list(&wanted, "indexes") {
        let index = Index::parse(index, text_of(index, "collectionGroup")?)?;
        if !present.contains(&index) {
            new += 1;
            create(&index, args).perform(mode)?;
        }
    }
    for field in list(&wanted, "fieldOverrides") {
        for call in overrides(field, args)? {
            call.perform(mode)?;
        }
    }
    let unchanged = if mode == Mode::DryRun { "; nothing was changed" } else { "" };
    progress::step(&format!("{new} indexes are new; Firestore builds them in the background{unchanged}"));
    Ok(())
}

fn present(args: &IndexesArgs, mode: Mode) -> Result<Vec<Index>> {
    let call = at(Call::new(["firestore", "indexes", "composite", "list"]), args).with("format", "json");
    let Some(answer) = call.ask(mode)? else { return Ok(Vec::new()) };
    let indexes: Vec<Value> =
        serde_json::from_str(&answer).context("gcloud's list of indexes is not JSON")?;
    indexes.iter().map(|index| Index::parse(index, &group_of(text_of(index, "name")?)?)).collect()
}

fn create(index: &Index, args: &IndexesArgs) -> Call {
    let call = at(Call::new(["firestore", "indexes", "composite", "create"]), args)
        .with("collection-group", &index.group)
        .with("query-scope", index.scope.to_lowercase().replace('_', "-"));
    let call = index.fields.iter().fold(call, |call, (path, order)| {
        call.with("field-config", format_args!("field-path={path},order={}", order.to_lowercase()))
    });
    with_async(call)
}

/// The commands for one field: its exemption from automatic indexes and its TTL policy.
fn overrides(field: &Value, args: &IndexesArgs) -> Result<Vec<Call>> {
    let (group, path) = (text_of(field, "collectionGroup")?, text_of(field, "fieldPath")?);
    let call =
        |arguments: [&str; 5]| with_async(at(Call::new(arguments), args).with("collection-group", group));
    let mut calls = Vec::new();
    if list(field, "indexes").next().is_none() {
        let mut exemption = call(["firestore", "indexes", "fields", "update", path]);
        exemption.0.push("--disable-indexes".to_owned());
        calls.push(exemption);
    }
    if field.get("ttl").and_then(Value::as_bool) == Some(true) {
        let mut ttl = call(["firestore", "fields", "ttls", "update", path]);
        ttl.0.push("--enable-ttl".to_owned());
        calls.push(ttl);
    }
    Ok(calls)
}

fn at(call: Call, args: &IndexesArgs) -> Call {
    call.with("project", &args.project).with("database", &args.database)
}

/// Does not wait for completion: a large collection takes hours.
fn with_async(mut call: Call) -> Call {
    call.0.push("--async".to_owned());
    call
}

impl Index {
    /// Parses an index from the file or from gcloud's output; they differ only in where the collection group is.
    fn parse(index: &Value, group: &str) -> Result<Self> {
        let mut fields = Vec::new();
        for field in list(index, "fields") {
            let path = text_of(field, "fieldPath")?;
            // Firestore appends the name to every index, in the order of the last field.
            if path != "__name__" {
                let order = field.get("order").and_then(Value::as_str).unwrap_or("unordered");
                fields.push((path.to_owned(), order.to_owned()));
            }
        }
        Ok(Self { group: group.to_owned(), scope: text_of(index, "queryScope")?.to_owned(), fields })
    }
}

/// The collection group in `projects/P/databases/D/collectionGroups/G/indexes/I`.
fn group_of(name: &str) -> Result<String> {
    let mut segments = name.split('/').skip_while(|segment| *segment != "collectionGroups");
    let group = segments.nth(1).with_context(|| format!("an index without a collection group: {name}"))?;
    Ok(group.to_owned())
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text_of<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value.get(name).and_then(Value::as_str).with_context(|| format!("no {name} in {value}"))
}
