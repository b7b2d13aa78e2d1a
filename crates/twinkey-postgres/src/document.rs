//! The secret document: AWS's own structure for a database user, with our two fields.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio_postgres::config::ChannelBinding;
use twinkey_core::{Credential, DocumentError, KeyId, Random, SecretId, SecretValue};
use twinkey_document::{Fields, optional_text, text};

use crate::connection::{Address, Login, Proof, TlsMode};
use crate::field::{self, NAME_BYTES};
use crate::password;
use crate::password_copy::{self, Pair};

/// AWS's ending for the twin's name.
pub(crate) const CLONE: &str = "_clone";
const DEFAULT_DATABASE: &str = "postgres";

/// One login role's password, and where it is good for.
#[derive(Clone)]
pub struct PostgresSecret {
    fields: Fields,
    address: Address,
    tls: TlsMode,
    channel_binding: ChannelBinding,
    username: String,
    password: SecretString,
    database: String,
    admin: Option<SecretId>,
    twin: Option<String>,
    owner: Option<String>,
    probe: Option<String>,
    ends_sessions: bool,
}

impl fmt::Debug for PostgresSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSecret")
            .field("address", &self.address)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl PostgresSecret {
    /// The login role.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Its password. Show it to nobody but its owner.
    #[must_use]
    pub fn password(&self) -> &SecretString {
        &self.password
    }

    /// The other login role of the pair, once it is known.
    #[must_use]
    pub fn twin(&self) -> Option<&str> {
        self.twin.as_deref()
    }

    /// The role that both act as, once it is known.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether a rotation ends the sessions of the key that it retires.
    pub(crate) fn ends_sessions(&self) -> bool {
        self.ends_sessions
    }

    /// What a login must be able to ask the database.
    pub(crate) fn probe(&self) -> Option<&str> {
        self.probe.as_deref()
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// The name of the admin secret, without which nothing can be changed.
    pub(crate) fn admin(&self) -> Result<&SecretId, DocumentError> {
        self.admin.as_ref().ok_or_else(|| {
            DocumentError::new(
                "masterarn",
                "is missing: it names the secret of a role that may change this one; an admin's own may name itself",
            )
        })
    }

    /// A login as consumers make it.
    pub(crate) fn login(&self) -> Login<'_> {
        Login {
            address: &self.address,
            tls: self.tls,
            channel_binding: self.channel_binding,
            user: &self.username,
            proof: Proof::Password(&self.password),
            database: &self.database,
            options: None,
        }
    }

    /// The twin by AWS's convention.
    pub(crate) fn clone_name(&self) -> String {
        format!("{}{CLONE}", self.username)
    }

    /// The role whose clone this one is by AWS's convention, if its name looks like that.
    pub(crate) fn stripped_name(&self) -> Option<&str> {
        self.username
            .strip_suffix(CLONE)
            .filter(|name| !name.is_empty())
    }

    /// With both fields of ours filled in.
    pub(crate) fn completed(&self, twin: &str, owner: &str) -> Result<Self, DocumentError> {
        if twin.len() > NAME_BYTES {
            let problem = format!(
                "would be the user's name and {CLONE}, {} bytes; Postgres names have at most \
                 {NAME_BYTES}: choose a shorter one",
                twin.len()
            );
            return Err(DocumentError::new("twin", problem));
        }
        let mut completed = self.clone();
        completed.set("twin", twin);
        completed.set("owner", owner);
        completed.twin = Some(twin.into());
        completed.owner = Some(owner.into());
        Ok(completed)
    }

    /// The document of the other role, with a fresh password. The receiver must be complete.
    pub(crate) fn successor(&self, random: &mut Random) -> Result<Self, DocumentError> {
        let twin = self
            .twin
            .clone()
            .ok_or_else(|| DocumentError::new("twin", "is missing"))?;
        let mut next = self.clone();
        next.password = password::fresh(random);
        let (old, new) = (
            self.pair(),
            Pair {
                user: &twin,
                password: next.password.expose_secret(),
            },
        );
        password_copy::rewrite(&mut next.fields, old, new)?;
        let fresh = new.password.to_owned();
        next.set("username", &twin);
        next.set("password", &fresh);
        next.set("twin", &self.username);
        next.twin = Some(self.username.clone());
        next.username = twin;
        Ok(next)
    }

    fn pair(&self) -> Pair<'_> {
        Pair {
            user: &self.username,
            password: self.password.expose_secret(),
        }
    }

    /// Keeps the field's place in the document.
    fn set(&mut self, field: &str, value: &str) {
        self.fields
            .insert(field.into(), Value::String(value.into()));
    }

    fn from_fields(fields: Fields) -> Result<Self, DocumentError> {
        field::engine(&fields)?;
        let tls = field::tls(&fields)?;
        let secret = Self {
            address: Address::new(&field::host(&fields)?, field::port(&fields)?),
            tls,
            channel_binding: field::channel_binding(&fields, tls)?,
            username: field::role(&fields, "username")?,
            password: text(&fields, "password")?.into(),
            database: field::optional_name(&fields, "dbname")?
                .unwrap_or_else(|| DEFAULT_DATABASE.into()),
            admin: optional_text(&fields, "masterarn")?.map(SecretId::new),
            twin: field::optional_role(&fields, "twin")?,
            owner: field::optional_role(&fields, "owner")?,
            probe: optional_text(&fields, "probe")?,
            ends_sessions: field::yes(&fields, "end_sessions")?,
            fields,
        };
        if secret.twin.as_ref() == Some(&secret.username) {
            return Err(DocumentError::new("twin", "is the same role as username"));
        }
        password_copy::check(&secret.fields, secret.pair())?;
        Ok(secret)
    }

    /// The roles that may come after this one, as far as the document alone can tell.
    fn may_be_followed_by(&self, username: &str) -> bool {
        match &self.twin {
            Some(twin) => twin == username,
            None => username == self.clone_name() || self.stripped_name() == Some(username),
        }
    }
}

impl Credential for PostgresSecret {
    fn parse(value: &SecretValue) -> Result<Self, DocumentError> {
        Self::from_fields(field::object(value)?)
    }

    fn render(&self) -> SecretValue {
        SecretValue::new(Value::Object(self.fields.clone()).to_string())
    }

    fn key_id(&self) -> Option<KeyId> {
        Some(KeyId::new(self.username.clone()))
    }

    fn expires_at(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn same_target(&self, other: &Self) -> Result<(), DocumentError> {
        all_hold(&[
            ("host", self.address.host == other.address.host),
            ("port", self.address.port == other.address.port),
            ("dbname", self.database == other.database),
            ("masterarn", self.admin == other.admin),
            ("sslmode", self.tls == other.tls),
            (
                "channel_binding",
                self.channel_binding == other.channel_binding,
            ),
        ])
    }

    fn continues(&self, current: &Self) -> Result<(), DocumentError> {
        self.same_target(current)?;
        all_hold(&[
            ("twin", self.twin.as_ref() == Some(&current.username)),
            ("username", current.may_be_followed_by(&self.username)),
            ("probe", self.probe == current.probe),
            ("end_sessions", self.ends_sessions == current.ends_sessions),
            (
                "owner",
                current.owner.is_none() || self.owner == current.owner,
            ),
        ])
    }
}

fn all_hold(fields: &[(&str, bool)]) -> Result<(), DocumentError> {
    match fields.iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(DocumentError::new(
            *field,
            "is not what follows from the current document",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
