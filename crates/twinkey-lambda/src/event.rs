//! What the function can be asked for.

mod asked;

use serde_json::{Map, Value};
use twinkey_aws::{ManualAsk, RotationToken};
use twinkey_core::{DocumentError, SecretId, StepRequest, VersionId};

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
    /// A schedule, by rule or by scheduler: rotate what is due.
    RotateDue,
    /// A person asks for the rotation of one secret.
    Rotate(ManualAsk),
    /// A person ends a rotation that is half done.
    Abandon(AbandonAsk),
}

/// A rotation that is to be ended: `{"abandon": {"secretId": …, "token": …}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AbandonAsk {
    /// A name or an ARN.
    pub(crate) secret: SecretId,
    pub(crate) token: VersionId,
}

/// An event that asks for nothing this function does.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EventError {
    /// It is known what it is meant to be, and a field of it is wrong.
    #[error("the {what} event: {error}")]
    Field {
        /// What it is meant to be.
        what: &'static str,
        /// The field.
        error: DocumentError,
    },
    /// Something else was sent here.
    #[error(
        "this looks like {0}; this function takes the rotation steps of Secrets Manager, the scheduled event \
         of an EventBridge rule, {{\"rotateDue\": {{}}}}, {{\"rotate\": …}} and {{\"abandon\": …}}"
    )]
    Other(&'static str),
}

impl EventError {
    /// Stable name, for alarms and for Lambda's `errorType`.
    pub(crate) fn error_type(&self) -> &'static str {
        match self {
            Self::Field { .. } => "InvalidEvent",
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
        let has = |name: &str| fields.contains_key(name);
        if has("Step") || has("ClientRequestToken") {
            step(text, &fields)
        } else if has("rotate") {
            asked::rotate(text, &fields)
        } else if has("abandon") {
            asked::abandon(text, &fields)
        } else if has("rotateDue") {
            asked::rotate_due(text, &fields)
        } else if is_scheduled(&fields) {
            Ok(Self::RotateDue)
        } else {
            Err(EventError::Other(looks_like(&fields)))
        }
    }
}

fn step(text: &str, fields: &Map<String, Value>) -> Result<Event, EventError> {
    let refused = |error| EventError::Field {
        what: "rotation",
        error,
    };
    let request = serde_json::from_str::<StepRequest>(text).map_err(|error| {
        // Our own words, behind which the parser adds a position.
        let told = error.to_string();
        let told = told.split(" at line ").next().unwrap_or_default();
        let (field, problem) = told
            .strip_prefix("field ")
            .and_then(|told| told.split_once(": "))
            .unwrap_or(("event", told));
        refused(DocumentError::new(field, problem))
    })?;
    let rotation_token = match fields.get("RotationToken").and_then(Value::as_str) {
        None => None,
        Some(text) => Some(RotationToken::parse(text).map_err(|error| {
            let problem = format!("is none: {error}");
            refused(DocumentError::new("RotationToken", problem))
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
    } else if has("detail-type") {
        "an EventBridge event that no rule's schedule sends"
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
    fn every_fixture_is_what_its_name_says() {
        let own = fixture(include_str!("../events/create-secret.json"));
        assert!(matches!(
            own,
            Event::Step {
                rotation_token: None,
                ..
            }
        ));
        let another = fixture(ANOTHER_ACCOUNT);
        assert!(matches!(
            another,
            Event::Step {
                rotation_token: Some(_),
                ..
            }
        ));
        for due in [
            include_str!("../events/rule.json"),
            include_str!("../events/scheduler.json"),
        ] {
            assert!(matches!(fixture(due), Event::RotateDue));
        }
        let Event::Rotate(ask) = fixture(include_str!("../events/rotate.json")) else {
            panic!("another event");
        };
        assert_eq!(
            (ask.reason.as_deref(), ask.force),
            (Some("the key was in a log"), false)
        );
        let Event::Abandon(abandon) = fixture(include_str!("../events/abandon.json")) else {
            panic!("another event");
        };
        assert_eq!(abandon.secret, ask.secret);
    }

    #[test]
    fn a_persons_request_needs_the_secret_and_no_more() {
        let text = r#"{"rotate": {"secretId": "a", "reason": null}}"#;
        let Event::Rotate(ask) = fixture(text) else {
            panic!("another event");
        };
        assert_eq!(
            (ask.secret.as_str(), ask.reason, ask.force),
            ("a", None, false)
        );
        let Event::Rotate(ask) = fixture(r#"{"rotate": {"secretId": "a", "force": true}}"#) else {
            panic!("another event");
        };
        assert!(ask.force);
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
            (
                r#"{"rotate": "TEST"}"#,
                "the rotate event: field rotate: must be an object",
            ),
            (r#"{"rotate": {"TEST": 1}}"#, "secretId, reason, force"),
            (
                r#"{"rotate": {"reason": "TEST"}}"#,
                "field secretId: is missing",
            ),
            (
                r#"{"rotate": {"secretId": ["TEST"]}}"#,
                "field secretId: must be a string",
            ),
            (
                r#"{"rotate": {"secretId": "a", "reason": ["TEST"]}}"#,
                "field reason",
            ),
            (
                r#"{"rotate": {"secretId": "a", "force": "TEST"}}"#,
                "must be true or false",
            ),
            (
                r#"{"rotate": {"secretId": "a"}, "TEST": 1}"#,
                "must be the only field",
            ),
            (r#"{"rotate": {}, "abandon": {}}"#, "must be the only field"),
            (
                r#"{"abandon": {"secretId": "a"}}"#,
                "field token: is missing",
            ),
            (
                r#"{"abandon": {"secretId": "a", "token": "TEST"}}"#,
                "field token: is none",
            ),
            (
                r#"{"rotate": {"secretId": "TEST-1", "secretId": "TEST-2"}}"#,
                "field /rotate/secretId: is there twice",
            ),
            (
                r#"{"rotate": {}, "rotate": {"secretId": "TEST"}}"#,
                "field rotate: is there twice",
            ),
            (
                r#"{"abandon": {"secretId": "a", "token": "TEST", "token": "TEST"}}"#,
                "field /abandon/token: is there twice",
            ),
            (r#"{"rotateDue": {"TEST": 1}}"#, "those it may have: none"),
            (r#"{"rotateDue": "TEST"}"#, "must be an object"),
            (r#"{"Records": [{"TEST": 1}]}"#, "a batch of records"),
            (r#"{"requestContext": "TEST"}"#, "an HTTP request"),
            (
                r#"{"source": "aws.s3", "detail-type": "TEST"}"#,
                "an EventBridge event",
            ),
            (
                r#"{"source": "TEST", "detail-type": "Scheduled Event"}"#,
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
