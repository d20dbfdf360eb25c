//! Templates of the manifest: text with `{{ name }}` in it.

use std::collections::BTreeMap;

/// Replaces each `{{ name }}` in `template` by the value of that variable.
pub fn expand(template: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((literal, expression)) = rest.split_once("{{") {
        let (name, tail) = expression
            .split_once("}}")
            .ok_or_else(|| format!("unmatched '{{{{' in template {template:?}"))?;
        let name = name.trim();
        let value = values.get(name).ok_or_else(|| {
            format!("unknown variable {name:?} in template {template:?}: declare it in [variables]")
        })?;
        text.push_str(literal);
        text.push_str(value);
        rest = tail;
    }
    text.push_str(rest);
    Ok(text)
}

/// Whether there is nothing to replace in `template`.
pub fn is_literal(template: &str) -> bool {
    !template.contains("{{")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expect: Result<&str, &str>) {
        let values = BTreeMap::from([("host".into(), "h:1".into()), ("empty".into(), String::new())]);
        let found = expand(template, &values);
        assert_eq!(found.as_deref().map_err(String::as_str), expect, "{template}");
    }

    #[test]
    fn names_are_replaced_by_values() {
        check("plain", Ok("plain"));
        check("http://{{ host }}/{{host}}", Ok("http://h:1/h:1"));
        check("http://{{ empty }}", Ok("http://"));
        check("{ {{ host }} }", Ok("{ h:1 }"));
    }

    #[test]
    fn mistakes_name_the_template() {
        check("{{ host", Err("unmatched '{{' in template \"{{ host\""));
        check(
            "{{ nope }}",
            Err("unknown variable \"nope\" in template \"{{ nope }}\": declare it in [variables]"),
        );
    }
}
