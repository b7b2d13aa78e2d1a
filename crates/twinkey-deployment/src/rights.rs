//! Whether each function's role may do what the function does, by IAM's own simulator: identity-based policies, permissions
//! boundaries and service control policies, not the resources' own.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html>

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
};
use serde::Deserialize;
use twinkey_aws::SdkConfig;
use twinkey_core::StoreError;

use crate::deployment::{Account, Names};
use crate::finding::Finding;
use crate::function::Function;
use crate::question::Question;
use crate::secrets::Secret;

/// What each role is seen to call: the tests of the templates hold both to it.
const RIGHTS: &str = include_str!("../../../infra/rights.json");
const SECRETS: &str = "secretsmanager:";
/// The one action here that knows no resources.
const LIST: &str = "secretsmanager:ListSecrets";
const INVOKE: &str = "lambda:InvokeFunction";
const SIGN: &str = "kms:Sign";
const ENCRYPT: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];
/// Of so many secrets of each function; all have the same prefix, or should.
const MOST_SECRETS: usize = 50;
const MOST_TOLD: usize = 3;

#[derive(Deserialize)]
struct Rights {
    called: Vec<String>,
}

/// What is asked of the simulator in one call.
struct Case {
    actions: Vec<String>,
    resources: Vec<String>,
    /// What the request would have beside: keys, the types of their values, and one value each.
    known: Vec<(&'static str, ContextKeyTypeEnum, String)>,
}

/// What the roles must be able to use.
pub(crate) struct Used<'a> {
    pub(crate) account: &'a Account,
    pub(crate) names: &'a Names,
    pub(crate) secrets: &'a BTreeMap<String, Vec<Secret>>,
    /// The alias of the App's key, and the ARN of the key that has it.
    pub(crate) signing: Option<(&'a str, &'a str)>,
}

/// A few calls for each function, all read-only.
pub(crate) async fn look(
    config: &SdkConfig,
    functions: &[Function],
    used: &Used<'_>,
) -> Vec<Finding> {
    let client = Client::new(config);
    let mut findings = Vec::new();
    for function in functions {
        // Without a function there is no role to look at, and its finding says so.
        if let Some(role) = &function.role {
            findings.push(may(&client, role, &function.name, used).await);
        }
    }
    findings
}

