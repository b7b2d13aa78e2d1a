//! A function: how it is set up, who may invoke it, how many of it may run, and its log.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{LastUpdateStatus, State as Life};
use serde_json::Value;
use twinkey_aws::SdkConfig;
use twinkey_core::StoreError;

use crate::deployment::Account;
use crate::finding::{DEPLOY, Finding};
use crate::question::Question;

/// Of the engine's calls in one step: crates/twinkey-lambda/README.md.
const LEAST_SECONDS: i32 = 30;

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
            "aws lambda add-permission --function-name {name} --statement-id secretsmanager \
             --action lambda:InvokeFunction --principal secretsmanager.amazonaws.com --source-account {account}"
        );
        match invoker(policy.as_deref().unwrap_or_default(), account) {
            Invoker::ThisAccount => {
                Finding::ok(subject, "Secrets Manager may invoke it for this account")
            }
            Invoker::Anybody => Finding::wrong(
                subject,
                "Secrets Manager may invoke it for any account",
                format!("take the statement away (aws lambda remove-permission), and: {hint}"),
            ),
            Invoker::Nobody => Finding::missing(subject, "Secrets Manager may not invoke it", hint),
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
                    "aws lambda delete-function-concurrency --function-name {name}, or deploy again"
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
        let groups = match question.list(request.send().await) {
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
    let (memory, seconds) = (
        found.memory_size().unwrap_or_default(),
        found.timeout().unwrap_or_default(),
    );
    let detail = format!("{processor}, {runtime}, {memory} MB, {seconds} s");
    let again = "look at its events, and deploy again: infra/README.md";
    if found.state() == Some(&Life::Failed) {
        return Finding::wrong(subject, "Lambda could not set it up (Failed)", again);
    }
    if found.last_update_status() == Some(&LastUpdateStatus::Failed) {
        return Finding::wrong(
            subject,
            "its last update failed; the one before runs",
            again,
        );
    }
    if found
        .runtime()
        .is_some_and(|it| !it.as_str().starts_with("provided."))
    {
        let hint =
            "deploy target/package/twinkey-lambda-arm64.zip with the runtime provided.al2023";
        return Finding::wrong(
            subject,
            format!("{detail}: it is no program of its own"),
            hint,
        );
    }
    if seconds < LEAST_SECONDS {
        let hint = format!("give it at least {LEAST_SECONDS} seconds, better 60");
        return Finding::wrong(subject, format!("{detail}: too short for a step"), hint);
    }
    Finding::ok(subject, detail)
}

/// For whom Secrets Manager may invoke a function, by its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Invoker {
    Nobody,
    ThisAccount,
    Anybody,
}

/// As `add-permission` writes a statement; another form counts as none.
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html>
fn invoker(policy: &str, account: &str) -> Invoker {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().map(Vec::as_slice);
    let of = |statement: &Value| {
        if statement["Effect"] != "Allow"
            || statement["Action"] != "lambda:InvokeFunction"
            || statement["Principal"]["Service"] != "secretsmanager.amazonaws.com"
        {
            return Invoker::Nobody;
        }
        let conditions = statement["Condition"].as_object();
        if conditions.is_none_or(serde_json::Map::is_empty) {
            return Invoker::Anybody;
        }
        let equals = |name: &str| {
            statement["Condition"][name]["AWS:SourceAccount"] == account
                || statement["Condition"][name]["aws:SourceAccount"] == account
        };
        if equals("StringEquals") || equals("StringLike") {
            Invoker::ThisAccount
        } else {
            Invoker::Nobody
        }
    };
    let found = statements.unwrap_or_default().iter().map(of).max();
    found.unwrap_or(Invoker::Nobody)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "123456789012";

    fn statement(condition: &Value) -> Value {
        json!({"Sid": "secretsmanager", "Effect": "Allow", "Action": "lambda:InvokeFunction",
            "Principal": {"Service": "secretsmanager.amazonaws.com"},
            "Resource": "arn:aws:lambda:eu-central-1:123456789012:function:TEST", "Condition": condition})
    }

    fn of(statements: &[Value]) -> Invoker {
        let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
        invoker(&policy.to_string(), ACCOUNT)
    }

    #[test]
    fn secrets_manager_may_invoke_it_for_this_account_and_no_other() {
        let ours = statement(&json!({"StringEquals": {"AWS:SourceAccount": ACCOUNT}}));
        let others = statement(&json!({"StringEquals": {"AWS:SourceAccount": "444455556666"}}));
        let anybodys = statement(&json!({}));
        assert_eq!(of(std::slice::from_ref(&ours)), Invoker::ThisAccount);
        assert_eq!(of(std::slice::from_ref(&others)), Invoker::Nobody);
        assert_eq!(of(&[others, ours.clone()]), Invoker::ThisAccount);
        assert_eq!(of(&[ours, anybodys]), Invoker::Anybody);
        for broken in ["", "{", "{}", "[]", "{\"Statement\": 1}"] {
            assert_eq!(invoker(broken, ACCOUNT), Invoker::Nobody, "{broken}");
        }
    }

    #[test]
    fn a_statement_for_somebody_else_or_something_else_is_none() {
        let condition = json!({"StringEquals": {"AWS:SourceAccount": ACCOUNT}});
        for (name, value) in [
            ("Effect", json!("Deny")),
            ("Action", json!("lambda:GetFunction")),
            ("Principal", json!({"Service": "events.amazonaws.com"})),
        ] {
            let mut other = statement(&condition);
            other[name] = value;
            assert_eq!(of(&[other]), Invoker::Nobody, "{name}");
        }
    }
}
