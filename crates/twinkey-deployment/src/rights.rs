//! Whether each role may do what its function does.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::types::ContextKeyTypeEnum;
use serde::Deserialize;
use twinkey_aws::SdkConfig;

use crate::deployment::{Account, Names};
use crate::finding::{DEPLOY, Finding};
use crate::function::Function;
use crate::schedule::Schedule;
use crate::secrets::Secret;
use crate::simulator::Case;

/// What each role is seen to call: the tests of the templates hold both to it.
const RIGHTS: &str = include_str!("../../../infra/rights.json");
const SECRETS: &str = "secretsmanager:";
/// The one action here that knows no resources.
const LIST: &str = "secretsmanager:ListSecrets";
const INVOKE: &str = "lambda:InvokeFunction";
const SIGN: &str = "kms:Sign";
const ENCRYPT: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];
const WRITE_LOG: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
/// Of so many secrets of each function: all have the same prefix, or should.
const MOST_SECRETS: usize = 50;
const MOST_TOLD: usize = 3;

#[derive(Deserialize)]
struct Rights {
    called: Vec<String>,
}

/// What the roles must be able to use.
pub(crate) struct Used<'a> {
    pub(crate) account: &'a Account,
    pub(crate) names: &'a Names,
    pub(crate) secrets: &'a BTreeMap<String, Vec<Secret>>,
    /// The alias of the App's key, and the ARN of the key that has it.
    pub(crate) signing: Option<(&'a str, &'a str)>,
}

/// A few calls for each role, all read-only. Where a function or the schedule is missing, its own finding says so.
pub(crate) async fn look(
    config: &SdkConfig,
    functions: &[Function],
    schedule: &Schedule,
    used: &Used<'_>,
) -> Vec<Finding> {
    let client = Client::new(config);
    let mut findings = Vec::new();
    for function in functions {
        if let Some(role) = &function.role {
            let subject = format!("rights of {}", function.name);
            findings.push(may(&client, subject, role, &used.by(function)).await);
        }
    }
    if let Some(role) = &schedule.role {
        let subject = format!("rights of the schedule {}", used.names.tick());
        findings.push(may(&client, subject, role, &used.by_the(schedule)).await);
    }
    findings
}

async fn may(client: &Client, subject: String, role: &str, cases: &[Case]) -> Finding {
    let mut denied = BTreeSet::new();
    for case in cases {
        match case.refused(client, role).await {
            Ok(Some(refused)) => denied.extend(refused),
            Ok(None) => {
                let detail = format!("the role {role} is gone");
                return Finding::missing(subject, detail, DEPLOY);
            }
            Err(error) => return Finding::unknown(subject, &error),
        }
    }
    if denied.is_empty() {
        let tried: usize = cases.iter().map(Case::size).sum();
        return Finding::ok(subject, format!("{tried} tried, all allowed"));
    }
    let mut told: Vec<String> = denied.iter().take(MOST_TOLD).cloned().collect();
    if denied.len() > MOST_TOLD {
        told.push(format!("and {} more", denied.len() - MOST_TOLD));
    }
    Finding::wrong(
        subject,
        format!("its role may not {}", told.join(", ")),
        "give the secret a name that begins with the function's prefix, or deploy with the prefix, the key or the \
         alias that it has: infra/README.md, Who may do what",
    )
}

impl Used<'_> {
    /// What a function does.
    fn by(&self, function: &Function) -> Vec<Case> {
        let called = called(self.names.role(&function.name));
        let of_secrets = called
            .iter()
            .filter(|action| action.starts_with(SECRETS) && *action != LIST);
        let secrets = self.rotated(&function.name);
        let arns = secrets.iter().map(|secret| secret.arn.clone()).collect();
        let stream = self.account.log_stream_arn(&function.log);
        let mut cases = vec![
            Case::new(WRITE_LOG, vec![stream]),
            Case::new(of_secrets, arns),
        ];
        if function.name == self.names.tick() {
            let rotators = self.names.rotators();
            let arns = rotators.iter().map(|name| self.account.function_arn(name));
            cases.push(Case::new([LIST], vec!["*".into()]));
            cases.push(Case::new([INVOKE], arns.collect()));
        } else {
            cases.extend(self.encrypting(&secrets));
        }
        if called.iter().any(|action| action == SIGN) {
            cases.extend(self.signing());
        }
        cases.retain(|case| case.size() > 0);
        cases
    }

    fn by_the(&self, schedule: &Schedule) -> Vec<Case> {
        let tick = self.account.function_arn(&self.names.tick());
        let queue = schedule.queue.iter().cloned().collect();
        let mut cases = vec![
            Case::new([INVOKE], vec![tick]),
            Case::new(["sqs:SendMessage"], queue),
        ];
        cases.retain(|case| case.size() > 0);
        cases
    }

    /// The secrets that a function has to do with.
    fn rotated(&self, function: &str) -> Vec<&Secret> {
        let is_tick = function == self.names.tick();
        let of_it = self
            .secrets
            .iter()
            .filter(|(name, _)| is_tick || *name == function);
        of_it
            .flat_map(|(_, secrets)| secrets.iter().take(MOST_SECRETS))
            .collect()
    }

    /// The customers' keys, each with the first of the secrets that it encrypts: as Secrets Manager would use it.
    fn encrypting(&self, secrets: &[&Secret]) -> Vec<Case> {
        let mut firsts: BTreeMap<String, &str> = BTreeMap::new();
        for secret in secrets {
            let key = secret
                .key
                .as_deref()
                .and_then(|key| self.account.key_arn(key));
            if let Some(key) = key {
                firsts.entry(key).or_insert(&secret.arn);
            }
        }
        let case = |(key, secret)| {
            Case::new(ENCRYPT, vec![key])
                .knowing(
                    "kms:ViaService",
                    ContextKeyTypeEnum::String,
                    self.account.secrets_manager(),
                )
                .knowing(
                    "kms:EncryptionContext:SecretARN",
                    ContextKeyTypeEnum::String,
                    secret,
                )
        };
        firsts.into_iter().map(case).collect()
    }

    fn signing(&self) -> Option<Case> {
        let (alias, key) = self.signing?;
        let case = Case::new([SIGN], vec![key.into()])
            .knowing(
                "kms:SigningAlgorithm",
                ContextKeyTypeEnum::String,
                "RSASSA_PKCS1_V1_5_SHA_256",
            )
            .knowing("kms:ResourceAliases", ContextKeyTypeEnum::StringList, alias);
        Some(case)
    }
}

fn called(role: &str) -> Vec<String> {
    let mut rights: BTreeMap<String, Rights> = serde_json::from_str(RIGHTS).unwrap_or_default();
    rights.remove(role).map(|it| it.called).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rights_of_every_function_are_known() {
        for role in ["postgres", "github", "tick"] {
            assert!(
                called(role).iter().any(|it| it.starts_with(SECRETS)),
                "{role}"
            );
        }
        assert!(called("github").iter().any(|it| it == SIGN));
        assert!(called("tick").iter().any(|it| it == LIST));
    }
}
