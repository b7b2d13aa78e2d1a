//! What the function writes for people and alarms: one JSON line for each event and each rotation, a step's and
//! a rotation's with the fields of core's records. No value is ever part of them.

mod requests;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use twinkey_core::{
    Failure, Outcome, SecretId, Step, StepOutcome, StepRecord, StepRequest, Trigger, VersionId,
};

use crate::metrics::Metrics;

/// Which invocation of which function writes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Writer<'a> {
    /// The function's name.
    pub(crate) function: &'a str,
    /// Lambda's id of the invocation.
    pub(crate) request_id: &'a str,
}

/// Which rotation of which secret, and who asked.
#[derive(Debug, Serialize)]
struct Rotation<'a> {
    secret: &'a SecretId,
    token: &'a VersionId,
    trigger: Trigger,
}

#[derive(Serialize)]
struct StepLine<'a> {
    record: &'static str,
    #[serde(flatten)]
    writer: Writer<'a>,
    #[serde(flatten)]
    rotation: Rotation<'a>,
    #[serde(flatten)]
    step: &'a StepRecord,
    #[serde(rename = "StepMilliseconds")]
    milliseconds: u64,
    #[serde(
        rename = "ReplacedKeySessions",
        skip_serializing_if = "Option::is_none"
    )]
    sessions: Option<u64>,
    #[serde(rename = "_aws")]
    metrics: Metrics,
}

#[derive(Serialize)]
struct RotationLine<'a> {
    record: &'static str,
    #[serde(flatten)]
    writer: Writer<'a>,
    #[serde(flatten)]
    rotation: Rotation<'a>,
    finished_at: DateTime<Utc>,
    #[serde(flatten)]
    outcome: Outcome,
    #[serde(flatten)]
    counts: Counts,
    #[serde(rename = "_aws")]
    metrics: Metrics,
}

/// The values of the counts that a line's `_aws` names.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_succeeded: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_failed: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    possible_stray: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_keys: Option<usize>,
}

#[derive(Serialize)]
struct EventLine<'a> {
    record: &'static str,
    #[serde(flatten)]
    writer: Writer<'a>,
    outcome: &'static str,
    #[serde(flatten)]
    failure: &'a Failure,
}

impl Writer<'_> {
    /// The lines of one delivery of a step: its own, and the rotation's where this ends it.
    /// `live_keys`: how many versions had a slot's label when the step last saw the labels.
    pub(crate) fn step(
        self,
        request: &StepRequest,
        record: &StepRecord,
        live_keys: Option<usize>,
    ) -> Vec<String> {
        let ended_at = record.started_at + milliseconds(record.milliseconds);
        let sessions = match &record.outcome {
            StepOutcome::Passed(report) => report.in_use.as_ref().map(|in_use| in_use.sessions),
            StepOutcome::Failed(_) => None,
        };
        let line = StepLine {
            record: "step",
            writer: self,
            rotation: rotation(request),
            step: record,
            milliseconds: record.milliseconds,
            sessions,
            metrics: Metrics::of_a_step(ended_at, sessions.is_some()),
        };
        let ended = self.rotation(request, record, ended_at, live_keys);
        [Some(text(&line)), ended].into_iter().flatten().collect()
    }

    /// A failed step ends its rotation, as far as we know: Secrets Manager may deliver it again.
    fn rotation(
        self,
        request: &StepRequest,
        record: &StepRecord,
        finished_at: DateTime<Utc>,
        live_keys: Option<usize>,
    ) -> Option<String> {
        let (outcome, counts, metrics) = match &record.outcome {
            StepOutcome::Failed(failure) => failed(failure, finished_at),
            // A delivery that found it done tells it too: the one that did it may have died before.
            StepOutcome::Passed(_) if record.step == Step::FinishSecret => {
                succeeded(finished_at, live_keys)
            }
            StepOutcome::Passed(_) => return None,
        };
        Some(text(&RotationLine {
            record: "rotation",
            writer: self,
            rotation: rotation(request),
            finished_at,
            outcome,
            counts,
            metrics,
        }))
    }

    /// The line of an event that asked for nothing this function does.
    pub(crate) fn event(self, failure: &Failure) -> String {
        text(&EventLine {
            record: "event",
            writer: self,
            outcome: "failed",
            failure,
        })
    }
}

fn rotation(request: &StepRequest) -> Rotation<'_> {
    Rotation {
        secret: &request.secret,
        token: &request.token,
        trigger: request.token.trigger(),
    }
}

fn succeeded(at: DateTime<Utc>, live_keys: Option<usize>) -> (Outcome, Counts, Metrics) {
    let counts = Counts {
        rotation_succeeded: Some(1),
        live_keys,
        ..Counts::default()
    };
    let names: &[_] = if live_keys.is_some() {
        &["RotationSucceeded", "LiveKeys"]
    } else {
        &["RotationSucceeded"]
    };
    let metrics = Metrics::counts(at, false, names);
    (Outcome::Succeeded, counts, metrics)
}

