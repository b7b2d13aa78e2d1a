//! What was asked, and what is to go wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::Notify;
use twinkey_core::SecretId;

use crate::Trouble;
use crate::log_groups::LogGroups;

/// What a server and the test that uses it share.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    entries: Arc<Mutex<Entries>>,
    called: Arc<Notify>,
}

#[derive(Default)]
pub(crate) struct Entries {
    /// Every call: its operation and its parameters.
    pub(crate) calls: Vec<(String, Value)>,
    /// What was called by whom, by access key.
    pub(crate) callers: BTreeMap<String, BTreeSet<String>>,
    /// What some may call, by access key. All others may call everything.
    pub(crate) rights: BTreeMap<String, BTreeSet<String>>,
    /// Trouble to come, by operation.
    pub(crate) troubles: BTreeMap<String, VecDeque<Trouble>>,
    /// Trouble to come, by how many calls there have been.
    pub(crate) planned: BTreeMap<usize, Trouble>,
    /// How many calls there have been.
    pub(crate) count: usize,
    /// Fields of `DescribeSecret` that the fake does not know.
    pub(crate) described: BTreeMap<SecretId, Map<String, Value>>,
    /// What functions have written.
    pub(crate) logs: LogGroups,
}

impl Ledger {
    pub(crate) fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this holds of what was asked.
    pub(crate) async fn until(&self, holds: impl Fn(&Entries) -> bool) {
        loop {
            let called = self.called.notified();
            tokio::pin!(called);
            called.as_mut().enable();
            if holds(&self.entries()) {
                return;
            }
            called.await;
        }
    }

    /// Writes a call down and tells what is to be wrong with it.
    pub(crate) fn note(
        &self,
        caller: &str,
        operation: &str,
        parameters: &Value,
    ) -> Option<Trouble> {
        let trouble = self.write(operation, parameters);
        let trouble = if self.entries().lets(caller, operation) {
            trouble
        } else {
            Some(Trouble::Deny)
        };
        self.called.notify_waiters();
        trouble
    }

    fn write(&self, operation: &str, parameters: &Value) -> Option<Trouble> {
        let mut entries = self.entries();
        let call = (operation.to_owned(), parameters.clone());
        entries.calls.push(call);
        let number = entries.count;
        entries.count += 1;
        let planned = entries.planned.remove(&number);
        planned.or_else(|| entries.troubles.get_mut(operation)?.pop_front())
    }
}

impl Entries {
    /// Whether a caller may call this. Notes that it did.
    fn lets(&mut self, caller: &str, operation: &str) -> bool {
        let noted = self.callers.entry(caller.to_owned()).or_default();
        noted.insert(operation.to_owned());
        let rights = self.rights.get(caller);
        rights.is_none_or(|rights| rights.contains(operation))
    }
}
