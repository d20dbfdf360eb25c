//! The runtime configuration file: what the operator, not the application, decides.
//!
//! Follows Spin's format. Of its sections only those that matter to this host take effect; the others are named in a
//! warning, so that one file serves both.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use toml::{Table, Value};

use crate::variables::Values;

/// The settings taken from the file.
#[derive(Debug)]
pub struct RuntimeConfig {
    /// The values of all static variable providers; the first provider wins.
    pub variables: Values,
    /// Whether connections to other servers are kept for further requests.
    pub connection_pooling: bool,
    /// What the file asks for and this host does not do.
    pub warnings: Vec<String>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self { variables: Values::new(), connection_pooling: true, warnings: Vec::new() }
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
        Self::parse(&text)
            .with_context(|| format!("the runtime configuration {} is not usable", path.display()))
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
        for mut provider in providers {
            match provider.get("type").and_then(Value::as_str) {
                Some("static") => {
                    let values = provider.remove("values").unwrap_or_else(|| Value::Table(Table::new()));
                    let values: Values = values
                        .try_into()
                        .with_context(|| format!("{section}.values is not a table of strings"))?;
                    for (name, value) in values {
                        self.variables.entry(name).or_insert(value);
                    }
                }
                Some(kind) => {
                    self.warnings.push(format!(
                        "the {section} of type {kind:?} has no effect in this host, only \"static\" has"
                    ));
                }
                None => anyhow::bail!("a {section} has no type: add type = \"static\""),
            }
        }
        Ok(())
    }

    fn set_outbound_http(&mut self, value: Value) -> anyhow::Result<()> {
        let section: OutboundHttp = value.try_into().context("outbound_http is not usable")?;
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
        assert_eq!(config.variables, Values::from([("a".into(), "1".into()), ("b".into(), "3".into())]));
        assert!(config.connection_pooling);
        assert!(config.warnings.is_empty());
    }

    #[test]
    fn pooling_is_off_only_where_the_section_does_not_ask_for_it() {
        assert!(RuntimeConfig::parse("").unwrap().connection_pooling);
        assert!(!RuntimeConfig::parse("[outbound_http]").unwrap().connection_pooling);
        assert!(
            !RuntimeConfig::parse("[outbound_http]\nconnection_pooling = false").unwrap().connection_pooling
        );
    }

    #[test]
    fn what_has_no_effect_is_named() {
        let config = RuntimeConfig::parse(
            "[llm_compute]\ntype = \"x\"\n[[variables_provider]]\ntype = \"vault\"\n[outbound_http]\nmax_connections = 1\n",
        )
        .unwrap();
        let warnings = config.warnings.join("\n");
        for part in ["llm_compute", "vault", "max_connections"] {
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
