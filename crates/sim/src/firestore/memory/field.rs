//! Field paths such as ``response.`status code` `` and what they lead to.

use serde_json::{Value as Json, json};

use super::{Fields, Stored};

/// The name of the document itself, in the place of a field.
pub(super) const NAME: &str = "__name__";

/// The names from the document down to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldPath(Vec<String>);

impl FieldPath {
    /// Parses names that are separated by dots. A name in backquotes may contain any character.
    pub(super) fn parse(path: &str) -> Self {
        let mut names = vec![String::new()];
        let (mut quoted, mut characters) = (false, path.chars());
        while let Some(character) = characters.next() {
            let name = names.last_mut().expect("there is always one");
            match character {
                '`' => quoted = !quoted,
                '\\' if quoted => name.extend(characters.next()),
                '.' if !quoted => names.push(String::new()),
                character => name.push(character),
            }
        }
        Self(names)
    }

    pub(super) fn is_name(&self) -> bool {
        self.0 == [NAME]
    }

    /// Whether it leads to the value at `other` or into it.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// The path to a member of the map at this path.
    pub(super) fn member(&self, name: &str) -> Self {
        Self(self.0.iter().cloned().chain([name.to_owned()]).collect())
    }

    pub(super) fn get<'a>(&self, fields: &'a Fields) -> Option<&'a Json> {
        let (last, maps) = self.0.split_last()?;
        let inside = |fields: &'a Fields, name: &String| members(fields.get(name)?);
        maps.iter().try_fold(fields, inside)?.get(last)
    }

    /// Sets the value, in new maps if there are none.
    pub(super) fn set(&self, fields: &mut Fields, value: Json) {
        let Some((last, maps)) = self.0.split_last() else { return };
        let mut at = fields;
        for name in maps {
            let map = at.entry(name.clone()).or_insert(Json::Null);
            if members(map).is_none() {
                *map = json!({"mapValue": {"fields": {}}});
            }
            at = map["mapValue"]["fields"].as_object_mut().expect("it has just been made one");
        }
        at.insert(last.clone(), value);
    }

    pub(super) fn remove(&self, fields: &mut Fields) {
        let Some((last, maps)) = self.0.split_last() else { return };
        let mut at = fields;
        for name in maps {
            let inside = at.get_mut(name).and_then(|map| map.pointer_mut("/mapValue/fields"));
            let Some(inside) = inside.and_then(Json::as_object_mut) else { return };
            at = inside;
        }
        at.remove(last);
    }
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// The requested fields, including those within maps; all if none are named.
pub(super) fn masked(stored: &Stored, mask: &[FieldPath]) -> Fields {
    if mask.is_empty() {
        return stored.fields.clone();
    }
    let mut masked = Fields::new();
    for path in mask {
        if let Some(value) = path.get(&stored.fields) {
            path.set(&mut masked, value.clone());
        }
    }
    masked
}

fn members(value: &Json) -> Option<&Fields> {
    value.pointer("/mapValue/fields")?.as_object()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_backquotes_may_contain_anything() {
        let names = |path: &str| FieldPath::parse(path).0;
        assert_eq!(names("a.b"), ["a", "b"]);
        assert_eq!(names(r"`a.b\`c\\`.d"), [r"a.b`c\", "d"]);
    }

    #[test]
    fn values_in_maps_are_set_found_and_removed() {
        let (path, mut fields) = (FieldPath::parse("a.b"), Fields::new());
        path.set(&mut fields, json!({"nullValue": null}));
        assert_eq!(path.get(&fields), Some(&json!({"nullValue": null})));
        assert!(path.is_within(&FieldPath::parse("a")) && !FieldPath::parse("a").is_within(&path));
        path.remove(&mut fields);
        assert_eq!(path.get(&fields), None);
        assert_eq!(Json::Object(fields), json!({"a": {"mapValue": {"fields": {}}}}));
    }
}
