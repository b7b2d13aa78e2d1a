//! Who is told: the topics' subscriptions, and the rule on rotations that Secrets Manager gave up.

use std::collections::BTreeSet;

use aws_sdk_eventbridge::types::RuleState;
use serde_json::Value;
use twinkey_aws::SdkConfig;
use twinkey_core::StoreError;

use crate::finding::{DEPLOY, Finding};
use crate::question::Question;

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-cloudtrail.html>
const EVENTS: [&str; 2] = ["RotationFailed", "RotationAbandoned"];
/// What SNS says instead of an ARN until somebody has followed the link in the mail.
const PENDING: &str = "PendingConfirmation";

/// Two calls for each topic, or one more for each hundred subscriptions.
pub(crate) async fn topics(config: &SdkConfig, arns: &BTreeSet<String>) -> Vec<Finding> {
    let client = aws_sdk_sns::Client::new(config);
    let mut findings = Vec::new();
    for arn in arns {
        let name = arn.rsplit(':').next().unwrap_or(arn);
        let subject = format!("topic {name}");
        let heard = match subscriptions(&client, arn).await {
            Ok(Some(arns)) => {
                findings.push(publishers(&client, arn, name).await);
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

/// `CloudWatch` may publish to a topic of its own account by SNS's default policy. `EventBridge` needs one that names it.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html>
async fn publishers(client: &aws_sdk_sns::Client, arn: &str, name: &str) -> Finding {
    let subject = format!("policy of topic {name}");
    let question = Question::new("SNS", "sns:GetTopicAttributes", arn);
    let request = client.get_topic_attributes().topic_arn(arn);
    let policy = match question.answer(request.send().await) {
        Ok(found) => found.and_then(|it| it.attributes?.get("Policy").cloned()),
        Err(error) => return Finding::unknown(subject, &error),
    };
    if may_publish(policy.as_deref().unwrap_or_default()) {
        return Finding::ok(subject, "EventBridge may publish");
    }
    let detail = "EventBridge may not publish: what Secrets Manager gives up, nobody hears of";
    Finding::missing(subject, detail, DEPLOY)
}

fn may_publish(policy: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().cloned();
    let has = |value: &Value, wanted: &str| {
        value == wanted
            || value
                .as_array()
                .is_some_and(|it| it.iter().any(|it| it == wanted))
    };
    statements.unwrap_or_default().iter().any(|statement| {
        statement["Effect"] == "Allow"
            && has(&statement["Principal"]["Service"], "events.amazonaws.com")
            && ["sns:Publish", "SNS:Publish"]
                .iter()
                .any(|it| has(&statement["Action"], it))
    })
}

async fn subscriptions(
    client: &aws_sdk_sns::Client,
    arn: &str,
) -> Result<Option<Vec<String>>, StoreError> {
    let question = Question::new("SNS", "sns:ListSubscriptionsByTopic", arn);
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let request = client
            .list_subscriptions_by_topic()
            .topic_arn(arn)
            .set_next_token(token);
        let Some(page) = question.answer(request.send().await)? else {
            return Ok(None);
        };
        let arns = page.subscriptions.unwrap_or_default().into_iter();
        found.extend(arns.filter_map(|it| it.subscription_arn));
        token = page.next_token;
        if token.is_none() {
            return Ok(Some(found));
        }
    }
}

fn subscribed(subject: String, arn: &str, subscriptions: &[String]) -> Finding {
    let confirmed = subscriptions.iter().filter(|it| *it != PENDING).count();
    match (confirmed, subscriptions.len()) {
        (0, 0) => Finding::wrong(
            subject,
            "nobody has subscribed: no alarm reaches anybody",
            format!(
                "aws sns subscribe --topic-arn {arn} --protocol email --notification-endpoint you@example.com"
            ),
        ),
        (0, _) => Finding::wrong(
            subject,
            "no subscription is confirmed: no alarm reaches anybody",
            "follow the link in the mail from AWS Notifications",
        ),
        (1, _) => Finding::ok(subject, "1 confirmed subscription"),
        (confirmed, _) => Finding::ok(subject, format!("{confirmed} confirmed subscriptions")),
    }
}

/// Two calls, both read-only.
pub(crate) async fn rule(config: &SdkConfig, name: &str) -> Finding {
    let subject = format!("rule {name}");
    let client = aws_sdk_eventbridge::Client::new(config);
    let question = Question::new("EventBridge", "events:DescribeRule", name);
    let request = client.describe_rule().name(name);
    let found = match question.answer(request.send().await) {
        Ok(Some(found)) => found,
        Ok(None) => {
            let detail = "there is none: what Secrets Manager gives up, nobody hears of";
            return Finding::missing(subject, detail, DEPLOY);
        }
        Err(error) => return Finding::unknown(subject, &error),
    };
    if found.state() == Some(&RuleState::Disabled) {
        let hint = format!("aws events enable-rule --name {name}");
        return Finding::wrong(subject, "it is turned off", hint);
    }
    if let Some(deaf) = deaf(found.event_pattern().unwrap_or_default()) {
        return Finding::wrong(subject, format!("it does not hear {deaf}"), DEPLOY);
    }
    let question = Question::new("EventBridge", "events:ListTargetsByRule", name);
    let request = client.list_targets_by_rule().rule(name);
    match question.list(request.send().await) {
        Ok(answer) if answer.targets().is_empty() => {
            Finding::wrong(subject, "it has no target: it tells nobody", DEPLOY)
        }
        Ok(_) => Finding::ok(subject, "hears RotationFailed and RotationAbandoned"),
        Err(error) => Finding::unknown(subject, &error),
    }
}

/// The first event that a pattern leaves out.
fn deaf(pattern: &str) -> Option<&'static str> {
    let pattern: Value = serde_json::from_str(pattern).unwrap_or_default();
    let heard = pattern["detail"]["eventName"].as_array().cloned();
    let heard = heard.unwrap_or_default();
    EVENTS
        .into_iter()
        .find(|event| !heard.contains(&Value::from(*event)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    #[test]
    fn a_rule_hears_both_events_or_says_which_it_does_not() {
        let both = r#"{"detail": {"eventName": ["RotationFailed", "RotationAbandoned"]}}"#;
        assert_eq!(deaf(both), None);
        let one = r#"{"detail": {"eventName": ["RotationFailed"]}}"#;
        assert_eq!(deaf(one), Some("RotationAbandoned"));
        for broken in ["", "{}", "{\"detail\": []}"] {
            assert_eq!(deaf(broken), Some("RotationFailed"), "{broken}");
        }
    }

    #[test]
    fn a_topics_policy_names_eventbridge_or_it_may_not_publish() {
        let of = |service: &str, action: &str| {
            let policy = serde_json::json!({"Statement": [
                {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["SNS:Publish"]},
                {"Effect": "Allow", "Principal": {"Service": service}, "Action": action}]});
            may_publish(&policy.to_string())
        };
        assert!(of("events.amazonaws.com", "sns:Publish"));
        assert!(!of("cloudwatch.amazonaws.com", "sns:Publish"));
        assert!(!of("events.amazonaws.com", "sns:Subscribe"));
        assert!(!may_publish(""));
    }

    #[test]
    fn a_topic_that_nobody_hears_is_wrong_and_a_mail_that_waits_says_so() {
        let of = |arns: &[&str]| {
            let arns: Vec<String> = arns.iter().map(|it| (*it).to_owned()).collect();
            subscribed("topic TEST".into(), "arn:TEST", &arns)
        };
        assert_eq!(of(&[]).state, State::Wrong);
        let waiting = of(&[PENDING]);
        assert_eq!(waiting.state, State::Wrong);
        assert!(waiting.hint.is_some_and(|it| it.contains("mail")));
        assert_eq!(of(&[PENDING, "arn:TEST:1"]).state, State::Ok);
    }
}
