//! The second secret: a token at the stand-in for GitHub, and a consumer that keeps using it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use twinkey_core::{Clock, Outcome, SecretId, SecretValue, Selector, Stage, Store, StoreError};
use twinkey_local::LocalStore;
use twinkey_test_github::{AppKey, GithubStub};

/// How long the consumer rests between two uses.
const PAUSE: Duration = Duration::from_millis(60);

/// The stand-in, the secret of a token there, and what its consumer has seen.
pub(crate) struct Token {
    pub(crate) secret: SecretId,
    /// The secret with the App's private key.
    pub(crate) app_key: SecretId,
    github: GithubStub,
    key: AppKey,
    used: Mutex<Used>,
}

/// What the consumer has seen.
#[derive(Clone, Default)]
pub(crate) struct Used {
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
    /// How many different tokens it was given.
    pub(crate) tokens: usize,
    /// The most that were ever live at once, as the stand-in counts at each mint.
    pub(crate) most_live: usize,
    /// How many are live now.
    pub(crate) live: usize,
}

impl Token {
    /// Starts the stand-in.
    pub(crate) async fn start(clock: Arc<dyn Clock>) -> Self {
        let key = AppKey::generate();
        Self {
            secret: SecretId::new("demo/token"),
            app_key: SecretId::new("demo/github-app"),
            github: GithubStub::start(clock, key.public_der()).await,
            key,
            used: Mutex::default(),
        }
    }

    /// What `TWINKEY_GITHUB_API` must be.
    pub(crate) fn api(&self) -> String {
        self.github.base()
    }

    pub(crate) fn pem(&self) -> SecretValue {
        SecretValue::new(self.key.pem())
    }

    /// A document that was never rotated.
    pub(crate) fn document(&self) -> SecretValue {
        let document = json!({
            "kind": "github-installation-token",
            "api_base": self.github.base(),
            "app_id": GithubStub::CLIENT_ID,
            "installation_id": GithubStub::INSTALLATION,
            "app_key": {"secret": self.app_key},
            "permissions": {"contents": "read"},
            "repositories": ["widgets"],
        });
        SecretValue::new(document.to_string())
    }

    /// A copy of what the consumer has seen.
    pub(crate) fn used(&self) -> Used {
        Used {
            most_live: self.github.most_live_tokens(),
            live: self.github.live_tokens(),
            ..self.lock().clone()
        }
    }

    /// How many rotations have succeeded, as their records say.
    pub(crate) async fn rotations(&self, store: &LocalStore) -> Result<usize, StoreError> {
        let records = store.records(&self.secret).await?;
        let succeeded = records.iter();
        Ok(succeeded
            .filter(|record| record.outcome == Outcome::Succeeded)
            .count())
    }

    /// Reads AWSCURRENT, keeps it for `cache`, and uses it until told to stop. Before the first rotation there is no token.
    pub(crate) async fn consume(
        &self,
        store: &LocalStore,
        cache: Duration,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut given = BTreeSet::new();
        let mut held: Option<(Instant, String)> = None;
        while !*stop.borrow() {
            if held.as_ref().is_none_or(|(at, _)| at.elapsed() >= cache) {
                // The age counts from before the read: what was read may be that old.
                let at = Instant::now();
                held = self.read(store).await?.map(|token| (at, token));
            }
            if let Some((_, token)) = &held {
                let accepted = self.github.accepts(token);
                given.insert(token.clone());
                let mut used = self.lock();
                used.accepted += usize::from(accepted);
                used.refused += usize::from(!accepted);
                used.tokens = given.len();
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn read(&self, store: &LocalStore) -> anyhow::Result<Option<String>> {
        let at = Selector::Stage(Stage::Current);
        let version = store.read(&self.secret, &at).await?;
        let document: Value = serde_json::from_str(version.value.expose())?;
        Ok(document["token"].as_str().map(str::to_owned))
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
