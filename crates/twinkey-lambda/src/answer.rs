//! What the function answers.

use serde::Serialize;
use twinkey_aws::{Action, Asked, Report, SecretReport};
use twinkey_core::{RetiredKey, SecretId, StepReport, VersionId};

/// What the function answers to an event that it has heeded.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// To a step.
    Step(StepReport),
    /// To a schedule.
    Tick(TickAnswer),
    /// To a person who wants a rotation.
    Asked(AskedAnswer),
    /// To a person who ends one.
    Abandoned(AbandonedAnswer),
}

/// Lambda takes an answer of 6 MB, and would call a tick that answers more a failure, and repeat it. A row with a
/// reason is well below 1 kB, unless names are very long.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MOST_SECRETS: usize = 5_000;

/// What a tick has found and done: of every secret, if there are not too many.
#[derive(Debug, Serialize)]
pub(crate) struct TickAnswer {
    #[serde(flatten)]
    report: Report,
    /// How many secrets there was no room for.
    #[serde(skip_serializing_if = "is_zero")]
    left_out: usize,
}

impl From<Report> for TickAnswer {
    /// Those of which there is nothing to tell go first.
    fn from(mut report: Report) -> Self {
        let listed = report.secrets.len();
        if listed > MOST_SECRETS {
            report.secrets.retain(matters);
            report.secrets.truncate(MOST_SECRETS);
        }
        Self {
            left_out: listed - report.secrets.len(),
            report,
        }
    }
}

/// Whether there is something to tell of a secret.
pub(crate) fn matters(secret: &SecretReport) -> bool {
    secret.action != Action::NotDue || secret.reason.is_some() || secret.warning.is_some()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a field by reference"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A rotation has begun: `{"result": "asked", …}`.
#[derive(Debug, Serialize)]
pub(crate) struct AskedAnswer {
    result: &'static str,
    /// Its ARN.
    secret: SecretId,
    token: VersionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Asked> for AskedAnswer {
    fn from(asked: Asked) -> Self {
        Self {
            result: "asked",
            secret: asked.secret,
            token: asked.token,
            reason: asked.reason,
        }
    }
}

/// A rotation is over, now or since before: `{"result": "ended", …}`.
#[derive(Debug, Serialize)]
pub(crate) struct AbandonedAnswer {
    result: &'static str,
    /// Its ARN.
    pub(crate) secret: SecretId,
    token: VersionId,
    /// The keys that are dead now.
    pub(crate) retired: Vec<RetiredKey>,
}

impl AbandonedAnswer {
    pub(crate) fn new(secret: SecretId, token: VersionId, retired: Vec<RetiredKey>) -> Self {
        Self {
            result: "ended",
            secret,
            token,
            retired,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn report(secrets: usize, asked: usize) -> Report {
        let secret = |number: usize| SecretReport {
            name: format!("TEST-{number}"),
            arn: SecretId::new(format!("TEST-{number}")),
            action: if number < asked {
                Action::Asked
            } else {
                Action::NotDue
            },
            token: None,
            reason: None,
            warning: None,
            due_at: None,
            retired: Vec::new(),
        };
        Report {
            secrets: (0..secrets).map(secret).collect(),
            ..Report::default()
        }
    }

    fn answer(secrets: usize, asked: usize) -> Value {
        let answer = Answer::Tick(report(secrets, asked).into());
        serde_json::to_value(&answer).expect("JSON")
    }

    fn rows(answer: &Value) -> Option<usize> {
        answer["secrets"].as_array().map(Vec::len)
    }

    #[test]
    fn a_tick_answers_with_every_secret_as_long_as_they_are_few() {
        let answer = answer(MOST_SECRETS, 1);
        assert_eq!(rows(&answer), Some(MOST_SECRETS));
        assert_eq!(answer.get("left_out"), None);
    }

    #[test]
    fn of_a_hundred_thousand_it_answers_with_those_of_which_there_is_something_to_tell() {
        let answer = answer(100_000, 3);
        assert_eq!(rows(&answer), Some(3));
        assert_eq!(answer["left_out"], 99_997);
    }

    #[test]
    fn of_a_hundred_thousand_that_all_matter_it_answers_with_as_many_as_there_is_room_for() {
        let answer = answer(100_000, 100_000);
        assert_eq!(rows(&answer), Some(MOST_SECRETS));
        assert_eq!(answer["left_out"], 95_000);
    }
}
