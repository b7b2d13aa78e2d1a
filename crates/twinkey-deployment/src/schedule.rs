//! The tick's schedule, and the queue of what could not be delivered.

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::ScheduleState;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;
use twinkey_aws::{Call, SdkConfig};

use crate::deployment::Account;
use crate::finding::{DEPLOY, Finding};
use crate::question::Question;

/// What was found, and the role by which the tick is invoked.
pub(crate) struct Schedule {
    pub(crate) findings: Vec<Finding>,
    pub(crate) role: Option<String>,
    /// The ARN of the queue.
    pub(crate) queue: Option<String>,
}

/// Three calls at most, all read-only.
pub(crate) async fn look(config: &SdkConfig, account: &Account, name: &str) -> Schedule {
    let subject = format!("schedule {name}");
    let scheduler = aws_sdk_scheduler::Client::new(config);
    let question = Question::new("EventBridge Scheduler", "scheduler:GetSchedule", name);
    let request = scheduler.get_schedule().name(name);
    let (mut role, mut queue) = (None, None);
    let schedule = match question.answer(request.send().await) {
        Ok(Some(found)) => {
            role = found.target().map(|it| it.role_arn().to_owned());
            let keeps = found.target().and_then(|it| it.dead_letter_config());
            queue = keeps.and_then(|it| it.arn()).map(Into::into);
            scheduled(subject, &account.function_arn(name), &found)
        }
        Ok(None) => Finding::missing(
            subject,
            "there is none: nothing is rotated by its tag",
            DEPLOY,
        ),
        Err(error) => Finding::unknown(subject, &error),
    };
    let named = queue
        .as_deref()
        .and_then(|arn: &str| arn.rsplit(':').next());
    let named = named.map_or_else(|| format!("{name}-undelivered"), Into::into);
    Schedule {
        findings: vec![schedule, undelivered(config, &named).await],
        role,
        queue,
    }
}

fn scheduled(subject: String, function: &str, found: &GetScheduleOutput) -> Finding {
    let expression = found.schedule_expression().unwrap_or("?");
    if found.state() == Some(&ScheduleState::Disabled) {
        let detail = "it is turned off: nothing is rotated by its tag";
        return Finding::wrong(subject, detail, "turn it on in EventBridge Scheduler");
    }
    if expression.starts_with("at(") {
        let detail = format!("{expression} comes once: nothing is rotated by its tag after that");
        return Finding::wrong(subject, detail, DEPLOY);
    }
    let Some(target) = found.target() else {
        return Finding::wrong(subject, "it has no target", DEPLOY);
    };
    let end = target.arn().strip_prefix(function);
    if end.is_none_or(|end| !end.is_empty() && !end.starts_with(':')) {
        let detail = format!("it invokes {} instead of {function}", target.arn());
        return Finding::wrong(subject, detail, DEPLOY);
    }
    let input: Value = serde_json::from_str(target.input().unwrap_or_default()).unwrap_or_default();
    if !input["rotateDue"].is_object() {
        let detail = "its input is no {\"rotateDue\": {}}, which the function would refuse";
        return Finding::wrong(subject, detail, DEPLOY);
    }
    if target
        .dead_letter_config()
        .and_then(|it| it.arn())
        .is_none()
    {
        let detail = "no queue keeps what could not be delivered";
        return Finding::wrong(subject, detail, DEPLOY);
    }
    Finding::ok(subject, expression)
}

async fn undelivered(config: &SdkConfig, name: &str) -> Finding {
    let subject = format!("queue {name}");
    let client = aws_sdk_sqs::Client::new(config);
    let question = Question::new("SQS", "sqs:GetQueueUrl", name);
    let request = client.get_queue_url().queue_name(name);
    let url = match question.answer(request.send().await) {
        Ok(Some(found)) => found.queue_url.unwrap_or_default(),
        Ok(None) => {
            let detail = "there is none: what could not be delivered is lost unseen";
            return Finding::missing(subject, detail, DEPLOY);
        }
        Err(error) => return Finding::unknown(subject, &error),
    };
    let wanted = QueueAttributeName::ApproximateNumberOfMessages;
    let question = Question::new("SQS", "sqs:GetQueueAttributes", name);
    let request = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(wanted.clone());
    let found = match question.required(request.send().await) {
        Ok(found) => found,
        Err(error) => return Finding::unknown(subject, &error),
    };
    let messages = found.attributes().and_then(|it| it.get(&wanted));
    match messages.map(String::as_str) {
        Some("0") => Finding::ok(subject, "empty"),
        None => Finding::unknown(subject, &question.misunderstood()),
        Some(number) => Finding::wrong(
            subject,
            format!("ticks that could not be delivered: {number}"),
            format!(
                "see why: aws sqs receive-message --queue-url {url} --message-attribute-names All; \
                 then aws sqs purge-queue --queue-url {url}"
            ),
        ),
    }
}
