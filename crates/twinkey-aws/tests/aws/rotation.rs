//! The engine over this store: how many calls a rotation makes, and that trouble with any of them is mended.

use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_aws::{Patience, SecretsManagerStore};
use twinkey_core::{
    DocumentError, Engine, Kinds, RotationError, Rotator, SecretValue, Step, StepRequest, VersionId,
};
use twinkey_test_aws::{SecretsManagerServer, Trouble};
use twinkey_testkit::{Allowance, FakeKind, FakeProvider, Scene};

use crate::world::config;

/// A scene whose store is reached over HTTP.
struct Company {
    scene: Scene,
    server: SecretsManagerServer,
    store: SecretsManagerStore,
}

struct OneKind(FakeProvider);

impl Kinds for OneKind {
    fn open(&self, _: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        Ok(Box::new(self.0.clone()))
    }
}

impl Company {
    /// One rotation has passed: two keys are live.
    async fn rotated(kind: FakeKind) -> Self {
        let scene = Scene::new(kind);
        let first = scene.begin();
        scene.rotate(&first).await.expect("a quiet rotation");
        let server = SecretsManagerServer::start(scene.store.clone(), scene.clock.clone()).await;
        let store = SecretsManagerStore::new(&config(&server.endpoint()), Patience::default());
        Self {
            scene,
            server,
            store,
        }
    }

    async fn step(&self, step: Step, token: &VersionId) -> Result<(), RotationError> {
        let engine = Engine {
            store: &self.store,
            kinds: &OneKind(self.scene.provider.clone()),
            clock: &self.scene.clock,
        };
        let request = StepRequest {
            step,
            secret: self.scene.secret.clone(),
            token: token.clone(),
        };
        let mut random = StdRng::seed_from_u64(11);
        engine.step(&request, &mut random).await.map(drop)
    }

    async fn rotate(&self, token: &VersionId) -> Result<(), RotationError> {
        for step in Step::ALL {
            self.step(step, token).await?;
        }
        Ok(())
    }
}

/// Calls of createSecret, setSecret, testSecret and finishSecret, as the engine is today.
const CALLS: [(FakeKind, [usize; 4]); 3] = [
    (FakeKind::Password, [3, 3, 2, 2]),
    (FakeKind::KeyPair, [5, 6, 2, 2]),
    (FakeKind::Token { listable: true }, [5, 2, 2, 2]),
];

#[tokio::test]
async fn a_quiet_rotation_makes_so_many_calls_and_no_more() {
    for (kind, expected) in CALLS {
        let company = Company::rotated(kind).await;
        let token = company.scene.begin();
        let mut calls = Vec::new();
        for step in Step::ALL {
            company.step(step, &token).await.expect("passed");
            calls.push(company.server.take_calls().len());
        }
        assert_eq!(calls, expected, "{kind}");
    }
}

#[tokio::test]
async fn p5_trouble_with_any_one_call_of_a_password_is_mended_by_the_next_delivery() {
    each_call_in_trouble(CALLS[0]).await;
}

#[tokio::test]
async fn p5_trouble_with_any_one_call_of_a_key_pair_is_mended_by_the_next_delivery() {
    each_call_in_trouble(CALLS[1]).await;
}

#[tokio::test]
async fn p5_trouble_with_any_one_call_of_a_token_is_mended_by_the_next_delivery() {
    each_call_in_trouble(CALLS[2]).await;
}

/// Each call of a rotation in turn is throttled, breaks, is denied, or is lost before or after its
/// effect; the service sends the whole rotation again where a step did not pass.
async fn each_call_in_trouble((kind, calls): (FakeKind, [usize; 4])) {
    for trouble in [
        Trouble::Throttle,
        Trouble::Break,
        Trouble::DropBefore,
        Trouble::DropAfter,
        Trouble::Deny,
    ] {
        for call in 0..calls.iter().sum() {
            let what = format!("{kind}, call {call}: {trouble:?}");
            let company = Company::rotated(kind).await;
            let token = company.scene.begin();
            company.server.after(call, trouble);
            if company.rotate(&token).await.is_err() {
                let again = company.rotate(&token).await;
                again.unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            let verdict = company.scene.judge().verdict(&Allowance::default());
            assert!(verdict.is_ok(), "{what}: {verdict:?}");
            assert_eq!(company.scene.server.live(), 2, "{what}");
        }
    }
}
