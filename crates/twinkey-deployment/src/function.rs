//! A function: how it is set up, who may invoke it, how many of it may run, and its log.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{LastUpdateStatus, State as Life};
use twinkey_aws::SdkConfig;
use twinkey_core::StoreError;

use crate::deployment::Account;
use crate::finding::{DEPLOY, Finding};
use crate::policy::{Policy, Statement};
use crate::question::Question;

/// Of the engine's calls in one step: crates/twinkey-lambda/README.md.
const LEAST_SECONDS: i32 = 30;
const INVOKE: &str = "lambda:InvokeFunction";

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Secrets Manager invokes it.
    Rotator,
    /// EventBridge Scheduler does.
    Tick,
}

/// What was found of one.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) findings: Vec<Finding>,
    /// The ARN of its role, if it is there.
    pub(crate) role: Option<String>,
    /// Its log group.
    pub(crate) log: String,
}

/// Five calls at most, all read-only.
pub(crate) struct Functions<'a> {
    lambda: aws_sdk_lambda::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    account: &'a Account,
}

impl<'a> Functions<'a> {
    pub(crate) fn new(config: &SdkConfig, account: &'a Account) -> Self {
        Self {
            lambda: aws_sdk_lambda::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            account,
        }
    }

    pub(crate) async fn look(&self, name: String, part: Part) -> Function {
        let subject = format!("function {name}");
        let mut function = Function {
            findings: Vec::new(),
            role: None,
            log: format!("/aws/lambda/{name}"),
            name,
        };
        let name = &function.name;
        match self.configuration(name).await {
            Ok(Some(found)) => {
                function.role = found.role().map(Into::into);
                let named = found.logging_config().and_then(|it| it.log_group());
                if let Some(group) = named {
                    function.log = group.into();
                }
                function.findings.push(configured(&subject, &found));
                if part == Part::Rotator {
                    let permission = self.permission(name).await;
                    function.findings.push(permission);
                }
                function.findings.push(self.concurrency(name).await);
            }
            Ok(None) => {
                let none = Finding::missing(&subject, "there is no such function", DEPLOY);
                function.findings.push(none);
            }
            Err(error) => function.findings.push(Finding::unknown(&subject, &error)),
        }
        function.findings.push(self.log(&function.log).await);
        function
    }

    async fn configuration(
        &self,
        name: &str,
    ) -> Result<Option<GetFunctionConfigurationOutput>, StoreError> {
        let question = Question::new("Lambda", "lambda:GetFunctionConfiguration", name);
        let request = self.lambda.get_function_configuration().function_name(name);
        question.answer(request.send().await)
    }

    async fn permission(&self, name: &str) -> Finding {
        let subject = format!("permission of {name}");
        let question = Question::new("Lambda", "lambda:GetPolicy", name);
        let request = self.lambda.get_policy().function_name(name);
        let policy = match question.answer(request.send().await) {
            Ok(found) => found.and_then(|it| it.policy),
            Err(error) => return Finding::unknown(subject, &error),
        };
        let account = &self.account.id;
        let hint = format!(
            "aws lambda add-permission --function-name {name} --statement-id secretsmanager-of-{account} \
             --action {INVOKE} --principal secretsmanager.amazonaws.com --source-account {account}"
        );
        let look = format!("look at it: aws lambda get-policy --function-name {name}");
        match invoker(policy.as_deref().unwrap_or_default(), account) {
            Invoker::ThisAccount => {
                Finding::ok(subject, "Secrets Manager may invoke it for this account")
            }
            Invoker::Nobody => Finding::missing(subject, "Secrets Manager may not invoke it", hint),
            Invoker::Anybody => Finding::wrong(
                subject,
                "Secrets Manager may invoke it for any account",
                format!("take the statement away (aws lambda remove-permission), and: {hint}"),
            ),
            Invoker::Somebody => Finding::wrong(
                subject,
                "Secrets Manager may invoke it, but not for this account alone",
                format!("{look}; then: {hint}"),
            ),
            Invoker::Denied => {
                Finding::wrong(subject, "its policy denies it to Secrets Manager", look)
            }
        }
    }

    async fn concurrency(&self, name: &str) -> Finding {
        let subject = format!("concurrency of {name}");
        let question = Question::new("Lambda", "lambda:GetFunctionConcurrency", name);
        let request = self.lambda.get_function_concurrency().function_name(name);
        let reserved = match question.answer(request.send().await) {
            Ok(found) => found.and_then(|it| it.reserved_concurrent_executions),
            Err(error) => return Finding::unknown(subject, &error),
        };
        match reserved {
            Some(0) => Finding::wrong(
                subject,
                "0 are reserved: Lambda turns every invocation away",
                format!(
                    "aws lambda put-function-concurrency --function-name {name} --reserved-concurrent-executions 10, \
                     or 1 for the tick"
                ),
            ),
            Some(most) => Finding::ok(subject, format!("{most} at once at most")),
            None => Finding::ok(subject, "none reserved; the account's limit holds"),
        }
    }

