//! What the operator of this machine or function decides, read once from the environment.

use std::time::Duration;

use twinkey_tls::{Authorities, BundleError};

use crate::connection::Address;

/// `1` lets documents that say so connect to other machines without TLS.
pub const ALLOW_PLAINTEXT: &str = "TWINKEY_ALLOW_PLAINTEXT";
/// `host:port,…`: further addresses of servers that admin secrets are for.
pub const ADMIN_HOSTS: &str = "TWINKEY_ADMIN_HOSTS";

/// The operator's settings for every Postgres secret.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub(crate) authorities: Authorities,
    pub(crate) allow_plaintext: bool,
    pub(crate) admin_hosts: Vec<Address>,
    pub(crate) timeouts: Timeouts,
}

/// How long each kind of waiting may last.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a host name and a TCP connection.
    pub connect: Duration,
    /// For TLS and authentication together.
    pub handshake: Duration,
    /// For one statement; the server is told to give up a little earlier.
    pub statement: Duration,
    /// For a lock at the server, within a statement.
    pub lock: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            handshake: Duration::from_secs(10),
            statement: Duration::from_secs(10),
            lock: Duration::from_secs(5),
        }
    }
}

/// A setting that cannot be used. Names its variable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The authorities cannot be used.
    #[error(transparent)]
    Authorities(#[from] BundleError),
    /// Neither yes nor no.
    #[error("{ALLOW_PLAINTEXT}: must be 1 or 0")]
    NotYesOrNo,
    /// An entry is no `host:port`.
    #[error("{ADMIN_HOSTS}: {entry:?} is no host:port")]
    NotAnAddress {
        /// The entry.
        entry: String,
    },
}

impl Settings {
    /// Reads the variables through `variable`; an unset one is `None`.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        Ok(Self {
            authorities: Authorities::from_env(&variable)?,
            allow_plaintext: yes(set(ALLOW_PLAINTEXT).as_deref())?,
            admin_hosts: addresses(set(ADMIN_HOSTS).as_deref())?,
            timeouts: Timeouts::default(),
        })
    }

    /// The same with other limits, for tests and for callers with a deadline of their own.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }
}

fn yes(value: Option<&str>) -> Result<bool, SettingsError> {
    match value {
        Some("1" | "true") => Ok(true),
        None | Some("0" | "false") => Ok(false),
        Some(_) => Err(SettingsError::NotYesOrNo),
    }
}

fn addresses(list: Option<&str>) -> Result<Vec<Address>, SettingsError> {
    list.into_iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            Address::parse(entry).ok_or_else(|| SettingsError::NotAnAddress {
                entry: entry.into(),
            })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use twinkey_tls::CA_BUNDLE;

    use super::*;

    fn settings(name: &'static str, value: &'static str) -> Result<Settings, SettingsError> {
        Settings::from_env(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn an_empty_environment_trusts_the_system_and_nothing_else() {
        let settings = Settings::from_env(|_| None).unwrap();
        assert!(settings.authorities.is_empty());
        assert!(!settings.allow_plaintext);
        assert!(settings.admin_hosts.is_empty());
    }

    #[test]
    fn admin_hosts_are_a_list_of_addresses() {
        let settings = settings(ADMIN_HOSTS, "db.internal:5432, [::1]:6432").unwrap();
        assert_eq!(
            settings.admin_hosts,
            [Address::new("db.internal", 5432), Address::new("::1", 6432)]
        );
    }

    #[test]
    fn a_setting_that_cannot_be_used_names_its_variable() {
        for (name, value) in [
            (CA_BUNDLE, "/nonexistent/bundle.pem"),
            (CA_BUNDLE, "/dev/null"),
            (ALLOW_PLAINTEXT, "maybe"),
            (ADMIN_HOSTS, "db.internal"),
            (ADMIN_HOSTS, "db.internal:0"),
        ] {
            let error = settings(name, value).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
