#![doc = include_str!("../README.md")]

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use twinkey_core::{
    Borrow, Clock, DocumentError, ErrorKind, IamTokens, Kinds, Provider, ProviderError, Rotator,
    SecretAddress, SecretValue, Sign,
};
use twinkey_github::{DEPLOY_KEY_KIND, Github, TOKEN_KIND};
use twinkey_postgres::PostgresProvider;
use twinkey_postgres::adoption::Adoption;
pub use twinkey_postgres::{EndedSessions, adoption};

/// Every kind of key that twinkey rotates.
#[derive(Clone)]
pub struct Catalog {
    postgres: PostgresProvider,
    github: Github,
}

/// A setting that cannot be used. Names its variable.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum SettingsError {
    /// One of those for Postgres.
    Postgres(#[from] twinkey_postgres::SettingsError),
    /// One of those for GitHub.
    Github(#[from] twinkey_github::SettingsError),
}

/// Puts something around whichever provider a document belongs to, such as a limit to how long its calls take.
pub trait Wrap {
    /// The rotator of a provider.
    fn wrap<P: Provider<Secret: 'static> + 'static>(&self, provider: P) -> Box<dyn Rotator>;
}

/// Puts nothing around it.
struct Bare;

impl Wrap for Bare {
    fn wrap<P: Provider<Secret: 'static> + 'static>(&self, provider: P) -> Box<dyn Rotator> {
        Box::new(provider)
    }
}

/// By what a document says which kind it is: AWS's own structures by `engine`, ours by `kind`.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
    engine: Option<String>,
}

/// An admin's document may do without a password: then there is nothing in it to rotate. Told by what stands in the
/// password's place.
fn other_proof(value: &SecretValue) -> Option<&'static str> {
    let document: Value = serde_json::from_str(value.expose()).ok()?;
    if !document["password"].is_null() {
        return None;
    }
    if document["authentication"] == "iam" {
        return Some("authentication");
    }
    (!document["sslcert"].is_null()).then_some("sslcert")
}

/// The kinds.
enum Known {
    Token,
    DeployKey,
    Postgres,
}

impl Known {
    fn of(value: &SecretValue) -> Result<Self, DocumentError> {
        let kind: Kind = serde_json::from_str(value.expose()).map_err(|_| {
            DocumentError::new(
                "document",
                "is no JSON object of a kind that twinkey rotates",
            )
        })?;
        match (kind.kind.as_deref(), kind.engine.as_deref()) {
            (Some(TOKEN_KIND), _) => Ok(Self::Token),
            (Some(DEPLOY_KEY_KIND), _) => Ok(Self::DeployKey),
            (_, Some("postgres")) => match other_proof(value) {
                None => Ok(Self::Postgres),
                Some(field) => Err(DocumentError::new(
                    field,
                    "takes the place of a password, so there is none to rotate; an admin's secret may be so",
                )),
            },
            (Some(_), None) => Err(DocumentError::new(
                "kind",
                format!(
                    "is none that twinkey rotates; it knows {TOKEN_KIND} and {DEPLOY_KEY_KIND}"
                ),
            )),
            (_, Some(_)) => Err(DocumentError::new(
                "engine",
                "is none that twinkey rotates; it knows postgres",
            )),
            (None, None) => Err(DocumentError::new(
                "engine",
                "is missing, and so is kind: what key this is, is unknown",
            )),
        }
    }
}

impl Catalog {
    /// Providers with the operator's settings, read through `variable`; an unset one is `None`. They may borrow
    /// other secrets through `borrow`, and have `signer` sign for them.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        borrow: Arc<dyn Borrow>,
        signer: Arc<dyn Sign>,
    ) -> Result<Self, SettingsError> {
        let postgres = twinkey_postgres::Settings::from_env(&variable)?;
        let github = twinkey_github::Settings::from_env(&variable)?;
        Ok(Self {
            postgres: PostgresProvider::new(postgres, Arc::clone(&borrow)),
            github: Github::new(github, borrow, signer),
        })
    }

    /// Goes by another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.github = self.github.with_clock(clock);
        self
    }

    /// Has tokens made for admins that log in by IAM. Without it, they are refused.
    #[must_use]
    pub fn with_iam(mut self, iam: Arc<dyn IamTokens>) -> Self {
        self.postgres = self.postgres.with_iam(iam);
        self
    }

    /// The adoption of the roles that a document names. Only Postgres has roles to adopt; another kind is
    /// refused by its field.
    pub fn adoption(
        &self,
        value: &SecretValue,
        address: SecretAddress,
    ) -> Result<Adoption, DocumentError> {
        match Known::of(value)? {
            Known::Postgres => self.postgres.adoption(value, address),
            Known::Token | Known::DeployKey => Err(DocumentError::new(
                "kind",
                "has no roles to adopt; only a document with \"engine\": \"postgres\" has",
            )),
        }
    }

    /// Ends the sessions that were opened with dead keys of the secret. Only Postgres has such; another kind is
    /// refused by its field.
    pub async fn end_sessions(
        &self,
        value: &SecretValue,
        address: &SecretAddress,
    ) -> Result<Vec<EndedSessions>, ProviderError> {
        match Known::of(value) {
            Ok(Known::Postgres) => self.postgres.end_sessions(value, address).await,
            Ok(_) => Err(refused(&DocumentError::new(
                "kind",
                "has no sessions to end; only a document with \"engine\": \"postgres\" has",
            ))),
            Err(error) => Err(refused(&error)),
        }
    }

    /// The rotator for a document, with `wrap` around its provider.
    pub fn open_wrapped(
        &self,
        wrap: &impl Wrap,
        value: &SecretValue,
    ) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(match Known::of(value)? {
            Known::Token => wrap.wrap(self.github.tokens()),
            Known::DeployKey => wrap.wrap(self.github.deploy_keys()),
            Known::Postgres => wrap.wrap(self.postgres.clone()),
        })
    }
}

