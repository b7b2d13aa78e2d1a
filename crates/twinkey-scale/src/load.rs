//! Which secrets there are: how many of which kind, how often each rotates, and when it last did.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use twinkey_core::SecretId;
use twinkey_testkit::FakeKind;

/// Where a name is an ARN.
const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:scale";

/// One kind of secret in the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A Postgres password, every day.
    Password,
    /// A GitHub deploy key, every week.
    DeployKey,
    /// A GitHub installation token, every 20 minutes.
    Token,
}

/// What one provider's call costs beyond the engine's own calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Price {
    /// `GetSecretValue` of another secret: the admin's.
    pub(crate) reads: u64,
    /// Requests to GitHub.
    pub(crate) requests: u64,
    /// Of these, those that make something.
    pub(crate) posts: u64,
    /// Milliseconds at a database.
    pub(crate) database: u64,
}

impl Kind {
    /// In the order of the names.
    pub const ALL: [Self; 3] = [Self::DeployKey, Self::Password, Self::Token];

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::DeployKey => "deploy key",
            Self::Token => "token",
        }
    }

    /// The tag's value.
    #[must_use]
    pub fn schedule(self) -> &'static str {
        match self {
            Self::Password => "rate 1 day",
            Self::DeployKey => "rate 7 days",
            Self::Token => "rate 20 minutes",
        }
    }

    pub(crate) fn interval(self) -> TimeDelta {
        match self {
            Self::Password => TimeDelta::days(1),
            Self::DeployKey => TimeDelta::days(7),
            Self::Token => TimeDelta::minutes(20),
        }
    }

    /// How many in a hundred.
    #[must_use]
    pub fn percent(self) -> usize {
        match self {
            Self::Password => 90,
            Self::DeployKey => 9,
            Self::Token => 1,
        }
    }

    pub(crate) fn fake(self) -> FakeKind {
        match self {
            Self::Password => FakeKind::Password,
            Self::DeployKey => FakeKind::KeyPair,
            Self::Token => FakeKind::Token { listable: false },
        }
    }

    /// So that a rotation costs what the real providers were counted to cost (docs/operations.md, Cost).
    pub(crate) fn price(self, call: &str) -> Price {
        let github = |requests, posts| Price {
            requests,
            posts,
            ..Price::default()
        };
        match (self, call) {
            (Self::Password, "ready" | "apply") => Price {
                reads: 1,
                database: 40,
                ..Price::default()
            },
            (Self::Password, "verify") => Price {
                database: 25,
                ..Price::default()
            },
            (Self::Token | Self::DeployKey, "ready" | "retire") => github(2, 0),
            (Self::Token | Self::DeployKey, "verify") | (Self::DeployKey, "list") => github(1, 0),
            (Self::Token, "mint") => github(1, 1),
            // At the end of each step, the token that it had borrowed and gives back.
            (Self::DeployKey, "apply" | "close") => github(2, 1),
            _ => Price::default(),
        }
    }
}

/// When the passwords were last rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Whenever: evenly over the last interval.
    Spread,
    /// All within one minute, 23 hours before the beginning: so they are all due an hour after it.
    AtOnce,
}

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// How many secrets.
    pub secrets: usize,
    /// When the passwords come up.
    pub phase: Phase,
    /// For how long ticks come.
    pub hours: u64,
    /// The timeout of the function that is sent the ticks.
    pub timeout_seconds: u64,
    /// Of everything that is random.
    pub seed: u64,
}

impl Scenario {
    /// How many secrets of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.secrets * kind.percent() / 100
    }

    /// Every secret's name and kind, in the order of the names.
    pub(crate) fn names(&self) -> Vec<(SecretId, Kind)> {
        let of = |kind: Kind| {
            let folder = match kind {
                Kind::DeployKey => "key",
                Kind::Password => "password",
                Kind::Token => "token",
            };
            let name = move |number| SecretId::new(format!("{ARN}/{folder}/{number:06}-TESTab"));
            (0..self.count(kind)).map(move |number| (name(number), kind))
        };
        Kind::ALL.into_iter().flat_map(of).collect()
    }

    /// How many installations of the App the keys at GitHub are spread over: one for every fifty tokens.
    #[must_use]
    pub fn installations(&self) -> usize {
        self.count(Kind::Token).div_ceil(50).max(1)
    }

    /// How long before the beginning a secret was last rotated; `part` is from 0 to 999,999.
    pub(crate) fn age(&self, kind: Kind, part: i32) -> TimeDelta {
        match (self.phase, kind) {
            (Phase::AtOnce, Kind::Password) => {
                TimeDelta::hours(23) + TimeDelta::minutes(1) * part / 1_000_000
            }
            _ => {
                TimeDelta::microseconds(kind.interval().num_milliseconds() * i64::from(part) / 1000)
            }
        }
    }
}
