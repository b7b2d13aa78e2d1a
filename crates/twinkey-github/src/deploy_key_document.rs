//! The document of a deploy key.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::Value;
use twinkey_core::{
    Credential, DocumentError, KeyId, KeyLabel, Random, SecretAddress, SecretValue, VersionId,
};
use twinkey_document::{Fields, check_copies, object, optional_text, text};

use crate::app::{App, all_hold};
use crate::{digest, openssh};

/// What the field `kind` of such a document says.
pub const DEPLOY_KEY_KIND: &str = "github-deploy-key";

/// One deploy key of one repository. A document that was never rotated holds no key yet.
#[derive(Clone)]
pub struct DeployKeySecret {
    fields: Fields,
    pub(crate) app: App,
    pub(crate) repository: Repository,
    pub(crate) read_only: bool,
    pub(crate) key: Option<Key>,
}

/// `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    pub(crate) owner: String,
    pub(crate) name: String,
}

/// A key pair. What is public of it follows from the private key.
#[derive(Clone)]
pub(crate) struct Key {
    private: SecretString,
    pub(crate) public: String,
    pub(crate) fingerprint: String,
    pub(crate) title: String,
}

impl fmt::Debug for DeployKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeployKeySecret")
            .field("app", &self.app)
            .field("repository", &self.repository)
            .field("key", &self.key_id())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Under which titles the keys of one secret are registered: those that begin so, and end in a version, are its
/// own, and no others.
pub(crate) struct Titles(String);

impl Titles {
    pub(crate) fn of(address: &SecretAddress) -> Self {
        let parts = [address.store.as_str(), address.secret.as_str()];
        let first = digest::beginning(&parts, 16);
        Self(format!("twinkey/{first}/"))
    }

    fn of_version(&self, version: &VersionId) -> String {
        format!("{}{}", self.0, version.as_str())
    }

    pub(crate) fn hold(&self, title: &str) -> bool {
        let version = title.strip_prefix(&self.0);
        version.is_some_and(|version| VersionId::parse(version.to_owned()).is_ok())
    }
}

impl DeployKeySecret {
    /// The private key in OpenSSH's form, if there is one. Show it to nobody but its owner.
    #[must_use]
    pub fn private_key(&self) -> Option<&SecretString> {
        self.key.as_ref().map(|key| &key.private)
    }

    /// The public key, if there is one: `ssh-ed25519 AAAA…`.
    #[must_use]
    pub fn public_key(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.public.as_str())
    }

    /// The same with a fresh key.
    pub(crate) fn successor(
        &self,
        label: &KeyLabel,
        random: &mut Random,
    ) -> Result<Self, DocumentError> {
        let pair = openssh::fresh(random)?;
        let mut fields = self.fields.clone();
        let mut set =
            |field: &str, value: String| fields.insert(field.into(), Value::String(value));
        set("private_key", pair.private.as_str().to_owned());
        set("public_key", pair.public);
        set("fingerprint", pair.fingerprint);
        set(
            "title",
            Titles::of(&label.address).of_version(&label.version),
        );
        Self::from_fields(fields)
    }

    fn from_fields(fields: Fields) -> Result<Self, DocumentError> {
        if text(&fields, "kind")? != DEPLOY_KEY_KIND {
            return Err(DocumentError::new(
                "kind",
                format!("must be {DEPLOY_KEY_KIND}"),
            ));
        }
        let secret = Self {
            app: App::parse(&fields)?,
            repository: repository(&fields)?,
            read_only: read_only(&fields)?,
            key: key(&fields)?,
            fields,
        };
        check_copies(&secret.fields, &["private_key"])?;
        Ok(secret)
    }
}

impl Credential for DeployKeySecret {
    fn parse(value: &SecretValue) -> Result<Self, DocumentError> {
        Self::from_fields(object(value, &["private_key"])?)
    }

    fn render(&self) -> SecretValue {
        SecretValue::new(Value::Object(self.fields.clone()).to_string())
    }

    /// The fingerprint of the public key.
    fn key_id(&self) -> Option<KeyId> {
        let key = self.key.as_ref()?;
        Some(KeyId::new(key.fingerprint.clone()))
    }

    /// Deploy keys do not expire.
    fn expires_at(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn same_target(&self, other: &Self) -> Result<(), DocumentError> {
        all_hold(&self.app.same_target(&other.app))?;
        all_hold(&[("repository", self.repository == other.repository)])
    }

    fn continues(&self, current: &Self) -> Result<(), DocumentError> {
        self.same_target(current)?;
        let is_new = self.key.is_none() || self.key_id() != current.key_id();
        all_hold(&[("private_key", is_new)])
    }
}

fn repository(fields: &Fields) -> Result<Repository, DocumentError> {
    let text = text(fields, "repository")?;
    let plain = |part: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !part.is_empty() && part.chars().all(fits) && part != "." && part != ".."
    };
    match text.split_once('/') {
        Some((owner, name)) if plain(owner) && plain(name) => Ok(Repository {
            owner: owner.into(),
            name: name.into(),
        }),
        _ => Err(DocumentError::new("repository", "must be owner/name")),
    }
}

