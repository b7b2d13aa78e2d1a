//! What a store holds: named secrets, the values of their versions, and the labels on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The name of a secret in its store: an ARN in Secrets Manager, a plain name in the embedded store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretId(String);

impl SecretId {
    /// Takes the name as it is; the store says whether it knows it.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as the store knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which secret in which store: what a server-side mark names, so that two secrets never
/// take each other's keys for their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretAddress {
    /// Identity of the store: a random id for an embedded store, `aws` for Secrets Manager
    /// (where an ARN is unique by itself).
    pub store: String,
    /// The secret in that store.
    pub secret: SecretId,
}

impl fmt::Display for SecretAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in store {}", self.secret, self.store)
    }
}

/// One version's secret document. Its `Debug` shows nothing and it has no `Display`.
#[derive(Clone)]
pub struct SecretValue(SecretString);

impl SecretValue {
    /// Wraps a document's text; the copy inside is wiped when dropped.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text itself. Call it only where the value is parsed, stored or handed to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(redacted)")
    }
}

/// A staging label: it sits on at most one version of a secret at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Stage {
    /// `AWSCURRENT`: what consumers read now.
    Current,
    /// `AWSPREVIOUS`: what they may still hold.
    Previous,
    /// `AWSPENDING`: what a rotation is making.
    Pending,
    /// `twinkey-a` or `twinkey-b`: this version's key is live in that slot.
    Slot(Slot),
    /// Somebody else's label, left alone.
    Custom(String),
}

impl From<String> for Stage {
    fn from(label: String) -> Self {
        match label.as_str() {
            "AWSCURRENT" => Self::Current,
            "AWSPREVIOUS" => Self::Previous,
            "AWSPENDING" => Self::Pending,
            "twinkey-a" => Self::Slot(Slot::A),
            "twinkey-b" => Self::Slot(Slot::B),
            _ => Self::Custom(label),
        }
    }
}

impl From<Stage> for String {
    fn from(stage: Stage) -> Self {
        stage.as_str().to_owned()
    }
}

impl Stage {
    /// The label as stores spell it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Previous => "AWSPREVIOUS",
            Self::Pending => "AWSPENDING",
            Self::Slot(Slot::A) => "twinkey-a",
            Self::Slot(Slot::B) => "twinkey-b",
            Self::Custom(label) => label,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One of the two places for a live key. Two slots, so two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Labelled `twinkey-a`.
    A,
    /// Labelled `twinkey-b`.
    B,
}

impl Slot {
    /// The slot that is not this one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// One stored version of a secret.
#[derive(Clone, Debug)]
pub struct Version {
    /// The token of the rotation that made it, or an id given at the put.
    pub id: crate::VersionId,
    /// The document.
    pub value: SecretValue,
    /// When the value was stored, by the store's clock. Strictly later than every earlier
    /// version of the same secret: fences rely on the order.
    pub created_at: DateTime<Utc>,
    /// The labels on it when it was read.
    pub stages: BTreeSet<Stage>,
}

impl Version {
    /// The slot whose label this version carries.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        slot_among(&self.stages)
    }
}

fn slot_among(stages: &BTreeSet<Stage>) -> Option<Slot> {
    stages.iter().find_map(|stage| match stage {
        Stage::Slot(slot) => Some(*slot),
        _ => None,
    })
}

/// What a store says of a secret without giving a value away.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Every tag, ours and others'.
    pub tags: BTreeMap<String, String>,
    /// Labelled versions and their labels. A version without labels is not among them.
    pub versions: BTreeMap<crate::VersionId, BTreeSet<Stage>>,
    /// Whether the store lets this secret be rotated (Secrets Manager's `RotationEnabled`).
    pub rotation_enabled: bool,
    /// When AWSCURRENT last moved, if the store keeps that.
    pub current_since: Option<DateTime<Utc>>,
    /// When the last rotation finished, if the store keeps that.
    pub rotated_at: Option<DateTime<Utc>>,
}

impl Description {
    /// The version that carries a label.
    #[must_use]
    pub fn holder(&self, stage: &Stage) -> Option<&crate::VersionId> {
        self.versions
            .iter()
            .find_map(|(id, stages)| stages.contains(stage).then_some(id))
    }

    /// Whether a version carries a label.
    #[must_use]
    pub fn carries(&self, version: &crate::VersionId, stage: &Stage) -> bool {
        self.versions
            .get(version)
            .is_some_and(|stages| stages.contains(stage))
    }

    /// The slot whose label a version carries.
    #[must_use]
    pub fn slot(&self, version: &crate::VersionId) -> Option<Slot> {
        self.versions.get(version).and_then(slot_among)
    }

    /// With when AWSCURRENT moved, where the store does not keep that: not before its value was `stored`, and, if
    /// that was in the last rotation, when that finished.
    #[must_use]
    pub fn dated_by(mut self, stored: Option<DateTime<Utc>>) -> Self {
        self.current_since = self.current_since.or(stored.max(self.rotated_at));
        self
    }

