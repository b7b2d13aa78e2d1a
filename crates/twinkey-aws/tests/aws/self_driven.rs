//! P1 to P5 where a person's own process rotates: it dies at every outside call, and a rival starts at every one.
//! The real engine and store over HTTP; Secrets Manager and the keys' server are the strict fakes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_aws::{NotHere, Patience, SecretsManagerStore, SelfDriven};
use twinkey_core::{
    Description, DocumentError, Engine, Kinds, RotationError, Rotator, SecretAddress, SecretId,
    SecretValue, Selector, Stage, Step, StepReport, StepRequest, Store, StoreError, Version,
    VersionId,
};
use twinkey_test_aws::SecretsManagerServer;
use twinkey_testkit::{
    Allowance, CrashPoint, CrashWorld, FakeKind, FakeProvider, Fault, FaultyProvider, FaultyStore,
    Injector, Matrix, Restart, Scene,
};

use crate::world::config;

const KINDS: [FakeKind; 4] = [
    FakeKind::Password,
    FakeKind::KeyPair,
    FakeKind::Token { listable: true },
    FakeKind::Token { listable: false },
];

struct OneKind(FaultyProvider<FakeProvider>);

impl Kinds for OneKind {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.0.clone()))
    }
}

/// One secret that no function rotates.
struct Desk {
    scene: Scene,
    injector: Injector,
    store: SecretsManagerStore,
    // Serves until it is dropped.
    _server: SecretsManagerServer,
}

impl Desk {
    /// After so many rotations.
    async fn new(kind: FakeKind, rotations: usize, injector: Injector) -> Self {
        let scene = Scene::new(kind);
        for _ in 0..rotations {
            let token = scene.begin();
            scene.rotate(&token).await.expect("a quiet rotation");
        }
        scene.store.remove_pending(&scene.secret);
        scene.store.remove_rotation_function(&scene.secret);
        let server = SecretsManagerServer::start(scene.store.clone(), scene.clock.clone()).await;
        let store = SecretsManagerStore::new(&config(&server.endpoint()), Patience::default());
        Self {
            scene,
            injector,
            store,
            _server: server,
        }
    }

    /// What a process does first.
    async fn begin(&self) -> Result<SelfDriven, NotHere> {
        let token = VersionId::manual(&mut rand::rng(), false);
        SelfDriven::begin(self.store.clone(), &self.scene.secret, token).await
    }

    /// One step by a process, whose calls pass through `store`.
    async fn step(
        &self,
        store: &dyn Store,
        token: &VersionId,
        step: Step,
        injector: Injector,
    ) -> Result<StepReport, RotationError> {
        let provider = FaultyProvider::new(self.scene.provider.clone(), injector);
        let engine = Engine {
            store,
            kinds: &OneKind(provider),
            clock: &self.scene.clock,
        };
        let request = StepRequest {
            step,
            secret: self.scene.secret.clone(),
            token: token.clone(),
        };
        let mut random = StdRng::from_rng(&mut rand::rng());
        engine.step(&request, &mut random).await
    }

    /// A whole rotation by one process that nothing disturbs.
    async fn rotate(&self) -> Result<(), RotationError> {
        let here = self.begin().await.expect("begun");
        for step in Step::ALL {
            let calm = Injector::default();
            self.step(&here, here.token(), step, calm).await?;
        }
        here.close().await.expect("closed");
        Ok(())
    }

    fn judge(&self, allowance: Allowance, when: &dyn std::fmt::Display) {
        let verdict = self.scene.judge().verdict(&allowance);
        verdict.unwrap_or_else(|broken| panic!("{broken} {when}"));
    }
}

/// A process that is struck, and those that a person starts after it.
struct Struck {
    desk: Desk,
    here: Option<SelfDriven>,
    strays: usize,
}

impl Struck {
    async fn new(kind: FakeKind, rotations: usize, injector: Injector) -> Self {
        Self {
            desk: Desk::new(kind, rotations, injector).await,
            here: None,
            strays: 0,
        }
    }

    fn kind(&self) -> FakeKind {
        self.desk.scene.provider.kind()
    }
}

impl CrashWorld for Struck {
    /// With the first step a process begins: there is no other way to go on.
    async fn deliver(&mut self, step: Step) -> Result<StepReport, RotationError> {
        if step == Step::CreateSecret {
            self.here = Some(self.desk.begin().await.expect("begun"));
        }
        let here = self.here.clone().expect("begun");
        let store = FaultyStore::new(here.clone(), self.desk.injector.clone());
        let injector = self.desk.injector.clone();
        let passed = self.desk.step(&store, here.token(), step, injector).await?;
        if step == Step::FinishSecret {
            here.close().await.expect("closed");
        }
        Ok(passed)
    }