fn read_only(fields: &Fields) -> Result<bool, DocumentError> {
    match fields.get("read_only") {
        // The lesser right, unless the document plainly asks for more.
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(read_only)) => Ok(*read_only),
        Some(_) => Err(DocumentError::new("read_only", "must be true or false")),
    }
}

fn key(fields: &Fields) -> Result<Option<Key>, DocumentError> {
    let Some(private) = optional_text(fields, "private_key")? else {
        return Ok(None);
    };
    let public = openssh::public_of(&private)?;
    let key = Key {
        private: private.into(),
        public: openssh::one_line(&public),
        fingerprint: openssh::fingerprint(&public),
        title: optional_text(fields, "title")?.unwrap_or_default(),
    };
    let differs = |field, of: &str| {
        optional_text(fields, field).map(|said| said.is_some_and(|said| said != of))
    };
    let said = optional_text(fields, "public_key")?;
    let same = said.is_none_or(|said| openssh::without_comment(&said) == Some(&key.public));
    if !same || differs("fingerprint", &key.fingerprint)? {
        let field = if same { "fingerprint" } else { "public_key" };
        return Err(DocumentError::new(field, "is not that of the private key"));
    }
    Ok(Some(key))
}

impl Key {
    /// Whether this is its public half, whatever its comment.
    pub(crate) fn is(&self, public: &str) -> bool {
        openssh::without_comment(public) == Some(&self.public)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use serde_json::json;
    use twinkey_core::SecretId;

    use super::*;

    fn document() -> Value {
        json!({
            "kind": "github-deploy-key", "app_id": "12345", "installation_id": "123",
            "app_key": {"secret": "app/pem"}, "repository": "acme/widgets", "read_only": true,
        })
    }

    fn parsed(document: &Value) -> Result<DeployKeySecret, DocumentError> {
        DeployKeySecret::parse(&SecretValue::new(document.to_string()))
    }

    fn label() -> KeyLabel {
        KeyLabel {
            address: SecretAddress {
                store: "TEST".into(),
                secret: SecretId::new("app/key"),
            },
            version: VersionId::parse("a".repeat(32)).expect("32 characters"),
        }
    }

    fn rotated() -> Value {
        let fresh = parsed(&document()).expect("a document");
        let next = fresh.successor(&label(), &mut StdRng::seed_from_u64(3));
        let text = next.expect("a successor").render();
        serde_json::from_str(text.expose()).expect("JSON")
    }

    #[test]
    fn a_document_that_was_never_rotated_holds_no_key_and_gets_one() {
        let fresh = parsed(&document()).expect("a document");
        assert_eq!(fresh.key_id(), None);
        let next = parsed(&rotated()).expect("a document");
        assert_eq!(next.render().expose(), rotated().to_string());
        next.continues(&fresh).expect("the next");
        next.continues(&next).expect_err("the same");
        let key = next.key.as_ref().expect("a key");
        assert_eq!(
            next.key_id().expect("a key").as_str(),
            rotated()["fingerprint"]
        );
        assert!(key.is(&format!("{} me@host", key.public)));
        assert!(
            Titles::of(&label().address).hold(&key.title),
            "{}",
            key.title
        );
        assert!(!format!("{next:?}").contains("OPENSSH"));
    }

    #[test]
    fn p4_only_titles_of_this_very_secret_are_its_own() {
        let mut other = label().address;
        other.secret = SecretId::new("app/other");
        let titles = Titles::of(&label().address);
        let title = titles.of_version(&label().version);
        assert!(titles.hold(&title));
        for foreign in [
            Titles::of(&other).of_version(&label().version),
            title[..title.len() - 40].to_owned(),
            "deploy@ci".into(),
            format!("x{title}"),
        ] {
            assert!(!titles.hold(&foreign), "{foreign}");
        }
    }

    #[test]
    fn p11_what_is_wrong_in_a_document_is_named_by_its_field_and_never_shown() {
        let other = openssh::fresh(&mut StdRng::seed_from_u64(4)).expect("made");
        for (field, value) in [
            ("kind", json!("github-installation-token")),
            ("repository", json!("widgets")),
            ("repository", json!("acme/widgets/x")),
            ("repository", json!("../widgets")),
            ("read_only", json!("no")),
            ("private_key", json!("TEST-none")),
            ("public_key", json!(other.public)),
            ("fingerprint", json!(other.fingerprint)),
            ("title", json!(1)),
        ] {
            let mut document = rotated();
            document[field] = value.clone();
            let error = parsed(&document).expect_err(field);
            assert_eq!(error.field, field, "{value}");
        }
        let mut copied = rotated();
        copied["backup"] = copied["private_key"].clone();
        assert_eq!(parsed(&copied).expect_err("a copy").field, "/backup");
    }

    #[test]
    fn p10_a_key_of_another_repository_is_none_of_these() {
        let secret = parsed(&document()).expect("a document");
        let mut other = document();
        other["repository"] = "acme/gadgets".into();
        let other = parsed(&other).expect("a document");
        assert_eq!(
            other.same_target(&secret).expect_err("another").field,
            "repository"
        );
    }
}
