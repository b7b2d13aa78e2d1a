//! What the stub knows, and what it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rand::RngExt as _;
use serde_json::Value;
use twinkey_core::Clock;

/// How long an installation token lives.
pub(crate) const LIFETIME: TimeDelta = TimeDelta::hours(1);

/// A moment as GitHub writes it.
pub(crate) fn spelt(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Something that GitHub does to a request instead of answering it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It answers with this status, these headers and this message, and does nothing.
    Answers {
        /// The status.
        status: u16,
        /// Headers.
        headers: Vec<(&'static str, String)>,
        /// The field `message` of the body.
        message: &'static str,
    },
    /// It does what was asked, and the connection breaks before the answer.
    LosesReply,
    /// It does what was asked, and answers with something that is no JSON.
    Babbles,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Headers by their names in lower case, without `authorization`.
    pub headers: BTreeMap<String, String>,
    /// The status that it was answered with; none if the answer was lost.
    pub status: Option<u16>,
}

/// A deploy key as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployKey {
    /// By which it is removed.
    pub id: u64,
    /// `owner/name`.
    pub repository: String,
    /// `type base64`: the comment is dropped.
    pub key: String,
    /// Its title.
    pub title: String,
    /// Whether it may only read.
    pub read_only: bool,
    /// Whether the policies of its organization let it be used.
    pub enabled: bool,
    /// When somebody last used it.
    pub last_used: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
}

pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) public: Vec<u8>,
}

pub(crate) struct Installation {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) suspended_at: Option<DateTime<Utc>>,
    pub(crate) permissions: Value,
    pub(crate) repositories: BTreeSet<String>,
}

pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) revoked: bool,
    pub(crate) permissions: Value,
    pub(crate) repositories: BTreeSet<String>,
    /// How many more requests do not know it yet.
    pub(crate) unknown_for: u32,
}

pub(crate) struct State {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) app: App,
    pub(crate) installation: Installation,
    pub(crate) tokens: Vec<Token>,
    pub(crate) keys: Vec<DeployKey>,
    pub(crate) next_id: u64,
    pub(crate) seen: Vec<Seen>,
    /// Before which request from now on, counted from zero, something happens to it.
    pub(crate) troubles: BTreeMap<usize, Trouble>,
    /// How many requests do not know a fresh token.
    pub(crate) lag: u32,
    pub(crate) stateless: bool,
    pub(crate) keys_allowed: bool,
    /// What is granted beyond what is asked.
    pub(crate) also_granted: Option<(&'static str, &'static str)>,
    /// The clock of this server differs from the injected one.
    pub(crate) ahead: TimeDelta,
    pub(crate) most_live: usize,
    /// Where a repository has moved.
    pub(crate) moved: BTreeMap<String, String>,
}

impl State {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now() + self.ahead
    }

    pub(crate) fn is_live(&self, token: &Token) -> bool {
        !token.revoked && self.now() < token.expires_at
    }

    /// Whether a token is one that the App's own work needs: it may write deploy keys.
    fn is_for_work(token: &Token) -> bool {
        token.permissions.get("administration").is_some()
    }

    /// Live tokens of consumers.
    pub(crate) fn live(&self) -> Vec<&Token> {
        let tokens = self.tokens.iter();
        tokens
            .filter(|token| self.is_live(token) && !Self::is_for_work(token))
            .collect()
    }

    pub(crate) fn live_for_work(&self) -> usize {
        let tokens = self.tokens.iter();
        tokens
            .filter(|token| self.is_live(token) && Self::is_for_work(token))
            .count()
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A fresh value in the old form or the new one.
    pub(crate) fn value(&self) -> String {
        let mut rng = rand::rng();
        let mut word = |length: usize| -> String {
            (0..length)
                .map(|_| char::from(b'a' + rng.random_range(0..26_u8)))
                .collect()
        };
        if self.stateless {
            // Two dots, a hyphen and an underscore: a web token behind the App's number.
            format!(
                "ghs_{}_TEST{}.{}-_.{}",
                self.app.id,
                word(150),
                word(250),
                word(80)
            )
        } else {
            format!("ghs_TEST{}", word(32))
        }
    }
}
