//! One component of a manifest, with every template filled in: everything needed to run it.

use std::path::{Path, PathBuf};

use crate::manifest::{Component, Manifest, Variable};
use crate::outbound::OutboundRules;
use crate::problems::Problems;
use crate::template;
use crate::variables::{Sources, Values, check_name};

/// The route that takes every path; the only one that this host serves.
pub const EVERY_PATH: &str = "/...";

/// A component that is ready to be loaded.
#[derive(Clone, Debug)]
pub struct App {
    /// The component's id.
    pub component: String,
    /// The WebAssembly file.
    pub wasm: PathBuf,
    /// The values for `spin:variables`.
    pub variables: Values,
    /// Where it may send requests to.
    pub outbound: OutboundRules,
}

impl App {
    /// Chooses a component of `manifest`, which is in `folder`, and fills in its templates.
    ///
    /// `id` may be omitted if the manifest has only one component. All mistakes are reported together.
    pub fn resolve(
        manifest: &Manifest,
        folder: &Path,
        id: Option<&str>,
        sources: &Sources,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let values = sources.resolve(&manifest.variables, &mut problems);
        let Some((id, component)) = problems.take(choose(manifest, id)) else {
            return Err(problems);
        };
        problems.take(check_route(manifest, id));
        let app = Self {
            component: id.to_owned(),
            wasm: folder.join(&component.source),
            variables: component_variables(component, &values, &mut problems),
            outbound: OutboundRules::resolve(
                &component.allowed_outbound_hosts,
                &defaults(manifest),
                &values,
                &mut problems,
            ),
        };
        problems.into_result(app)
    }
}

fn choose<'a>(manifest: &'a Manifest, id: Option<&str>) -> Result<(&'a str, &'a Component), String> {
    let known = || manifest.component.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let chosen = match id {
        Some(id) => manifest
            .component
            .get_key_value(id)
            .ok_or_else(|| format!("no component {id:?}, available: {}", known())),
        None if manifest.component.len() > 1 => {
            Err(format!("more than one component, choose one with --component: {}", known()))
        }
        None => manifest.component.iter().next().ok_or_else(|| "no [component.ID] to serve".to_owned()),
    };
    chosen.map(|(id, component)| (id.as_str(), component))
}

fn check_route(manifest: &Manifest, id: &str) -> Result<(), String> {
    match manifest.trigger.http.iter().find(|trigger| trigger.component == id) {
        None => Err(format!("no [[trigger.http]] for component {id:?}")),
        Some(trigger) if trigger.route != EVERY_PATH => Err(format!(
            "component {id:?} has the route {:?}, this host serves only {EVERY_PATH:?}",
            trigger.route
        )),
        Some(_) => Ok(()),
    }
}

/// The defaults of the variables.
fn defaults(manifest: &Manifest) -> Values {
    let default = |(name, variable): (&String, &Variable)| Some((name.clone(), variable.default.clone()?));
    manifest.variables.iter().filter_map(default).collect()
}

fn component_variables(component: &Component, values: &Values, problems: &mut Problems) -> Values {
    let mut found = Values::new();
    for (name, text) in &component.variables {
        let value = check_name(name)
            .map_err(str::to_owned)
            .and_then(|()| template::expand(text, values))
            .map_err(|reason| format!("component variable {name:?}: {reason}"));
        if let Some(value) = problems.take(value) {
            found.insert(name.clone(), value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "app"
[variables]
base = { default = "http://localhost:8001" }
token = { required = true, secret = true }
[[trigger.http]]
route = "/..."
component = "one"
[component.one]
source = "out/one.wasm"
allowed_outbound_hosts = ["{{ base }}"]
[component.one.variables]
base_url = "{{ base }}/"
secret = "{{ token }}"
"#;

    fn resolve(text: &str, id: Option<&str>, overrides: &[(&str, &str)]) -> Result<App, String> {
        let overrides = overrides.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let sources = Sources { overrides, ..Sources::default() };
        App::resolve(&Manifest::parse(text).unwrap(), Path::new("/app"), id, &sources)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn templates_are_filled_in() {
        let app = resolve(MANIFEST, None, &[("token", "t"), ("base", "http://h:1")]).unwrap();
        assert_eq!(app.component, "one");
        assert_eq!(app.wasm, Path::new("/app/out/one.wasm"));
        assert_eq!(app.variables["base_url"], "http://h:1/");
        assert_eq!(app.variables["secret"], "t");
        assert_eq!(app.outbound.check(&"http://h:1/fetch".parse().unwrap()), Ok(()));
    }

    #[test]
    fn mistakes_of_every_kind_are_reported_together() {
        let text = MANIFEST
            .replace("[\"{{ base }}\"]", "[\"nowhere\"]")
            .replace("{{ base }}/", "{{ bass }}/")
            .replace("/...", "/api");
        let problems = resolve(&text, None, &[("tokn", "t")]).unwrap_err();
        for part in [
            "6 problems",
            "no variable \"tokn\"",
            "required variable \"token\"",
            "\"nowhere\" does not contain a scheme",
            "component variable \"base_url\": unknown variable \"bass\"",
            "has the route \"/api\"",
        ] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }

    #[test]
    fn component_must_exist_and_have_a_trigger() {
        let token = [("token", "t")];
        assert_eq!(
            resolve(MANIFEST, Some("two"), &token).unwrap_err(),
            "no component \"two\", available: one"
        );
        let two = format!("{MANIFEST}[component.two]\nsource = \"two.wasm\"\n");
        assert!(resolve(&two, None, &token).unwrap_err().starts_with("more than one component"));
        assert_eq!(
            resolve(&two, Some("two"), &token).unwrap_err(),
            "no [[trigger.http]] for component \"two\""
        );
    }
}