fn failed(failure: &Failure, at: DateTime<Utc>) -> (Outcome, Counts, Metrics) {
    let is_stray = failure.error_type == "PossibleStray";
    let counts = Counts {
        rotation_failed: Some(1),
        possible_stray: is_stray.then_some(1),
        ..Counts::default()
    };
    let names: &[_] = if is_stray {
        &["RotationFailed", "PossibleStray"]
    } else {
        &["RotationFailed"]
    };
    let metrics = Metrics::counts(at, true, names);
    (Outcome::Failed(failure.clone()), counts, metrics)
}

fn milliseconds(count: u64) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(count).unwrap_or_default())
}

/// Lines are texts, numbers and names of ours: there is nothing in them that JSON could not write.
fn text(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};
    use twinkey_core::{KeyId, Retired, RetiredKey, StepReport};

    use super::*;

    pub(crate) const WRITER: Writer<'static> = Writer {
        function: "TEST-function",
        request_id: "TEST-request",
    };

    fn lines(step: Step, outcome: StepOutcome) -> Vec<Value> {
        let request = StepRequest {
            step,
            secret: SecretId::new("TEST-app"),
            token: VersionId::parse("a".repeat(32)).expect("32 characters"),
        };
        let record = StepRecord {
            step,
            started_at: DateTime::UNIX_EPOCH,
            milliseconds: 12,
            outcome,
        };
        let lines = WRITER.step(&request, &record, Some(2));
        assert!(lines.iter().all(|line| !line.contains('\n')));
        let read = |line: &String| serde_json::from_str(line).expect("one JSON object");
        lines.iter().map(read).collect()
    }

    fn stray() -> StepOutcome {
        let mut failure = Failure::new("PossibleStray", "two\nlines", None);
        failure.retired.push(RetiredKey {
            key: KeyId::new("app_clone"),
            version: None,
            how: Retired::Replaced,
        });
        StepOutcome::Failed(failure)
    }

    #[test]
    fn a_step_that_passed_is_one_line_with_its_metric() {
        let report = StepReport::done(Some(KeyId::new("app_clone")));
        let told = lines(Step::CreateSecret, StepOutcome::Passed(report));
        let expected = json!({
            "record": "step", "function": "TEST-function", "request_id": "TEST-request",
            "secret": "TEST-app", "token": "a".repeat(32), "trigger": "secrets-manager",
            "step": "createSecret", "started_at": "1970-01-01T00:00:00Z", "milliseconds": 12,
            "outcome": "passed", "result": "done", "key": "app_clone", "StepMilliseconds": 12,
            "_aws": {
                "Timestamp": 12,
                "CloudWatchMetrics": [{
                    "Namespace": "twinkey",
                    "Dimensions": [["function", "step"]],
                    "Metrics": [{"Name": "StepMilliseconds", "Unit": "Milliseconds"}],
                }],
            },
        });
        assert_eq!(told, [expected]);
    }

    #[test]
    fn a_rotation_that_succeeded_is_a_second_line() {
        for report in [StepReport::done(None), StepReport::already_done()] {
            let told = lines(Step::FinishSecret, StepOutcome::Passed(report));
            assert_eq!(told.len(), 2);
            assert_eq!(told[1]["record"], "rotation");
            assert_eq!(told[1]["state"], "succeeded");
            assert_eq!(told[1]["RotationSucceeded"], 1);
            assert_eq!(told[1]["LiveKeys"], 2);
        }
    }

    #[test]
    fn a_rotation_that_failed_is_a_second_line_with_the_error_and_what_was_retired() {
        let told = lines(Step::CreateSecret, stray());
        assert_eq!(told[0]["outcome"], "failed");
        assert_eq!(told[0]["error_type"], "PossibleStray");
        assert_eq!(told[0]["retired"][0]["key"], "app_clone");
        let rotation = &told[1];
        assert_eq!(rotation["state"], "failed");
        assert_eq!(rotation["error_type"], "PossibleStray");
        assert_eq!(
            (&rotation["RotationFailed"], &rotation["PossibleStray"]),
            (&json!(1), &json!(1))
        );
        let directive = &rotation["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            directive["Dimensions"],
            json!([["function"], ["function", "error_type"]])
        );
    }

    #[test]
    fn each_metric_and_each_dimension_that_a_line_names_is_a_field_of_it() {
        let told = [
            lines(
                Step::FinishSecret,
                StepOutcome::Passed(StepReport::done(None)),
            ),
            lines(Step::SetSecret, stray()),
        ];
        for line in told.concat() {
            assert_complete(&line);
        }
    }

    /// Each metric and each dimension that a line names is a field of it.
    pub(crate) fn assert_complete(line: &Value) {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        for metric in directive["Metrics"].as_array().expect("a list") {
            let name = metric["Name"].as_str().expect("a name");
            assert!(line[name].is_number(), "{name}: {line}");
        }
        let sets = directive["Dimensions"].as_array().expect("a list");
        for dimension in sets.iter().flat_map(|set| set.as_array().expect("a list")) {
            let name = dimension.as_str().expect("a name");
            assert!(line[name].is_string(), "{name}: {line}");
        }
    }
}