    async fn log(&self, group: &str) -> Finding {
        let subject = format!("log {group}");
        let question = Question::new("CloudWatch Logs", "logs:DescribeLogGroups", group);
        let request = self.logs.describe_log_groups().log_group_name_prefix(group);
        let groups = match question.required(request.send().await) {
            Ok(answer) => answer.log_groups.unwrap_or_default(),
            Err(error) => return Finding::unknown(subject, &error),
        };
        let found = groups.iter().find(|it| it.log_group_name() == Some(group));
        let Some(found) = found else {
            return Finding::missing(subject, "there is no such log group", DEPLOY);
        };
        match found.retention_in_days() {
            Some(days) => Finding::ok(subject, format!("kept for {days} days")),
            None => Finding::wrong(
                subject,
                "kept for ever, and paid for",
                format!(
                    "aws logs put-retention-policy --log-group-name {group} --retention-in-days 365"
                ),
            ),
        }
    }
}

fn configured(subject: &str, found: &GetFunctionConfigurationOutput) -> Finding {
    let processor = found.architectures().first().map_or("?", |it| it.as_str());
    let runtime = found.runtime().map_or("an image", |it| it.as_str());
    let known = |number: Option<i32>| number.map_or("?".into(), |it| it.to_string());
    let (memory, seconds) = (known(found.memory_size()), known(found.timeout()));
    let detail = format!("{processor}, {runtime}, {memory} MB, {seconds} s");
    let again = "aws lambda get-function-configuration says why; then deploy its package again: infra/README.md";
    let state = found.state().unwrap_or(&Life::Active);
    if !matches!(state, Life::Active | Life::Inactive | Life::Pending) {
        let why = found.state_reason_code().map_or("?", |it| it.as_str());
        let detail = format!("it is {}: {why}", state.as_str());
        return Finding::wrong(subject, detail, again);
    }
    if found.last_update_status() == Some(&LastUpdateStatus::Failed) {
        return Finding::wrong(
            subject,
            "its last update failed; the one before runs",
            again,
        );
    }
    if runtime != "an image" && !runtime.starts_with("provided.") {
        let hint =
            "deploy target/package/twinkey-lambda-arm64.zip with the runtime provided.al2023";
        return Finding::wrong(
            subject,
            format!("{detail}: it is no program of its own"),
            hint,
        );
    }
    if found.timeout().is_some_and(|it| it < LEAST_SECONDS) {
        let hint = format!("give it at least {LEAST_SECONDS} seconds, better 60");
        return Finding::wrong(subject, format!("{detail}: too short for a step"), hint);
    }
    Finding::ok(subject, detail)
}

/// For whom Secrets Manager may invoke a function, by its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Invoker {
    Nobody,
    /// Under conditions that the templates do not set.
    Somebody,
    ThisAccount,
    Anybody,
    /// Whatever else allows it.
    Denied,
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html>
fn invoker(policy: &str, account: &str) -> Invoker {
    let policy = Policy::parse(policy);
    let of = |statement: &Statement<'_>| {
        if statement.denies() {
            Invoker::Denied
        } else if statement.is_unconditional() {
            Invoker::Anybody
        } else if statement.requires(&["aws:SourceAccount"], |it| it == account)
            || statement.requires(&["aws:SourceArn"], |it| {
                it.split(':').nth(4) == Some(account)
            })
        {
            Invoker::ThisAccount
        } else {
            Invoker::Somebody
        }
    };
    let statements = policy.of("secretsmanager.amazonaws.com", INVOKE);
    let found = statements.iter().map(of).max();
    found.unwrap_or(Invoker::Nobody)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ACCOUNT: &str = "123456789012";

    fn statement(effect: &str, condition: &Value) -> Value {
        json!({"Sid": "secretsmanager", "Effect": effect, "Action": INVOKE,
            "Principal": {"Service": "secretsmanager.amazonaws.com"},
            "Resource": "arn:aws:lambda:eu-central-1:123456789012:function:TEST", "Condition": condition})
    }

    fn of(statements: &[Value]) -> Invoker {
        let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
        invoker(&policy.to_string(), ACCOUNT)
    }

    #[test]
    fn secrets_manager_may_invoke_it_for_this_account_and_no_other() {
        let account = |id: &str| json!({"StringEquals": {"AWS:SourceAccount": id}});
        let ours = statement("Allow", &account(ACCOUNT));
        let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:TEST";
        let by_arn = statement("Allow", &json!({"ArnLike": {"AWS:SourceArn": secret}}));
        let others = statement("Allow", &account("444455556666"));
        for one in [&ours, &by_arn] {
            assert_eq!(of(std::slice::from_ref(one)), Invoker::ThisAccount);
        }
        assert_eq!(of(std::slice::from_ref(&others)), Invoker::Somebody);
        assert_eq!(of(&[others, ours.clone()]), Invoker::ThisAccount);
        let anybodys = statement("Allow", &json!({}));
        assert_eq!(of(&[ours.clone(), anybodys]), Invoker::Anybody);
        assert_eq!(
            of(&[ours, statement("Deny", &Value::Null)]),
            Invoker::Denied
        );
        assert_eq!(of(&[]), Invoker::Nobody);
    }
}
