//! The lines of a tick and of what persons ask for.

use chrono::{DateTime, Utc};
use serde::Serialize;
use twinkey_aws::{Asked, Figures, ManualAsk, Reason, Report, SecretReport};
use twinkey_core::{Failure, RetiredKey, SecretId, Trigger, VersionId, escape_control};

use super::{Writer, text};
use crate::answer::{AbandonedAnswer, matters};
use crate::event::AbandonAsk;
use crate::function::Invocation;
use crate::metrics::Metrics;

/// A line that CloudWatch would cut off has no metrics. What is left out is in the answer, as far as that has room, and what needs
/// somebody comes again with the next tick.
const MOST_SECRETS: usize = 200;

/// What every line of an event tells.
#[derive(Serialize)]
struct Line<'a, T> {
    record: &'static str,
    #[serde(flatten)]
    writer: Writer<'a>,
    started_at: DateTime<Utc>,
    milliseconds: u64,
    #[serde(flatten)]
    told: T,
    #[serde(flatten)]
    outcome: Told<'a>,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Told<'a> {
    Passed,
    Failed(&'a Failure),
}

impl<'a> Told<'a> {
    fn of<T>(result: &'a Result<T, Failure>) -> Self {
        result.as_ref().err().map_or(Self::Passed, Self::Failed)
    }
}

#[derive(Serialize)]
struct Tick<'a> {
    figures: &'a Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<&'a Reason>,
    /// Without those of which there is nothing to tell.
    secrets: Vec<&'a SecretReport>,
    /// How many secrets there was something to tell of, but no room.
    left_out: usize,
    #[serde(flatten)]
    metrics: Option<Measured>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Measured {
    secrets_overdue: usize,
    oldest_key_age_seconds: i64,
    stuck_pending: usize,
    #[serde(rename = "_aws")]
    metrics: Metrics,
}

#[derive(Serialize)]
struct Request<'a> {
    /// The ARN, once it is known.
    secret: &'a SecretId,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a VersionId>,
    trigger: Trigger,
    forced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Abandoned<'a> {
    secret: &'a SecretId,
    token: &'a VersionId,
    trigger: Trigger,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    retired: &'a [RetiredKey],
}

impl Writer<'_> {
    /// What a tick has found and done.
    pub(crate) fn tick(self, tick: &Invocation<'_>, result: &Result<Report, Failure>) -> String {
        let told = result.as_ref().ok().map(|report| found(report, Utc::now()));
        self.line("tick", tick, told, Told::of(result))
    }

    /// A person has asked for a rotation. The reason is in no other line.
    pub(crate) fn rotate(
        self,
        request: &Invocation<'_>,
        ask: &ManualAsk,
        result: &Result<Asked, Failure>,
    ) -> String {
        let asked = result.as_ref().ok();
        let told = Request {
            secret: asked.map_or(&ask.secret, |asked| &asked.secret),
            token: asked.map(|asked| &asked.token),
            trigger: Trigger::Manual,
            forced: ask.force,
            reason: ask.reason.as_deref().map(escape_control),
        };
        self.line("request", request, told, Told::of(result))
    }

    /// A person has ended a rotation.
    pub(crate) fn abandon(
        self,
        request: &Invocation<'_>,
        ask: &AbandonAsk,
        result: &Result<AbandonedAnswer, Failure>,
    ) -> String {
        let ended = result.as_ref().ok();
        let told = Abandoned {
            secret: ended.map_or(&ask.secret, |ended| &ended.secret),
            token: &ask.token,
            trigger: ask.token.trigger(),
            retired: ended.map_or(&[], |ended| &ended.retired),
        };
        self.line("abandon", request, told, Told::of(result))
    }

    fn line<T: Serialize>(
        self,
        record: &'static str,
        invocation: &Invocation<'_>,
        told: T,
        outcome: Told<'_>,
    ) -> String {
        text(&Line {
            record,
            writer: self,
            started_at: invocation.started_at,
            milliseconds: invocation.milliseconds(),
            told,
            outcome,
        })
    }
}

