//! Counting live keys, by logging in with every password ever issued.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use serde::Deserialize;
use twinkey_core::{SecretId, Selector, Stage, Step, StepOutcome, StepRecord, Store, VersionId};
use twinkey_local::{Event, LocalStore, Watch};
use twinkey_test_postgres::Cluster;

/// Counts before and after every step, and remembers.
pub(crate) struct Tally {
    store: LocalStore,
    secret: SecretId,
    cluster: Arc<Cluster>,
    start: Instant,
    seen: Mutex<Seen>,
    announce: Box<dyn Fn(&str) + Send + Sync>,
}

/// What has been seen so far.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// Every count.
    pub(crate) counts: Vec<Count>,
    /// Every key ever issued, in order.
    pub(crate) keys: Vec<Key>,
    /// The steps of the rotation in flight that have passed, or of the last one.
    pub(crate) steps: Vec<Step>,
    /// Rotations that have succeeded.
    pub(crate) rotations: usize,
    /// What went wrong, if anything did.
    pub(crate) failure: Option<String>,
}

/// One count.
#[derive(Clone)]
pub(crate) struct Count {
    pub(crate) at: f64,
    pub(crate) live: usize,
    /// Whether no rotation was in flight.
    pub(crate) at_rest: bool,
}

/// One key, and its life as logging in has shown it.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) version: VersionId,
    pub(crate) role: String,
    password: String,
    pub(crate) accepted: Option<f64>,
    pub(crate) published: Option<f64>,
    pub(crate) superseded: Option<f64>,
    pub(crate) dead: Option<f64>,
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
    dbname: String,
}

impl Tally {
    pub(crate) fn new(
        store: LocalStore,
        secret: SecretId,
        cluster: Arc<Cluster>,
        start: Instant,
        announce: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self {
            store,
            secret,
            cluster,
            start,
            seen: Mutex::default(),
            announce: Box::new(announce),
        }
    }

    /// A copy of what has been seen.
    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// Whatever keeps the scheduler from rotating ends the demo.
    pub(crate) fn note_event(&self, event: &Event) {
        match event {
            Event::Rotated(_) => {}
            Event::Failed { error, .. } | Event::Problem { error, .. } => {
                self.lock().failure = Some(error.to_string());
            }
        }
    }

    /// Counts while no rotation is in flight, and takes what is AWSCURRENT for published.
    pub(crate) async fn count_at_rest(&self) {
        self.count_and_note(true).await;
        self.note_published().await;
    }

    async fn count_and_note(&self, at_rest: bool) {
        if let Err(error) = self.count(at_rest).await {
            self.lock().failure = Some(format!("counting live keys: {error:#}"));
        }
    }

    async fn count(&self, at_rest: bool) -> anyhow::Result<()> {
        self.learn_new_keys().await?;
        let keys = self.lock().keys.clone();
        let mut live = BTreeSet::new();
        for key in &keys {
            if self
                .cluster
                .can_log_in(&key.role, &key.password, "shop")
                .await?
            {
                live.insert(key.version.clone());
            }
        }
        let at = self.now();
        let mut seen = self.lock();
        seen.counts.push(Count {
            at,
            live: live.len(),
            at_rest,
        });
        for key in &mut seen.keys {
            if live.contains(&key.version) {
                key.accepted.get_or_insert(at);
            } else if key.accepted.is_some() {
                key.dead.get_or_insert(at);
            }
        }
        Ok(())
    }

    async fn learn_new_keys(&self) -> anyhow::Result<()> {
        let known: BTreeSet<VersionId> = self
            .lock()
            .keys
            .iter()
            .map(|key| key.version.clone())
            .collect();
        for version in self.store.versions(&self.secret).await? {
            if version.has_value && !known.contains(&version.id) {
                let read = self
                    .store
                    .read(&self.secret, &Selector::Version(version.id))
                    .await?;
                let login: Login = serde_json::from_str(read.value.expose())?;
                debug_assert_eq!(login.dbname, "shop");
                let mut seen = self.lock();
                seen.keys.push(Key {
                    version: read.id,
                    role: login.username,
                    password: login.password,
                    accepted: None,
                    published: None,
                    superseded: None,
                    dead: None,
                });
            }
        }
        Ok(())
    }

    async fn note_published(&self) {
        let current = self
            .store
            .read(&self.secret, &Selector::Stage(Stage::Current))
            .await;
        let now = self.now();
        let mut seen = self.lock();
        match current {
            Err(error) => seen.failure = Some(error.to_string()),
            Ok(current) => {
                for key in &mut seen.keys {
                    if key.version == current.id {
                        key.published.get_or_insert(now);
                    } else if key.published.is_some() {
                        key.superseded.get_or_insert(now);
                    }
                }
            }
        }
    }

    fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Watch for Tally {
    async fn before(&self, secret: &SecretId, step: Step) {
        if *secret == self.secret && step == Step::CreateSecret {
            self.lock().steps.clear();
            self.count_at_rest().await;
        }
    }

    async fn after(&self, secret: &SecretId, record: &StepRecord) {
        if *secret != self.secret {
            let (step, took) = (record.step, record.milliseconds);
            return (self.announce)(&format!("{secret}: {step} in {took} ms"));
        }
        match &record.outcome {
            StepOutcome::Failed(failure) => {
                self.lock().failure = Some(format!("{}: {}", record.step, failure.message));
            }
            StepOutcome::Passed(_) => {
                if record.step == Step::FinishSecret {
                    self.note_published().await;
                }
                self.count_and_note(record.step == Step::FinishSecret).await;
                let mut seen = self.lock();
                seen.steps.push(record.step);
                seen.rotations += usize::from(record.step == Step::FinishSecret);
            }
        }
        let live = self.lock().counts.last().map_or(0, |count| count.live);
        (self.announce)(&format!(
            "{} passed in {} ms; {live} keys live",
            record.step, record.milliseconds
        ));
    }
}

/// Published versions.
pub(crate) fn published(keys: &[Key]) -> BTreeMap<VersionId, usize> {
    let published = keys.iter().filter(|key| key.published.is_some());
    published
        .enumerate()
        .map(|(number, key)| (key.version.clone(), number + 1))
        .collect()
}
