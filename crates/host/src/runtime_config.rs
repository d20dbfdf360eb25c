//! The runtime configuration file: what the operator, not the application, decides.
//!
//! Follows Spin's format. Only the sections that matter to this host take effect; the others are named in a warning, so
//! that one file works for both.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use toml::{Table, Value};

use crate::variables::Values;

/// The settings taken from the file.
#[derive(Debug)]
pub struct RuntimeConfig {
    /// The values of the static variable providers that precede the environment; the first provider wins.
    ///
    /// As in Spin, the environment comes last, unless a provider of type "env" changes its position.
    pub stronger: Values,
    /// The values of the static variable providers after the one of type "env".
    pub weaker: Values,
    /// Whether connections to other servers are reused.
    pub connection_pooling: bool,
    /// Settings in the file that this host does not support.
    pub warnings: Vec<String>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            stronger: Values::new(),
            weaker: Values::new(),
            connection_pooling: true,
            warnings: Vec::new(),
        }
    }
}

/// `[outbound_http]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboundHttp {
    /// Off when missing, as in Spin: only a file without the whole section leaves pooling on.
    #[serde(default)]
    connection_pooling: bool,
    max_connections: Option<usize>,
}

impl RuntimeConfig {
    /// Reads and parses the file at `path`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the runtime configuration {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the runtime configuration {} is invalid", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut config = Self::default();
        for (section, value) in text.parse::<Table>()? {
            match section.as_str() {
                "variables_provider" | "config_provider" => config.add_providers(&section, value)?,
                "outbound_http" => config.set_outbound_http(value)?,
                _ => config.warnings.push(format!("the section {section:?} has no effect in this host")),
            }
        }
        Ok(config)
    }

    fn add_providers(&mut self, section: &str, value: Value) -> anyhow::Result<()> {
        let providers: Vec<Table> =
            value.try_into().with_context(|| format!("{section} is not an array of tables"))?;
        let mut after_environment = false;
        for mut provider in providers {
            match provider.get("type").and_then(Value::as_str) {
                Some("static") => {
                    let values = provider.remove("values").unwrap_or_else(|| Value::Table(Table::new()));
                    let values: Values = values
                        .try_into()
                        .with_context(|| format!("{section}.values is not a table of strings"))?;
                    let side = if after_environment { &mut self.weaker } else { &mut self.stronger };
                    for (name, value) in values {
                        side.entry(name).or_insert(value);
                    }
                }
                Some("env") if provider.len() == 1 => after_environment = true,
                Some(kind) => {
                    self.warnings.push(format!(
                        "the {section} of type {kind:?} has no effect in this host, only \"static\" and a bare \"env\" do"
                    ));
                }
                None => anyhow::bail!("a {section} has no type: add type = \"static\""),
            }
        }
        Ok(())
    }

    fn set_outbound_http(&mut self, value: Value) -> anyhow::Result<()> {
        let section: OutboundHttp = value.try_into().context("outbound_http is invalid")?;
        self.connection_pooling = section.connection_pooling;
        if section.max_connections.is_some() {
            self.warnings.push("outbound_http.max_connections has no effect in this host".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_values_and_pooling_are_read() {
        let config = RuntimeConfig::parse(
            "[[config_provider]]\ntype = \"static\"\nvalues = { a = \"1\" }\n\
             [[config_provider]]\ntype = \"static\"\nvalues = { a = \"2\", b = \"3\" }\n\
             [outbound_http]\nconnection_pooling = true\n",
        )
        .unwrap();
        assert_eq!(config.stronger, Values::from([("a".into(), "1".into()), ("b".into(), "3".into())]));
        assert!(config.weaker.is_empty());
        assert!(config.connection_pooling);
        assert!(config.warnings.is_empty());
    }

    #[test]
    fn an_env_provider_separates_stronger_values_from_weaker_ones() {
        let config = RuntimeConfig::parse(
            "[[variables_provider]]\ntype = \"static\"\nvalues = { a = \"1\" }\n\
             [[variables_provider]]\ntype = \"env\"\n\
             [[variables_provider]]\ntype = \"static\"\nvalues = { b = \"2\" }\n",
        )
        .unwrap();
        assert_eq!(config.stronger, Values::from([("a".into(), "1".into())]));
        assert_eq!(config.weaker, Values::from([("b".into(), "2".into())]));
        assert!(config.warnings.is_empty());
    }

    #[test]
    fn pooling_is_off_only_if_the_section_is_present_without_it() {
        assert!(RuntimeConfig::parse("").unwrap().connection_pooling);
        assert!(!RuntimeConfig::parse("[outbound_http]").unwrap().connection_pooling);
        assert!(
            !RuntimeConfig::parse("[outbound_http]\nconnection_pooling = false").unwrap().connection_pooling
        );
    }

    #[test]
    fn settings_without_effect_are_reported() {
        let config = RuntimeConfig::parse(
            "[llm_compute]\ntype = \"x\"\n[[variables_provider]]\ntype = \"vault\"\n\
             [[variables_provider]]\ntype = \"env\"\nprefix = \"X\"\n[outbound_http]\nmax_connections = 1\n",
        )
        .unwrap();
        let warnings = config.warnings.join("\n");
        for part in ["llm_compute", "vault", "\"env\"", "max_connections"] {
            assert!(warnings.contains(part), "{part} in {warnings}");
        }
    }

    #[test]
    fn mistakes_are_errors() {
        for (text, part) in [
            ("[outbound_http]\npooling = true", "pooling"),
            ("[[config_provider]]\nvalues = {}", "no type"),
            ("[[config_provider]]\ntype = \"static\"\nvalues = { a = 1 }", "not a table of strings"),
            ("[config_provider]\ntype = \"static\"", "not an array"),
        ] {
            let error = format!("{:#}", RuntimeConfig::parse(text).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
