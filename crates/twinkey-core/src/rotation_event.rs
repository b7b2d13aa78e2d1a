//! The event that Secrets Manager sends to a rotation function.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>
//!
//! A document that was sent here by mistake looks like an event without its fields, so an error
//! names a field and never shows a value.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{DocumentError, SecretId, StepRequest, VersionId};

/// The fields as they came. What else is there is ignored: the vendor may add fields.
pub(crate) struct RotationEvent(Fields);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fields {
    step: Option<Value>,
    secret_id: Option<Value>,
    client_request_token: Option<Value>,
    /// Sent where a function rotates another account's secret.
    rotation_token: Option<Value>,
    /// With it, a list of values is no event.
    #[serde(flatten)]
    _others: IgnoredAny,
}

impl<'de> Deserialize<'de> for RotationEvent {
    /// The parser's own errors may quote the value, so they are not passed on.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(deserializer).map(Self).map_err(|_| {
            serde::de::Error::custom("the event is no JSON object with each field once")
        })
    }
}

impl TryFrom<RotationEvent> for StepRequest {
    type Error = DocumentError;

    fn try_from(RotationEvent(fields): RotationEvent) -> Result<Self, DocumentError> {
        optional_text("RotationToken", fields.rotation_token)?;
        let token = text("ClientRequestToken", fields.client_request_token)?;
        Ok(Self {
            step: serde_json::from_value(text("Step", fields.step)?.into()).map_err(|_| {
                let problem = "is none of createSecret, setSecret, testSecret and finishSecret";
                DocumentError::new("Step", problem)
            })?,
            secret: SecretId::new(text("SecretId", fields.secret_id)?),
            token: VersionId::parse(token).map_err(|_| {
                let problem = "has not 32 to 64 visible ASCII characters";
                DocumentError::new("ClientRequestToken", problem)
            })?,
        })
    }
}

fn text(field: &str, value: Option<Value>) -> Result<String, DocumentError> {
    optional_text(field, value)?.ok_or_else(|| DocumentError::new(field, "is missing"))
}

fn optional_text(field: &str, value: Option<Value>) -> Result<Option<String>, DocumentError> {
    let problem = match value {
        None => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => "is empty",
        Some(Value::String(text)) if text.chars().any(char::is_control) => {
            "contains a control character"
        }
        Some(Value::String(text)) => return Ok(Some(text)),
        Some(_) => "must be a string",
    };
    Err(DocumentError::new(field, problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Step;

    const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:TEST-app-a1b2c3";
    const TOKEN: &str = "5c0e8c35-7e0f-4d0b-8a52-5f3a0e9b0d11";

    fn event(changes: Value) -> Value {
        let mut event =
            json!({"Step": "createSecret", "SecretId": ARN, "ClientRequestToken": TOKEN});
        let (Some(fields), Value::Object(changes)) = (event.as_object_mut(), changes) else {
            panic!("objects")
        };
        fields.extend(changes);
        event
    }

    fn read(event: &Value) -> Result<StepRequest, String> {
        serde_json::from_str(&event.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_event_of_the_vendors_page_is_read() {
        let expected = StepRequest {
            step: Step::CreateSecret,
            secret: SecretId::new(ARN),
            token: VersionId::parse(TOKEN).expect("36 characters"),
        };
        assert_eq!(read(&event(json!({}))), Ok(expected.clone()));
        let snake = event(json!({"Step": "create_secret", "RotationToken": null}));
        assert_eq!(read(&snake), Ok(expected.clone()));
        let later = event(json!({"RotationToken": "TEST-rotation-token", "Later": [{"a": 1.50}]}));
        assert_eq!(read(&later), Ok(expected));
    }

    #[test]
    fn p8_a_rotation_token_is_taken_and_shown_nowhere() {
        let request = read(&event(json!({"RotationToken": "TEST-rotation-token"})));
        assert!(!format!("{request:?}").contains("rotation-token"));
    }

    #[test]
    fn p11_what_is_wrong_is_refused_by_field_and_without_its_value() {
        for (changes, field) in [
            (json!({"Step": "TEST-step"}), "Step"),
            (json!({"Step": null}), "Step"),
            (json!({"Step": {"createSecret": "TEST"}}), "Step"),
            (json!({"SecretId": ""}), "SecretId"),
            (json!({"SecretId": "TEST\nlevel=info"}), "SecretId"),
            (json!({"SecretId": ["TEST"]}), "SecretId"),
            (json!({"ClientRequestToken": "TEST"}), "ClientRequestToken"),
            (
                json!({"ClientRequestToken": 47_114_711}),
                "ClientRequestToken",
            ),
            (json!({"RotationToken": {"TEST": 1}}), "RotationToken"),
        ] {
            let error = read(&event(changes)).expect_err(field);
            assert!(error.starts_with(&format!("field {field}: ")), "{error}");
            assert!(
                !error.contains("TEST") && !error.contains("4711"),
                "{error}"
            );
        }
    }

    #[test]
    fn p11_what_is_no_event_at_all_is_refused_without_being_shown() {
        let twice = event(json!({}))
            .to_string()
            .replace('{', "{\"Step\":\"TEST\",");
        for text in [
            "\"TEST\"",
            "[\"createSecret\",\"TEST\"]",
            "{\"TEST",
            "4711",
            "",
            &twice,
        ] {
            let error = serde_json::from_str::<StepRequest>(text)
                .expect_err(text)
                .to_string();
            assert!(error.starts_with("the event is no JSON object"), "{error}");
            assert!(
                !error.contains("TEST") && !error.contains("4711"),
                "{error}"
            );
        }
        let document = r#"{"engine":"postgres","password":"TEST"}"#;
        let error = serde_json::from_str::<StepRequest>(document).expect_err("a document");
        assert!(
            error
                .to_string()
                .starts_with("field ClientRequestToken: is missing"),
            "{error}"
        );
    }
}
