//! The application's variables: where their values come from, and the `spin:variables` interface.

use std::collections::BTreeMap;

use wasmtime::component::{Accessor, HasData};

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::manifest::Variable;
use crate::problems::Problems;

/// Values by variable name.
pub type Values = BTreeMap<String, String>;

/// Where values come from, strongest first. Otherwise the manifest's default applies.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Passed to the host individually. A name that the manifest does not declare is a mistake.
    pub overrides: Values,
    /// The static providers of the runtime configuration, except those that it places after the environment.
    pub runtime_config: Values,
    /// The process environment; only `SPIN_VARIABLE_<NAME>` counts.
    pub environment: Values,
    /// The static providers that the runtime configuration places after the environment.
    pub fallback: Values,
}

const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

impl Sources {
    /// Returns the value of each declared variable; a required one without a value is a problem.
    pub fn resolve(&self, declared: &BTreeMap<String, Variable>, problems: &mut Problems) -> Values {
        for name in self.overrides.keys().filter(|name| !declared.contains_key(*name)) {
            problems.push(format!(
                "no variable {name:?} to override: the manifest's [variables] does not declare it"
            ));
        }
        let mut values = Values::new();
        for (name, variable) in declared {
            if let Some(value) = problems.take(self.value(name, variable)) {
                values.insert(name.clone(), value);
            }
        }
        values
    }

    /// Names that the environment or the runtime configuration sets but the manifest does not declare.
    ///
    /// Both are shared with other programs, so this is a warning, not an error.
    pub fn undeclared(&self, declared: &BTreeMap<String, Variable>) -> Vec<String> {
        let known: Vec<_> = declared.keys().map(|name| environment_name(name)).collect();
        let environment = self
            .environment
            .keys()
            .filter(|key| key.starts_with(ENVIRONMENT_PREFIX) && !known.contains(*key));
        let configured = self.runtime_config.keys().chain(self.fallback.keys());
        environment.chain(configured.filter(|name| !declared.contains_key(*name))).cloned().collect()
    }

    fn value(&self, name: &str, variable: &Variable) -> Result<String, String> {
        check_name(name).map_err(|reason| format!("variable {name:?} {reason}"))?;
        if variable.required == variable.default.is_some() {
            return Err(format!(
                "variable {name:?} needs either `required = true` or a `default`, and not both"
            ));
        }
        let environment_name = environment_name(name);
        self.overrides
            .get(name)
            .or_else(|| self.runtime_config.get(name))
            .or_else(|| self.environment.get(&environment_name))
            .or_else(|| self.fallback.get(name))
            .or(variable.default.as_ref())
            .cloned()
            .ok_or_else(|| {
                format!("required variable {name:?} has no value: set {environment_name} or pass --variable {name}=VALUE")
            })
    }
}

fn environment_name(name: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", name.to_ascii_uppercase())
}

/// Checks Spin's rules for names: lower-case words of letters and digits, joined by single underscores.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let bytes = name.as_bytes();
    if !bytes.first().is_some_and(u8::is_ascii_lowercase) {
        Err("must start with a lower-case letter")
    } else if !bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_') {
        Err("may contain only lower-case letters, digits and underscores")
    } else if name.ends_with('_') || name.contains("__") {
        Err("may have underscores only one at a time and between other characters")
    } else {
        Ok(())
    }
}

/// The state behind `spin:variables` in one instance.
pub struct Variables<'a>(pub &'a Values);

/// Links [`Variables`] to the generated bindings.
pub struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = Variables<'a>;
}

impl Host for Variables<'_> {}

impl<T> HostWithStore<T> for HasVariables {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, Error> {
        check_name(&name).map_err(|reason| Error::InvalidName(format!("{name:?} {reason}")))?;
        accessor.with(|mut access| match access.get().0.get(&name) {
            Some(value) => Ok(value.clone()),
            None => Err(Error::Undefined(format!("no variable {name:?} in the component's [variables]"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn declared() -> BTreeMap<String, Variable> {
        let variable = |default: Option<&str>| Variable {
            default: default.map(Into::into),
            required: default.is_none(),
            ..Variable::default()
        };
        BTreeMap::from([("level".into(), variable(Some("info"))), ("token".into(), variable(None))])
    }

    #[test]
    fn stronger_sources_win() {
        let mut sources =
            Sources { fallback: values(&[("level", "f"), ("token", "t")]), ..Sources::default() };
        let level = |sources: &Sources| {
            let mut problems = Problems::default();
            let found = sources.resolve(&declared(), &mut problems);
            problems.into_result(found).unwrap()["level"].clone()
        };
        assert_eq!(level(&sources), "f");
        sources.environment = values(&[("SPIN_VARIABLE_LEVEL", "e")]);
        assert_eq!(level(&sources), "e");
        sources.runtime_config = values(&[("level", "r")]);
        assert_eq!(level(&sources), "r");
        sources.overrides = values(&[("level", "")]);
        assert_eq!(level(&sources), "");
        sources = Sources { overrides: values(&[("token", "t")]), ..Sources::default() };
        assert_eq!(level(&sources), "info");
    }

    #[test]
    fn all_mistakes_are_reported_together() {
        let mut declared = declared();
        declared.insert("neither".into(), Variable::default());
        declared.insert("Bad".into(), Variable { required: true, ..Variable::default() });
        let sources = Sources { overrides: values(&[("tokn", "t")]), ..Sources::default() };
        let mut problems = Problems::default();
        sources.resolve(&declared, &mut problems);
        assert_eq!(
            problems.to_string(),
            "4 problems:\
             \n  - no variable \"tokn\" to override: the manifest's [variables] does not declare it\
             \n  - variable \"Bad\" must start with a lower-case letter\
             \n  - variable \"neither\" needs either `required = true` or a `default`, and not both\
             \n  - required variable \"token\" has no value: set SPIN_VARIABLE_TOKEN or pass --variable token=VALUE"
        );
    }

    #[test]
    fn undeclared_names_are_found_in_the_shared_sources() {
        let sources = Sources {
            environment: values(&[("SPIN_VARIABLE_LEVLE", "x"), ("SPIN_VARIABLE_LEVEL", "x"), ("HOME", "/")]),
            runtime_config: values(&[("other", "x")]),
            ..Sources::default()
        };
        assert_eq!(sources.undeclared(&declared()), ["SPIN_VARIABLE_LEVLE", "other"]);
    }

    #[test]
    fn names_follow_spins_rules() {
        for good in ["a", "a1", "batch_size_tiingo"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "1a", "A", "a-b", "a_", "a__b", "_a"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
