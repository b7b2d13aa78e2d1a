//! The judge: looks at store and server together and says which promise is broken.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};
use twinkey_core::{Clock, Credential, SecretId, SecretValue, Stage};

use crate::{FakeClock, FakeKind, FakeSecret, FakeSecretsManager, FakeServer};

/// What may be the case now besides what the promises say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Declared strays: minted, lost before they were stored, and not to be listed. (P2)
    pub strays: usize,
    /// Keys that an invocation has minted and not stored yet, beyond two: P2's second exception.
    pub third_keys: usize,
    /// Whether a pair must be live whenever no rotation is in flight. (P3)
    pub pair_at_rest: bool,
}

/// A promise that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which: P1 to P4.
    pub promise: &'static str,
    /// What is the case instead.
    pub instead: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.instead)
    }
}

fn broken<T>(promise: &'static str, instead: impl Into<String>) -> Result<T, Broken> {
    let instead = instead.into();
    Err(Broken { promise, instead })
}

/// Looks at the store and the server of one secret. Clones are the same judge.
#[derive(Clone, Debug)]
pub struct Judge {
    pub(crate) secret: SecretId,
    pub(crate) kind: FakeKind,
    pub(crate) store: FakeSecretsManager,
    pub(crate) server: FakeServer,
    pub(crate) clock: FakeClock,
}

impl Judge {
    /// Panics if P1, P2, P3 or P4 does not hold at this instant, in the middle of a step or not.
    pub fn judge(&self, allowance: &Allowance) {
        if let Err(broken) = self.verdict(allowance) {
            panic!("{broken}");
        }
    }

    /// Which promise does not hold, in a sentence.
    pub fn verdict(&self, allowance: &Allowance) -> Result<(), Broken> {
        let now = self.clock.now();
        let labelled = self.labelled();
        let live = self.server.live_values();
        let untracked = self.untracked(&labelled).len();
        let current = self.current();
        if let Some(current) = &current
            && !self.works_or_died_by_itself(current, now)
        {
            return broken("P1", "the key under AWSCURRENT is refused");
        }
        if live.len() > 2 + allowance.strays + allowance.third_keys {
            return broken("P2", format!("{} keys are live", live.len()));
        }
        // One more may be in the hands of the invocation that has just minted it.
        if untracked > allowance.strays + allowance.third_keys + 1 {
            let instead = format!("nothing knows of {untracked} live keys");
            return broken("P4", instead);
        }
        if allowance.pair_at_rest && self.at_rest() {
            self.pair(&live, untracked)?;
        }
        Ok(())
    }

    /// Says that it is nobody's fault but a person's if the current key does not work.
    pub fn excuse_current(&self) {
        if let Some(value) = self.current().and_then(|current| current.value) {
            self.server.excuse(&value);
        }
    }

    /// The live keys that twinkey made, that no version with a label holds, and that the server does
    /// not list. (P4)
    #[must_use]
    pub fn strays(&self) -> Vec<String> {
        self.untracked(&self.labelled())
    }

    /// Whose keys are judged.
    #[must_use]
    pub fn kind(&self) -> FakeKind {
        self.kind
    }

    /// Whether no rotation is in flight: AWSPENDING is nowhere, or where AWSCURRENT is.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        let versions = self.store.versions(&self.secret);
        let pending = versions
            .iter()
            .find(|version| version.stages.contains(&Stage::Pending));
        pending.is_none_or(|version| version.stages.contains(&Stage::Current))
    }

    fn pair(&self, live: &[String], untracked: usize) -> Result<(), Broken> {
        if live.len() - untracked != 2 {
            let known = live.len() - untracked;
            return broken("P3", format!("{known} known keys are live at rest"));
        }
        for stage in [Stage::Current, Stage::Previous] {
            let value = self.value(&stage).and_then(|value| key(&value));
            if !value.is_some_and(|value| live.contains(&value)) {
                let instead = format!("the key under {stage} is not live at rest");
                return broken("P3", instead);
            }
        }
        Ok(())
    }

    fn works_or_died_by_itself(&self, secret: &FakeSecret, now: DateTime<Utc>) -> bool {
        secret.value.as_ref().is_none_or(|value| {
            self.server.accepts(value)
                || self.server.is_excused(value)
                || secret.expires_at.is_some_and(|expiry| expiry <= now)
        })
    }

    fn current(&self) -> Option<FakeSecret> {
        FakeSecret::parse(&self.value(&Stage::Current)?).ok()
    }

    fn value(&self, stage: &Stage) -> Option<SecretValue> {
        self.store.value(&self.secret, stage)
    }

    fn labelled(&self) -> BTreeSet<String> {
        let versions = self.store.versions(&self.secret).into_iter();
        versions
            .filter(|version| !version.stages.is_empty())
            .filter_map(|version| key(&version.value?.0))
            .collect()
    }

    fn untracked(&self, labelled: &BTreeSet<String>) -> Vec<String> {
        if self.kind.is_listed() {
            return Vec::new();
        }
        let made = self.server.made_values().into_iter();
        made.filter(|value| !labelled.contains(value)).collect()
    }
}

fn key(value: &SecretValue) -> Option<String> {
    FakeSecret::parse(value).ok()?.value
}
