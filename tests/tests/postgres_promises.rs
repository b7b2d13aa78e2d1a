//! P1 to P5 at every point of a Postgres rotation through the embedded store: the real engine, the
//! real store, the real provider, a real server; only the fault is made.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tempfile::TempDir;
use twinkey_core::{
    Borrow, DocumentError, Engine, Kinds, MIN_OVERLAP_TAG, RotationError, Rotator, SecretId,
    SecretValue, Selector, Stage, Step, StepReport, StepRequest, Store, StoreError, SystemClock,
    VersionId,
};
use twinkey_local::{Lease, LocalStore};
use twinkey_postgres::{PostgresProvider, Settings};
use twinkey_test_postgres::tokio_postgres::Client;
use twinkey_testkit::{
    CrashPoint, CrashWorld, Fault, FaultyProvider, FaultyStore, Injector, Matrix, Outcome, Restart,
};
use twinkey_tests::{FIRST_PASSWORD, Site};

static WORLDS: AtomicUsize = AtomicUsize::new(0);

/// One role pair, its admin and one store at a shared server, with the injector around store and provider.
struct World<'a> {
    site: &'a Site,
    store: LocalStore,
    secret: SecretId,
    injector: Injector,
    token: VersionId,
    stale: VersionId,
    others: Option<Arc<Others>>,
    _home: TempDir,
}

/// Others that give the admin a new password right after its secret has been read, as RDS may at any moment: what was read
/// is dead then. Whoever reads once more is left in peace.
struct Others {
    role: String,
    document: SecretValue,
    root: Client,
    store: LocalStore,
    read: Mutex<Option<SecretValue>>,
}

impl Others {
    async fn rotate(&self, number: usize) {
        let password = format!("TEST-by-others-{number}");
        let sql = format!("ALTER ROLE {} PASSWORD '{password}'", self.role);
        self.root.batch_execute(&sql).await.expect("altered");
        let mut document: Value = serde_json::from_str(self.document.expose()).expect("a document");
        document["password"] = password.into();
        put(&self.store, ADMIN, &document).await;
    }
}

/// The store as the provider borrows from it.
struct Lender {
    store: FaultyStore<LocalStore>,
    others: Option<Arc<Others>>,
}

#[async_trait]
impl Borrow for Lender {
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
        let read = self.store.current(secret).await?;
        if let Some(others) = &self.others {
            let before = others.read.lock().expect("a lock").replace(read.clone());
            if before.is_none_or(|before| before == read) {
                others.rotate(WORLDS.fetch_add(1, Ordering::Relaxed)).await;
            }
        }
        Ok(read)
    }
}

const ADMIN: &str = "admin";

struct OneKind(FaultyProvider<PostgresProvider>);

impl Kinds for OneKind {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.0.clone()))
    }
}

impl<'a> World<'a> {
    async fn new(site: &'a Site, rotations: usize, injector: Injector) -> Self {
        let role = format!("role_{}", WORLDS.fetch_add(1, Ordering::Relaxed));
        site.create_role(&role).await;
        let home = tempfile::tempdir().expect("a directory");
        let path = |name: &str| home.path().join(name);
        let store = LocalStore::init(&path("a.db"), &path("a.key"), Arc::new(SystemClock))
            .expect("a store");
        // A superuser may be its own admin, whatever the server's version.
        let admin = format!("admin_of_{role}");
        site.create_role(&admin).await;
        let root = site
            .cluster
            .superuser("postgres")
            .await
            .expect("the superuser");
        let sql = format!("ALTER ROLE {admin} SUPERUSER");
        root.batch_execute(&sql).await.expect("altered");
        put(&store, ADMIN, &site.document(&admin, FIRST_PASSWORD)).await;
        put(&store, "app", &site.document(&role, FIRST_PASSWORD)).await;
        let token = VersionId::random(&mut rand::rng());
        let mut world = Self {
            site,
            store,
            secret: SecretId::new("app"),
            injector,
            stale: token.clone(),
            token,
            others: None,
            _home: home,
        };
        for _ in 0..rotations {
            world.rotate().await;
        }
        world.stale = world.token.clone();
        world.begin().await;
        world
    }

    /// The admin's key dies right after every first read of it, from now on.
    async fn with_others(mut self) -> Self {
        let admin = Selector::Stage(Stage::Current);
        let admin = self.store.read(&SecretId::new(ADMIN), &admin).await;
        let document = admin.expect("the admin").value;
        let fields: Value = serde_json::from_str(document.expose()).expect("a document");
        let root = self.site.cluster.superuser("postgres").await;
        self.others = Some(Arc::new(Others {
            role: fields["username"].as_str().expect("a role").into(),
            document,
            root: root.expect("the superuser"),
            store: self.store.clone(),
            read: Mutex::default(),
        }));
        self
    }

