//! The secrets that name a rotation function, and those that should.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::SecretListEntry;
use twinkey_aws::SdkConfig;
use twinkey_core::{Policy, StoreError};

use crate::deployment::{Account, Names};
use crate::finding::Finding;
use crate::question::Question;

const OUR_TAGS: &str = "twinkey:";
const PAGE: i32 = 100;

/// A secret that one of the functions rotates.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) arn: String,
    /// The customer's key that encrypts it.
    pub(crate) key: Option<String>,
}

/// The findings, and the secrets by the name of their function.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    pub(crate) findings: Vec<Finding>,
    pub(crate) of: BTreeMap<String, Vec<Secret>>,
}

/// One call for each hundred secrets of the region, read-only. No value is read.
pub(crate) async fn look(config: &SdkConfig, names: &Names, account: &Account) -> Secrets {
    let entries = match list(config).await {
        Ok(entries) => entries,
        Err(error) => {
            let findings = vec![Finding::unknown("secrets", &error)];
            return Secrets {
                findings,
                ..Secrets::default()
            };
        }
    };
    let mut secrets = Secrets::default();
    let rotators = names.rotators();
    for name in &rotators {
        secrets.of.insert(name.clone(), Vec::new());
    }
    let mut problems = Vec::new();
    for entry in &entries {
        let function = entry
            .rotation_lambda_arn()
            .and_then(|arn| account.function(arn));
        let ours = function.and_then(|name| secrets.of.get_mut(name));
        problems.extend(problem(entry, account, ours.is_some()));
        if let Some(ours) = ours {
            ours.push(Secret {
                arn: entry.arn().unwrap_or_default().into(),
                key: entry.kms_key_id().map(Into::into),
            });
        }
    }
    let count = |name: &String| match secrets.of.get(name).map_or(0, Vec::len) {
        0 => "no secret names it yet".into(),
        number => format!("{number} name it"),
    };
    secrets.findings = rotators
        .iter()
        .map(|name| Finding::ok(format!("secrets of {name}"), count(name)))
        .collect();
    secrets.findings.extend(problems);
    secrets
}

async fn list(config: &SdkConfig) -> Result<Vec<SecretListEntry>, StoreError> {
    let client = Client::new(config);
    let everything = "the region's secrets";
    let question = Question::new("Secrets Manager", "secretsmanager:ListSecrets", everything);
    let (mut entries, mut token) = (Vec::new(), None);
    loop {
        let request = client
            .list_secrets()
            .max_results(PAGE)
            .set_next_token(token);
        let page = question.list(request.send().await)?;
        entries.extend(page.secret_list.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            return Ok(entries);
        }
    }
}

/// What keeps a secret from being rotated as it asks to be.
fn problem(entry: &SecretListEntry, account: &Account, is_ours: bool) -> Option<Finding> {
    let name = entry.name().unwrap_or_default();
    let subject = format!("secret {name}");
    let tags: BTreeMap<String, String> = entry
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
        .collect();
    let is_tagged = tags.keys().any(|key| key.starts_with(OUR_TAGS));
    if !is_ours {
        let is_nobodys = entry.rotation_lambda_arn().is_none()
            && entry.owning_service().is_none_or(str::is_empty)
            && entry.primary_region().is_none_or(|it| it == account.region);
        let hint = format!(
            "aws secretsmanager rotate-secret --secret-id {name} --rotation-lambda-arn ARN \
             --rotation-rules 'ScheduleExpression=rate(30 days)'"
        );
        let detail = "it has tags of twinkey's, and no rotation function";
        return (is_tagged && is_nobodys).then(|| Finding::missing(subject, detail, hint));
    }
    if entry.rotation_enabled() != Some(true) {
        let hint = format!(
            "turn it on, which rotates at once: aws secretsmanager rotate-secret --secret-id {name}"
        );
        return Some(Finding::wrong(subject, "its rotation is turned off", hint));
    }
    let wrong = Policy::parse(&tags).err()?;
    let hint = "docs/operations.md, Tags; until then no tick rotates it";
    Some(Finding::wrong(subject, wrong.to_string(), hint))
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::types::Tag;

    use super::*;
    use crate::finding::State;

    fn account() -> Account {
        Account {
            id: "123456789012".into(),
            partition: "aws".into(),
            region: "eu-central-1".into(),
        }
    }

    fn tagged(
        key: &str,
        value: &str,
    ) -> aws_sdk_secretsmanager::types::builders::SecretListEntryBuilder {
        let tag = Tag::builder().key(key).value(value).build();
        SecretListEntry::builder().name("TEST").tags(tag)
    }

    fn state(entry: &SecretListEntry, is_ours: bool) -> Option<State> {
        problem(entry, &account(), is_ours).map(|finding| finding.state)
    }

    #[test]
    fn a_secret_with_our_tags_and_no_function_is_told_and_others_are_none_of_our_business() {
        let ours = tagged("twinkey:schedule", "rate 1 hour");
        assert_eq!(state(&ours.clone().build(), false), Some(State::Missing));
        let another = "arn:aws:lambda:eu-central-1:123456789012:function:another";
        assert_eq!(
            state(&ours.clone().rotation_lambda_arn(another).build(), false),
            None
        );
        assert_eq!(
            state(&ours.clone().owning_service("rds").build(), false),
            None
        );
        assert_eq!(
            state(&ours.primary_region("us-east-1").build(), false),
            None
        );
        assert_eq!(state(&tagged("team", "shop").build(), false), None);
    }

    #[test]
    fn a_secret_whose_rotation_is_off_or_whose_tags_cannot_be_read_is_told() {
        let ours = tagged("twinkey:schedule", "rate 1 hour");
        assert_eq!(state(&ours.clone().build(), true), Some(State::Wrong));
        assert_eq!(state(&ours.rotation_enabled(true).build(), true), None);
        let unreadable = tagged("twinkey:schedule", "now and then").rotation_enabled(true);
        let found = problem(&unreadable.build(), &account(), true).expect("a finding");
        assert!(found.detail.contains("twinkey:schedule"), "{found:?}");
    }
}
