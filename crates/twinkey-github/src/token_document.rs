//! The document of an installation token.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use twinkey_core::{Credential, DocumentError, KeyId, SecretValue};
use twinkey_document::{Fields, check_copies, object, optional_text, text};

use crate::app::{App, all_hold};
use crate::digest;
use crate::permissions::Permissions;

/// What the field `kind` of such a document says.
pub const TOKEN_KIND: &str = "github-installation-token";

/// The user under which git takes a token for a password.
/// <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation>
const USERNAME: &str = "x-access-token";
/// What every installation token begins with. The rest is opaque: its length and form have changed.
const PREFIX: &str = "ghs_";

/// One installation token, and what it is for. A document that was never rotated holds no token yet.
#[derive(Clone)]
pub struct TokenSecret {
    fields: Fields,
    pub(crate) app: App,
    /// What the token may do; `None`: all that the installation may.
    pub(crate) permissions: Option<Permissions>,
    /// Which repositories it reaches, by name; `None`: all that the installation does.
    pub(crate) repositories: Option<BTreeSet<String>>,
    pub(crate) key: Option<Token>,
}

/// A token, and when it lives.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSecret")
            .field("app", &self.app)
            .field("key", &self.key_id())
            .finish_non_exhaustive()
    }
}

impl TokenSecret {
    /// The token, if there is one. Show it to nobody but its owner.
    #[must_use]
    pub fn token(&self) -> Option<&SecretString> {
        self.key.as_ref().map(|key| &key.value)
    }

    /// The same with another token.
    pub(crate) fn with(&self, key: &Token) -> Result<Self, DocumentError> {
        let mut fields = self.fields.clone();
        let mut set =
            |field: &str, value: String| fields.insert(field.into(), Value::String(value));
        set("username", USERNAME.into());
        set("token", key.value.expose_secret().into());
        set("issued_at", spelt(key.issued_at));
        set("expires_at", spelt(key.expires_at));
        Self::from_fields(fields)
    }

    fn from_fields(fields: Fields) -> Result<Self, DocumentError> {
        if text(&fields, "kind")? != TOKEN_KIND {
            return Err(DocumentError::new("kind", format!("must be {TOKEN_KIND}")));
        }
        let permissions = present(&fields, "permissions");
        let permissions = permissions.map(|value| Permissions::parse("permissions", value));
        let repositories = present(&fields, "repositories").map(names);
        let secret = Self {
            app: App::parse(&fields)?,
            permissions: permissions.transpose()?,
            repositories: repositories.transpose()?,
            key: key(&fields)?,
            fields,
        };
        check_copies(&secret.fields, &["token"])?;
        Ok(secret)
    }
}

impl Credential for TokenSecret {
    fn parse(value: &SecretValue) -> Result<Self, DocumentError> {
        Self::from_fields(object(value, &["token"])?)
    }

    fn render(&self) -> SecretValue {
        SecretValue::new(Value::Object(self.fields.clone()).to_string())
    }

    /// The first bytes of the token's SHA-256.
    fn key_id(&self) -> Option<KeyId> {
        let first = digest::beginning(&[self.token()?.expose_secret()], 8);
        Some(KeyId::new(format!("sha256:{first}")))
    }

    fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.key.as_ref().map(|key| key.expires_at)
    }

    fn same_target(&self, other: &Self) -> Result<(), DocumentError> {
        all_hold(&self.app.same_target(&other.app))
    }

    fn continues(&self, current: &Self) -> Result<(), DocumentError> {
        self.same_target(current)?;
        let is_new = self.key.is_none() || self.key_id() != current.key_id();
        all_hold(&[("token", is_new)])
    }
}

fn present<'a>(fields: &'a Fields, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}

/// Names of repositories, without their owner: it is the installation's.
fn names(value: &Value) -> Result<BTreeSet<String>, DocumentError> {
    let fits = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !name.is_empty() && name.chars().all(plain) && name != "." && name != ".."
    };
    let names = value.as_array().into_iter().flatten();
    let names: Option<BTreeSet<String>> = names
        .map(|name| name.as_str().filter(|name| fits(name)).map(str::to_owned))
        .collect();
    names.filter(|names| !names.is_empty()).ok_or_else(|| {
        let problem = r#"must be a list of names without their owner, as in ["widgets"]"#;
        DocumentError::new("repositories", problem)
    })
}

fn key(fields: &Fields) -> Result<Option<Token>, DocumentError> {
    let Some(token) = optional_text(fields, "token")? else {
        return Ok(None);
    };
    let is_whole = token.starts_with(PREFIX) && token.chars().all(|c| c.is_ascii_graphic());
    if !is_whole {
        let problem = format!("is no installation token: they begin with {PREFIX}");
        return Err(DocumentError::new("token", problem));
    }
    Ok(Some(Token {
        value: token.into(),
        issued_at: moment(fields, "issued_at")?,
        expires_at: moment(fields, "expires_at")?,
    }))
}

