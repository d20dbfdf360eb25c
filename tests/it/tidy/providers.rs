//! Lists of providers are generated from the catalogue: `UPDATE=1 cargo test --test it tidy` updates them.
//!
//! Generated elsewhere: `spin.toml` and the reference tables, with the settings, and the catalogue's own documents.

use orchestrator::catalogue::{Provider, ProviderSpec};

use super::generated::{Marks, check};

/// One or a few lines for each provider, indented like the marks.
fn rows(indent: usize, row: impl Fn(&ProviderSpec) -> String) -> String {
    let blank = " ".repeat(indent);
    let lines = Provider::all().map(|provider| row(provider.spec()));
    let lines = lines.iter().flat_map(|row| row.lines()).map(|line| format!("{blank}{line}\n"));
    // The end mark is indented too.
    lines.collect::<String>() + &blank
}

fn written(file: &str, indent: usize, row: impl Fn(&ProviderSpec) -> String) {
    check(file, &Marks::comment("#", "providers"), &rows(indent, row));
}

/// Blanks up to the end of the longest name.
fn padding(provider: &ProviderSpec) -> String {
    let longest = Provider::all().map(|provider| provider.name().len()).into_iter().max();
    " ".repeat(longest.unwrap_or_default() - provider.name.len())
}

fn upper(provider: &ProviderSpec) -> String {
    provider.name.to_uppercase()
}

/// The address of a service, with this host instead of `localhost`.
fn at(host: &str, provider: &ProviderSpec) -> String {
    provider.service_url.replace("localhost", host)
}

#[test]
fn cloud_runs_files_list_every_provider() {
    written("deploy/cloud-run/service.yaml", 12, |provider| {
        format!("- name: {0}_SERVICE_URL\n  value: \"${{{0}_SERVICE_URL}}\"", upper(provider))
    });
    let names = Provider::all().map(|provider| format!("{}_SERVICE_URL", upper(provider.spec())));
    let line = format!("service_urls=({})\n", names.join(" "));
    check("deploy/cloud-run/deploy.sh", &Marks::comment("#", "providers"), &line);
}

#[test]
fn the_containers_files_list_every_provider() {
    written("deploy/docker/compose.yaml", 6, |provider| {
        let url = at("host.docker.internal", provider);
        format!("{0}_SERVICE_URL: ${{{0}_SERVICE_URL:-{url}}}", upper(provider))
    });
    let names = rows(4, |provider| format!("\"{}_SERVICE_URL\",", upper(provider)));
    check("crates/entry/src/settings.rs", &Marks::comment("//", "providers"), &names);
}

#[test]
fn spinkubes_files_list_every_provider() {
    written("deploy/spinkube/app.yaml", 4, |provider| {
        let from = format!("{{ name: orchestrator-settings, key: {}_service_url }}", provider.name);
        format!("- name: {}_service_url\n  valueFrom: {{ configMapKeyRef: {from} }}", provider.name)
    });
    written("deploy/spinkube/settings.yaml", 2, |provider| {
        format!("{0}_service_url: {1}", provider.name, at(&format!("{}-service", provider.name), provider))
    });
}

#[test]
fn terraforms_files_list_every_provider() {
    written("deploy/terraform/locals.tf", 4, |provider| {
        let (name, padding) = (upper(provider), padding(provider));
        format!("{name}_SERVICE_URL{padding} = var.provider_urls.{}", provider.name)
    });
    written("deploy/terraform/variables.tf", 4, |provider| {
        format!("{}{} = string", provider.name, padding(provider))
    });
}
