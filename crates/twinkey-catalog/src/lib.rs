#![doc = include_str!("../README.md")]

use std::sync::Arc;

use serde::Deserialize;
use twinkey_core::{Borrow, DocumentError, Kinds, Provider, Rotator, SecretValue};
pub use twinkey_postgres::SettingsError;
use twinkey_postgres::{PostgresProvider, Settings};

/// Every kind of key that twinkey rotates.
#[derive(Clone)]
pub struct Catalog {
    postgres: PostgresProvider,
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

/// By what a document says which kind it is: AWS's own structures by `engine`.
#[derive(Deserialize)]
struct Kind {
    engine: Option<String>,
}

impl Catalog {
    /// Providers with these settings, which may borrow other secrets through `borrow`.
    #[must_use]
    pub fn new(settings: Settings, borrow: Arc<dyn Borrow>) -> Self {
        Self {
            postgres: PostgresProvider::new(settings, borrow),
        }
    }

    /// The same with the operator's settings, read through `variable`; an unset one is `None`.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        borrow: Arc<dyn Borrow>,
    ) -> Result<Self, SettingsError> {
        Ok(Self::new(Settings::from_env(variable)?, borrow))
    }

    /// The rotator for a document, with `wrap` around its provider.
    pub fn open_in(
        &self,
        wrap: &impl Wrap,
        value: &SecretValue,
    ) -> Result<Box<dyn Rotator>, DocumentError> {
        let kind: Kind = serde_json::from_str(value.expose()).map_err(|_| {
            DocumentError::new(
                "document",
                "is no JSON object of a kind that twinkey rotates",
            )
        })?;
        match kind.engine.as_deref() {
            Some("postgres") => Ok(wrap.wrap(self.postgres.clone())),
            Some(_) => Err(DocumentError::new(
                "engine",
                "is none that twinkey rotates; it knows postgres",
            )),
            None => Err(DocumentError::new(
                "engine",
                "is missing, so the kind of the key is unknown",
            )),
        }
    }
}

impl Kinds for Catalog {
    fn open(&self, value: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        self.open_in(&Bare, value)
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

    fn field_of_refusal(document: &str) -> String {
        let catalog = Catalog::new(Settings::default(), Arc::new(Nothing));
        let refused = catalog.open(&SecretValue::new(document.into())).err();
        refused.expect("an unknown kind").field
    }

    #[test]
    fn p11_an_unknown_kind_is_named_by_its_field_and_never_by_its_value() {
        assert_eq!(field_of_refusal("TEST-not-json"), "document");
        assert_eq!(field_of_refusal("[]"), "document");
        assert_eq!(field_of_refusal(r#"{"engine":"oracle"}"#), "engine");
        assert_eq!(field_of_refusal(r#"{"password":"TEST"}"#), "engine");
    }

    #[test]
    fn a_postgres_document_is_opened() {
        let catalog = Catalog::new(Settings::default(), Arc::new(Nothing));
        assert!(
            catalog
                .open(&SecretValue::new(r#"{"engine":"postgres"}"#.into()))
                .is_ok()
        );
    }
}
