//! Whether each role may do what its function does.

use std::collections::BTreeMap;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::ContextKeyTypeEnum::{Boolean, String as Text, StringList};
use serde::Deserialize;
use twinkey_aws::SdkConfig;

use crate::deployment::{Account, Names};
use crate::finding::{DEPLOY, Finding};
use crate::function::Function;
use crate::key;
use crate::schedule::Schedule;
use crate::secrets::Secret;
use crate::simulator::{Case, Refused};

/// What each role is seen to call: the tests of the templates hold both to it.
const RIGHTS: &str = include_str!("../../../infra/rights.json");
const SECRETS: &str = "secretsmanager:";
/// The one action here that knows no resources.
const LIST: &str = "secretsmanager:ListSecrets";
const INVOKE: &str = "lambda:InvokeFunction";
const SIGN: &str = "kms:Sign";
const ENCRYPT: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];
const WRITE_LOG: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
/// In one call, so that its decisions fit into a page.
const MOST_SECRETS: usize = 25;
const MOST_TOLD: usize = 10;

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
    functions: &[Function; 3],
    schedule: &Schedule,
    used: &Used<'_>,
) -> Vec<Finding> {
    let client = Client::new(config);
    let (keys, mut findings) = used.keys(config).await;
    let of = async |function: &Function| {
        let role = function.role.as_deref()?;
        let subject = format!("rights of {}", function.name);
        Some(
            used.may(&client, subject, role, used.by(function, &keys))
                .await,
        )
    };
    let [one, two, three] = functions;
    let by_schedule = async {
        let role = schedule.role.as_deref()?;
        let subject = format!("rights of the schedule {}", used.names.tick());
        Some(
            used.may(&client, subject, role, used.by_the(schedule))
                .await,
        )
    };
    let (one, two, three, by_schedule) = tokio::join!(of(one), of(two), of(three), by_schedule);
    findings.extend([one, two, three, by_schedule].into_iter().flatten());
    findings
}

impl Used<'_> {
    async fn may(&self, client: &Client, subject: String, role: &str, cases: Vec<Case>) -> Finding {
        let mut refused = Refused::default();
        let tried: usize = cases.iter().map(Case::size).sum();
        for case in cases {
            match self.told(case, role).refused(client, role).await {
                Ok(Some(of_case)) => refused.extend(of_case),
                Ok(None) => {
                    let detail = format!("the role {role} is gone");
                    return Finding::missing(subject, detail, DEPLOY);
                }
                Err(error) => return Finding::unknown(subject, &error),
            }
        }
        verdict(subject, tried, &refused)
    }

    /// What any request of a role has beside: policies of whole accounts ask for it.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
    fn told(&self, case: Case, role: &str) -> Case {
        case.knowing("aws:RequestedRegion", Text, &self.account.region)
            .knowing("aws:PrincipalAccount", Text, &self.account.id)
            .knowing("aws:PrincipalArn", Text, role)
            .knowing("aws:SecureTransport", Boolean, "true")
    }

    /// What a function does.
    fn by(&self, function: &Function, keys: &BTreeMap<&str, String>) -> Vec<Case> {
        let called = called(self.names.role(&function.name));
        let of_secrets = |action: &&String| action.starts_with(SECRETS) && *action != LIST;
        let of_secrets: Vec<&String> = called.iter().filter(of_secrets).collect();
        let secrets = self.samples(&function.name);
        let [rotator, other] = self
            .names
            .rotators()
            .map(|it| self.account.function_arn(&it));
        let stream = self.account.log_stream_arn(&function.log);
        let mut cases = vec![Case::new(WRITE_LOG, vec![stream])];
        for some in secrets.chunks(MOST_SECRETS) {
            let arns = some.iter().map(|secret| secret.arn.clone()).collect();
            let case = Case::new(of_secrets.iter().copied(), arns);
            // As Secrets Manager tells of a rotation that changes no setting.
            cases.push(
                case.knowing("secretsmanager:RotationLambdaARN", Text, &rotator)
                    .knowing("secretsmanager:ModifyRotationRules", Boolean, "false"),
            );
        }
        if function.name == self.names.tick() {
            cases.push(Case::new([LIST], vec!["*".into()]));
            cases.push(Case::new([INVOKE], vec![rotator, other]));
        } else {
            cases.extend(self.encrypting(&secrets, keys));
        }
        if called.iter().any(|action| action == SIGN) {
            cases.extend(self.signing());
        }
        cases
    }

    fn by_the(&self, schedule: &Schedule) -> Vec<Case> {
        let tick = self.account.function_arn(&self.names.tick());
        let mut cases = vec![Case::new([INVOKE], vec![tick])];
        if let Some(queue) = &schedule.queue {
            cases.push(Case::new(["sqs:SendMessage"], vec![queue.clone()]));
        }
        cases
    }

    /// Of the secrets that a function has to do with, one for each prefix and customer's key: policies name prefixes.
    fn samples(&self, function: &str) -> Vec<&Secret> {
        let is_tick = function == self.names.tick();
        let of_it = |(name, _): &(&String, &Vec<Secret>)| is_tick || *name == function;
        let secrets = self
            .secrets
            .iter()
            .filter(of_it)
            .flat_map(|(_, secrets)| secrets);
        let mut samples = BTreeMap::new();
        for secret in secrets {
            let prefix = secret
                .arn
                .rsplit_once('/')
                .map_or(secret.arn.as_str(), |it| it.0);
            samples.entry((prefix, &secret.key)).or_insert(secret);
        }
        samples.into_values().collect()
    }

    /// The ARNs of the customers' keys, by what the secrets call them.
    async fn keys(&self, config: &SdkConfig) -> (BTreeMap<&str, String>, Vec<Finding>) {
        let (mut keys, mut findings) = (BTreeMap::new(), Vec::new());
        let secrets = self.secrets.values().flatten();
        for name in secrets.filter_map(|secret| secret.key.as_deref()) {
            if keys.contains_key(name) {
                continue;
            }
            match key::arn(config, self.account, name).await {
                Ok(Some(arn)) => drop(keys.insert(name, arn)),
                Ok(None) => findings.push(Finding::missing(
                    format!("key {name}"),
                    "secrets are encrypted by it, and there is none",
                    "give them another one: aws secretsmanager update-secret --kms-key-id KEY",
                )),
                Err(error) => findings.push(Finding::unknown(format!("key {name}"), &error)),
            }
        }
        (keys, findings)
    }

    /// As Secrets Manager would use them.
    fn encrypting(&self, secrets: &[&Secret], keys: &BTreeMap<&str, String>) -> Vec<Case> {
        let case = |secret: &&Secret| {
            let key = keys.get(secret.key.as_deref()?)?;
            let case = Case::new(ENCRYPT, vec![key.clone()])
                .knowing("kms:ViaService", Text, self.account.secrets_manager())
                .knowing("kms:EncryptionContext:SecretARN", Text, &secret.arn);
            Some(case)
        };
        secrets.iter().filter_map(case).collect()
    }

    fn signing(&self) -> Option<Case> {
        let (alias, key) = self.signing?;
        let case = Case::new([SIGN], vec![key.into()])
            .knowing("kms:SigningAlgorithm", Text, "RSASSA_PKCS1_V1_5_SHA_256")
            .knowing("kms:ResourceAliases", StringList, alias);
        Some(case)
    }
}

