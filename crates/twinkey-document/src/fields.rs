//! Reading single fields. Errors name the field and never show a value.

use serde_json::{Map, Value};
use twinkey_core::{DocumentError, SecretValue};

use crate::repeated_field;

/// The fields of a JSON object, in their order.
pub type Fields = Map<String, Value>;

/// Parses the text of a document, whose secrets are in the fields named `secrets`: no error shows them, whatever
/// else they are in. The parser's own errors may quote the text, so they are not passed on.
pub fn object(value: &SecretValue, secrets: &[&str]) -> Result<Fields, DocumentError> {
    let text = value.expose();
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
        return Err(DocumentError::new("document", "is not a JSON object"));
    };
    repeated_field::check(text, &fields, secrets)?;
    Ok(fields)
}

/// A string that must be there.
pub fn text(fields: &Fields, field: &str) -> Result<String, DocumentError> {
    optional_text(fields, field)?.ok_or_else(|| DocumentError::new(field, "is missing"))
}

/// A string that may be absent.
pub fn optional_text(fields: &Fields, field: &str) -> Result<Option<String>, DocumentError> {
    let text = match fields.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(DocumentError::new(field, "must be a string")),
    };
    if text.is_empty() {
        return Err(DocumentError::new(field, "is empty"));
    }
    if text.contains('\0') {
        return Err(DocumentError::new(field, "contains a NUL byte"));
    }
    Ok(Some(text.clone()))
}
