//! One secret whose rotation is in flight: every request, signature and call of the store passes the injector.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use twinkey_core::{
    Engine, RotationError, SecretId, SecretValue, Sign, Stage, Step, StepReport, StepRequest,
    StoreError, VersionId,
};
use twinkey_github::{Github, Http, HttpError, Reply, Request};
use twinkey_testkit::{CrashPoint, CrashWorld, Effect, FaultyStore, Injected, Injector};

use crate::scene::{Both, Kms, PEM, REPOSITORY, Scene, app_key, settings, transport};

/// The transport, where each request passes the injector.
struct FaultyHttp {
    inner: Arc<dyn Http>,
    injector: Injector,
}

/// What the injector makes up.
struct Made(HttpError);

impl Injected for Made {
    fn no_answer() -> Self {
        Self(HttpError::NoAnswer("no answer, by the injector".into()))
    }

    fn denied() -> Self {
        Self(HttpError::Unusable("denied, by the injector".into()))
    }
}

#[async_trait]
impl Http for FaultyHttp {
    async fn send(&self, request: &Request) -> Result<Reply, HttpError> {
        let name = match request.method {
            "GET" => "get",
            "DELETE" => "delete",
            _ if request.url.ends_with("/access_tokens") => "mint",
            _ => "register",
        };
        let late = || -> Effect {
            let (inner, request) = (Arc::clone(&self.inner), request.clone());
            Box::pin(async move {
                let _ = inner.send(&request).await;
            })
        };
        let work = async { self.inner.send(request).await.map_err(Made) };
        let changes = request.method != "GET";
        let late = changes.then(|| Box::new(late) as Box<dyn FnOnce() -> Effect + Send>);
        let sent = self.injector.call(name, work, late).await;
        sent.map_err(|Made(error)| error)
    }
}

/// Where each signature passes the injector. KMS itself, by moto, signs in `tests/` at the top.
struct FaultyKms(Injector);

#[async_trait]
impl Sign for FaultyKms {
    async fn sign(&self, key: &str, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.call("sign", Kms.sign(key, message), None).await
    }
}

/// What has happened to the keys before the rotation that is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// The secret was never rotated.
    Nothing,
    /// Both keys are in place.
    Rotations,
    /// They were, and then a person took the current one away.
    CurrentTakenAway,
}

/// One secret whose rotation is in flight.
pub(crate) struct World {
    pub(crate) scene: Scene,
    before: Before,
    kinds: Both,
    pub(crate) injector: Injector,
    pub(crate) token: VersionId,
    stale: VersionId,
    expired: bool,
    /// How many there will be.
    faults: usize,
}

impl World {
    pub(crate) async fn new(scene: Scene, before: Before, injector: Injector) -> Self {
        if before != Before::Nothing {
            for _ in 0..2 {
                scene.rotate().await.expect("a calm rotation");
            }
        }
        let stale = VersionId::manual(&mut rand::rng(), false);
        if before == Before::CurrentTakenAway {
            take_away(&scene, &scene.document(&Stage::Current));
        }
        let http = FaultyHttp {
            inner: transport(&scene.stub),
            injector: injector.clone(),
        };
        // The App's private key lies in the same store: reading it is an outside call too.
        let pem = SecretValue::new(app_key().pem());
        let version = VersionId::random(&mut rand::rng());
        let secret = SecretId::new(PEM);
        scene.store.put_by_hand(&secret, &version, &pem);
        let store = FaultyStore::new(scene.store.clone(), injector.clone());
        let kms = FaultyKms(injector.clone());
        let github = Github::new(settings(&scene.stub), Arc::new(store), Arc::new(kms))
            .with_clock(Arc::new(scene.clock.clone()))
            .with_http(Arc::new(http));
        let kinds = Both(github);
        Self {
            token: scene.begin(),
            scene,
            before,
            kinds,
            injector,
            stale,
            expired: false,
            faults: 1,
        }
    }

    /// The same, for two faults in one rotation.
    pub(crate) fn struck_twice(self) -> Self {
        Self { faults: 2, ..self }
    }

    pub(crate) async fn step(
        &self,
        step: Step,
        token: &VersionId,
    ) -> Result<StepReport, RotationError> {
        let store = FaultyStore::new(self.scene.store.clone(), self.injector.clone());
        let engine = Engine {
            store: &store,
            kinds: &self.kinds,
            clock: &self.scene.clock,
        };
        let request = StepRequest {
            step,
            secret: self.scene.secret.clone(),
            token: token.clone(),
        };
        engine
            .step(&request, &mut StdRng::from_rng(&mut rand::rng()))
            .await
    }

    /// Every document that was ever stored.
    fn stored(&self) -> Vec<Value> {
        let versions = self.scene.store.versions(&self.scene.secret);
        let values = versions.into_iter().filter_map(|version| version.value);
        values
            .map(|(value, _): (SecretValue, _)| serde_json::from_str(value.expose()).expect("JSON"))
            .collect()
    }