fn refused(error: &DocumentError) -> ProviderError {
    ProviderError {
        kind: ErrorKind::Unusable,
        code: "InvalidDocument",
        message: error.to_string(),
        hint: None,
        retry_after: None,
    }
}

impl Kinds for Catalog {
    fn open(&self, value: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        self.open_wrapped(&Bare, value)
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use twinkey_core::{SecretId, StoreError};

    use super::*;

    struct Nothing;

    #[async_trait]
    impl Borrow for Nothing {
        async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
            Err(StoreError::NoSecret(secret.clone()))
        }
    }

    #[async_trait]
    impl Sign for Nothing {
        async fn sign(&self, key: &str, _: &[u8]) -> Result<Vec<u8>, StoreError> {
            Err(StoreError::NoSecret(SecretId::new(key)))
        }
    }

    fn opened(document: &str) -> Result<Box<dyn Rotator>, DocumentError> {
        let catalog = Catalog::from_variables(|_| None, Arc::new(Nothing), Arc::new(Nothing));
        let value = SecretValue::new(document.into());
        catalog.expect("settings").open(&value)
    }

    #[test]
    fn p11_an_unknown_kind_is_named_by_its_field_and_never_by_its_value() {
        for (document, field) in [
            ("TEST-not-json", "document"),
            ("[]", "document"),
            (r#"{"engine":"oracle"}"#, "engine"),
            (r#"{"password":"TEST"}"#, "engine"),
            (r#"{"kind":"github-pat"}"#, "kind"),
            (r#"{"kind":"TEST","engine":"oracle"}"#, "engine"),
            (
                r#"{"engine":"postgres","authentication":"iam"}"#,
                "authentication",
            ),
            (
                r#"{"engine":"postgres","sslcert":"TEST","password":null}"#,
                "sslcert",
            ),
        ] {
            let error = opened(document).err().expect("an unknown kind");
            assert_eq!(error.field, field, "{document}");
            assert!(!error.to_string().contains("TEST"), "{error}");
        }
    }

    #[test]
    fn only_a_document_with_roles_is_adopted() {
        let catalog = Catalog::from_variables(|_| None, Arc::new(Nothing), Arc::new(Nothing));
        let catalog = catalog.expect("settings");
        for (document, field) in [
            (r#"{"kind":"github-deploy-key"}"#, "kind"),
            (r#"{"kind":"github-installation-token"}"#, "kind"),
            (r#"{"engine":"oracle"}"#, "engine"),
            (r#"{"engine":"postgres"}"#, "host"),
        ] {
            let address = SecretAddress {
                store: "store".into(),
                secret: SecretId::new("name"),
            };
            let adoption = catalog.adoption(&SecretValue::new(document.into()), address);
            assert_eq!(
                adoption.err().expect("a refusal").field,
                field,
                "{document}"
            );
        }
    }

    #[test]
    fn every_kind_is_opened() {
        for document in [
            r#"{"engine":"postgres"}"#,
            r#"{"engine":"postgres","kind":"a field of somebody's own"}"#,
            r#"{"engine":"postgres","password":"TEST","authentication":"iam"}"#,
            r#"{"engine":"postgres","password":"TEST","sslcert":"a path"}"#,
            r#"{"engine":"postgres","authentication":1}"#,
            r#"{"engine":"postgres","password":"TEST","password":"TEST"}"#,
            r#"{"kind":"github-installation-token"}"#,
            r#"{"kind":"github-deploy-key"}"#,
        ] {
            assert!(opened(document).is_ok(), "{document}");
        }
    }
}
