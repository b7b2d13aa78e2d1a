//! What persons and schedulers send: one field, and an object below it.

use serde_json::{Map, Value};
use twinkey_aws::ManualAsk;
use twinkey_core::{DocumentError, SecretId, SecretValue, VersionId};
use twinkey_document::object;

use super::{AbandonAsk, Event, EventError};

/// `{"rotateDue": {}}`
pub(crate) fn rotate_due(text: &str, event: &Map<String, Value>) -> Result<Event, EventError> {
    Asked::read("rotateDue", &[], (text, event))?;
    Ok(Event::RotateDue)
}

/// `{"rotate": {"secretId": …, "reason": …, "force": …}}`
pub(crate) fn rotate(text: &str, event: &Map<String, Value>) -> Result<Event, EventError> {
    let asked = Asked::read("rotate", &["secretId", "reason", "force"], (text, event))?;
    let reason = asked.optional_text("reason")?.map(str::trim);
    Ok(Event::Rotate(ManualAsk {
        secret: asked.secret()?,
        reason: reason.filter(|it| !it.is_empty()).map(str::to_owned),
        force: asked.flag("force")?,
    }))
}

/// `{"abandon": {"secretId": …, "token": …}}`
pub(crate) fn abandon(text: &str, event: &Map<String, Value>) -> Result<Event, EventError> {
    let asked = Asked::read("abandon", &["secretId", "token"], (text, event))?;
    let secret = asked.secret()?;
    let token = VersionId::parse(asked.text("token")?)
        .map_err(|error| asked.refused("token", &format!("is none: {error}")))?;
    Ok(Event::Abandon(AbandonAsk { secret, token }))
}

/// The object below a name, which must be the only field of the event: what we do not know, we cannot heed.
struct Asked<'a> {
    name: &'static str,
    fields: &'a Map<String, Value>,
}

impl<'a> Asked<'a> {
    fn read(
        name: &'static str,
        known: &[&str],
        (text, event): (&str, &'a Map<String, Value>),
    ) -> Result<Self, EventError> {
        let field = |error| EventError::Field { what: name, error };
        let refused = |problem: &str| field(DocumentError::new(name, problem));
        if event.len() > 1 {
            return Err(refused("must be the only field of the event"));
        }
        let Some(Value::Object(fields)) = event.get(name) else {
            return Err(refused("must be an object"));
        };
        if fields.keys().all(|field| known.contains(&field.as_str())) {
            // Of two, a reader may heed either. All names are ours here, and may be shown.
            object(&SecretValue::new(text.into()), &[]).map_err(field)?;
            return Ok(Self { name, fields });
        }
        let known = known.join(", ");
        let known = if known.is_empty() { "none" } else { &known };
        Err(refused(&format!(
            "has fields besides those it may have: {known}"
        )))
    }

    /// A name or an ARN.
    fn secret(&self) -> Result<SecretId, EventError> {
        self.text("secretId").map(SecretId::new)
    }

    fn text(&self, field: &str) -> Result<&'a str, EventError> {
        let text = self.optional_text(field)?;
        text.ok_or_else(|| self.refused(field, "is missing"))
    }

    fn optional_text(&self, field: &str) -> Result<Option<&'a str>, EventError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.refused(field, "must be a string")),
        }
    }

    fn flag(&self, field: &str) -> Result<bool, EventError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.refused(field, "must be true or false")),
        }
    }

    fn refused(&self, field: &str, problem: &str) -> EventError {
        EventError::Field {
            what: self.name,
            error: DocumentError::new(field, problem),
        }
    }
}
