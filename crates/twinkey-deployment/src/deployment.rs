//! A deployment: what it is called, where it is, and a look at all of it.

use serde::Serialize;
use twinkey_aws::{Call, Patience, SdkConfig, SecretsManagerStore};
use twinkey_core::{StoreError, escape_control};

use crate::finding::{Finding, State};
use crate::function::{Function, Functions, Part};
use crate::key::SigningKey;
use crate::notice::Topics;
use crate::question::Question;
use crate::rights::Used;
use crate::{alarms, key, notice, rights, schedule, secrets, trail};

/// What the templates in infra/ have made in one region, under one name.
pub struct Deployment {
    config: SdkConfig,
    store: SecretsManagerStore,
    names: Names,
    account: Account,
    signing_alias: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The deployment's name.
    pub name: String,
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// Whether any of the functions is there; if none is, the name or the region may be another one.
    pub is_there: bool,
    /// Each part, whether it is as it should be or not.
    pub findings: Vec<Finding>,
}

/// What the parts of a deployment are called.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) name: String,
}

/// Where a deployment is.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) partition: String,
    pub(crate) region: String,
}

impl Deployment {
    /// The deployment of this name in the configuration's region and account. `signing_alias` is that of the App's
    /// key in KMS; none where a secret holds that key. One call, which needs no right.
    pub async fn find(
        config: &SdkConfig,
        patience: Patience,
        name: &str,
        signing_alias: Option<&str>,
    ) -> Result<Self, StoreError> {
        let config = patience.apply(config);
        let region = config.region().map(ToString::to_string);
        let region = region.ok_or_else(|| StoreError::Invalid {
            field: "region".into(),
            reason: "none is set; AWS_REGION or a profile names one".into(),
        })?;
        let question = Question::new("STS", "sts:GetCallerIdentity", "the caller");
        let client = aws_sdk_sts::Client::new(&config);
        let caller = question.required(client.get_caller_identity().send().await)?;
        let partition = caller.arn().and_then(|arn| arn.split(':').nth(1));
        let is_number = |id: &&str| id.len() == 12 && id.bytes().all(|it| it.is_ascii_digit());
        let (Some(id), Some(partition)) = (caller.account().filter(is_number), partition) else {
            return Err(question.misunderstood());
        };
        Ok(Self {
            account: Account {
                id: id.into(),
                partition: partition.into(),
                region,
            },
            names: Names { name: name.into() },
            signing_alias: signing_alias.map(Into::into),
            store: SecretsManagerStore::new(&config, patience),
            config,
        })
    }

    /// Looks at every part, and changes nothing. About forty calls, and one more for each hundred secrets of the region.
    pub async fn look(&self) -> Report {
        let (config, names, account) = (&self.config, &self.names, &self.account);
        let lambda = Functions::new(config, account);
        let [postgres, github] = names.rotators();
        let tick = names.tick();
        let (postgres, github, ticking, scheduled, alarms, rule, trail, key, secrets) = tokio::join!(
            Box::pin(lambda.look(postgres, Part::Rotator)),
            Box::pin(lambda.look(github, Part::Rotator)),
            Box::pin(lambda.look(tick.clone(), Part::Tick)),
            Box::pin(schedule::look(config, account, &tick)),
            Box::pin(alarms::look(config, names)),
            Box::pin(notice::rule(config, &names.name)),
            Box::pin(trail::look(config, &account.region)),
            Box::pin(self.signing_key()),
            Box::pin(secrets::look(&self.store, names, account)),
        );
        let functions = [postgres, github, ticking];
        let arn = key.as_ref().and_then(|key| key.arn.as_deref());
        let used = Used {
            account,
            names,
            secrets: &secrets.of,
            signing: self.signing_alias.as_deref().zip(arn),
        };
        let topics = Topics {
            own: account.arn("sns", &names.name),
            of_alarms: &alarms.topics,
            of_rule: &rule.topics,
        };
        let (rights, topics) = tokio::join!(
            Box::pin(rights::look(config, &functions, &scheduled, &used)),
            Box::pin(topics.look(config, account)),
        );
        let of = |function: &Function| function.findings.clone();
        let findings = [
            functions.iter().flat_map(of).collect(),
            rights,
            secrets.findings,
            key.map(|key| key.finding).into_iter().collect(),
            scheduled.findings,
            alarms.findings,
            topics,
            vec![rule.finding, trail],
        ];
        Report {
            name: names.name.clone(),
            account: account.id.clone(),
            is_there: functions.iter().any(|function| function.role.is_some()),
            region: escape_control(&account.region),
            findings: findings.concat(),
        }
    }

