//! A GitHub, an App in it, and secrets for its keys.

use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use twinkey_core::{
    Borrow, DocumentError, Engine, Kinds, MIN_OVERLAP_TAG, RotationError, Rotator, SecretId,
    SecretValue, Sign, Stage, Step, StepReport, StepRequest, Store, StoreError, VersionId,
};
use twinkey_github::{DEPLOY_KEY_KIND, Github, Http, Reqwest, Settings, TOKEN_KIND};
use twinkey_test_github::{AppKey, GithubStub};
use twinkey_testkit::{FakeClock, FakeSecretsManager};

/// The secret with the App's private key.
pub(crate) const PEM: &str = "app/pem";
pub(crate) const REPOSITORY: &str = "acme/widgets";

/// The App's key of this test run: making one takes a while.
pub(crate) fn app_key() -> &'static AppKey {
    static KEY: OnceLock<AppKey> = OnceLock::new();
    KEY.get_or_init(AppKey::generate)
}

/// Holds one private key, and signs with none. The real services stand behind these two in `tests/`.
pub(crate) struct Pem(pub(crate) String);

#[async_trait]
impl Borrow for Pem {
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
        if secret.as_str() == PEM {
            Ok(SecretValue::new(self.0.clone()))
        } else {
            Err(StoreError::NoSecret(secret.clone()))
        }
    }
}

/// Signs by one alias with the App's key, as KMS would.
pub(crate) struct Kms;

/// The alias.
const ALIAS: &str = "alias/TEST-app";

#[async_trait]
impl Sign for Kms {
    async fn sign(&self, key: &str, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        if key == ALIAS {
            return Ok(app_key().sign(message));
        }
        Err(StoreError::Denied {
            action: "kms:Sign".into(),
            reason: format!("on {key}"),
        })
    }
}

/// Without pauses: what they are for is counted in requests here.
pub(crate) fn settings(stub: &GithubStub) -> Settings {
    let base = stub.base();
    let settings = Settings::from_env(|name| (name == "TWINKEY_GITHUB_API").then(|| base.clone()));
    let settings = settings.expect("settings");
    settings.with_patience(vec![Duration::ZERO; 4], Duration::from_secs(20))
}

/// One transport for every scene of a test: it reads the system's authorities, which takes longer than a rotation.
pub(crate) fn transport(stub: &GithubStub) -> Arc<dyn Http> {
    thread_local! {
        static TRANSPORT: OnceCell<Arc<Reqwest>> = const { OnceCell::new() };
    }
    TRANSPORT.with(|kept| {
        let made = || Arc::new(Reqwest::new(settings(stub)));
        Arc::clone(kept.get_or_init(made)) as Arc<dyn Http>
    })
}

pub(crate) fn github(stub: &GithubStub, clock: &FakeClock) -> Github {
    Github::new(
        settings(stub),
        Arc::new(Pem(app_key().pem())),
        Arc::new(Kms),
    )
    .with_clock(Arc::new(clock.clone()))
}

pub(crate) async fn stub(clock: &FakeClock) -> GithubStub {
    GithubStub::start(Arc::new(clock.clone()), app_key().public_der()).await
}

/// A document that was never rotated.
pub(crate) fn token_document(base: &str) -> Value {
    json!({
        "kind": TOKEN_KIND, "api_base": base, "app_id": GithubStub::CLIENT_ID,
        "installation_id": GithubStub::INSTALLATION, "app_key": {"secret": PEM},
        "permissions": {"contents": "read"}, "repositories": ["widgets"],
    })
}

pub(crate) fn deploy_key_document(base: &str) -> Value {
    json!({
        "kind": DEPLOY_KEY_KIND, "api_base": base, "app_id": GithubStub::APP_ID,
        "installation_id": GithubStub::INSTALLATION, "app_key": {"secret": PEM},
        "repository": REPOSITORY, "read_only": true,
    })
}

