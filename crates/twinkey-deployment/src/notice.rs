//! Who is told: the topics' subscriptions, and the rule on rotations that Secrets Manager gave up.

use std::collections::BTreeSet;

use aws_sdk_eventbridge::types::RuleState;
use serde_json::Value;
use twinkey_aws::SdkConfig;
use twinkey_core::StoreError;

use crate::deployment::Account;
use crate::finding::{DEPLOY, Finding};
use crate::policy::{Policy, Statement};
use crate::question::Question;

const SOURCE: &str = "aws.secretsmanager";
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-cloudtrail.html>
const EVENTS: [&str; 2] = ["RotationFailed", "RotationAbandoned"];
const PUBLISH: &str = "sns:Publish";

/// Topics by their ARNs, and who publishes to them.
pub(crate) struct Topics<'a> {
    /// The deployment's own.
    pub(crate) own: String,
    pub(crate) of_alarms: &'a BTreeSet<String>,
    pub(crate) of_rule: &'a BTreeSet<String>,
}

impl Topics<'_> {
    /// Two calls for each, or one more for each hundred subscriptions.
    pub(crate) async fn look(&self, config: &SdkConfig, account: &Account) -> Vec<Finding> {
        let client = aws_sdk_sns::Client::new(config);
        let own = BTreeSet::from([self.own.clone()]);
        let mut findings = Vec::new();
        for arn in &(&(self.of_alarms | self.of_rule) | &own) {
            let name = arn.rsplit(':').next().unwrap_or(arn);
            let subject = format!("topic {name}");
            let heard = match subscriptions(&client, arn).await {
                Ok(Some(arns)) => {
                    findings.push(self.publishers(&client, arn, name, account).await);
                    subscribed(subject, arn, &arns)
                }
                Ok(None) => {
                    let detail = "there is none: no alarm reaches anybody";
                    Finding::missing(subject, detail, DEPLOY)
                }
                Err(error) => Finding::unknown(subject, &error),
            };
            findings.push(heard);
        }
        findings
    }

    async fn publishers(
        &self,
        client: &aws_sdk_sns::Client,
        arn: &str,
        name: &str,
        account: &Account,
    ) -> Finding {
        let subject = format!("policy of topic {name}");
        let question = Question::new("SNS", "sns:GetTopicAttributes", arn);
        let request = client.get_topic_attributes().topic_arn(arn);
        let policy = match question.answer(request.send().await) {
            Ok(found) => found.and_then(|it| it.attributes?.get("Policy").cloned()),
            Err(error) => return Finding::unknown(subject, &error),
        };
        let policy = Policy::parse(policy.as_deref().unwrap_or_default());
        if self.of_rule.contains(arn) && !may_eventbridge(&policy) {
            let detail =
                "EventBridge may not publish: what Secrets Manager gives up, nobody hears of";
            return Finding::missing(subject, detail, DEPLOY);
        }
        if self.of_alarms.contains(arn) && !may_cloudwatch(&policy, &account.id) {
            let detail = "CloudWatch may not publish: no alarm reaches anybody";
            return Finding::missing(subject, detail, DEPLOY);
        }
        Finding::ok(subject, "whoever has to may publish")
    }
}

/// It takes no condition: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html>
fn may_eventbridge(policy: &Policy) -> bool {
    may(policy, "events.amazonaws.com", None)
}

/// For this account, as our policy and SNS's own default have it.
fn may_cloudwatch(policy: &Policy, account: &str) -> bool {
    may(policy, "cloudwatch.amazonaws.com", Some(account))
}

fn may(policy: &Policy, service: &str, only_for: Option<&str>) -> bool {
    let keys = ["aws:SourceAccount", "aws:SourceOwner"];
    let is_met = |statement: &Statement<'_>| {
        statement.is_unconditional()
            || only_for.is_some_and(|account| statement.requires(&keys, |it| it == account))
    };
    let statements = policy.of(service, PUBLISH);
    let is_denied = statements
        .iter()
        .any(|it| it.denies() && it.is_unconditional());
    !is_denied && statements.iter().any(|it| !it.denies() && is_met(it))
}

async fn subscriptions(
    client: &aws_sdk_sns::Client,
    arn: &str,
) -> Result<Option<Vec<String>>, StoreError> {
    let question = Question::new("SNS", "sns:ListSubscriptionsByTopic", arn);
    let request = client.list_subscriptions_by_topic().topic_arn(arn);
    let found = request.into_paginator().items().send();
    let found = question.answer(found.collect::<Result<Vec<_>, _>>().await)?;
    Ok(found.map(|found| {
        let arns = found.into_iter().filter_map(|it| it.subscription_arn);
        arns.collect()
    }))
}

/// One that is not confirmed, or was taken away, has a word instead of an ARN.
fn subscribed(subject: String, arn: &str, subscriptions: &[String]) -> Finding {
    let confirmed = subscriptions
        .iter()
        .filter(|it| it.starts_with("arn:"))
        .count();
    let waits = subscriptions.iter().any(|it| it == "PendingConfirmation");
    match confirmed {
        0 if waits => Finding::wrong(
            subject,
            "no subscription is confirmed: no alarm reaches anybody",
            "follow the link in the mail from AWS Notifications",
        ),
        0 => Finding::wrong(
            subject,
            "nobody has subscribed: no alarm reaches anybody",
            format!(
                "aws sns subscribe --topic-arn {arn} --protocol email --notification-endpoint you@example.com"
            ),
        ),
        1 => Finding::ok(subject, "1 confirmed subscription"),
        confirmed => Finding::ok(subject, format!("{confirmed} confirmed subscriptions")),
    }
}