    pub(crate) fn works(&self, document: &Value) -> bool {
        match (document["token"].as_str(), document["public_key"].as_str()) {
            (Some(token), _) => self.scene.stub.accepts(token),
            (_, Some(key)) => self
                .scene
                .stub
                .keys(REPOSITORY)
                .iter()
                .any(|it| it.key == key),
            _ => false,
        }
    }

    /// How many keys live that some version holds.
    pub(crate) fn live(&self) -> usize {
        self.stored()
            .iter()
            .filter(|document| self.works(document))
            .count()
    }

    /// How many keys live that no version holds.
    pub(crate) fn lost(&self) -> usize {
        let stored: BTreeSet<String> = self
            .stored()
            .iter()
            .flat_map(|it| [it["token"].clone(), it["public_key"].clone()])
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect();
        let tokens = self.scene.stub.live_values();
        let keys = self
            .scene
            .stub
            .keys(REPOSITORY)
            .into_iter()
            .map(|it| it.key);
        tokens
            .into_iter()
            .chain(keys)
            .filter(|it| !stored.contains(it))
            .count()
    }

    pub(crate) fn is_issued(&self) -> bool {
        self.scene.document(&Stage::Current)["kind"] == twinkey_github::TOKEN_KIND
    }

    /// P2: a third live key only where a minted one was lost before it was stored, and it dies within the hour.
    fn judge_count(&self, point: &CrashPoint) {
        assert!(self.live() <= 2, "P2: {} live at {point}", self.live());
        let lost = self.lost();
        let strikes = ["mint", "put", "read", "delete"].contains(&point.call.name);
        let may_lose = match self.faults {
            1 if point.step == Step::CreateSecret && strikes => 1,
            1 => 0,
            // The point is the first fault's only.
            faults => faults,
        };
        assert!(
            lost == 0 || (lost <= may_lose && self.is_issued()),
            "P4: {lost} keys that nobody holds at {point}"
        );
    }
}

/// A person takes a key away.
fn take_away(scene: &Scene, document: &Value) {
    match (document["token"].as_str(), document["public_key"].as_str()) {
        (Some(token), _) => scene.stub.revoke_by_hand(token),
        (_, Some(key)) => scene.stub.remove_key_by_hand(key),
        _ => panic!("there is no key"),
    }
}

impl CrashWorld for World {
    async fn deliver(&mut self, step: Step) -> Result<StepReport, RotationError> {
        self.step(step, &self.token).await
    }

    async fn deliver_stale(&mut self, step: Step) {
        let before = (self.stored(), self.scene.stub.minted_tokens());
        let _ = self.step(step, &self.stale).await;
        assert_eq!(
            (self.stored(), self.scene.stub.minted_tokens()),
            before,
            "P5: a late {step}"
        );
    }

    async fn expire(&mut self) {
        self.scene.clock.advance(TimeDelta::minutes(62));
        self.expired = true;
    }

    async fn begin_another(&mut self) {
        self.token = self.scene.begin();
    }

    async fn judge_after_fault(&mut self, point: &CrashPoint) {
        let current = self.scene.document(&Stage::Current);
        if self.before == Before::Rotations {
            assert!(self.works(&current), "P1 at {point}");
        }
        if self.before == Before::CurrentTakenAway {
            assert!(self.live() >= 1, "P1: the other one at {point}");
        }
        self.judge_count(point);
    }

    async fn judge_at_rest(&mut self, point: &CrashPoint) {
        // Where the rotation had passed before its key expired, the next one has to come.
        if self.expired && self.is_issued() && !self.works(&self.scene.document(&Stage::Current)) {
            self.begin_another().await;
            for step in Step::ALL {
                self.step(step, &self.token)
                    .await
                    .unwrap_or_else(|error| panic!("{point}: {error}"));
            }
        }
        let current = self.scene.document(&Stage::Current);
        assert!(self.works(&current), "P1 at {point}");
        let alone = self.before == Before::Nothing || (self.expired && self.is_issued());
        if alone {
            assert!((1..=2).contains(&self.live()), "P2 at {point}");
        } else {
            assert_eq!(self.live(), 2, "P2 and P3 at {point}");
        }
        self.judge_count(point);
        for step in Step::ALL {
            let late = self.step(step, &self.token).await;
            late.unwrap_or_else(|error| panic!("P5, late, at {point}: {error}"));
        }
        assert_eq!(
            self.scene.document(&Stage::Current),
            current,
            "P5 at {point}"
        );
        // Whatever was lost is dead within the hour, and the next rotation leaves two at most.
        self.scene.clock.advance(TimeDelta::minutes(62));
        if self.is_issued() {
            assert_eq!(self.lost(), 0, "P4 at {point}");
        }
        self.scene
            .rotate()
            .await
            .unwrap_or_else(|error| panic!("after {point}: {error}"));
        assert_eq!(self.lost(), 0, "P4: swept at {point}");
        assert!(self.live() <= 2, "P2 at {point}");
    }
}
