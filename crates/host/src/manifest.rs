//! The application manifest, `spin.toml` (manifest version 2).
//!
//! Contains the part of the format that this host supports. Any other key is an error rather than ignored, because the
//! component would otherwise run with less, or more, than its manifest says.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// A whole `spin.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format; only 2 is known.
    pub spin_manifest_version: u32,
    /// Name and description of the application.
    pub application: Application,
    /// The application's settings.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// What starts its components.
    pub trigger: Triggers,
    /// Its components by id.
    #[serde(default)]
    pub component: BTreeMap<String, Component>,
}

/// The `[application]` table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The application's name.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// Who wrote it.
    #[serde(default)]
    pub authors: Vec<String>,
}

/// One entry of `[variables]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The default value.
    pub default: Option<String>,
    /// Whether a value must be set.
    #[serde(default)]
    pub required: bool,
    /// Whether the value is a secret.
    #[serde(default)]
    pub secret: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// The `[[trigger.…]]` tables.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triggers {
    /// The HTTP triggers.
    pub http: Vec<HttpTrigger>,
}

/// One `[[trigger.http]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    /// The paths that the component answers.
    pub route: String,
    /// The component's id.
    pub component: String,
}

/// One `[component.ID]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The WebAssembly file, relative to the manifest.
    pub source: String,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// Where it may send requests to; templates.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// The settings it can read, as templates over the application's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// How it is built; read by other tools.
    pub build: Option<Build>,
    /// Alternative builds by name; read by other tools.
    #[serde(default)]
    pub profile: BTreeMap<String, Profile>,
}

/// One `[component.ID.build]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// One command or several.
    pub command: Commands,
    /// Where to run it, relative to the manifest.
    pub workdir: Option<String>,
    /// The files whose changes require a new build.
    #[serde(default)]
    pub watch: Vec<String>,
}

/// The build commands of a component.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Commands {
    /// `command = "…"`
    One(String),
    /// `command = ["…", "…"]`
    Many(Vec<String>),
}

/// One `[component.ID.profile.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Replaces the component's source.
    pub source: Option<String>,
    /// Replaces the component's build command.
    pub build: Option<ProfileBuild>,
}

/// One `[component.ID.profile.NAME.build]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileBuild {
    /// One command or several.
    pub command: Commands,
}

impl Manifest {
    /// Reads and parses the manifest at `path`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the manifest {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the manifest {} is invalid", path.display()))
    }

    /// Parses a manifest.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let manifest: Self = toml::from_str(text)?;
        anyhow::ensure!(
            manifest.spin_manifest_version == 2,
            "spin_manifest_version is {}, this host knows version 2",
            manifest.spin_manifest_version
        );
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
spin_manifest_version = 2
[application]
name = "app"
[[trigger.http]]
route = "/..."
component = "one"
[component.one]
source = "one.wasm"
"#;

    #[test]
    fn smallest_manifest_parses() {
        let manifest = Manifest::parse(SMALL).unwrap();
        assert_eq!(manifest.component["one"].source, "one.wasm");
        assert!(manifest.component["one"].allowed_outbound_hosts.is_empty());
    }

    #[test]
    fn build_and_profiles_are_known() {
        let text = format!(
            "{SMALL}[component.one.build]\ncommand = [\"a\", \"b\"]\nwatch = [\"src\"]\n\
             [component.one.profile.debug]\nsource = \"debug.wasm\"\nbuild = {{ command = \"c\" }}\n"
        );
        let one = &Manifest::parse(&text).unwrap().component["one"];
        assert!(matches!(&one.build.as_ref().unwrap().command, Commands::Many(all) if all.len() == 2));
        assert_eq!(one.profile["debug"].source.as_deref(), Some("debug.wasm"));
    }

    #[test]
    fn unknown_keys_are_errors_that_name_the_key() {
        for (addition, key) in [
            ("files = [\"a\"]", "files"),
            ("[variables]\nx = { defualt = \"\" }", "defualt"),
            ("[component.one.profile.debug]\nsauce = \"\"", "sauce"),
            ("[trigger.redis]", "redis"),
        ] {
            let error = format!("{:#}", Manifest::parse(&format!("{SMALL}{addition}\n")).unwrap_err());
            assert!(error.contains(key), "{addition}: {error}");
        }
    }

    #[test]
    fn other_manifest_versions_are_refused() {
        let error = Manifest::parse(&SMALL.replace("version = 2", "version = 1")).unwrap_err();
        assert_eq!(error.to_string(), "spin_manifest_version is 1, this host knows version 2");
    }
}