fn verdict(subject: String, tried: usize, refused: &Refused) -> Finding {
    if refused.by_resource.is_empty() {
        return Finding::ok(subject, format!("{tried} tried, all allowed"));
    }
    let told = refused.by_resource.iter().take(MOST_TOLD);
    let mut told: Vec<String> = told
        .map(|(resource, actions)| format!("{} on {resource}", actions.join(", ")))
        .collect();
    if let Some(more) = refused.by_resource.len().checked_sub(MOST_TOLD + 1) {
        told.push(format!("on {} more", more + 1));
    }
    let detail = format!("its role may not {}", told.join("; "));
    if !refused.lacking.is_empty() {
        let lacking: Vec<&str> = refused.lacking.iter().map(String::as_str).collect();
        let hint = "see in IAM's policy simulator, with a value for each of them";
        let detail = format!(
            "{detail}; or it may: policies ask for {}",
            lacking.join(", ")
        );
        return Finding::undecided(subject, detail, hint);
    }
    let mut actions = refused.by_resource.values().flatten();
    let is_about_secrets =
        |action: &String| action.starts_with(SECRETS) || ENCRYPT.contains(&action.as_str());
    let hint = if actions.any(is_about_secrets) {
        "give the secret a name that begins with its function's prefix, or deploy with the prefix and the key that it has: \
         infra/README.md, Who may do what"
    } else {
        DEPLOY
    };
    Finding::wrong(subject, detail, hint)
}

fn called(role: &str) -> Vec<String> {
    let mut rights: BTreeMap<String, Rights> = serde_json::from_str(RIGHTS).unwrap_or_default();
    rights.remove(role).map(|it| it.called).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

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

    #[test]
    fn a_refusal_for_want_of_a_key_that_policies_ask_for_decides_nothing() {
        let mut refused = Refused::default();
        assert_eq!(verdict("TEST".into(), 1, &refused).state, State::Ok);
        let resource = |number| (format!("TEST-{number}"), vec![SIGN.to_owned()]);
        refused.by_resource.extend((0..12).map(resource));
        let found = verdict("TEST".into(), 12, &refused);
        assert_eq!(found.state, State::Wrong);
        assert!(found.detail.ends_with("on 2 more"), "{found:?}");
        refused.lacking.insert("aws:TEST".into());
        assert_eq!(verdict("TEST".into(), 12, &refused).state, State::Unknown);
    }
}