/// The finding, and the topics that it tells.
pub(crate) struct Rule {
    pub(crate) finding: Finding,
    pub(crate) topics: BTreeSet<String>,
}

/// Two calls, both read-only.
pub(crate) async fn rule(config: &SdkConfig, name: &str) -> Rule {
    let subject = format!("rule {name}");
    let mut topics = BTreeSet::new();
    let client = aws_sdk_eventbridge::Client::new(config);
    let question = Question::new("EventBridge", "events:DescribeRule", name);
    let request = client.describe_rule().name(name);
    let finding = match question.answer(request.send().await) {
        Ok(Some(found)) if found.state() == Some(&RuleState::Disabled) => {
            let hint = format!("aws events enable-rule --name {name}");
            Finding::wrong(subject, "it is turned off", hint)
        }
        Ok(Some(found)) => match deaf(found.event_pattern().unwrap_or_default()) {
            Some(deaf) => Finding::wrong(subject, format!("it does not hear {deaf}"), DEPLOY),
            None => match targets(&client, name).await {
                Ok(found) => {
                    topics = found;
                    told(subject, &topics)
                }
                Err(error) => Finding::unknown(subject, &error),
            },
        },
        Ok(None) => {
            let detail = "there is none: what Secrets Manager gives up, nobody hears of";
            Finding::missing(subject, detail, DEPLOY)
        }
        Err(error) => Finding::unknown(subject, &error),
    };
    Rule { finding, topics }
}

fn told(subject: String, topics: &BTreeSet<String>) -> Finding {
    if topics.is_empty() {
        let detail = "no topic is among its targets: it tells nobody";
        return Finding::wrong(subject, detail, DEPLOY);
    }
    Finding::ok(subject, "hears RotationFailed and RotationAbandoned")
}

/// Those that are topics. A rule has five targets at most.
async fn targets(
    client: &aws_sdk_eventbridge::Client,
    name: &str,
) -> Result<BTreeSet<String>, StoreError> {
    let question = Question::new("EventBridge", "events:ListTargetsByRule", name);
    let request = client.list_targets_by_rule().rule(name);
    let found = question.required(request.send().await)?;
    let arns = found.targets().iter().map(|it| it.arn().to_owned());
    Ok(arns
        .filter(|arn| arn.split(':').nth(2) == Some("sns"))
        .collect())
}

/// The first that a pattern leaves out. What is not filtered by, or by more than names, is heard.
fn deaf(pattern: &str) -> Option<&'static str> {
    let pattern: Value = serde_json::from_str(pattern).unwrap_or_default();
    let leaves_out = |filter: &Value, wanted: &str| {
        let filter = filter.as_array();
        filter.is_some_and(|it| it.iter().all(Value::is_string) && !it.contains(&wanted.into()))
    };
    if leaves_out(&pattern["source"], SOURCE) {
        return Some(SOURCE);
    }
    let events = &pattern["detail"]["eventName"];
    EVENTS.into_iter().find(|event| leaves_out(events, event))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::finding::State;

    #[test]
    fn a_rule_hears_both_events_or_says_which_it_does_not() {
        let of = |pattern: &Value| deaf(&pattern.to_string());
        let both = json!({"source": [SOURCE], "detail": {"eventName": EVENTS}});
        assert_eq!(of(&both), None);
        let one = json!({"detail": {"eventName": ["RotationFailed"]}});
        assert_eq!(of(&one), Some("RotationAbandoned"));
        assert_eq!(of(&json!({"source": ["aws.s3"]})), Some(SOURCE));
        let by_prefix =
            json!({"source": [SOURCE], "detail": {"eventName": [{"prefix": "Rotation"}]}});
        assert_eq!(of(&by_prefix), None);
    }

    fn policy(statements: &Value) -> Policy {
        Policy::parse(&json!({ "Statement": statements }).to_string())
    }

    #[test]
    fn a_topics_policy_lets_both_publish_or_says_who_may_not() {
        let to = |service: &str, condition: &Value| json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": PUBLISH, "Condition": condition});
        let ours = json!({"StringEquals": {"aws:SourceAccount": "1"}});
        let events = to("events.amazonaws.com", &Value::Null);
        let alarms = to("cloudwatch.amazonaws.com", &ours);
        let made = policy(&json!([alarms, events]));
        assert!(may_eventbridge(&made) && may_cloudwatch(&made, "1"));
        assert!(!may_cloudwatch(&made, "2"));
        assert!(!may_cloudwatch(&policy(&events), "1"));
        assert!(!may_eventbridge(&policy(&to(
            "events.amazonaws.com",
            &ours
        ))));
        let default = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["SNS:Publish"],
            "Condition": {"StringEquals": {"AWS:SourceOwner": "1"}}});
        let default = policy(&default);
        assert!(may_cloudwatch(&default, "1") && !may_eventbridge(&default));
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sns:*"});
        let denied = policy(&json!([alarms, events, deny]));
        assert!(!may_eventbridge(&denied) && !may_cloudwatch(&denied, "1"));
    }

    #[test]
    fn a_topic_that_nobody_hears_is_wrong_and_a_mail_that_waits_says_so() {
        let of = |arns: &[&str]| {
            let arns: Vec<String> = arns.iter().map(|it| (*it).to_owned()).collect();
            subscribed("topic TEST".into(), "arn:TEST", &arns)
        };
        for nobody in [&[][..], &["Deleted"]] {
            assert_eq!(of(nobody).state, State::Wrong);
        }
        let waiting = of(&["Deleted", "PendingConfirmation"]);
        assert_eq!(waiting.state, State::Wrong);
        assert!(waiting.hint.is_some_and(|it| it.contains("mail")));
        assert_eq!(of(&["PendingConfirmation", "arn:TEST:1"]).state, State::Ok);
    }
}