fn moment(fields: &Fields, field: &str) -> Result<DateTime<Utc>, DocumentError> {
    let text = text(fields, field)?;
    let moment = DateTime::parse_from_rfc3339(&text);
    let moment = moment
        .map_err(|_| DocumentError::new(field, "is no moment, as in 2026-01-01T00:00:00Z"))?;
    Ok(moment.to_utc())
}

fn spelt(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "kind": "github-installation-token", "api_base": "https://api.github.com",
            "app_id": "Iv23TEST", "installation_id": "123", "app_key": {"kms": "alias/github-app"},
            "permissions": {"contents": "read"}, "repositories": ["widgets"], "note": "kept",
            "username": "x-access-token", "token": "ghs_TEST0000000000000000000000000000000001",
            "issued_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T01:00:00Z",
        })
    }

    fn parsed(document: &Value) -> Result<TokenSecret, DocumentError> {
        TokenSecret::parse(&SecretValue::new(document.to_string()))
    }

    fn with(field: &str, value: Value) -> Value {
        let mut document = document();
        document[field] = value;
        document
    }

    #[test]
    fn a_document_is_rendered_as_it_was_read() {
        let secret = parsed(&document()).expect("a document");
        assert_eq!(secret.render().expose(), document().to_string());
        let id = secret.key_id().expect("a key");
        assert_eq!(id.as_str().len(), "sha256:".len() + 16);
        assert!(!format!("{secret:?}").contains("TEST0000"));
    }

    #[test]
    fn a_new_token_takes_the_place_of_the_old_one_and_nothing_else_changes() {
        let old = parsed(&document()).expect("a document");
        let issued_at = DateTime::UNIX_EPOCH;
        let next = old
            .with(&Token {
                value: "ghs_TEST0000000000000000000000000000000002".into(),
                issued_at,
                expires_at: issued_at + TimeDelta::hours(1),
            })
            .expect("a document");
        next.continues(&old).expect("the next");
        old.continues(&old).expect_err("the same");
        let mut expected = document();
        expected["token"] = "ghs_TEST0000000000000000000000000000000002".into();
        expected["issued_at"] = "1970-01-01T00:00:00Z".into();
        expected["expires_at"] = "1970-01-01T01:00:00Z".into();
        assert_eq!(next.render().expose(), expected.to_string());
    }

    #[test]
    fn a_document_that_was_never_rotated_holds_no_key() {
        let mut fresh = document();
        for field in [
            "token",
            "issued_at",
            "expires_at",
            "username",
            "api_base",
            "permissions",
            "repositories",
        ] {
            fresh.as_object_mut().expect("an object").remove(field);
        }
        let secret = parsed(&fresh).expect("a document");
        assert_eq!(secret.key_id(), None);
        assert_eq!(secret.expires_at(), None);
        assert!(secret.app.base.is_githubs_own());
    }

    #[test]
    fn p10_a_token_of_another_target_is_none_of_these() {
        let secret = parsed(&document()).expect("a document");
        for (field, value) in [
            ("api_base", "https://git.example/api/v3"),
            ("app_id", "Iv23OTHER"),
            ("installation_id", "124"),
        ] {
            let other = parsed(&with(field, value.into())).expect("a document");
            assert_eq!(other.same_target(&secret).expect_err(field).field, field);
        }
        let other = parsed(&with("app_key", json!({"secret": "pem"}))).expect("a document");
        other.same_target(&secret).expect("who signs is no target");
    }

    #[test]
    fn p11_what_is_wrong_in_a_document_is_named_by_its_field_and_never_shown() {
        for (field, value) in [
            ("kind", json!("github-deploy-key")),
            ("api_base", json!("http://api.github.com")),
            ("api_base", json!(1)),
            ("app_id", json!(123)),
            ("app_id", json!("Iv23/../x")),
            ("installation_id", json!("12a")),
            ("installation_id", json!("")),
            ("app_key", json!("alias/x")),
            ("app_key", json!({"kms": "alias/x", "secret": "y"})),
            ("app_key", json!({"pem": "x"})),
            ("app_key", json!({"kms": ""})),
            ("permissions", json!({})),
            ("permissions", json!({"contents": "everything"})),
            ("repositories", json!([])),
            ("repositories", json!(["acme/widgets"])),
            ("repositories", json!([".."])),
            ("repositories", json!("widgets")),
            ("token", json!("ghp_TEST0000000000000000000000000000000001")),
            ("token", json!("ghs_TEST 1")),
            ("issued_at", json!("yesterday")),
            ("expires_at", Value::Null),
        ] {
            let error = parsed(&with(field, value.clone())).expect_err(field);
            assert_eq!(error.field, field, "{value}");
            assert!(!error.to_string().contains("TEST0"), "{error}");
        }
        let copied = with(
            "url",
            "https://x-access-token:ghs_TEST0000000000000000000000000000000001@git".into(),
        );
        assert_eq!(parsed(&copied).expect_err("a copy").field, "/url");
    }
}
