//! The rotation function's log: what each step of a rotation did, found by its token.

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use twinkey_core::{StepRecord, StoreError, VersionId};

use crate::Patience;
use crate::call::Call;
use crate::limits::invalid;

/// A page may be empty although another follows. A rotation writes a few lines: what is not found by then
/// is looked for again with the next look.
const MOST_PAGES: usize = 20;

/// The log group of a rotation function.
#[derive(Clone, Debug)]
pub struct FunctionLog {
    client: Client,
    group: String,
}

/// One delivery of a step, as the function wrote it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedStep {
    /// The line's own id: each look brings all lines again.
    pub line: String,
    /// What happened.
    pub step: StepRecord,
}

/// A line of the function's; the other kinds are skipped.
#[derive(Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
enum Line {
    Step(StepRecord),
    #[serde(other)]
    Other,
}

impl FunctionLog {
    /// The group that Lambda gives a function without a logging configuration of its own. No call is made.
    #[must_use]
    pub fn new(config: &SdkConfig, patience: Patience, function: &str) -> Self {
        Self {
            client: Client::new(&patience.apply(config)),
            group: format!("/aws/lambda/{}", name(function)),
        }
    }

    /// What the steps of a rotation did, the oldest first. A line arrives seconds after it was written. At least
    /// one call, which is read-only.
    pub async fn steps(
        &self,
        token: &VersionId,
        since: DateTime<Utc>,
    ) -> Result<Vec<LoggedStep>, StoreError> {
        let (mut steps, mut page) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let request = self
                .client
                .filter_log_events()
                .log_group_name(&self.group)
                .filter_pattern(pattern(token))
                .start_time(since.timestamp_millis())
                .set_next_token(page);
            let output = request.send().await.map_err(|error| self.refused(&error))?;
            steps.extend(output.events().iter().filter_map(logged));
            page = output.next_token;
            if page.is_none() {
                break;
            }
        }
        steps.sort_by_key(|logged: &LoggedStep| logged.step.started_at);
        Ok(steps)
    }

    /// The command that shows the same lines.
    #[must_use]
    pub fn command(&self, token: &VersionId, since: DateTime<Utc>) -> String {
        let (group, start) = (&self.group, since.timestamp_millis());
        let pattern = pattern(token);
        format!(
            "aws logs filter-log-events --log-group-name {group} --start-time {start} --filter-pattern '{pattern}'"
        )
    }
}

impl Call for FunctionLog {
    fn service(&self) -> &'static str {
        "CloudWatch Logs"
    }

    fn prefix(&self) -> &'static str {
        "logs"
    }

    fn operation(&self) -> &'static str {
        "FilterLogEvents"
    }

    fn subject(&self) -> String {
        self.group.clone()
    }

    fn own(&self, code: &str, _message: &str) -> Option<StoreError> {
        let missing = || invalid(format!("log group {}", self.group), "there is none");
        (code == "ResourceNotFoundException").then(missing)
    }
}

/// A term in quotes is found in any line, whatever surrounds our JSON. A token has no quotes.
fn pattern(token: &VersionId) -> String {
    format!("\"{token}\"")
}

fn logged(event: &FilteredLogEvent) -> Option<LoggedStep> {
    let Ok(Line::Step(step)) = serde_json::from_str(event.message()?) else {
        return None;
    };
    Some(LoggedStep {
        line: event.event_id()?.to_owned(),
        step,
    })
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, and a version or alias behind it.
fn name(function: &str) -> &str {
    function.split(':').nth(6).unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_name_is_read_from_its_arn_in_every_form() {
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:TEST";
        assert_eq!(name(arn), "TEST");
        assert_eq!(name(&format!("{arn}:live")), "TEST");
        assert_eq!(name("TEST"), "TEST");
    }

    #[test]
    fn of_the_lines_of_a_log_the_steps_are_read() {
        let event = |message: &str| {
            let event = FilteredLogEvent::builder().event_id("1").message(message);
            logged(&event.build())
        };
        let step = r#"{"record":"step","function":"f","token":"t","step":"setSecret",
            "started_at":"2026-01-01T00:00:00Z","milliseconds":12,"outcome":"failed",
            "error_type":"AdminRefused","message":"m","StepMilliseconds":12,"_aws":{}}"#;
        let read = event(step).expect("a step").step;
        assert_eq!(read.step, twinkey_core::Step::SetSecret);
        assert_eq!(read.milliseconds, 12);
        for other in [r#"{"record":"rotation","state":"failed"}"#, "{}", "START"] {
            assert_eq!(event(other), None, "{other}");
        }
    }
}
