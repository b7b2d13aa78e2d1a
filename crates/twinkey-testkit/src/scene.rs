//! One secret, one server, one engine, all in memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::{
    Clock, Credential, DocumentError, Engine, Kinds, MIN_OVERLAP_TAG, RetiredKey, RotationError,
    RotationFailure, Rotator, SecretId, SecretValue, Slot, Stage, Step, StepReport, StepRequest,
    Store, VersionId,
};

use crate::{
    Allowance, FakeClock, FakeKind, FakeProvider, FakeSecret, FakeSecretsManager, FakeServer,
    FaultyProvider, FaultyStore, Injector, Judge,
};

/// One secret, one server, one engine, all in memory, with an injector around both.
pub struct Scene {
    /// The secret's name.
    pub secret: SecretId,
    /// The store.
    pub store: FakeSecretsManager,
    /// The server.
    pub server: FakeServer,
    /// The clock of all three.
    pub clock: FakeClock,
    /// Every outside call passes it.
    pub injector: Injector,
    /// The provider, without the injector.
    pub provider: FakeProvider,
    random: Arc<Mutex<StdRng>>,
    minting: Arc<AtomicUsize>,
}

/// Counts as running until it is dropped: by its end, or by the end of its process.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct OneKind(FaultyProvider<FakeProvider>);

impl Kinds for OneKind {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.0.clone()))
    }
}

impl Scene {
    /// A secret of one kind that was never rotated, without a minimum overlap.
    #[must_use]
    pub fn new(kind: FakeKind) -> Self {
        let clock = FakeClock::default();
        let server = FakeServer::new(clock.clone());
        let provider = FakeProvider::new(kind, server.clone(), clock.clone());
        let scene = Self {
            secret: SecretId::new("app/key"),
            store: FakeSecretsManager::new(clock.clone()),
            server,
            clock,
            injector: Injector::default(),
            provider,
            random: Arc::new(Mutex::new(StdRng::seed_from_u64(7))),
            minting: Arc::default(),
        };
        scene.put_by_hand(&scene.provider.first_document());
        scene.store.tag(&scene.secret, MIN_OVERLAP_TAG, "0s");
        scene
    }

    /// A person puts a document.
    pub fn put_by_hand(&self, document: &FakeSecret) {
        self.put_text_by_hand(document.render().expose());
    }

    /// A person puts a text, whatever it is.
    pub fn put_text_by_hand(&self, text: &str) {
        let id = VersionId::random(&mut *self.random());
        let value = SecretValue::new(text.into());
        self.store.put_by_hand(&self.secret, &id, &value);
        // A key that a person made, and whose last label this put has taken, is that person's to end.
        for forgotten in self.judge().strays() {
            self.server.give_up(&forgotten);
        }
    }

    /// A person makes a key at the server, in the place of the current one; its document.
    pub fn make_by_hand(&self, value: &str) -> FakeSecret {
        let last = self.last_document().expect("a document");
        self.server.add_by_hand(&last.account, value);
        FakeSecret {
            value: Some(value.into()),
            expires_at: None,
            ..last
        }
    }

