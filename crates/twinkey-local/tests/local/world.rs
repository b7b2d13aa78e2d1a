//! A store in a directory of its own, a fake server, and clocks that stand still.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use twinkey_core::{
    Clock, Credential, DocumentError, Kinds, MIN_OVERLAP_TAG, Outcome, Rotator, SecretId,
    SecretValue, Selector, Stage, Store, StoreError, SystemClock, VersionId,
};
use twinkey_local::{Ask, Lease, LocalStore, Rotation, Service, ServiceError, Unwatched};
use twinkey_testkit::{
    FakeClock, FakeKind, FakeProvider, FakeSecret, FakeServer, FaultyProvider, Injector,
};

pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) clock: FakeClock,
    /// The one that leases go by.
    pub(crate) machine: FakeClock,
    pub(crate) server: FakeServer,
    pub(crate) injector: Injector,
    pub(crate) store: LocalStore,
    pub(crate) secret: SecretId,
    provider: FakeProvider,
    tokens: AtomicU64,
}

#[derive(Clone)]
struct FakeKinds(FaultyProvider<FakeProvider>);

impl Kinds for FakeKinds {
    fn open(&self, value: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        FakeSecret::parse(value)?;
        Ok(Box::new(self.0.clone()))
    }
}

impl World {
    /// A store without secrets.
    pub(crate) fn empty(kind: FakeKind) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = FakeClock::default();
        let server = FakeServer::new(clock.clone());
        let provider = FakeProvider::new(kind, server.clone(), clock.clone());
        let (file, key) = paths(&directory);
        let store = LocalStore::init(&file, &key, Arc::new(clock.clone())).expect("a new store");
        Self {
            directory,
            machine: FakeClock::default(),
            server,
            injector: Injector::default(),
            store,
            secret: SecretId::new("app/db"),
            provider,
            clock,
            tokens: AtomicU64::new(0),
        }
    }

    /// A store with one secret that was never rotated, without a minimum overlap.
    pub(crate) async fn new(kind: FakeKind) -> Self {
        let world = Self::empty(kind);
        world.put_first(&world.secret, "0s").await;
        world
    }

    /// Puts a working document with this minimum overlap.
    pub(crate) async fn put_first(&self, secret: &SecretId, min_overlap: &str) {
        let document = self.provider.first_document().render();
        let tags = BTreeMap::from([(MIN_OVERLAP_TAG.to_owned(), min_overlap.to_owned())]);
        self.store
            .put_value(secret, &self.id(), &document, &tags)
            .await
            .expect("stored");
    }

    pub(crate) async fn put_by_hand(&self, value: &str) -> VersionId {
        let (id, value) = (self.id(), SecretValue::new(value.into()));
        self.store
            .put_value(&self.secret, &id, &value, &BTreeMap::new())
            .await
            .expect("stored");
        id
    }

    pub(crate) async fn tag(&self, key: &str, value: &str) {
        let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        self.store.tag(&self.secret, &tags).await.expect("tagged");
    }

    pub(crate) fn file(&self) -> PathBuf {
        paths(&self.directory).0
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        paths(&self.directory).1
    }

    /// Opens the file again, as another process would.
    pub(crate) fn reopen(&self) -> LocalStore {
        LocalStore::open(&self.file(), &self.key_file(), Arc::new(self.clock.clone()))
            .expect("opens")
    }

    /// Another process's service, with a connection of its own.
    pub(crate) fn service(&self) -> Service {
        self.service_on(self.reopen())
    }

    pub(crate) fn service_on(&self, store: LocalStore) -> Service {
        let provider = FaultyProvider::new(self.provider.clone(), self.injector.clone());
        Service::new(store, Arc::new(FakeKinds(provider)))
            .with_machine_clock(Arc::new(self.machine.clone()))
    }

    pub(crate) fn id(&self) -> VersionId {
        VersionId::random(&mut self.random())
    }

    pub(crate) fn ask(&self) -> Ask {
        Ask {
            token: VersionId::manual(&mut self.random(), false),
            reason: None,
        }
    }

    pub(crate) fn forced(&self) -> Ask {
        Ask {
            token: VersionId::manual(&mut self.random(), true),
            reason: Some("it leaked".into()),
        }
    }

    /// A lease of a process of its own, ten seconds from now by the machine's clock.
    pub(crate) fn lease(&self) -> Lease {
        Lease::new(self.machine.now(), TimeDelta::seconds(10))
    }

    /// Lets every lease lapse.
    pub(crate) fn outlive_leases(&self) {
        self.machine.advance(TimeDelta::seconds(11));
    }

    pub(crate) async fn holder(&self, stage: &Stage) -> Option<VersionId> {
        let description = self.store.describe(&self.secret).await.expect("described");
        description.holder(stage).cloned()
    }

    /// Whether the server accepts the key under a label, read as a consumer would.
    pub(crate) async fn works(&self, stage: Stage) -> bool {
        let at = Selector::Stage(stage);
        let Ok(version) = self.store.read(&self.secret, &at).await else {
            return false;
        };
        let document = FakeSecret::parse(&version.value).expect("the fake's document");
        document
            .value
            .is_some_and(|value| self.server.accepts(&value))
    }

    /// P1 to P4 at rest: two live keys, AWSCURRENT and AWSPREVIOUS, and nothing in flight.
    pub(crate) async fn judge_at_rest(&self, what: &str) {
        assert_eq!(self.server.live(), 2, "{what}");
        assert!(self.server.most_live() <= 2, "{what}");
        assert!(self.works(Stage::Current).await, "{what}");
        assert!(self.works(Stage::Previous).await, "{what}");
        assert_eq!(self.holder(&Stage::Pending).await, None, "{what}");
    }

    fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.tokens.fetch_add(1, Ordering::Relaxed))
    }
}

fn paths(directory: &TempDir) -> (PathBuf, PathBuf) {
    let at = |name| directory.path().join(name);
    (at("twinkey.db"), at("twinkey.key"))
}

pub(crate) fn id(name: char) -> VersionId {
    VersionId::parse(name.to_string().repeat(32)).expect("32 characters")
}

pub(crate) fn value(text: &str) -> SecretValue {
    SecretValue::new(format!("TEST-{text}"))
}

pub(crate) fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

/// A lease by the clock of the machine that the tests run on.
pub(crate) fn real_lease() -> Lease {
    Lease::new(Utc::now(), TimeDelta::seconds(10))
}

pub(crate) fn real_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Another process rotates the secret, as a person would ask for it.
pub(crate) async fn rotate(world: &World) -> Result<Rotation, ServiceError> {
    world
        .service()
        .rotate(&world.secret, world.ask(), &Unwatched)
        .await
}

/// How every rotation of the secret ended.
pub(crate) async fn outcomes(world: &World) -> Vec<Outcome> {
    let records = world.store.records(&world.secret).await.expect("listed");
    records.into_iter().map(|record| record.outcome).collect()
}