    async fn signing_key(&self) -> Option<SigningKey> {
        let alias = self.signing_alias.as_deref()?;
        Some(key::look(&self.config, alias).await)
    }
}

impl Report {
    /// How many parts are not as they should be, or could not be looked at.
    pub fn problems(&self) -> usize {
        let is_problem = |finding: &&Finding| finding.state != State::Ok;
        self.findings.iter().filter(is_problem).count()
    }
}

impl Names {
    pub(crate) fn rotators(&self) -> [String; 2] {
        ["postgres", "github"].map(|provider| format!("{}-{provider}", self.name))
    }

    pub(crate) fn tick(&self) -> String {
        format!("{}-tick", self.name)
    }

    /// What a function's role is called in infra/rights.json.
    pub(crate) fn role<'a>(&self, function: &'a str) -> &'a str {
        let end = function.strip_prefix(&self.name);
        end.map_or(function, |end| end.trim_start_matches('-'))
    }
}

impl Account {
    /// The name of a function of this account and region, by its ARN.
    pub(crate) fn function<'a>(&self, arn: &'a str) -> Option<&'a str> {
        let parts: Vec<&str> = arn.split(':').collect();
        let here =
            parts.get(3) == Some(&self.region.as_str()) && parts.get(4) == Some(&self.id.as_str());
        parts.get(6).copied().filter(|_| here)
    }

    pub(crate) fn function_arn(&self, name: &str) -> String {
        self.arn("lambda", &format!("function:{name}"))
    }

    /// A stream that a function would make.
    pub(crate) fn log_stream_arn(&self, group: &str) -> String {
        let resource = format!("log-group:{group}:log-stream:deploy-check");
        self.arn("logs", &resource)
    }

    /// A key that is named by its ARN or its id. An alias names whichever has it, and no ARN.
    pub(crate) fn key_arn(&self, key: &str) -> Option<String> {
        match key {
            key if key.starts_with("arn:") && key.contains(":key/") => Some(key.into()),
            key if key.contains('/') => None,
            key => Some(self.arn("kms", &format!("key/{key}"))),
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            id,
            partition,
            region,
        } = self;
        format!("arn:{partition}:{service}:{region}:{id}:{resource}")
    }

    /// What KMS knows Secrets Manager by, when that uses a key for somebody.
    pub(crate) fn secrets_manager(&self) -> String {
        let domain = match self.partition.as_str() {
            "aws-cn" => "amazonaws.com.cn",
            _ => "amazonaws.com",
        };
        format!("secretsmanager.{}.{domain}", self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_templates() {
        let names = Names {
            name: "shop-keys".into(),
        };
        assert_eq!(names.rotators(), ["shop-keys-postgres", "shop-keys-github"]);
        assert_eq!(names.role("shop-keys-tick"), "tick");
    }

    #[test]
    fn a_function_belongs_to_an_account_and_a_region() {
        let account = Account {
            id: "123456789012".into(),
            partition: "aws".into(),
            region: "eu-central-1".into(),
        };
        let arn = account.function_arn("TEST");
        assert_eq!(account.function(&arn), Some("TEST"));
        assert_eq!(account.function(&format!("{arn}:live")), Some("TEST"));
        assert_eq!(
            account.function(&arn.replace("eu-central-1", "us-east-1")),
            None
        );
        assert_eq!(account.function("TEST"), None);
        assert_eq!(account.key_arn("alias/TEST"), None);
        let key = account.key_arn("TEST-id").expect("an ARN");
        assert_eq!(account.key_arn(&key), Some(key.clone()));
    }
}
