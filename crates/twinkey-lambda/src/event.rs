//! What the function can be asked for.

use serde_json::{Map, Value};
use twinkey_aws::RotationToken;
use twinkey_core::{DocumentError, StepRequest};

/// What the function is asked for.
#[derive(Debug)]
pub(crate) enum Event {
    /// Secrets Manager delivers one step of a rotation.
    Step {
        /// The step.
        request: StepRequest,
        /// Sent where the function rotates another account's secret.
        rotation_token: Option<RotationToken>,
    },
}

/// An event that asks for nothing this function does.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EventError {
    /// It is known what it is meant to be, and a field of it is wrong.
    #[error("the rotation event: {0}")]
    Field(DocumentError),
    /// Something else was sent here.
    #[error("this looks like {0}; this function takes the rotation steps of Secrets Manager")]
    Other(&'static str),
}

impl EventError {
    /// Stable name, for alarms and for Lambda's `errorType`.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::Field(_) => "InvalidEvent",
            Self::Other(_) => "UnknownEvent",
        }
    }
}

impl Event {
    /// Reads the text of an event. An error shows names, and never a value: a secret's document may be
    /// sent here by mistake.
    pub(crate) fn parse(text: &str) -> Result<Self, EventError> {
        let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
            return Err(EventError::Other("no JSON object"));
        };
        if fields.contains_key("Step") || fields.contains_key("ClientRequestToken") {
            step(text, &fields)
        } else {
            Err(EventError::Other(looks_like(&fields)))
        }
    }
}

fn step(text: &str, fields: &Map<String, Value>) -> Result<Event, EventError> {
    let request = serde_json::from_str::<StepRequest>(text).map_err(|error| {
        // Our own words, behind which the parser adds a position.
        let told = error.to_string();
        let told = told.split(" at line ").next().unwrap_or_default();
        let (field, problem) = told
            .strip_prefix("field ")
            .and_then(|told| told.split_once(": "))
            .unwrap_or(("event", told));
        EventError::Field(DocumentError::new(field, problem))
    })?;
    let rotation_token = match fields.get("RotationToken").and_then(Value::as_str) {
        None => None,
        Some(text) => Some(RotationToken::parse(text).map_err(|error| {
            let problem = format!("is none: {error}");
            EventError::Field(DocumentError::new("RotationToken", problem))
        })?),
    };
    Ok(Event::Step {
        request,
        rotation_token,
    })
}

/// What an event of somebody else's is called, by the names that its vendors give it.
fn looks_like(fields: &Map<String, Value>) -> &'static str {
    let has = |name: &str| fields.contains_key(name);
    if has("Records") {
        "a batch of records (SQS, SNS, S3 or a stream)"
    } else if has("requestContext") || has("httpMethod") {
        "an HTTP request"
    } else if has("detail-type") && is_scheduled(fields) {
        "an EventBridge rule's scheduled event"
    } else if has("detail-type") {
        "an EventBridge event"
    } else if has("rotate") || has("rotateDue") || has("abandon") {
        "a request by hand or by a scheduler"
    } else if has("password") || has("token") || has("private_key") {
        "the document of a secret"
    } else if fields.is_empty() {
        "an empty object"
    } else {
        "an object of somebody else's"
    }
}

/// EventBridge's own event of a rule with a schedule.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html>
fn is_scheduled(fields: &Map<String, Value>) -> bool {
    let is = |name: &str, value: &str| fields.get(name).and_then(Value::as_str) == Some(value);
    is("source", "aws.events") && is("detail-type", "Scheduled Event")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANOTHER_ACCOUNT: &str = include_str!("../events/create-secret-another-account.json");

    fn fixture(text: &str) -> Event {
        Event::parse(text).expect("our own fixture")
    }

    #[test]
    fn every_step_fixture_is_what_its_name_says() {
        let Event::Step { rotation_token, .. } =
            fixture(include_str!("../events/create-secret.json"));
        assert!(rotation_token.is_none());
        let Event::Step { rotation_token, .. } = fixture(ANOTHER_ACCOUNT);
        assert!(rotation_token.is_some());
    }

    #[test]
    fn p8_a_rotation_token_is_not_shown() {
        assert!(ANOTHER_ACCOUNT.contains("TEST-rotation-token"));
        let event = fixture(ANOTHER_ACCOUNT);
        assert!(!format!("{event:?}").contains("TEST-rotation-token"));
    }

    #[test]
    fn p11_what_is_wrong_is_named_by_its_field_and_never_by_its_value() {
        let token = ANOTHER_ACCOUNT.replace("TEST-rotation-token", "TEST ");
        for (text, named) in [
            (
                r#"{"Step": "TEST", "SecretId": "a", "ClientRequestToken": "b"}"#,
                "field Step",
            ),
            (r#"{"Step": "TEST"}"#, "ClientRequestToken"),
            (r#"{"ClientRequestToken": ["TEST"]}"#, "must be a string"),
            (&token, "field RotationToken"),
            (include_str!("../events/rule.json"), "scheduled event"),
            (include_str!("../events/scheduler.json"), "by a scheduler"),
            (include_str!("../events/rotate.json"), "a request by hand"),
            (include_str!("../events/abandon.json"), "a request by hand"),
            (r#"{"Records": [{"TEST": 1}]}"#, "a batch of records"),
            (r#"{"requestContext": "TEST"}"#, "an HTTP request"),
            (
                r#"{"source": "aws.s3", "detail-type": "TEST"}"#,
                "an EventBridge event",
            ),
            (
                r#"{"engine": "postgres", "password": "TEST"}"#,
                "the document of a secret",
            ),
            ("{}", "an empty object"),
            (r#"{"TEST": "TEST"}"#, "somebody else's"),
            ("[\"TEST\"]", "no JSON object"),
            ("TEST", "no JSON object"),
        ] {
            let told = Event::parse(text).expect_err(text).to_string();
            assert!(told.contains(named), "{text}: {told}");
            assert!(!told.contains("TEST"), "{told}");
        }
    }
}
