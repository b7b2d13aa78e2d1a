//! Fields that a document has twice. JSON lets the reader pick one, and readers pick differently: a
//! consumer might read the password that was left behind.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use twinkey_core::DocumentError;

use crate::{Fields, is_in_pointer, pointer_part};

/// Refuses a field that is there twice, at any depth: by its name, or below by its JSON pointer.
pub(crate) fn check(text: &str, fields: &Fields, secrets: &[&str]) -> Result<(), DocumentError> {
    let mut found = None;
    let search = Search {
        pointer: String::new(),
        found: &mut found,
    };
    // The text has been parsed before, so nothing but a find ends the search.
    let _ = search.deserialize(&mut serde_json::Deserializer::from_str(text));
    match found {
        Some(pointer) => Err(DocumentError::new(
            named(&pointer, fields, secrets),
            "is there twice",
        )),
        None => Ok(()),
    }
}

/// How an error may call the field: a name can be made of a secret. (P8)
fn named(pointer: &str, fields: &Fields, secrets: &[&str]) -> String {
    let mut secrets = secrets
        .iter()
        .filter_map(|field| fields.get(*field)?.as_str());
    if secrets.any(|secret| is_in_pointer(pointer, secret)) {
        return "document".into();
    }
    match pointer.strip_prefix('/') {
        Some(name) if !name.contains('/') => name.into(),
        _ => pointer.into(),
    }
}

/// Walks through one value.
struct Search<'a> {
    pointer: String,
    found: &'a mut Option<String>,
}

impl Search<'_> {
    fn below(&mut self, key: impl fmt::Display) -> Search<'_> {
        Search {
            pointer: format!("{}/{key}", self.pointer),
            found: self.found,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    /// A number of any length may arrive as an object with one private key: never twice.
    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            let below = self.below(pointer_part(&key));
            if !seen.insert(key) {
                *below.found = Some(below.pointer);
                return Err(serde::de::Error::custom("twice"));
            }
            entries.next_value_seed(below)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let mut at = 0_usize;
        while items.next_element_seed(self.below(at))?.is_some() {
            at += 1;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), DocumentError> {
        check(text, &serde_json::from_str(text).unwrap(), &["password"])
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused_by_name_at_any_depth() {
        for (text, field) in [
            (r#"{"host":"a","host":"a"}"#, "host"),
            (r#"{"host":"a","ho\u0073t":null}"#, "host"),
            (r#"{"n":[1,{"a/b":{"x":1,"x":2}}]}"#, "/n/1/a~1b/x"),
            (r#"{"password":"TEST-p","TEST-p":1,"TEST-p":2}"#, "document"),
            (r#"{"password":"a/b","n":{"a/b":1,"a/b":2}}"#, "document"),
        ] {
            assert_eq!(checked(text).unwrap_err().field, field, "{text}");
        }
    }

    #[test]
    fn the_same_name_in_two_places_and_every_kind_of_value_pass() {
        let text = r#"{"a":{"x":1,"y":{"x":-1}},"x":[{"x":1.5},{"x":1e99}],"n":null,"t":true,
            "s":"\n","long":12345678901234567890123,"e":[],"o":{}}"#;
        checked(text).unwrap();
    }
}