    /// Whether the next rotation would retire a key that consumers may still hold: one that an
    /// earlier rotation left. What a person put before the first rotation is no such key.
    pub fn holds_previous(&self) -> bool {
        let current = self.holder(&Stage::Current);
        let pending = self.holder(&Stage::Pending);
        let rotated = self
            .versions
            .values()
            .any(|stages| slot_among(stages).is_some());
        let left = |stages: &BTreeSet<Stage>| {
            stages.contains(&Stage::Previous) || slot_among(stages).is_some()
        };
        let other = |id: &crate::VersionId| Some(id) != current && Some(id) != pending;
        rotated
            && self
                .versions
                .iter()
                .any(|(id, stages)| other(id) && left(stages))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_a_value_shows_nothing_of_itself() {
        let value = SecretValue::new("TEST-hunter2".into());
        assert_eq!(value.expose(), "TEST-hunter2");
        assert_eq!(format!("{value:?}"), "SecretValue(redacted)");
    }

    #[test]
    fn a_label_keeps_its_spelling_both_ways() {
        for (label, stage) in [
            ("AWSCURRENT", Stage::Current),
            ("AWSPREVIOUS", Stage::Previous),
            ("AWSPENDING", Stage::Pending),
            ("twinkey-a", Stage::Slot(Slot::A)),
            ("twinkey-b", Stage::Slot(Slot::B)),
            ("theirs", Stage::Custom("theirs".into())),
        ] {
            assert_eq!(Stage::from(label.to_owned()), stage);
            assert_eq!(stage.as_str(), label);
            assert_eq!(String::from(stage), label);
        }
    }

    #[test]
    fn a_name_and_an_address_are_shown_as_people_write_them() {
        let secret = SecretId::new("db/app");
        assert_eq!(
            (secret.as_str(), secret.to_string()),
            ("db/app", "db/app".into())
        );
        let store = "7f3a".to_owned();
        let address = SecretAddress { store, secret };
        assert_eq!(address.to_string(), "db/app in store 7f3a");
        assert_eq!(Stage::Slot(Slot::A).to_string(), "twinkey-a");
    }

    #[test]
    fn two_values_are_equal_if_their_texts_are() {
        let value = |text: &str| SecretValue::new(text.into());
        assert_eq!(value("TEST-a"), value("TEST-a"));
        assert_ne!(value("TEST-a"), value("TEST-b"));
    }

    fn id(name: char) -> crate::VersionId {
        crate::VersionId::parse(name.to_string().repeat(32)).expect("32 characters")
    }

    #[test]
    fn the_slot_of_a_version_is_read_from_its_labels() {
        let version = |stages: &[Stage]| Version {
            id: id('a'),
            value: SecretValue::new("{}".into()),
            created_at: DateTime::UNIX_EPOCH,
            stages: stages.iter().cloned().collect(),
        };
        let labelled = version(&[Stage::Current, Stage::Slot(Slot::B)]);
        assert_eq!(labelled.slot(), Some(Slot::B));
        assert_eq!(version(&[Stage::Current]).slot(), None);
    }

    #[test]
    fn p9_a_previous_key_is_one_that_an_earlier_rotation_left() {
        let a = Stage::Slot(Slot::A);
        let b = Stage::Slot(Slot::B);
        let theirs = Stage::Custom("theirs".into());
        for (stages, holds) in [
            (vec![], false),
            (vec![("c", vec![Stage::Current, a.clone()])], false),
            // Put by hand twice, before any rotation.
            (
                vec![("c", vec![Stage::Current]), ("p", vec![Stage::Previous])],
                false,
            ),
            // Put by hand on top of what a rotation left.
            (
                vec![
                    ("c", vec![Stage::Current]),
                    ("p", vec![Stage::Previous, a.clone()]),
                ],
                true,
            ),
            (
                vec![
                    ("c", vec![Stage::Current, b.clone()]),
                    ("p", vec![Stage::Previous]),
                ],
                true,
            ),
            (
                vec![
                    ("c", vec![Stage::Current, b.clone()]),
                    ("o", vec![a.clone()]),
                ],
                true,
            ),
            (
                vec![
                    ("c", vec![Stage::Current, b.clone()]),
                    ("o", vec![theirs.clone()]),
                ],
                false,
            ),
            // What is pending is no earlier rotation's.
            (
                vec![
                    ("c", vec![Stage::Current, b.clone()]),
                    ("n", vec![Stage::Pending, a.clone()]),
                ],
                false,
            ),
            (
                vec![
                    ("c", vec![Stage::Current, Stage::Pending, b]),
                    ("p", vec![Stage::Previous, a]),
                ],
                true,
            ),
        ] {
            let versions = stages.iter().map(|(name, stages)| {
                let name = name.chars().next().expect("a letter");
                (id(name), stages.iter().cloned().collect())
            });
            let description = Description {
                versions: versions.collect(),
                ..Description::default()
            };
            assert_eq!(description.holds_previous(), holds, "{stages:?}");
        }
    }
}
