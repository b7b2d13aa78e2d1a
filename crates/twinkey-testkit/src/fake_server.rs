//! A server in memory that knows which keys are live, and the most that ever were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use twinkey_core::{Clock, SecretAddress, VersionStamp};

use crate::FakeClock;

/// A server in memory. Clones are the same server.
#[derive(Clone, Debug)]
pub struct FakeServer {
    state: Arc<Mutex<State>>,
    clock: FakeClock,
}

#[derive(Clone, Debug, Default)]
struct State {
    keys: Vec<Key>,
    excused: BTreeSet<String>,
    given_up: BTreeSet<String>,
    issued: u32,
    most_live: usize,
    marks: BTreeMap<String, VersionStamp>,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) account: String,
    pub(crate) value: String,
    pub(crate) owner: Option<SecretAddress>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

impl FakeServer {
    /// A server without keys.
    #[must_use]
    pub fn new(clock: FakeClock) -> Self {
        Self {
            state: Arc::default(),
            clock,
        }
    }

    /// A copy that goes its own way from here, by another clock.
    #[must_use]
    pub fn fork(&self, clock: FakeClock) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.lock().clone())),
            clock,
        }
    }

    /// Whether it accepts a value now.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        let now = self.clock.now();
        self.lock().live(now).any(|key| key.value == value)
    }

    /// How many keys are live now.
    #[must_use]
    pub fn live(&self) -> usize {
        let now = self.clock.now();
        self.lock().live(now).count()
    }

    /// The live keys, in the order in which they were made.
    #[must_use]
    pub fn live_values(&self) -> Vec<String> {
        let now = self.clock.now();
        self.lock().live(now).map(|key| key.value.clone()).collect()
    }

    /// The live keys that were not made by hand.
    #[must_use]
    pub fn made_values(&self) -> Vec<String> {
        let now = self.clock.now();
        let state = self.lock();
        let made = state.live(now).filter(|key| key.owner.is_some());
        made.map(|key| key.value.clone()).collect()
    }

    /// Whether somebody broke this key by hand, or published it when it was dead.
    #[must_use]
    pub fn is_excused(&self, value: &str) -> bool {
        self.lock().excused.contains(value)
    }

    /// Says that it is nobody's fault but a person's if this key does not work.
    pub fn excuse(&self, value: &str) {
        self.lock().excused.insert(value.into());
    }

    /// The live keys that were made by hand.
    #[must_use]
    pub fn values_made_by_hand(&self) -> Vec<String> {
        let now = self.clock.now();
        let state = self.lock();
        let by_hand = state.live(now).filter(|key| key.owner.is_none());
        by_hand.map(|key| key.value.clone()).collect()
    }

    /// Whether a person has forgotten this key of theirs.
    #[must_use]
    pub fn is_given_up(&self, value: &str) -> bool {
        self.lock().given_up.contains(value)
    }

    /// Says that it is nobody's fault but a person's if no version holds this key any more; of a key
    /// that was not made by hand it says nothing.
    pub fn give_up(&self, value: &str) {
        if self.values_made_by_hand().iter().any(|made| made == value) {
            self.lock().given_up.insert(value.into());
        }
    }

    /// Forgets a key that lives on where nobody can see it.
    pub fn forget(&self, value: &str) {
        self.lock().keys.retain(|key| key.value != value);
    }

    /// The most keys that were live at any instant.
    #[must_use]
    pub fn most_live(&self) -> usize {
        self.lock().most_live
    }

    /// For each place the moment that a change must not be older than.
    #[must_use]
    pub fn fences(&self) -> Vec<(String, DateTime<Utc>)> {
        let state = self.lock();
        let marks = state.marks.iter();
        marks
            .map(|(place, mark)| (place.clone(), mark.created_at))
            .collect()
    }

    /// Somebody makes a key by hand.
    pub fn add_by_hand(&self, account: &str, value: &str) {
        self.place(Key {
            account: account.into(),
            value: value.into(),
            owner: None,
            expires_at: None,
        });
    }

    /// Somebody breaks a key by hand.
    pub fn break_by_hand(&self, value: &str) {
        let mut state = self.lock();
        state.keys.retain(|key| key.value != value);
        state.excused.insert(value.into());
    }

    /// Puts a key in the place of its account, atomically; returns the one that was there.
    pub(crate) fn replace(&self, key: Key) -> Option<String> {
        let there = |other: &mut Key| other.account == key.account && other.value != key.value;
        let replaced = self.lock().keys.extract_if(.., there).next();
        self.place(key);
        replaced.map(|key| key.value)
    }

    /// Adds a key beside the others; the same value again changes nothing.
    pub(crate) fn place(&self, key: Key) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.excused.remove(&key.value);
        if !state.keys.iter().any(|other| other.value == key.value) {
            state.keys.push(key);
        }
        let live = state.live(now).count();
        state.most_live = state.most_live.max(live);
    }

    pub(crate) fn remove(&self, value: &str) -> bool {
        let accepted = self.accepts(value);
        self.lock().keys.retain(|key| key.value != value);
        accepted
    }

    pub(crate) fn owned_by(&self, address: &SecretAddress) -> Vec<Key> {
        let now = self.clock.now();
        let owned = |key: &&Key| key.owner.as_ref() == Some(address);
        self.lock().live(now).filter(owned).cloned().collect()
    }

    pub(crate) fn next_value(&self) -> String {
        let mut state = self.lock();
        state.issued += 1;
        format!("TEST-issued-{}", state.issued)
    }

    /// The stamp of the key in an account's place, replaced unless it is later than `stamp`.
    pub(crate) fn pass_fence(&self, account: &str, stamp: &VersionStamp) -> bool {
        let mut state = self.lock();
        let superseded = state
            .marks
            .get(account)
            .is_some_and(|mark| mark.created_at > stamp.created_at);
        if !superseded {
            state.marks.insert(account.to_owned(), stamp.clone());
        }
        !superseded
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn live(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |key| key.expires_at.is_none_or(|expiry| expiry > now))
    }
}
