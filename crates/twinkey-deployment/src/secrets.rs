//! The secrets that name a rotation function, and those that should.

use std::collections::BTreeMap;

use twinkey_aws::{Listed, SecretsManagerStore, Which};
use twinkey_core::Policy;

use crate::deployment::{Account, Names};
use crate::finding::Finding;

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
pub(crate) async fn look(store: &SecretsManagerStore, names: &Names, account: &Account) -> Secrets {
    match store.list(Which::All).await {
        Ok(listed) => Secrets::of(&listed, names, account),
        Err(error) => Secrets {
            findings: vec![Finding::unknown("secrets", &error)],
            ..Secrets::default()
        },
    }
}

impl Secrets {
    fn of(listed: &[Listed], names: &Names, account: &Account) -> Self {
        let rotators = names.rotators();
        let mut of: BTreeMap<String, Vec<Secret>> = BTreeMap::new();
        let (mut problems, mut elsewhere) = (Vec::new(), 0);
        for secret in listed {
            let rotator = Rotator::of(secret, names, account);
            problems.extend(problem(secret, &rotator, names, account));
            match rotator {
                Rotator::Ours(name) => of.entry(name).or_default().push(Secret {
                    arn: secret.arn.to_string(),
                    key: secret.key.clone(),
                }),
                Rotator::Another if secret.is_tagged() => elsewhere += 1,
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
    fn of(secret: &Listed, names: &Names, account: &Account) -> Self {
        let Some(arn) = &secret.function else {
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
        if *arn != account.function_arn(name) {
            return Self::Unfit("its rotation function is named with a version or an alias");
        }
        Self::Ours(name.into())
    }
}

/// What keeps a secret from being rotated as it asks to be.
fn problem(
    secret: &Listed,
    rotator: &Rotator,
    names: &Names,
    account: &Account,
) -> Option<Finding> {
    let name = &secret.name;
    let subject = format!("secret {name}");
    let set = format!(
        "aws secretsmanager rotate-secret --secret-id {name} --rotation-rules 'ScheduleExpression=rate(30 days)' \
         --rotation-lambda-arn {}, or that of the other kind; it rotates at once",
        account.function_arn(&names.rotators()[0])
    );
    match rotator {
        Rotator::None | Rotator::Unfit(_) if secret.is_foreign || !secret.is_tagged() => None,
        Rotator::None => {
            let detail = "it has tags of twinkey's, and no rotation function";
            Some(Finding::missing(subject, detail, set))
        }
        Rotator::Unfit(why) => Some(Finding::wrong(subject, *why, set)),
        Rotator::Another => None,
        Rotator::Ours(_) if !secret.rotation_enabled => {
            let hint = format!(
                "turn it on, which rotates at once: aws secretsmanager rotate-secret --secret-id {name}"
            );
            Some(Finding::wrong(subject, "its rotation is turned off", hint))
        }
        Rotator::Ours(_) => {
            let wrong = Policy::parse(&secret.tags).err()?;
            let hint = "docs/operations.md, Tags; until then no tick rotates it";
            Some(Finding::wrong(subject, wrong.to_string(), hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use twinkey_core::SecretId;

    use super::*;
    use crate::finding::State;

    fn account() -> Account {
        Account {
            id: "123456789012".into(),
            partition: "aws".into(),
            region: "eu-central-1".into(),
        }
    }

    fn tagged(key: &str, value: &str) -> Listed {
        Listed {
            name: SecretId::new("TEST"),
            arn: SecretId::new("arn:TEST"),
            tags: BTreeMap::from([(key.into(), value.into())]),
            rotated_at: None,
            function: None,
            rotation_enabled: false,
            key: None,
            is_foreign: false,
        }
    }

    fn ours(function: Option<&str>) -> Listed {
        Listed {
            function: function.map(Into::into),
            ..tagged("twinkey:schedule", "rate 1 hour")
        }
    }

    fn look(secret: &Listed) -> Option<Finding> {
        let names = Names {
            name: "twinkey".into(),
        };
        let rotator = Rotator::of(secret, &names, &account());
        problem(secret, &rotator, &names, &account())
    }

    fn state(secret: &Listed) -> Option<State> {
        look(secret).map(|finding| finding.state)
    }

    #[test]
    fn a_secret_with_our_tags_and_no_function_is_told_and_others_are_none_of_our_business() {
        assert_eq!(state(&ours(None)), Some(State::Missing));
        let another = account().function_arn("another");
        assert_eq!(state(&ours(Some(&another))), None);
        let foreign = Listed {
            is_foreign: true,
            ..ours(None)
        };
        assert_eq!(state(&foreign), None);
        assert_eq!(state(&tagged("team", "shop")), None);
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
            assert_eq!(state(&ours(Some(&wrong))), Some(State::Wrong), "{wrong}");
            let others = Listed {
                function: Some(wrong.clone()),
                ..tagged("team", "shop")
            };
            assert_eq!(state(&others), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_whose_rotation_is_off_or_whose_tags_cannot_be_read_is_told() {
        let arn = account().function_arn("twinkey-postgres");
        let off = ours(Some(&arn));
        assert_eq!(state(&off), Some(State::Wrong));
        let on = Listed {
            rotation_enabled: true,
            ..off
        };
        assert_eq!(state(&on), None);
        let unreadable = Listed {
            tags: tagged("twinkey:schedule", "now and then").tags,
            ..on
        };
        let found = look(&unreadable).expect("a finding");
        assert!(found.detail.contains("twinkey:schedule"), "{found:?}");
    }
}
