//! Which three roles a document means, and what the second login is today.

use twinkey_core::SecretAddress;

use crate::adoption::report::TwinState;
use crate::document::PostgresSecret;
use crate::error::PostgresError;
use crate::mark::Mark;
use crate::pair::{Pairing, default_twin, sides};
use crate::provider::{first_owner, marked_owner};
use crate::snapshot::{Role, Snapshot};

/// The three roles of a pair.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) original: String,
    pub(crate) twin: String,
    pub(crate) owner: String,
    pub(crate) twin_is: TwinState,
    /// The mark that stands at the server.
    pub(crate) mark: Option<Mark>,
    /// Why a rotation would refuse the document or the pair.
    pub(crate) refusal: Option<PostgresError>,
}

impl Standing {
    /// Fails only where there is nothing to look at: the document's own role does not exist.
    pub(crate) fn find(
        snapshot: &Snapshot,
        secret: &PostgresSecret,
        address: &SecretAddress,
    ) -> Result<Self, PostgresError> {
        let username = secret.username();
        let role = snapshot.existing(username)?;
        let twin = match secret.twin() {
            Some(twin) => twin.to_owned(),
            None => default_twin(snapshot, secret, address),
        };
        Ok(match Pairing::find(snapshot, username, &twin, address) {
            Ok(Pairing::First) => Self::first(secret, role, twin),
            Ok(Pairing::Marked(mark)) => Self::marked(secret, *mark),
            Err(refusal) => Self::refused(snapshot, secret, role, &twin, refusal),
        })
    }

    /// Whether it is the same pair, as far along.
    pub(crate) fn is_still(&self, other: &Self) -> bool {
        let of = |it: &Self| (it.original.clone(), it.twin.clone(), it.owner.clone());
        of(self) == of(other) && self.twin_is == other.twin_is
    }

    /// Whether both logins act as a third role.
    pub(crate) fn has_third_owner(&self) -> bool {
        self.owner != self.original
    }

    /// Whether there is a second login that belongs to the pair, or shall.
    pub(crate) fn has_twin(&self) -> bool {
        matches!(self.twin_is, TwinState::Ours | TwinState::OfAnotherTool)
    }

    /// The logins of the pair that exist.
    pub(crate) fn logins(&self) -> Vec<&str> {
        let twin = self.has_twin().then_some(self.twin.as_str());
        [self.original.as_str()].into_iter().chain(twin).collect()
    }

    fn first(secret: &PostgresSecret, role: &Role, twin: String) -> Self {
        let (owner, refusal) = match first_owner(secret, role) {
            Ok(owner) => (owner, None),
            Err(error) => (acts_as(role, secret), Some(error.into())),
        };
        Self {
            original: role.name.clone(),
            twin,
            owner: owner.into(),
            twin_is: TwinState::Missing,
            mark: None,
            refusal,
        }
    }

    fn marked(secret: &PostgresSecret, mark: Mark) -> Self {
        Self {
            original: mark.original.clone(),
            twin: mark.twin.clone(),
            owner: mark.owner.clone(),
            twin_is: TwinState::Ours,
            refusal: marked_owner(secret, &mark).err().map(Into::into),
            mark: Some(mark),
        }
    }

    /// What another tool made for this pair is a member of it: that much shows that whoever made
    /// the role meant it to stand for the original.
    fn refused(
        snapshot: &Snapshot,
        secret: &PostgresSecret,
        role: &Role,
        other: &str,
        refusal: PostgresError,
    ) -> Self {
        let owner = match (secret.owner(), snapshot.role(other)) {
            (Some(owner), _) => owner,
            (None, Some(other)) if may(role, &other.name) && !may(other, &role.name) => {
                acts_as(other, secret)
            }
            (None, _) => acts_as(role, secret),
        };
        let (original, twin) = sides([&role.name, other], owner);
        let unmarked = matches!(
            refusal,
            PostgresError::ForeignTwin(_) | PostgresError::MarkMissing { .. }
        );
        let serves = snapshot
            .role(twin)
            .is_some_and(|twin| may(twin, original) || may(twin, owner));
        let twin_is = if unmarked && serves {
            TwinState::OfAnotherTool
        } else {
            TwinState::Foreign
        };
        Self {
            original: original.into(),
            twin: twin.into(),
            owner: owner.into(),
            twin_is,
            mark: None,
            refusal: Some(refusal),
        }
    }
}

fn may(role: &Role, act_as: &str) -> bool {
    role.may_act_as.iter().any(|other| other == act_as)
}

fn acts_as<'a>(role: &'a Role, secret: &PostgresSecret) -> &'a str {
    role.acts_as(secret.database()).unwrap_or(&role.name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;
    use twinkey_core::{Credential, SecretId, SecretValue};

    use super::*;
    use crate::snapshot::{of_roles, plain_role};

    fn find(roles: Vec<Role>, fields: &serde_json::Value) -> Standing {
        let mut document = json!({
            "engine": "postgres", "host": "db", "password": "TEST-password", "username": "app",
        });
        for (field, value) in fields.as_object().unwrap() {
            document[field] = value.clone();
        }
        let secret = PostgresSecret::parse(&SecretValue::new(document.to_string())).unwrap();
        let address = SecretAddress {
            store: "store".into(),
            secret: SecretId::new("ours"),
        };
        Standing::find(&of_roles(15, roles), &secret, &address).unwrap()
    }

    fn member(name: &str, of: &str) -> Role {
        Role {
            may_act_as: vec![of.into()],
            ..plain_role(name)
        }
    }

    #[test]
    fn a_clone_of_another_tool_is_told_from_a_stranger_and_from_the_original() {
        let clone = || vec![plain_role("app"), member("app_clone", "app")];
        for fields in [
            json!({}),
            json!({"username": "app_clone", "twin": "app"}),
            json!({"username": "app_clone", "twin": "app", "owner": "app"}),
        ] {
            let standing = find(clone(), &fields);
            assert_eq!(standing.twin_is, TwinState::OfAnotherTool);
            assert_eq!(standing.logins(), ["app", "app_clone"]);
            assert!(!standing.has_third_owner());
        }
        let strangers = vec![plain_role("app"), plain_role("app_clone")];
        let standing = find(strangers, &json!({}));
        assert_eq!(standing.twin_is, TwinState::Foreign);
        assert_eq!(standing.logins(), ["app"]);
    }

    #[test]
    fn a_third_owner_may_have_the_pair_of_another_tool_too() {
        let roles = vec![member("app", "shop"), member("app_clone", "shop")];
        let standing = find(roles, &json!({"owner": "shop"}));
        assert_eq!(standing.twin_is, TwinState::OfAnotherTool);
        assert!(standing.has_third_owner());
    }
}
