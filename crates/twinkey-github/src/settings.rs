//! What the operator of this machine or function decides, read once from the environment.

use std::time::Duration;

use twinkey_tls::{Authorities, BundleError};

use crate::api_base::ApiBase;
use crate::error::GithubError;

/// `https://host/path,…`: where GitHub's REST API may be, besides `https://api.github.com`: an Enterprise Server, a
/// host with data residency. Plain `http` at the machine itself alone.
pub const API: &str = "TWINKEY_GITHUB_API";

/// The operator's settings for every GitHub secret.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) authorities: Authorities,
    bases: Vec<ApiBase>,
    /// How long to wait before each further try of a token that is so young that GitHub may not know it everywhere.
    pub(crate) pauses: Vec<Duration>,
    /// For one request, from the connection to the end of the answer.
    pub(crate) timeout: Duration,
}

/// A setting that cannot be used. Names its variable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The authorities cannot be used.
    #[error(transparent)]
    Authorities(#[from] BundleError),
    /// An entry is no place for an API.
    #[error("{API}: {entry:?} {problem}")]
    NotABase {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            authorities: Authorities::default(),
            bases: Vec::new(),
            pauses: (1..=4).map(Duration::from_secs).collect(),
            timeout: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// Reads the variables through `variable`; an unset one is `None`.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        Ok(Self {
            authorities: Authorities::from_env(&variable)?,
            bases: bases(&variable(API).unwrap_or_default())?,
            ..Self::default()
        })
    }

    /// The same with other waiting: before each further try of a young token, and for one request. For tests and
    /// for callers with a deadline of their own.
    #[must_use]
    pub fn with_patience(self, pauses: Vec<Duration>, timeout: Duration) -> Self {
        Self {
            pauses,
            timeout,
            ..self
        }
    }

    /// A document alone must not make us send anything anywhere. (P10)
    pub(crate) fn allow(&self, base: &ApiBase) -> Result<(), GithubError> {
        if base.is_githubs_own() || self.bases.contains(base) {
            Ok(())
        } else {
            Err(GithubError::BaseNotAllowed(base.clone()))
        }
    }
}

fn bases(list: &str) -> Result<Vec<ApiBase>, SettingsError> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            ApiBase::parse(entry).map_err(|problem| SettingsError::NotABase {
                entry: shown(entry),
                problem,
            })
        })
        .collect()
}

/// An entry without what might be a password in it.
fn shown(entry: &str) -> String {
    match entry.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => entry.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(list: &str) -> Result<Settings, SettingsError> {
        Settings::from_env(|name| (name == API).then(|| list.to_owned()))
    }

    #[test]
    fn p10_only_githubs_own_and_what_the_operator_lists_is_allowed() {
        let base = |text: &str| ApiBase::parse(text).expect("a base");
        let settings = with("https://git.example/api/v3, http://127.0.0.1:4001").expect("bases");
        for allowed in [
            "https://api.github.com",
            "https://git.example/api/v3/",
            "http://127.0.0.1:4001",
        ] {
            settings.allow(&base(allowed)).expect(allowed);
        }
        for refused in [
            "https://git.example",
            "https://git.example/api/v3/more",
            "https://git.example:8443/api/v3",
            "http://127.0.0.1:4002",
            "https://api.acme.ghe.com",
        ] {
            let error = settings.allow(&base(refused)).expect_err(refused);
            assert!(error.to_string().contains(refused), "{error}");
        }
    }

    #[test]
    fn p8_a_setting_that_cannot_be_used_names_its_variable_and_shows_no_password() {
        for entry in ["http://git.example", "https://user:TEST-p@git.example", "x"] {
            let error = with(entry).expect_err(entry).to_string();
            assert!(error.starts_with("TWINKEY_GITHUB_API: "), "{error}");
            assert!(!error.contains("TEST-p"), "{error}");
        }
        assert!(with("").is_ok() && with(" , ").is_ok());
    }
}