async fn may(client: &Client, role: &str, function: &str, used: &Used<'_>) -> Finding {
    let subject = format!("rights of {function}");
    let cases = used.cases(function);
    let mut denied = BTreeSet::new();
    let mut asked = 0;
    for case in &cases {
        asked += case.actions.len() * case.resources.len();
        match simulate(client, role, case).await {
            Ok(allowed) => denied.extend(case.refused(&allowed)),
            Err(error) => return Finding::unknown(subject, &error),
        }
    }
    if denied.is_empty() {
        let detail = match asked {
            0 => "nothing to try them on yet".into(),
            number => format!("{number} tried, all allowed"),
        };
        return Finding::ok(subject, detail);
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
    fn cases(&self, function: &str) -> Vec<Case> {
        let called = called(self.names.role(function));
        let of_secrets: Vec<String> = called
            .iter()
            .filter(|action| action.starts_with(SECRETS) && *action != LIST)
            .cloned()
            .collect();
        let secrets = self.rotated(function);
        let arns = secrets.iter().map(|secret| secret.arn.clone()).collect();
        let mut cases = vec![Case::of(of_secrets, arns)];
        if function == self.names.tick() {
            let rotators = self.names.rotators();
            let arns = rotators.iter().map(|name| self.account.function_arn(name));
            cases.push(Case::of(vec![LIST.into()], vec!["*".into()]));
            cases.push(Case::of(vec![INVOKE.into()], arns.collect()));
        } else {
            cases.extend(self.keys(&secrets));
        }
        if let Some((alias, key)) = self.signing
            && called.iter().any(|action| action == SIGN)
        {
            cases.push(Case {
                known: vec![
                    (
                        "kms:SigningAlgorithm",
                        ContextKeyTypeEnum::String,
                        "RSASSA_PKCS1_V1_5_SHA_256".into(),
                    ),
                    (
                        "kms:ResourceAliases",
                        ContextKeyTypeEnum::StringList,
                        alias.into(),
                    ),
                ],
                ..Case::of(vec![SIGN.into()], vec![key.into()])
            });
        }
        cases.retain(|case| !case.resources.is_empty());
        cases
    }

    /// The secrets that a function has to do with.
    fn rotated(&self, function: &str) -> Vec<&Secret> {
        let of = |name: &String| {
            let secrets = self.secrets.get(name).into_iter().flatten();
            secrets.take(MOST_SECRETS)
        };
        if function == self.names.tick() {
            return self.secrets.keys().flat_map(of).collect();
        }
        of(&function.to_owned()).collect()
    }

    /// The customer's keys, each with the first of the secrets that it encrypts: as Secrets Manager would use it.
    fn keys(&self, secrets: &[&Secret]) -> Vec<Case> {
        let mut firsts: BTreeMap<String, &str> = BTreeMap::new();
        for secret in secrets {
            if let Some(key) = secret
                .key
                .as_deref()
                .and_then(|key| self.account.key_arn(key))
            {
                firsts.entry(key).or_insert(&secret.arn);
            }
        }
        let through = format!(
            "secretsmanager.{}.{}",
            self.account.region,
            self.account.domain()
        );
        let case = |(key, secret): (String, &str)| Case {
            known: vec![
                (
                    "kms:ViaService",
                    ContextKeyTypeEnum::String,
                    through.clone(),
                ),
                (
                    "kms:EncryptionContext:SecretARN",
                    ContextKeyTypeEnum::String,
                    secret.into(),
                ),
            ],
            ..Case::of(ENCRYPT.map(Into::into).to_vec(), vec![key])
        };
        firsts.into_iter().map(case).collect()
    }
}

impl Case {
    fn of(actions: Vec<String>, resources: Vec<String>) -> Self {
        Self {
            actions,
            resources,
            known: Vec::new(),
        }
    }

    fn context(&self) -> Vec<ContextEntry> {
        let entry = |(key, kind, value): &(&str, ContextKeyTypeEnum, String)| {
            ContextEntry::builder()
                .context_key_name(*key)
                .context_key_type(kind.clone())
                .context_key_values(value)
                .build()
        };
        self.known.iter().map(entry).collect()
    }

    /// What was asked for and is not among what is allowed.
    fn refused(&self, allowed: &[EvaluationResult]) -> Vec<String> {
        let mut refused = Vec::new();
        for action in &self.actions {
            let result = allowed
                .iter()
                .find(|it| it.eval_action_name().eq_ignore_ascii_case(action));
            for resource in &self.resources {
                if !result.is_some_and(|result| allows(result, resource)) {
                    refused.push(format!("{action} on {resource}"));
                }
            }
        }
        refused
    }
}

/// Where each resource has a decision of its own, that one counts.
fn allows(result: &EvaluationResult, resource: &str) -> bool {
    let of_each = result.resource_specific_results();
    if of_each.is_empty() {
        return result.eval_decision() == &PolicyEvaluationDecisionType::Allowed;
    }
    of_each
        .iter()
        .filter(|it| it.eval_resource_name() == resource)
        .any(|it| it.eval_resource_decision() == &PolicyEvaluationDecisionType::Allowed)
}

async fn simulate(
    client: &Client,
    role: &str,
    case: &Case,
) -> Result<Vec<EvaluationResult>, StoreError> {
    let question = Question::new("IAM", "iam:SimulatePrincipalPolicy", role);
    let context = case.context();
    let (mut results, mut marker) = (Vec::new(), None);
    loop {
        let request = client
            .simulate_principal_policy()
            .policy_source_arn(role)
            .set_action_names(Some(case.actions.clone()))
            .set_resource_arns(Some(case.resources.clone()))
            .set_context_entries(Some(context.clone()))
            .set_marker(marker);
        let page = question.list(request.send().await)?;
        results.extend(page.evaluation_results.unwrap_or_default());
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return Ok(results);
        }
    }
}

fn called(role: &str) -> Vec<String> {
    let rights: BTreeMap<String, Rights> = serde_json::from_str(RIGHTS).unwrap_or_default();
    let of = rights.into_iter().find(|(name, _)| name == role);
    of.map(|(_, rights)| rights.called).unwrap_or_default()
}