fn found(report: &Report, at: DateTime<Utc>) -> Tick<'_> {
    let figures = &report.figures;
    let mut secrets: Vec<&SecretReport> = report.secrets.iter().filter(|it| matters(it)).collect();
    let left_out = secrets.len().saturating_sub(MOST_SECRETS);
    secrets.truncate(MOST_SECRETS);
    Tick {
        figures,
        incomplete: report.incomplete.as_ref(),
        secrets,
        left_out,
        // Of a part of them it would be no figure over all: no figure is what alarms then.
        metrics: report.incomplete.is_none().then(|| Measured {
            secrets_overdue: figures.secrets_overdue,
            oldest_key_age_seconds: figures.oldest_key_age_seconds,
            stuck_pending: figures.stuck_pending,
            metrics: Metrics::of_a_tick(at),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use twinkey_aws::Action;

    use super::*;
    use crate::lines::tests::assert_complete;

    fn secret(number: usize, action: Action) -> SecretReport {
        SecretReport {
            name: format!("TEST-{number}"),
            arn: SecretId::new(format!("TEST-{number}")),
            action,
            token: None,
            reason: None,
            warning: None,
            due_at: None,
            retired: Vec::new(),
        }
    }

    fn told(report: &Report) -> Value {
        let line = Line {
            record: "tick",
            writer: crate::lines::tests::WRITER,
            started_at: DateTime::UNIX_EPOCH,
            milliseconds: 12,
            told: Some(found(report, DateTime::UNIX_EPOCH)),
            outcome: Told::Passed,
        };
        serde_json::to_value(&line).expect("JSON")
    }

    #[test]
    fn a_tick_tells_its_figures_as_metrics_and_the_secrets_of_which_there_is_something_to_tell() {
        let report = Report {
            figures: Figures {
                managed: 3,
                secrets_overdue: 1,
                oldest_key_age_seconds: 4711,
                stuck_pending: 2,
            },
            incomplete: None,
            secrets: vec![
                secret(1, Action::Asked),
                secret(2, Action::NotDue),
                SecretReport {
                    warning: Some(Reason {
                        code: "ShorterOwnSchedule",
                        message: "TEST".into(),
                    }),
                    ..secret(3, Action::NotDue)
                },
            ],
        };
        let line = told(&report);
        assert_complete(&line);
        assert_eq!(line["SecretsOverdue"], 1);
        assert_eq!(line["OldestKeyAgeSeconds"], 4711);
        assert_eq!(line["StuckPending"], 2);
        assert_eq!(line["outcome"], "passed");
        let names: Vec<&Value> = line["secrets"].as_array().expect("a list").iter().collect();
        let names: Vec<&Value> = names.into_iter().map(|it| &it["name"]).collect();
        assert_eq!(names, ["TEST-1", "TEST-3"]);
    }

    #[test]
    fn a_part_of_the_secrets_is_no_figure_over_all() {
        let report = Report {
            incomplete: Some(Reason {
                code: "StoreDenied",
                message: "TEST".into(),
            }),
            ..Report::default()
        };
        let line = told(&report);
        assert_eq!(line["incomplete"]["code"], "StoreDenied");
        assert!(line.get("_aws").is_none(), "{line}");
        assert!(line.get("SecretsOverdue").is_none(), "{line}");
    }

    #[test]
    fn a_line_has_room_for_its_metrics_however_many_secrets_there_are() {
        let secrets = (0..5000).map(|number| secret(number, Action::NotReached));
        let report = Report {
            secrets: secrets.collect(),
            ..Report::default()
        };
        let line = told(&report);
        assert_complete(&line);
        assert_eq!(line["secrets"].as_array().map(Vec::len), Some(MOST_SECRETS));
        assert_eq!(line["left_out"], 4800);
    }
}