    /// The same world to somebody else, who rotates the admin's secret and whom no fault strikes.
    fn of_admin(&self) -> Self {
        Self {
            site: self.site,
            store: self.store.clone(),
            secret: SecretId::new(ADMIN),
            injector: Injector::default(),
            token: self.token.clone(),
            stale: self.stale.clone(),
            others: None,
            _home: tempfile::tempdir().expect("a directory"),
        }
    }

    async fn begin(&mut self) {
        self.token = VersionId::manual(&mut rand::rng(), false);
        // A lease that lapses at once: the next one may begin whenever this one has ended.
        let lease = Lease::new(chrono::Utc::now(), TimeDelta::zero());
        self.store
            .begin_rotation(&self.secret, &self.token, None, &lease)
            .await
            .expect("begun");
    }

    async fn rotate(&mut self) {
        self.begin().await;
        for step in Step::ALL {
            self.step(step, &self.token).await.expect("a calm rotation");
        }
    }

    async fn step(&self, step: Step, token: &VersionId) -> Result<StepReport, RotationError> {
        let bundle = self.site.cluster.ca_path().to_string_lossy().into_owned();
        let settings =
            Settings::from_env(|name| (name == "TWINKEY_CA_BUNDLE").then(|| bundle.clone()));
        let store = FaultyStore::new(self.store.clone(), self.injector.clone());
        // What the provider borrows passes the injector too.
        let lender = Lender {
            store: store.clone(),
            others: self.others.clone(),
        };
        let provider = PostgresProvider::new(settings.expect("settings"), Arc::new(lender));
        let kinds = OneKind(FaultyProvider::new(provider, self.injector.clone()));
        let engine = Engine {
            store: &store,
            kinds: &kinds,
            clock: &SystemClock,
        };
        let request = StepRequest {
            step,
            secret: self.secret.clone(),
            token: token.clone(),
        };
        engine
            .step(&request, &mut StdRng::from_rng(&mut rand::rng()))
            .await
    }

    async fn document(&self, stage: Stage) -> Option<Value> {
        let version = self
            .store
            .read(&self.secret, &Selector::Stage(stage))
            .await
            .ok()?;
        Some(serde_json::from_str(version.value.expose()).expect("a document"))
    }

    async fn works(&self, stage: Stage) -> bool {
        match self.document(stage).await {
            Some(document) => self.site.accepts(&document).await,
            None => false,
        }
    }

    /// Counts by logging in with every password that was ever stored for this secret.
    async fn live(&self) -> usize {
        let mut live = 0;
        for version in self.store.versions(&self.secret).await.expect("versions") {
            if version.has_value {
                let read = self
                    .store
                    .read(&self.secret, &Selector::Version(version.id))
                    .await
                    .expect("a value");
                let document: Value =
                    serde_json::from_str(read.value.expose()).expect("a document");
                live += usize::from(self.site.accepts(&document).await);
            }
        }
        live
    }
}

async fn put(store: &LocalStore, name: &str, document: &Value) {
    let tags = BTreeMap::from([(MIN_OVERLAP_TAG.to_owned(), "0s".to_owned())]);
    let value = SecretValue::new(document.to_string());
    let id = VersionId::random(&mut rand::rng());
    store
        .put_value(&SecretId::new(name), &id, &value, &tags)
        .await
        .expect("put");
}

impl CrashWorld for World<'_> {
    async fn deliver(&mut self, step: Step) -> Result<StepReport, RotationError> {
        self.step(step, &self.token).await
    }

    async fn deliver_stale(&mut self, step: Step) {
        let before = self.document(Stage::Current).await;
        let _ = self.step(step, &self.stale).await;
        let after = self.document(Stage::Current).await;
        assert_eq!(before, after, "P5: a late {step} of an older rotation");
    }

    /// Passwords do not expire.
    async fn expire(&mut self) {}

    async fn begin_another(&mut self) {
        self.begin().await;
    }

    async fn judge_after_fault(&mut self, point: &CrashPoint) {
        assert!(self.works(Stage::Current).await, "P1 at {point}");
        assert!(self.live().await <= 2, "P2 at {point}");
    }

    async fn judge_at_rest(&mut self, point: &CrashPoint) {
        assert!(self.works(Stage::Current).await, "P1 at {point}");
        assert!(self.works(Stage::Previous).await, "P3 at {point}");
        assert_eq!(self.live().await, 2, "P2 and P3 at {point}");
        let current = self.document(Stage::Current).await;
        for step in Step::ALL {
            self.step(step, &self.token)
                .await
                .unwrap_or_else(|error| panic!("P5, late, at {point}: {error}"));
        }
        assert_eq!(
            self.document(Stage::Current).await,
            current,
            "P5 at {point}"
        );
    }
}

