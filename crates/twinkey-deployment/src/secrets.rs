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

/// A secret that one of the functions rotates.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) arn: String,
    /// The customer's key that encrypts it, by its ARN, its id or an alias.
    pub(crate) key: Option<String>,
}

/// The findings, and the secrets by the name of their function.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    pub(crate) findings: Vec<Finding>,
    pub(crate) of: BTreeMap<String, Vec<Secret>>,
}

/// What a secret has for its rotation function.
#[derive(Debug, PartialEq, Eq)]
enum Rotator {
    None,
    /// One of ours, by its name.
    Ours(String),
    /// One that cannot rotate it, and why.
    Unfit(&'static str),
    /// Another deployment's, or nobody's that we know.
    Another,
}

/// One call for each hundred secrets of the region, read-only. No value is read.
pub(crate) async fn look(config: &SdkConfig, names: &Names, account: &Account) -> Secrets {
    match list(config).await {
        Ok(entries) => Secrets::of(&entries, names, account),
        Err(error) => Secrets {
            findings: vec![Finding::unknown("secrets", &error)],
            ..Secrets::default()
        },
    }
}

async fn list(config: &SdkConfig) -> Result<Vec<SecretListEntry>, StoreError> {
    let everything = "the region's secrets";
    let question = Question::new("Secrets Manager", "secretsmanager:ListSecrets", everything);
    let request = Client::new(config).list_secrets().into_paginator();
    let pages = request.page_size(100).send();
    let pages = question.list(pages.collect::<Result<Vec<_>, _>>().await)?;
    let entries = pages.into_iter().filter_map(|page| page.secret_list);
    Ok(entries.flatten().collect())
}

impl Secrets {
    fn of(entries: &[SecretListEntry], names: &Names, account: &Account) -> Self {
        let rotators = names.rotators();
        let mut of: BTreeMap<String, Vec<Secret>> = BTreeMap::new();
        let (mut problems, mut elsewhere) = (Vec::new(), 0);
        for entry in entries {
            let rotator = Rotator::of(entry, names, account);
            problems.extend(problem(entry, &rotator, names, account));
            match rotator {
                Rotator::Ours(name) => of.entry(name).or_default().push(Secret {
                    arn: entry.arn().unwrap_or_default().into(),
                    key: entry.kms_key_id().map(Into::into),
                }),
                Rotator::Another if is_tagged(&tags(entry)) => elsewhere += 1,
                _ => {}
            }
        }
        let mut findings = Vec::new();
        for name in &rotators {
            let detail = match of.get(name).map_or(0, Vec::len) {
                0 => "no secret names it yet".into(),
                number => format!("{number} name it"),
            };
            findings.push(Finding::ok(format!("secrets of {name}"), detail));
        }
        if elsewhere > 0 {
            let detail = format!("{elsewhere} have tags of twinkey's");
            findings.push(Finding::ok("secrets of other functions", detail));
        }
        findings.extend(problems);
        Self { findings, of }
    }
}

impl Rotator {
    fn of(entry: &SecretListEntry, names: &Names, account: &Account) -> Self {
        let Some(arn) = entry.rotation_lambda_arn() else {
            return Self::None;
        };
        let Some(name) = account.function(arn) else {
            return Self::Unfit("its rotation function is in another account or region");
        };
        if name == names.tick() {
            return Self::Unfit("its rotation function is the tick's, which rotates nothing");
        }
        if !names.rotators().iter().any(|it| it == name) {
            return Self::Another;
        }
        // The permission and the tick's rights are on the function.
        if arn != account.function_arn(name) {
            return Self::Unfit("its rotation function is named with a version or an alias");
        }
        Self::Ours(name.into())
    }
}

fn tags(entry: &SecretListEntry) -> BTreeMap<String, String> {
    let tags = entry.tags().iter();
    tags.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
        .collect()
}

fn is_tagged(tags: &BTreeMap<String, String>) -> bool {
    tags.keys().any(|key| key.starts_with(OUR_TAGS))
}

/// What keeps a secret from being rotated as it asks to be.
fn problem(
    entry: &SecretListEntry,
    rotator: &Rotator,
    names: &Names,
    account: &Account,
) -> Option<Finding> {
    let name = entry.name().unwrap_or_default();
    let subject = format!("secret {name}");
    let tags = tags(entry);
    let is_foreign = entry.owning_service().is_some_and(|it| !it.is_empty())
        || entry
            .primary_region()
            .is_some_and(|it| it != account.region);
    let set = format!(
        "aws secretsmanager rotate-secret --secret-id {name} --rotation-rules 'ScheduleExpression=rate(30 days)' \
         --rotation-lambda-arn {}, or that of the other kind; it rotates at once",
        account.function_arn(&names.rotators()[0])
    );
    match rotator {
        Rotator::None | Rotator::Unfit(_) if is_foreign || !is_tagged(&tags) => None,
        Rotator::None => {
            let detail = "it has tags of twinkey's, and no rotation function";
            Some(Finding::missing(subject, detail, set))
        }
        Rotator::Unfit(why) => Some(Finding::wrong(subject, *why, set)),
        Rotator::Another => None,
        Rotator::Ours(_) if entry.rotation_enabled() != Some(true) => {
            let hint = format!(
                "turn it on, which rotates at once: aws secretsmanager rotate-secret --secret-id {name}"
            );
            Some(Finding::wrong(subject, "its rotation is turned off", hint))
        }
        Rotator::Ours(_) => {
            let wrong = Policy::parse(&tags).err()?;
            let hint = "docs/operations.md, Tags; until then no tick rotates it";
            Some(Finding::wrong(subject, wrong.to_string(), hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::types::Tag;
    use aws_sdk_secretsmanager::types::builders::SecretListEntryBuilder;

    use super::*;
    use crate::finding::State;

    fn account() -> Account {
        Account {
            id: "123456789012".into(),
            partition: "aws".into(),
            region: "eu-central-1".into(),
        }
    }

    fn tagged(key: &str, value: &str) -> SecretListEntryBuilder {
        let tag = Tag::builder().key(key).value(value).build();
        SecretListEntry::builder().name("TEST").tags(tag)
    }

    fn ours() -> SecretListEntryBuilder {
        tagged("twinkey:schedule", "rate 1 hour")
    }

    fn look(entry: SecretListEntryBuilder) -> Option<Finding> {
        let (names, account) = (
            Names {
                name: "twinkey".into(),
            },
            account(),
        );
        let entry = entry.build();
        problem(
            &entry,
            &Rotator::of(&entry, &names, &account),
            &names,
            &account,
        )
    }

    fn state(entry: SecretListEntryBuilder) -> Option<State> {
        look(entry).map(|finding| finding.state)
    }

    #[test]
    fn a_secret_with_our_tags_and_no_function_is_told_and_others_are_none_of_our_business() {
        assert_eq!(state(ours()), Some(State::Missing));
        let another = account().function_arn("another");
        assert_eq!(state(ours().rotation_lambda_arn(another)), None);
        assert_eq!(state(ours().owning_service("rds")), None);
        assert_eq!(state(ours().primary_region("us-east-1")), None);
        assert_eq!(state(tagged("team", "shop")), None);
    }

    #[test]
    fn a_secret_whose_function_cannot_rotate_it_is_told() {
        let postgres = account().function_arn("twinkey-postgres");
        for wrong in [
            account().function_arn("twinkey-tick"),
            postgres.replace("eu-central-1", "us-east-1"),
            postgres.replace("123456789012", "444455556666"),
            format!("{postgres}:live"),
        ] {
            let of = |entry: SecretListEntryBuilder| state(entry.rotation_lambda_arn(&wrong));
            assert_eq!(of(ours()), Some(State::Wrong), "{wrong}");
            assert_eq!(of(tagged("team", "shop")), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_whose_rotation_is_off_or_whose_tags_cannot_be_read_is_told() {
        let arn = account().function_arn("twinkey-postgres");
        let ours = ours().rotation_lambda_arn(&arn);
        assert_eq!(state(ours.clone()), Some(State::Wrong));
        assert_eq!(state(ours.rotation_enabled(true)), None);
        let unreadable = tagged("twinkey:schedule", "now and then").rotation_lambda_arn(&arn);
        let found = look(unreadable.rotation_enabled(true)).expect("a finding");
        assert!(found.detail.contains("twinkey:schedule"), "{found:?}");
    }
}
