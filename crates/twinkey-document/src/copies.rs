//! Copies of a secret in other places of its document, and JSON pointers to them.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use twinkey_core::{DocumentError, escape_control};

use crate::Fields;

/// One key within a JSON pointer (RFC 6901), on one line.
pub fn pointer_part(key: &str) -> String {
    escape_control(&key.replace('~', "~0").replace('/', "~1"))
}

/// Whether a key in a pointer has the secret in it.
pub fn is_in_pointer(pointer: &str, secret: &str) -> bool {
    !secret.is_empty() && (mentions(pointer, secret) || mentions(pointer, &pointer_part(secret)))
}

/// Whether a secret, which must not be empty, is in a text: as it is, percent-encoded, or as a form would send it.
pub fn mentions(text: &str, secret: &str) -> bool {
    text.contains(secret) || decodes_to(text, secret) || decodes_to(&text.replace('+', " "), secret)
}

fn decodes_to(text: &str, secret: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(text).collect();
    decoded
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

/// Refuses a document in which the secret of one of these fields is in another place too: a rotation would leave
/// a dead one there. The error is its JSON pointer.
pub fn check_copies(fields: &Fields, secrets: &[&str]) -> Result<(), DocumentError> {
    let values = secrets
        .iter()
        .filter_map(|field| fields.get(*field)?.as_str());
    for secret in values.filter(|secret| !secret.is_empty()) {
        for (key, value) in fields
            .iter()
            .filter(|(key, _)| !secrets.contains(&key.as_str()))
        {
            check_entry("", key, value, secret)?;
        }
    }
    Ok(())
}

fn check_entry(above: &str, key: &str, value: &Value, secret: &str) -> Result<(), DocumentError> {
    if mentions(key, secret) {
        let whose = if above.is_empty() { "document" } else { above };
        return Err(copied(whose));
    }
    check_value(&format!("{above}/{}", pointer_part(key)), value, secret)
}

fn check_value(pointer: &str, value: &Value, secret: &str) -> Result<(), DocumentError> {
    match value {
        Value::String(text) if mentions(text, secret) => Err(copied(pointer)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| check_value(&format!("{pointer}/{at}"), item, secret)),
        Value::Object(entries) => entries
            .iter()
            .try_for_each(|(key, item)| check_entry(pointer, key, item, secret)),
        _ => Ok(()),
    }
}

fn copied(pointer: &str) -> DocumentError {
    DocumentError::new(
        pointer,
        "holds a copy of the key: a rotation would leave a dead one there",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_is_found_wherever_it_is_and_named_by_its_pointer() {
        let found = |other: Value| {
            let document = json!({"token": "TEST/1", "other": other});
            let error = check_copies(document.as_object().expect("an object"), &["token"]);
            error.err().map(|error| error.field)
        };
        assert_eq!(
            found(json!("https://x:TEST%2F1@git")),
            Some("/other".into())
        );
        assert_eq!(
            found(json!([1, {"a": "TEST/1"}])),
            Some("/other/1/a".into())
        );
        assert_eq!(found(json!({"TEST/1": 1})), Some("/other".into()));
        assert_eq!(found(json!(["TEST", null, 1, true])), None);
    }
}
