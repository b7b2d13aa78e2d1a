//! The consumers: they read AWSCURRENT and log in, as an application would.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;
use tokio::sync::watch;
use twinkey_core::{SecretId, Selector, Stage, Store, VersionId};
use twinkey_local::LocalStore;
use twinkey_test_postgres::Cluster;

/// How long a consumer rests between two logins.
const PAUSE: Duration = Duration::from_millis(60);

/// What one consumer has seen.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// When it logged in, in seconds since the start, and whether it was accepted.
    pub(crate) logins: Vec<(f64, bool)>,
    /// The versions it logged in with.
    pub(crate) versions: BTreeSet<VersionId>,
}

impl Seen {
    pub(crate) fn accepted(&self) -> usize {
        self.logins.iter().filter(|(_, accepted)| *accepted).count()
    }

    pub(crate) fn refused(&self) -> usize {
        self.logins.len() - self.accepted()
    }
}

/// One application that uses the secret.
pub(crate) struct Consumer {
    /// For people.
    pub(crate) name: String,
    /// How long it keeps what it has read; zero re-reads each time.
    pub(crate) cache: Duration,
    /// What it has seen so far.
    pub(crate) seen: Arc<Mutex<Seen>>,
}

/// The fields of the document that an application reads, both from one version.
#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
    dbname: String,
}

struct Held {
    version: VersionId,
    login: Login,
    read_at: Instant,
}

impl Consumer {
    pub(crate) fn new(name: &str, cache: Duration) -> Self {
        Self {
            name: name.into(),
            cache,
            seen: Arc::default(),
        }
    }

    /// A copy of what it has seen.
    pub(crate) fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Reads and logs in until told to stop. A refused login is counted; anything else that
    /// fails ends the demo.
    pub(crate) async fn run(
        &self,
        store: &LocalStore,
        secret: &SecretId,
        cluster: &Cluster,
        start: Instant,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut held: Option<Held> = None;
        while !*stop.borrow() {
            let kept = held
                .take()
                .filter(|held| held.read_at.elapsed() < self.cache);
            let now = match kept {
                Some(kept) => kept,
                None => read(store, secret).await?,
            };
            let login = &now.login;
            let accepted = cluster
                .can_log_in(&login.username, &login.password, &login.dbname)
                .await;
            let accepted = accepted.with_context(|| format!("the consumer that {}", self.name))?;
            self.note(start.elapsed().as_secs_f64(), accepted, &now.version);
            held = Some(now);
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    fn note(&self, at: f64, accepted: bool, version: &VersionId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.logins.push((at, accepted));
        if accepted {
            seen.versions.insert(version.clone());
        }
    }
}

async fn read(store: &LocalStore, secret: &SecretId) -> anyhow::Result<Held> {
    // The age counts from before the read: what was read may be that old.
    let read_at = Instant::now();
    let version = store.read(secret, &Selector::Stage(Stage::Current)).await?;
    let login = serde_json::from_str(version.value.expose()).context("the secret document")?;
    Ok(Held {
        version: version.id,
        login,
        read_at,
    })
}
