//! The operator's settings in the process's environment, of which some may lie there as ciphertext.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use aws_config::SdkConfig;
use twinkey_core::{SecretValue, StoreError};

use crate::kms::CIPHERTEXT;
use crate::{Kms, Patience};

const OURS: &str = "TWINKEY_";

/// The variables that begin with `TWINKEY_`. Its `Debug` shows no value.
#[derive(Clone, Debug)]
pub struct Environment {
    values: BTreeMap<String, SecretValue>,
    /// Those that lay there as ciphertext.
    hidden: BTreeSet<String>,
}

impl Environment {
    /// As the process has them. A value that is no text is taken as nearly as possible: it must be refused
    /// where it is used, and not count as unset.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_variables(std::env::vars_os().map(|(name, value)| {
            let text = |it: std::ffi::OsString| it.to_string_lossy().into_owned();
            (text(name), text(value))
        }))
    }

    fn from_variables(variables: impl Iterator<Item = (String, String)>) -> Self {
        let ours = variables.filter(|(name, _)| name.starts_with(OURS));
        let (mut values, mut hidden) = (BTreeMap::new(), BTreeSet::new());
        for (name, value) in ours {
            if value.starts_with(CIPHERTEXT) {
                hidden.insert(name.clone());
            }
            values.insert(name, SecretValue::new(value));
        }
        Self { values, hidden }
    }

    /// Whether one of them is ciphertext: `kms:` and base64.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// The same in clear: one `kms:Decrypt` for each that is ciphertext, and none if none is. An error names
    /// the variable.
    pub async fn decrypted(
        mut self,
        config: &SdkConfig,
        patience: Patience,
    ) -> Result<Self, StoreError> {
        if !self.is_encrypted() {
            return Ok(self);
        }
        let kms = Kms::new(config, patience);
        for name in &self.hidden {
            if let Some(value) = self.values.get_mut(name) {
                *value = kms.configuration(name, value.expose()).await?;
            }
        }
        Ok(self)
    }

    /// An error that names its variable first, as it may be shown: what lay there as ciphertext is not.
    #[must_use]
    pub fn told(&self, error: &dyn Display) -> String {
        let text = error.to_string();
        let hidden = self.hidden.iter().find(|name| text.starts_with(*name));
        hidden.map_or(text, |name| {
            format!("{name}: what it decrypts to cannot be used")
        })
    }

    /// A variable's value; unset is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|value| value.expose().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_only_our_variables_are_read_and_none_is_shown() {
        let variables = [
            ("TWINKEY_ADMIN_HOSTS", "kms:TEST"),
            ("TWINKEY_CA_BUNDLE", "TEST.pem"),
            ("OTHER", "kms:TEST"),
        ];
        let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let environment = Environment::from_variables(variables.into_iter().map(text));
        assert!(environment.is_encrypted());
        assert_eq!(
            environment.get("TWINKEY_CA_BUNDLE").as_deref(),
            Some("TEST.pem")
        );
        assert_eq!(environment.get("OTHER"), None);
        let told = environment.told(&"TWINKEY_ADMIN_HOSTS: \"TEST\" is no host:port");
        assert!(
            told.starts_with("TWINKEY_ADMIN_HOSTS: ") && !told.contains("TEST"),
            "{told}"
        );
        let told = environment.told(&"TWINKEY_CA_BUNDLE: TEST.pem is missing");
        assert!(
            told.contains("TEST.pem"),
            "what is in clear is shown: {told}"
        );
        assert!(!format!("{environment:?}").contains("TEST"));
        let plain = [("TWINKEY_CA_BUNDLE", "TEST.pem"), ("OTHER", "kms:TEST")];
        assert!(!Environment::from_variables(plain.into_iter().map(text)).is_encrypted());
    }
}
