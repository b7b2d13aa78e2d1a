//! What the engine works with, as far as the invocation's time goes: every outside call ends before it does. So
//! the engine always comes to its own end, and what it has made dead until then is told.

mod kinds;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use twinkey_core::{
    Description, SecretAddress, SecretId, SecretValue, Selector, Stage, Store, StoreError, Version,
    VersionId,
};

use crate::deadline::Deadline;
pub(crate) use kinds::KindsInTime;

/// A store whose calls end in time.
#[derive(Clone)]
pub(crate) struct StoreInTime<S> {
    pub(crate) store: S,
    pub(crate) deadline: Deadline,
    pub(crate) labelled: Labelled,
}

/// How many versions had a slot's label when a secret was last described: each is one live key. Clones are the
/// same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labelled(Arc<Mutex<Option<usize>>>);

impl Labelled {
    fn note(&self, description: &Description) {
        let slots = description.versions.keys();
        let slots = slots.filter(|id| description.slot(id).is_some()).count();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(slots);
    }

    /// The number, and from now on none.
    pub(crate) fn take(&self) -> Option<usize> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.take()
    }
}

impl<S> StoreInTime<S> {
    async fn keep<T>(
        &self,
        call: &'static str,
        secret: &SecretId,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = self.deadline.keep(answer).await;
        answer.unwrap_or_else(|| Err(no_answer(call, secret)))
    }
}

/// The call that was cut off.
pub(crate) fn no_answer(call: &str, secret: &SecretId) -> StoreError {
    StoreError::Transient {
        doing: format!("{call} of {secret}"),
        reason: "no answer until then".into(),
    }
}

#[async_trait]
impl<S: Store> Store for StoreInTime<S> {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        self.store.address(secret)
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        let answer = self.store.describe(secret);
        let description = self.keep("DescribeSecret", secret, answer).await?;
        self.labelled.note(&description);
        Ok(description)
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        let answer = self.store.read(secret, at);
        self.keep("GetSecretValue", secret, answer).await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        let answer = self.store.put(secret, version, value, stages);
        self.keep("PutSecretValue", secret, answer).await
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        let answer = self.store.move_stage(secret, stage, from, to);
        self.keep("UpdateSecretVersionStage", secret, answer).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use twinkey_catalog::Wrap as _;
    use twinkey_core::{
        DocumentError, Engine, Failure, Kinds, Rotator, Step, StepReport, StepRequest,
    };
    use twinkey_testkit::{FakeKind, FakeProvider, FaultyProvider, FaultyStore, Scene};

    use super::*;
    use crate::refusal::failed;

    struct Kind(FaultyProvider<FakeProvider>, Deadline);

    impl Kinds for Kind {
        fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
            Ok(self.1.wrap(self.0.clone()))
        }
    }

    /// Delivers a step that has a second.
    async fn step(scene: &Scene, step: Step, token: &VersionId) -> Result<StepReport, Failure> {
        let deadline = Deadline::default();
        deadline.begin(Duration::from_secs(1));
        let store = StoreInTime {
            store: FaultyStore::new(scene.store.clone(), scene.injector.clone()),
            deadline: deadline.clone(),
            labelled: Labelled::default(),
        };
        let provider = FaultyProvider::new(scene.provider.clone(), scene.injector.clone());
        let kinds = Kind(provider, deadline.clone());
        let engine = Engine {
            store: &store,
            kinds: &kinds,
            clock: &scene.clock,
        };
        let request = StepRequest {
            step,
            secret: scene.secret.clone(),
            token: token.clone(),
        };
        let result = engine.step(&request, &mut StdRng::seed_from_u64(5)).await;
        result.map_err(|error| deadline.judge(failed(&error)))
    }

    /// Two rotations have passed, so that the third one retires a key.
    async fn company(kind: FakeKind) -> Scene {
        let scene = Scene::new(kind);
        for _ in 0..2 {
            let token = scene.begin();
            scene.rotate(&token).await.expect("calm");
        }
        scene
    }

    #[tokio::test(start_paused = true)]
    async fn p7_what_a_step_has_made_dead_is_told_whichever_call_of_it_hangs() {
        let mut told = 0;
        for kind in [FakeKind::KeyPair, FakeKind::Token { listable: true }] {
            let calm = company(kind).await;
            for call in 0.. {
                let scene = calm.fork();
                let old = scene.key(&Stage::Previous).expect("a key");
                let token = scene.begin();
                scene.injector.freeze_at(call);
                let Err(failure) = step(&scene, Step::CreateSecret, &token).await else {
                    assert!(call > 0, "the step makes no call");
                    break;
                };
                let name = failure.error_type.as_str();
                assert!(
                    ["DeadlineExceeded", "PossibleStray"].contains(&name),
                    "{name}"
                );
                let died = usize::from(!scene.server.accepts(&old));
                assert_eq!(failure.retired.len(), died, "{kind:?} at {call}");
                told += died;
            }
        }
        assert!(told > 0, "nothing had died before a call that hung");
    }

    #[tokio::test(start_paused = true)]
    async fn p4_a_mint_that_hangs_is_told_as_a_possible_stray_where_none_can_be_listed() {
        let calm = company(FakeKind::Token { listable: false }).await;
        let mut told = Vec::new();
        for call in 0.. {
            let scene = calm.fork();
            let token = scene.begin();
            scene.injector.freeze_at(call);
            let Err(failure) = step(&scene, Step::CreateSecret, &token).await else {
                break;
            };
            let calls = scene.injector.calls();
            let hung = calls.get(call).expect("it was begun").name;
            let strays = failure.error_type == "PossibleStray";
            assert_eq!(strays, ["mint", "put"].contains(&hung), "{hung}");
            told.extend(strays.then_some(hung));
        }
        assert_eq!(told, ["mint", "put"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_named() {
        let scene = company(FakeKind::KeyPair).await;
        let token = scene.begin();
        scene.injector.freeze_at(0);
        let failure = step(&scene, Step::CreateSecret, &token)
            .await
            .expect_err("hangs");
        assert!(
            failure.message.contains("DescribeSecret of app/key"),
            "{}",
            failure.message
        );
        let mut named = Vec::new();
        for call in 0..20 {
            scene.injector.freeze_at(call);
            if let Err(failure) = step(&scene, Step::CreateSecret, &token).await {
                named.push(failure.message);
            }
        }
        assert!(
            named.iter().any(|it| it.contains("the key's server")),
            "{named:?}"
        );
        assert!(
            named.iter().any(|it| it.contains("PutSecretValue of")),
            "{named:?}"
        );
    }
}