    /// A fresh token, with its rotation begun.
    #[must_use]
    pub fn begin(&self) -> VersionId {
        let token = VersionId::manual(&mut *self.random(), false);
        self.store
            .rotate_secret(&self.secret, &token)
            .expect("no rotation is in flight");
        token
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// Stores a pending value past the engine, as an intruder would.
    pub async fn put_pending(&self, token: &VersionId, value: &SecretValue) {
        let stages = [Stage::Pending, Stage::Slot(Slot::B)];
        self.store
            .put(&self.secret, token, value, &stages)
            .await
            .expect("stored");
    }

    /// Delivers one step.
    pub async fn step(&self, step: Step, token: &VersionId) -> Result<StepReport, RotationError> {
        let request = StepRequest {
            step,
            secret: self.secret.clone(),
            token: token.clone(),
        };
        let mut random = StdRng::from_rng(&mut *self.random());
        let mints = step == Step::CreateSecret && self.provider.kind().is_issued();
        let _minting = mints.then(|| Running::begin(&self.minting));
        let (store, kinds) = self.faulty(step.name());
        let engine = Engine {
            store: &store,
            kinds: &kinds,
            clock: &self.clock,
        };
        engine.step(&request, &mut random).await
    }

    /// Ends a rotation that is half done.
    pub async fn abandon(&self, token: &VersionId) -> Result<Vec<RetiredKey>, RotationFailure> {
        let (store, kinds) = self.faulty("abandon");
        let engine = Engine {
            store: &store,
            kinds: &kinds,
            clock: &self.clock,
        };
        engine.abandon(&self.secret, token).await
    }

    /// The store and the provider, behind the injector.
    fn faulty(&self, by: &'static str) -> (FaultyStore<FakeSecretsManager>, OneKind) {
        let injector = self.injector.on_behalf_of(by);
        let store = FaultyStore::new(self.store.clone(), injector.clone());
        let provider = FaultyProvider::new(self.provider.clone(), injector);
        (store, OneKind(provider))
    }

    /// Delivers the four steps, as far as they pass.
    pub async fn rotate(&self, token: &VersionId) -> Result<Vec<StepReport>, RotationError> {
        let mut reports = Vec::new();
        for step in Step::ALL {
            reports.push(self.step(step, token).await?);
        }
        Ok(reports)
    }

    /// The document under a label; none if what is there is no document.
    #[must_use]
    pub fn document(&self, stage: &Stage) -> Option<FakeSecret> {
        let value = self.store.value(&self.secret, stage)?;
        FakeSecret::parse(&value).ok()
    }

    /// The version that carries a label.
    #[must_use]
    pub fn version(&self, stage: &Stage) -> Option<VersionId> {
        let versions = self.store.versions(&self.secret).into_iter();
        let mut holders = versions.filter(|version| version.stages.contains(stage));
        holders.next().map(|version| version.id)
    }

    /// A document that this secret once had and whose key the server accepts, the latest first.
    #[must_use]
    pub fn working_document(&self) -> Option<FakeSecret> {
        self.documents().into_iter().find(|document| {
            let key = document.value.as_ref();
            key.is_some_and(|value| self.server.accepts(value))
        })
    }

    fn last_document(&self) -> Option<FakeSecret> {
        let current = self.document(&Stage::Current);
        current.or_else(|| self.documents().into_iter().next())
    }

    /// Every document that this secret has had, the latest first.
    fn documents(&self) -> Vec<FakeSecret> {
        let versions = self.store.versions(&self.secret).into_iter().rev();
        let values = versions.filter_map(|version| version.value);
        let documents = values.filter_map(|(value, _)| FakeSecret::parse(&value).ok());
        documents.collect()
    }

    /// Everything that a rotation can change, for comparison.
    #[must_use]
    pub fn picture(&self) -> String {
        format!("{}\n{:#?}", self.labels(), self.server.live_values())
    }

    /// Everything that a rotation can change in the store, for comparison.
    #[must_use]
    pub fn labels(&self) -> String {
        let versions = self.store.versions(&self.secret);
        let shown = versions.iter().map(|version| {
            let value = version.value.as_ref().map(|(value, _)| value.expose());
            format!("{} {:?} {value:?}", version.id, version.stages)
        });
        format!("{:#?}", shown.collect::<Vec<_>>())
    }

    /// The key under a label, as a consumer reads it.
    #[must_use]
    pub fn key(&self, stage: &Stage) -> Option<String> {
        self.document(stage)?.value
    }

    /// Who looks at store and server together.
    #[must_use]
    pub fn judge(&self) -> Judge {
        Judge {
            secret: self.secret.clone(),
            kind: self.provider.kind(),
            store: self.store.clone(),
            server: self.server.clone(),
            clock: self.clock.clone(),
            minting: self.minting.clone(),
        }
    }

    /// From now on every outside call that takes effect is judged: P1 to P4 hold but for what is
    /// allowed.
    pub fn judge_every_call(&self, allowance: Allowance) {
        let judge = self.judge();
        self.injector
            .judge_every_call(move || judge.judge(&allowance));
    }

    /// A copy that goes its own way from here: another store, server, clock and injector.
    #[must_use]
    pub fn fork(&self) -> Self {
        let clock = self.clock.fork();
        let server = self.server.fork(clock.clone());
        Self {
            secret: self.secret.clone(),
            store: self.store.fork(clock.clone()),
            provider: FakeProvider::new(self.provider.kind(), server.clone(), clock.clone()),
            server,
            clock,
            injector: Injector::default(),
            random: Arc::new(Mutex::new(StdRng::from_rng(&mut *self.random()))),
            minting: Arc::default(),
        }
    }

    /// Whether the server accepts the key under a label.
    #[must_use]
    pub fn works(&self, stage: &Stage) -> bool {
        self.key(stage)
            .is_some_and(|value| self.server.accepts(&value))
    }

    fn random(&self) -> impl std::ops::DerefMut<Target = StdRng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
