//! The alarms, whom they tell, and the dashboard.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use twinkey_aws::SdkConfig;
use twinkey_core::StoreError;

use crate::deployment::Names;
use crate::finding::{DEPLOY, Finding};
use crate::question::Question;

/// Of a rotation function, after its name. (infra/cloudformation/rotator.yaml)
const ROTATOR: [&str; 4] = ["failed", "not-two-keys", "stray", "throttled"];
/// Of the tick. (infra/cloudformation/tick.yaml)
const TICK: [&str; 5] = ["missing", "overdue", "stuck", "throttled", "undelivered"];

/// The findings, and the topics that the alarms go to.
pub(crate) struct Alarms {
    pub(crate) findings: Vec<Finding>,
    pub(crate) topics: BTreeSet<String>,
}

/// One call for each hundred alarms whose name begins so, and one for the dashboard.
pub(crate) async fn look(config: &SdkConfig, names: &Names) -> Alarms {
    let client = aws_sdk_cloudwatch::Client::new(config);
    let mut alarms = match all(&client, &names.name).await {
        Ok(found) => Alarms::of(&found, names),
        Err(error) => Alarms {
            findings: vec![Finding::unknown("alarms", &error)],
            topics: BTreeSet::new(),
        },
    };
    alarms.findings.push(dashboard(&client, &names.name).await);
    alarms
}

impl Alarms {
    fn of(found: &[MetricAlarm], names: &Names) -> Self {
        let (mut findings, mut topics) = (Vec::new(), BTreeSet::new());
        for name in expected(names) {
            let subject = format!("alarm {name}");
            let alarm = found.iter().find(|it| it.alarm_name() == Some(&name));
            topics.extend(alarm.into_iter().flat_map(topics_of));
            findings.push(match alarm {
                Some(alarm) => look_at(subject, alarm),
                None => Finding::missing(subject, "there is none", DEPLOY),
            });
        }
        Self { findings, topics }
    }
}

fn expected(names: &Names) -> Vec<String> {
    let of = |function: &str, endings: &[&str]| -> Vec<String> {
        let whole = endings.iter().map(|ending| format!("{function}-{ending}"));
        whole.collect()
    };
    let mut expected: Vec<String> = names
        .rotators()
        .iter()
        .flat_map(|rotator| of(rotator, &ROTATOR))
        .collect();
    expected.extend(of(&names.tick(), &TICK));
    expected
}

async fn all(
    client: &aws_sdk_cloudwatch::Client,
    name: &str,
) -> Result<Vec<MetricAlarm>, StoreError> {
    let question = Question::new("CloudWatch", "cloudwatch:DescribeAlarms", name);
    let pages = client
        .describe_alarms()
        .alarm_name_prefix(format!("{name}-"))
        .into_paginator()
        .send();
    let pages = question.required(pages.collect::<Result<Vec<_>, _>>().await)?;
    let alarms = pages.into_iter().filter_map(|page| page.metric_alarms);
    Ok(alarms.flatten().collect())
}

fn look_at(subject: String, alarm: &MetricAlarm) -> Finding {
    let name = alarm.alarm_name().unwrap_or_default();
    if alarm.actions_enabled() == Some(false) {
        let hint = format!("aws cloudwatch enable-alarm-actions --alarm-names {name}");
        return Finding::wrong(subject, "its actions are turned off: it tells nobody", hint);
    }
    if topics_of(alarm).next().is_none() {
        let detail = "no topic is among its actions: it tells nobody";
        return Finding::wrong(subject, detail, DEPLOY);
    }
    match alarm.state_value() {
        Some(StateValue::Alarm) => {
            let says = alarm.alarm_description().unwrap_or("it has no description");
            let hint = "docs/operations.md, When something fails";
            Finding::wrong(subject, format!("in alarm: {says}"), hint)
        }
        Some(StateValue::InsufficientData) => Finding::ok(subject, "no data yet"),
        _ => Finding::ok(subject, "quiet"),
    }
}

fn topics_of(alarm: &MetricAlarm) -> impl Iterator<Item = String> {
    let actions = alarm.alarm_actions().iter();
    actions
        .filter(|action| action.split(':').nth(2) == Some("sns"))
        .cloned()
}

async fn dashboard(client: &aws_sdk_cloudwatch::Client, name: &str) -> Finding {
    let subject = format!("dashboard {name}");
    let question = Question::new("CloudWatch", "cloudwatch:GetDashboard", name);
    let request = client.get_dashboard().dashboard_name(name);
    match question.answer(request.send().await) {
        Ok(Some(_)) => Finding::ok(subject, "there"),
        Ok(None) => Finding::missing(subject, "there is none", DEPLOY),
        Err(error) => Finding::unknown(subject, &error),
    }
}