fn by_kms(mut document: Value) -> Value {
    document["app_key"] = json!({"kms": ALIAS});
    document
}

/// Both kinds, by what a document says.
pub(crate) struct Both(pub(crate) Github);

impl Kinds for Both {
    fn open(&self, value: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        if value.expose().contains(TOKEN_KIND) {
            Ok(Box::new(self.0.tokens()))
        } else {
            Ok(Box::new(self.0.deploy_keys()))
        }
    }
}

/// One secret, rotated by the real engine in a fake Secrets Manager.
pub(crate) struct Scene {
    pub(crate) stub: GithubStub,
    pub(crate) clock: FakeClock,
    pub(crate) store: FakeSecretsManager,
    pub(crate) kinds: Both,
    pub(crate) secret: SecretId,
}

impl Scene {
    pub(crate) async fn new(document: impl Fn(&str) -> Value) -> Self {
        let clock = FakeClock::default();
        // A moment that a web token can be of.
        clock.advance(TimeDelta::days(20_000));
        let stub = stub(&clock).await;
        let store = FakeSecretsManager::new(clock.clone());
        let secret = SecretId::new("app/key");
        let first = VersionId::random(&mut StdRng::seed_from_u64(1));
        let value = SecretValue::new(document(&stub.base()).to_string());
        store.put_by_hand(&secret, &first, &value);
        store.tag(&secret, MIN_OVERLAP_TAG, "0s");
        Self {
            kinds: Both(github(&stub, &clock)),
            stub,
            clock,
            store,
            secret,
        }
    }

    pub(crate) async fn tokens() -> Self {
        Self::new(token_document).await
    }

    pub(crate) async fn deploy_keys() -> Self {
        Self::new(deploy_key_document).await
    }

    pub(crate) async fn tokens_by_kms() -> Self {
        Self::new(|base| by_kms(token_document(base))).await
    }

    pub(crate) async fn deploy_keys_by_kms() -> Self {
        Self::new(|base| by_kms(deploy_key_document(base))).await
    }

    pub(crate) fn begin(&self) -> VersionId {
        let token = VersionId::manual(&mut rand::rng(), false);
        self.store
            .rotate_secret(&self.secret, &token)
            .expect("begun");
        token
    }

    pub(crate) async fn step(
        &self,
        step: Step,
        token: &VersionId,
    ) -> Result<StepReport, RotationError> {
        let engine = Engine {
            store: &self.store,
            kinds: &self.kinds,
            clock: &self.clock,
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

    pub(crate) async fn rotate(&self) -> Result<(), RotationError> {
        let token = self.begin();
        for step in Step::ALL {
            self.step(step, &token).await?;
        }
        Ok(())
    }

    pub(crate) async fn abandon(&self, token: &VersionId) {
        let engine = Engine {
            store: &self.store,
            kinds: &self.kinds,
            clock: &self.clock,
        };
        engine.abandon(&self.secret, token).await.expect("ended");
    }

    pub(crate) fn document(&self, stage: &Stage) -> Value {
        let value = self.store.value(&self.secret, stage).expect("a value");
        serde_json::from_str(value.expose()).expect("JSON")
    }

    pub(crate) fn field(&self, stage: &Stage, field: &str) -> String {
        let document = self.document(stage);
        document[field].as_str().expect("a string").to_owned()
    }

    /// Somebody puts a document in which one field is another.
    pub(crate) fn put_by_hand(&self, field: &str, value: Value) {
        let mut document = self.document(&Stage::Current);
        document[field] = value;
        let version = VersionId::random(&mut rand::rng());
        let value = SecretValue::new(document.to_string());
        self.store.put_by_hand(&self.secret, &version, &value);
    }

    pub(crate) async fn pending(&self) -> bool {
        let description = self.store.describe(&self.secret).await.expect("described");
        description.holder(&Stage::Pending).is_some()
    }
}