    async fn deliver_stale(&mut self, _: Step) {
        unreachable!("nobody delivers steps to a person's process");
    }

    async fn expire(&mut self) {
        unreachable!("no restart waits for that");
    }

    /// The next process finds out itself what there is to do.
    async fn begin_another(&mut self) {}

    async fn judge_after_fault(&mut self, point: &CrashPoint) {
        let late = point.struck("mint").any(Fault::lands_late);
        let unlisted = self.kind() == FakeKind::Token { listable: false };
        let lost = ["mint", "put"].contains(&point.call.name);
        self.strays += usize::from(lost && unlisted || late);
        let allowance = Allowance {
            strays: self.strays,
            ..Allowance::default()
        };
        self.desk.judge(allowance, point);
    }

    async fn judge_at_rest(&mut self, point: &CrashPoint) {
        // A put that lands after everything leaves a rotation, which the next process takes up and gives up.
        if let Err(error) = self.desk.rotate().await {
            assert!(point.fault.lands_late(), "after {point}: {error}");
        }
        // A mint that lands after the sweep is found by the next one.
        let rotated = self.desk.rotate().await;
        rotated.unwrap_or_else(|error| panic!("after {point}: {error}"));
        let unlisted = self.kind() == FakeKind::Token { listable: false };
        let allowance = Allowance {
            strays: if unlisted { self.strays } else { 0 },
            pair_at_rest: true,
            ..Allowance::default()
        };
        assert!(self.desk.scene.judge().at_rest(), "AWSPENDING {point}");
        self.desk.judge(allowance, point);
    }
}

/// The process dies, or is refused, at every outside call, and a person starts it again.
#[tokio::test]
async fn p1_to_p5_hold_where_a_persons_own_process_is_struck_at_any_call() {
    let matrix = Matrix {
        faults: &Fault::ALL,
        // What an expired key asks of the engine stands in the matrix of the engine itself.
        restarts: &[Restart::WholeRotation],
    };
    for kind in KINDS {
        for rotations in [0, 2] {
            let build = async |injector| Struck::new(kind, rotations, injector).await;
            let points = matrix.run(build).await.len();
            eprintln!("{kind}, after {rotations} rotations: {points} crash points");
            assert!(points >= 75, "only {points} points: the matrix has shrunk");
        }
    }
}

/// A process before whose call of a number another one comes and rotates.
#[derive(Clone)]
struct Overtaken<'a> {
    inner: SelfDriven,
    desk: &'a Desk,
    calls: Arc<AtomicUsize>,
    at: usize,
}

impl Overtaken<'_> {
    async fn call(&self) {
        if self.calls.fetch_add(1, Ordering::SeqCst) == self.at {
            // It may be refused: the other one is in the middle of its rotation.
            drop(self.desk.rotate().await);
        }
    }
}

#[async_trait]
impl Store for Overtaken<'_> {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        self.inner.address(secret)
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        self.call().await;
        self.inner.describe(secret).await
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        self.call().await;
        self.inner.read(secret, at).await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        self.call().await;
        self.inner.put(secret, version, value, stages).await
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        self.call().await;
        self.inner.move_stage(secret, stage, from, to).await
    }
}

/// Two persons at once: the second rotates wholly between any two calls of the first to the store.
#[tokio::test]
async fn p1_p2_and_p4_hold_where_two_persons_rotate_one_secret() {
    for kind in KINDS {
        let mut at = 0;
        loop {
            let when = format!("{kind}, before call {at}");
            let desk = Desk::new(kind, 2, Injector::default()).await;
            let here = desk.begin().await.expect("begun");
            let store = Overtaken {
                inner: here.clone(),
                desk: &desk,
                calls: Arc::default(),
                at,
            };
            for step in Step::ALL {
                let calm = Injector::default();
                let passed = desk.step(&store, here.token(), step, calm).await;
                desk.judge(Allowance::default(), &format!("after {step}, {when}"));
                if passed.is_err() {
                    break;
                }
            }
            if store.calls.load(Ordering::SeqCst) <= at {
                break;
            }
            // Each goes on until it is done: what the two left behind is finished or swept.
            for _ in 0..2 {
                let rotated = desk.rotate().await;
                rotated.unwrap_or_else(|error| panic!("{when}: {error}"));
            }
            let allowance = Allowance {
                pair_at_rest: true,
                ..Allowance::default()
            };
            desk.judge(allowance, &when);
            at += 1;
        }
        eprintln!("{kind}: a rival before each of {at} calls");
        assert!(at >= 6, "only {at} calls");
    }
}