async fn matrix(rotations: usize) {
    let site = Site::default();
    let matrix = Matrix {
        faults: &Fault::ALL,
        restarts: &[Restart::SameStep, Restart::StaleStepsFirst],
    };
    let outcomes = matrix
        .run(async |injector| World::new(&site, rotations, injector).await)
        .await;
    wide_enough(&outcomes);
}

/// How many outside calls a calm rotation makes.
async fn calls(mut world: World<'_>) -> usize {
    world.injector.disarm();
    for step in Step::ALL {
        world.deliver(step).await.expect("a calm rotation");
    }
    world.injector.calls().len()
}

fn wide_enough(outcomes: &[Outcome]) {
    let points = outcomes.len();
    eprintln!("{points} crash points");
    assert!(points >= 100, "only {points} points: the matrix has shrunk");
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_point_of_a_first_postgres_rotation() {
    matrix(0).await;
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_point_of_a_later_postgres_rotation() {
    matrix(2).await;
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_point_while_the_admins_key_dies_after_every_first_read_of_it() {
    let site = Site::default();
    let matrix = Matrix {
        faults: &Fault::ALL,
        restarts: &[Restart::SameStep],
    };
    let outcomes = matrix
        .run(async |injector| World::new(&site, 1, injector).await.with_others().await)
        .await;
    wide_enough(&outcomes);
    // The second reads are struck too: one in createSecret, one in setSecret.
    let calm = calls(World::new(&site, 1, Injector::default()).await).await;
    let others = World::new(&site, 1, Injector::default())
        .await
        .with_others()
        .await;
    assert_eq!(calls(others).await, calm + 2);
}

#[tokio::test]
async fn p5_a_rotation_goes_on_wherever_it_froze_while_the_admins_secret_was_rotated_twice() {
    let site = Site::default();
    for call in 0..calls(World::new(&site, 0, Injector::default()).await).await {
        let world = World::new(&site, 0, Injector::default()).await;
        let mut admin = world.of_admin();
        admin.rotate().await;
        world.injector.freeze_at(call);
        let mut frozen = Box::pin(async {
            for step in Step::ALL {
                world.step(step, &world.token).await?;
            }
            Ok::<(), RotationError>(())
        });
        assert!(world.injector.until_frozen(frozen.as_mut()).await);
        admin.rotate().await;
        admin.rotate().await;
        world.injector.thaw();
        let went_on = frozen.await;
        went_on.unwrap_or_else(|error| panic!("call {call}: {error}"));
        assert!(world.works(Stage::Current).await && world.works(Stage::Previous).await);
        assert_eq!(world.live().await, 2, "call {call}");
        assert_eq!(admin.live().await, 2, "call {call}");
    }
}

#[tokio::test]
async fn p5_an_invocation_frozen_at_each_call_while_two_rotations_pass_changes_nothing() {
    let site = Site::default();
    for call in 0..calls(World::new(&site, 2, Injector::default()).await).await {
        frozen_at(&site, call).await;
    }
}

async fn frozen_at(site: &Site, call: usize) {
    let mut world = World::new(site, 2, Injector::default()).await;
    let (token, injector) = (world.token.clone(), world.injector.clone());
    let frozen_world = World {
        site,
        store: world.store.clone(),
        secret: world.secret.clone(),
        injector: injector.clone(),
        token: token.clone(),
        stale: token.clone(),
        others: None,
        _home: tempfile::tempdir().expect("a directory"),
    };
    injector.freeze_at(call);
    let mut frozen = Box::pin(async {
        for step in Step::ALL {
            frozen_world.step(step, &token).await?;
        }
        Ok::<(), RotationError>(())
    });
    assert!(
        injector.until_frozen(frozen.as_mut()).await,
        "call {call} was not reached"
    );
    // What is frozen holds nothing: nobody has to wait for it or come again.
    for step in Step::ALL {
        let delivered = world.deliver(step).await;
        delivered.unwrap_or_else(|error| panic!("call {call}: {error}"));
    }
    world.rotate().await;
    world.rotate().await;
    let current = world.document(Stage::Current).await;
    injector.thaw();
    let _ = frozen.await;
    assert_eq!(world.document(Stage::Current).await, current, "call {call}");
    assert!(
        world.works(Stage::Current).await && world.works(Stage::Previous).await,
        "call {call}"
    );
    assert_eq!(world.live().await, 2, "call {call}");
    // And the next rotation is not held up by what the late one left.
    world.rotate().await;
    assert_eq!(world.live().await, 2, "call {call}");
}
