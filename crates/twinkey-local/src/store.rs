//! The store: one SQLite file, opened by its wrapping key.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::SubsecRound;
use rusqlite::{Connection, TransactionBehavior};
use twinkey_core::{
    Clock, Description, SecretAddress, SecretId, SecretValue, Selector, Stage, Store, StoreError,
    Version, VersionId,
};

use crate::database::{self, sql};
use crate::ledger::Ledger;
use crate::limits;
use crate::sealed::Key;
use crate::state::{State, conflict};
use crate::vault::Vault;
use crate::{OpenError, keyfile};

/// The embedded store. Clones share one connection; processes share the file.
#[derive(Clone)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Mutex<Connection>,
    vault: Vault,
    clock: Arc<dyn Clock>,
}

impl LocalStore {
    /// Makes a new store and its wrapping key, each readable by its owner alone. Nothing that
    /// exists is overwritten. Blocks for some milliseconds.
    pub fn init(
        path: &Path,
        wrapping_key: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        if path.exists() {
            return Err(OpenError::StoreExists(path.to_owned()));
        }
        let key = keyfile::create(wrapping_key)?;
        Self::fill(path, &key, clock).inspect_err(|_| {
            // No store was made with it, so nobody can miss it.
            let _ = std::fs::remove_file(wrapping_key);
        })
    }

    /// Opens a store. Blocks for some milliseconds.
    pub fn open(
        path: &Path,
        wrapping_key: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let connection = database::open(path)?;
        let key = keyfile::load(wrapping_key)?;
        let vault = Vault::unwrap(&database::wrapped_key(&connection)?, &key)?;
        Ok(Self::new(connection, vault, clock))
    }

    /// The clock that this store was opened with.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.shared.clock.clone()
    }

    /// The store's own random identity.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.vault.store
    }

    pub(crate) fn new(connection: Connection, vault: Vault, clock: Arc<dyn Clock>) -> Self {
        let connection = Mutex::new(connection);
        Self {
            shared: Arc::new(Shared {
                connection,
                vault,
                clock,
            }),
        }
    }

    fn fill(path: &Path, wrapping: &Key, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let (vault, wrapped) = Vault::create(wrapping)?;
        let connection = database::create(path, &wrapped, &vault.empty_root()?)?;
        Ok(Self::new(connection, vault, clock))
    }

    /// Reads one consistent picture of the store.
    pub(crate) async fn read_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.off_the_runtime(move |store| {
            store.transact(TransactionBehavior::Deferred, |ledger| work(&ledger))
        })
        .await
    }

    /// Changes the store in one transaction, or not at all.
    pub(crate) async fn write_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.off_the_runtime(move |store| store.write_ledger_blocking(work))
            .await
    }

    /// As [`Self::write_ledger`], for where nothing can be awaited.
    pub(crate) fn write_ledger_blocking<T>(
        &self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transact(TransactionBehavior::Immediate, |mut ledger| {
            let result = work(&mut ledger)?;
            ledger.commit()?;
            Ok(result)
        })
    }

    fn transact<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(Ledger<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // A panic elsewhere has rolled its transaction back, so the connection is sound.
        let mut connection = self
            .shared
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let transaction = connection
            .transaction_with_behavior(behavior)
            .map_err(sql)?;
        let now = self.shared.clock.now().trunc_subsecs(3);
        work(Ledger::open(transaction, &self.shared.vault, now)?)
    }

    async fn off_the_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store))
            .await
            .map_err(|_| StoreError::Transient {
                doing: "using the store file".into(),
                reason: "the task was stopped".into(),
            })?
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalStore({})", self.id())
    }
}

#[async_trait]
impl Store for LocalStore {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        SecretAddress {
            store: self.id().to_owned(),
            secret: secret.clone(),
        }
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        let secret = secret.clone();
        self.read_ledger(move |ledger| Ok(ledger.state(&secret)?.describe()))
            .await
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        let (secret, at) = (secret.clone(), at.clone());
        self.read_ledger(move |ledger| {
            let state = ledger.state(&secret)?;
            let id = state.select(&secret, &at)?;
            let version = &state.versions[id];
            Ok(Version {
                id: id.clone(),
                value: ledger.value(&secret, id)?,
                created_at: version.created_at,
                stages: version.stages.clone(),
            })
        })
        .await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        limits::check_value(value)?;
        limits::check_stages(stages)?;
        let (secret, version, value) = (secret.clone(), version.clone(), value.clone());
        let stages = stages.to_vec();
        self.write_ledger(move |ledger| {
            let state = ledger.state(&secret)?;
            refuse_ended_rotation(&state, &secret, &version, &stages)?;
            store_value(ledger, &secret, state, (&version, &value), &stages)
        })
        .await
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        let (secret, stage) = (secret.clone(), stage.clone());
        let (from, to) = (from.cloned(), to.cloned());
        self.write_ledger(move |ledger| {
            let mut labels = ledger.state(&secret)?;
            labels.swap(&secret, &stage, from.as_ref(), to.as_ref(), ledger.now())?;
            ledger.save_state(&secret, labels)
        })
        .await
    }
}

/// Stores a value that is not there yet, and moves the labels with it. A value that is there
/// already took its labels along when it came: they are not moved again, for they may have
/// gone elsewhere since.
pub(crate) fn store_value(
    ledger: &mut Ledger<'_>,
    secret: &SecretId,
    mut state: State,
    (id, value): (&VersionId, &SecretValue),
    stages: &[Stage],
) -> Result<(), StoreError> {
    if state.has_value(id) {
        if ledger.value(secret, id)? == *value {
            return Ok(());
        }
        return Err(conflict(
            secret,
            format!("version {id} holds another value, and a value never changes"),
        ));
    }
    if stages.contains(&Stage::Current) {
        crate::journal::abandon(ledger, secret, &mut state)?;
    }
    state.store(id, stages, ledger.now());
    ledger.insert_value(secret, id, value)?;
    ledger.save_state(secret, state)
}

/// A frozen invocation that wakes after its rotation has ended must not bring it back.
/// Stricter than Secrets Manager.
fn refuse_ended_rotation(
    state: &State,
    secret: &SecretId,
    version: &VersionId,
    stages: &[Stage],
) -> Result<(), StoreError> {
    let pending = stages.contains(&Stage::Pending);
    if pending && !state.has_value(version) && state.holder(&Stage::Pending) != Some(version) {
        let reason = format!("no rotation with token {version} is in flight");
        return Err(conflict(secret, reason));
    }
    Ok(())
}
