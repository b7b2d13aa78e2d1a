//! Who still uses a key, as far as its server tells.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{KeyId, escape_control};

/// The sessions that are open with a key. A look at one moment: a consumer that connects now and then
/// may be between two sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InUse {
    /// The key.
    pub key: KeyId,
    /// How many sessions are open.
    pub sessions: u64,
    /// When the newest began: after the last rotation, and somebody has not read the new key. `None` where
    /// there is none, or the server does not show it to us.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub newest_at: Option<DateTime<Utc>>,
    /// Whose they are, those with the most sessions first; at most [`InUse::MOST_CONSUMERS`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub consumers: Vec<Consumer>,
}

/// Sessions of one application at one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// What it calls itself; may be empty.
    pub application: String,
    /// From where, if the server shows it to us.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// How many sessions it has.
    pub sessions: u64,
}

impl InUse {
    /// How many consumers are told of.
    pub const MOST_CONSUMERS: usize = 20;

    /// Whether nobody is seen to use the key.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.sessions == 0
    }
}

/// `3 sessions: billing at 10.0.0.7 (2), without a name (1)`
impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.sessions == 1 { "" } else { "s" };
        write!(f, "{} session{plural}", self.sessions)?;
        for (index, consumer) in self.consumers.iter().enumerate() {
            let separator = if index == 0 { ": " } else { ", " };
            write!(f, "{separator}{consumer}")?;
        }
        Ok(())
    }
}

/// What calls itself something must not be able to forge a line in a log.
impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.application.as_str() {
            "" => f.write_str("without a name")?,
            name => f.write_str(&escape_control(name))?,
        }
        if let Some(address) = &self.address {
            write!(f, " at {}", escape_control(address))?;
        }
        write!(f, " ({})", self.sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(application: &str, address: Option<&str>, sessions: u64) -> Consumer {
        Consumer {
            application: application.into(),
            address: address.map(str::to_owned),
            sessions,
        }
    }

    #[test]
    fn p8_an_application_forges_no_line_of_a_log() {
        let in_use = InUse {
            key: KeyId::new("app"),
            sessions: 3,
            newest_at: None,
            consumers: vec![
                consumer("billing\nINFO", Some("10.0.0.7"), 2),
                consumer("", None, 1),
            ],
        };
        assert_eq!(
            in_use.to_string(),
            "3 sessions: billing\\nINFO at 10.0.0.7 (2), without a name (1)"
        );
        assert!(!in_use.is_over());
    }

    #[test]
    fn nobody_is_no_use() {
        let over = InUse {
            key: KeyId::new("app"),
            sessions: 0,
            newest_at: None,
            consumers: Vec::new(),
        };
        assert!(over.is_over());
        assert_eq!(over.to_string(), "0 sessions");
    }
}
