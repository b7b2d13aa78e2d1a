//! The judge: looks at store and server together and says which promise is broken.

use std::collections::BTreeSet;
use std::fmt;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use twinkey_core::{Clock, Credential, SecretId, SecretValue, Stage, Trigger, VersionId};

use crate::{FakeClock, FakeKind, FakeSecret, FakeSecretsManager, FakeServer};

/// What may be the case now besides what the promises say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Declared strays: minted, lost before they were stored, and not to be listed. (P2)
    pub strays: usize,
    /// Keys beyond two that may live for a while, known or in the hands of a running createSecret. (P2)
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
    /// How many createSecret are running that may have minted a key.
    pub(crate) minting: Arc<AtomicUsize>,
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
        let labelled = self.labelled();
        let live = self.live();
        let unknown = self.unknown(&labelled).len();
        self.current_works()?;
        if live.len() > 2 + allowance.strays + allowance.third_keys {
            return broken("P2", format!("{} keys are live", live.len()));
        }
        // Each of them may have one in its hands that it has just minted.
        let in_hands = self.minting.load(Ordering::Relaxed);
        if unknown > allowance.strays + in_hands {
            let instead = format!("nothing knows of {unknown} live keys");
            return broken("P4", instead);
        }
        if allowance.pair_at_rest && self.at_rest() {
            self.pair(&live, unknown)?;
        }
        Ok(())
    }

    /// Says that it is nobody's fault but a person's if the current key does not work.
    pub fn excuse_current(&self) {
        if let Some(value) = self.current().and_then(|current| current.value) {
            self.server.excuse(&value);
        }
    }

    /// The live keys that no version with a label holds, that the server does not list as ours, and that
    /// no person has given up. (P4)
    #[must_use]
    pub fn strays(&self) -> Vec<String> {
        self.unknown(&self.labelled())
    }

    /// The live keys but those that a person has made and given up.
    #[must_use]
    pub fn live(&self) -> Vec<String> {
        let mut live = self.server.live_values();
        live.retain(|value| !self.server.is_given_up(value));
        live
    }

    /// The key under AWSCURRENT, if there is one.
    #[must_use]
    pub fn current_key(&self) -> Option<String> {
        self.current()?.value
    }

    /// The version under AWSCURRENT.
    #[must_use]
    pub fn current_version(&self) -> Option<VersionId> {
        let versions = self.store.versions(&self.secret).into_iter();
        let mut current = versions.filter(|version| version.stages.contains(&Stage::Current));
        current.next().map(|version| version.id)
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

    fn pair(&self, live: &[String], unknown: usize) -> Result<(), Broken> {
        if live.len() - unknown != 2 {
            let known = live.len() - unknown;
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

    /// P1: and what a rotation has published is a document with a key.
    fn current_works(&self) -> Result<(), Broken> {
        let secret = self.current();
        let value = secret.as_ref().and_then(|secret| secret.value.as_ref());
        let Some(value) = value else {
            if self.rotation_published() {
                return broken("P1", "a rotation has published a document without a key");
            }
            return Ok(());
        };
        let expires_at = secret.as_ref().and_then(|secret| secret.expires_at);
        let died_by_itself = expires_at.is_some_and(|expiry| expiry <= self.clock.now());
        if self.server.accepts(value) || self.server.is_excused(value) || died_by_itself {
            return Ok(());
        }
        broken("P1", "the key under AWSCURRENT is refused")
    }

    /// Whether AWSCURRENT is on a version that a rotation has made, and not a person's hand.
    fn rotation_published(&self) -> bool {
        let current = self.current_version();
        current.is_some_and(|version| version.trigger() != Trigger::SecretsManager)
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

    fn unknown(&self, labelled: &BTreeSet<String>) -> Vec<String> {
        let unlabelled = |value: &String| !labelled.contains(value);
        let mut unknown = Vec::new();
        if !self.kind.is_listed() {
            unknown.extend(self.server.made_values().into_iter().filter(unlabelled));
        }
        // Of a password the place is known, whatever is in it.
        if self.kind != FakeKind::Password {
            let by_hand = self.server.values_made_by_hand().into_iter();
            let kept = by_hand.filter(|value| !self.server.is_given_up(value));
            unknown.extend(kept.filter(unlabelled));
        }
        unknown
    }
}

fn key(value: &SecretValue) -> Option<String> {
    FakeSecret::parse(value).ok()?.value
}
