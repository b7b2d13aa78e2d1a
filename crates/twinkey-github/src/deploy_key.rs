//! Deploy keys: made here, registered for one repository, listed by their titles.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use twinkey_core::{
    Choose, DocumentError, Fence, KeyId, KeyLabel, LastLook, ListedKey, Listing, Origin, Provider,
    ProviderError, Random, Ready, Retired, RetiredKey, Retiring, SecretAddress, Verdict,
};

use crate::DeployKeySecret;
use crate::answer::Answer;
use crate::app::App;
use crate::deploy_key_document::{Key, Repository, Titles};
use crate::error::GithubError;
use crate::installation::Grant;
use crate::openssh;
use crate::permissions::{Level, Permissions};
use crate::session::{Call, Session};

/// How many keys GitHub lists at a time, at most.
const PAGE: usize = 100;
/// How many pages are read: a server that has more keys than these hold does not stop.
const MOST_PAGES: usize = 100;
/// GitHub answers so if a key is registered, for this repository or another.
const IN_USE: &str = "already in use";

/// Rotates deploy keys. It works with an installation token of its own, which dies with the step.
#[derive(Clone)]
pub struct DeployKeyProvider {
    session: Session,
    token: Arc<Mutex<Option<Borrowed>>>,
}

/// An installation token for one step.
struct Borrowed {
    app: App,
    repository: Repository,
    value: SecretString,
}

/// A key as GitHub lists it.
#[derive(Deserialize)]
struct Registered {
    id: u64,
    key: String,
    #[serde(default)]
    title: String,
    read_only: bool,
    last_used: Option<DateTime<Utc>>,
    /// Servers of a version before there were policies do not say.
    enabled: Option<bool>,
}

impl DeployKeyProvider {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            session,
            token: Arc::default(),
        }
    }

    /// The step's own token, for this repository alone.
    async fn token(&self, secret: &DeployKeySecret) -> Result<SecretString, GithubError> {
        let mut held = self.token.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.is_for(secret)) {
            return Ok(held.value.clone());
        }
        let permissions = Permissions::of([("administration", Level::Write)]);
        let repositories = BTreeSet::from([secret.repository.name.clone()]);
        let grant = Grant {
            permissions: Some(&permissions),
            repositories: Some(&repositories),
        };
        let minted = self.session.mint(&secret.app, grant).await;
        let minted = minted.inspect_err(|error| {
            if error.may_have_acted() {
                let repository = &secret.repository;
                tracing::warn!(%repository, %error, "a token for this step may live on, for an hour at most");
            }
        })?;
        let borrowed = Borrowed {
            app: secret.app.clone(),
            repository: secret.repository.clone(),
            value: minted.token.clone(),
        };
        if let Some(other) = held.replace(borrowed) {
            self.give_back(&other).await;
        }
        Ok(minted.token)
    }

    /// One that GitHub does not take back is dead within the hour.
    async fn give_back(&self, token: &Borrowed) {
        let revoked = self
            .session
            .revoke(&token.app.base, &token.value, true)
            .await;
        if let Err(error) = revoked {
            let repository = &token.repository;
            tracing::warn!(%repository, %error, "a token of this step lives on, for an hour at most");
        }
    }

    /// A request about the repository's keys. `path` begins after `/keys`.
    async fn ask(
        &self,
        secret: &DeployKeySecret,
        doing: &'static str,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, GithubError> {
        let token = self.token(secret).await?;
        let call = Call {
            doing,
            method,
            base: &secret.app.base,
            path: format!("/repos/{}/keys{path}", secret.repository),
            body,
        };
        self.session.with_token(&call, &token, true).await
    }

    /// Every key of the repository, ours and others'.
    async fn registered(&self, secret: &DeployKeySecret) -> Result<Vec<Registered>, GithubError> {
        let doing = "listing deploy keys";
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let path = format!("?per_page={PAGE}&page={page}");
            let answer = self.ask(secret, doing, "GET", &path, None).await?;
            if answer.status != 200 {
                return Err(answer.refused_to_token());
            }
            let keys: Vec<Registered> = answer.json()?;
            let is_last = keys.len() < PAGE;
            all.extend(keys);
            if is_last {
                return Ok(all);
            }
        }
        Err(GithubError::Endless { doing })
    }

    async fn find(
        &self,
        secret: &DeployKeySecret,
        key: &Key,
    ) -> Result<Option<Registered>, GithubError> {
        let registered = self.registered(secret).await?;
        Ok(registered.into_iter().find(|it| key.is(&it.key)))
    }

    async fn register(&self, pending: &DeployKeySecret, key: &Key) -> Result<(), GithubError> {
        let body = json!({"title": key.title, "key": key.public, "read_only": pending.read_only});
        let doing = "registering a deploy key";
        let answer = self.ask(pending, doing, "POST", "", Some(body)).await?;
        match answer.status {
            201 => Ok(()),
            // What an earlier delivery of this step has done, or somebody with this very key.
            422 if answer.message().contains(IN_USE) => match self.find(pending, key).await? {
                Some(_) => Ok(()),
                None => Err(GithubError::KeyInUse),
            },
            422 | 403 if answer.message().to_lowercase().contains("deploy keys") => {
                Err(GithubError::DeployKeysDisabled(answer.message().to_owned()))
            }
            _ => Err(answer.refused_to_token()),
        }
    }

    async fn remove(&self, secret: &DeployKeySecret, id: &str) -> Result<Retired, GithubError> {
        let path = format!("/{id}");
        let doing = "removing a deploy key";
        let answer = self.ask(secret, doing, "DELETE", &path, None).await?;
        match answer.status {
            204 => {}
            // GitHub says so, too, to who may not see it.
            404 if !self.is_registered(secret, id).await? => return Ok(Retired::AlreadyGone),
            _ => return Err(answer.refused_to_token()),
        }
        let answer = self
            .ask(
                secret,
                "looking for a removed deploy key",
                "GET",
                &path,
                None,
            )
            .await?;
        match answer.status {
            404 => Ok(Retired::Refused),
            200 => Err(GithubError::StillAccepted(doing)),
            _ => Err(answer.refused_to_token()),
        }
    }

    async fn is_registered(&self, secret: &DeployKeySecret, id: &str) -> Result<bool, GithubError> {
        let registered = self.registered(secret).await?;
        Ok(registered.iter().any(|key| key.id.to_string() == id))
    }

    async fn retire_own(&self, secret: &DeployKeySecret) -> Result<Retired, GithubError> {
        let Some(key) = &secret.key else {
            return Ok(Retired::AlreadyGone);
        };
        match self.find(secret, key).await? {
            Some(registered) => self.remove(secret, &registered.id.to_string()).await,
            None => Ok(Retired::AlreadyGone),
        }
    }
}

impl Borrowed {
    fn is_for(&self, secret: &DeployKeySecret) -> bool {
        let same = self.app.same_target(&secret.app);
        same.iter().all(|(_, holds)| *holds) && self.repository == secret.repository
    }
}

#[async_trait]
impl Provider for DeployKeyProvider {
    type Secret = DeployKeySecret;

    fn origin(&self) -> Origin<'_, DeployKeySecret> {
        Origin::Chosen(self)
    }

    /// A token that may write this repository's keys shows all at once: the installation exists, is not suspended,
    /// reaches the repository and has the permission.
    async fn ready(
        &self,
        current: &DeployKeySecret,
        _address: &SecretAddress,
    ) -> Result<Ready<DeployKeySecret>, ProviderError> {
        self.token(current).await?;
        Ok(current.clone().into())
    }

    async fn verify(&self, secret: &DeployKeySecret) -> Result<Verdict, ProviderError> {
        let Some(key) = &secret.key else {
            return Ok(Verdict::NoKey);
        };
        let refused = |reason: &str| Verdict::Refused {
            reason: reason.into(),
        };
        Ok(match self.find(secret, key).await? {
            None => refused("GitHub does not list it for this repository"),
            Some(it) if it.enabled == Some(false) => {
                refused("it is listed as disabled: a policy of the organization or enterprise")
            }
            Some(it) if it.read_only != secret.read_only => {
                refused("it is listed with another right than read_only says")
            }
            Some(_) => Verdict::Accepted,
        })
    }

    async fn retire(&self, key: Retiring<'_, DeployKeySecret>) -> Result<Retired, ProviderError> {
        Ok(match key {
            Retiring::Secret(secret) => self.retire_own(secret).await?,
            Retiring::Listed { key, current } => self.remove(current, &key.handle).await?,
        })
    }

    async fn list(
        &self,
        current: &DeployKeySecret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        let titles = Titles::of(address);
        let registered = self.registered(current).await?;
        let ours = registered.into_iter().filter(|key| titles.hold(&key.title));
        let keys = ours.map(|key| ListedKey {
            key_id: identity(&key),
            handle: key.id.to_string(),
        });
        Ok(Listing::Keys(keys.collect()))
    }

    async fn last_used(
        &self,
        secret: &DeployKeySecret,
    ) -> Result<Option<DateTime<Utc>>, ProviderError> {
        let Some(key) = &secret.key else {
            return Ok(None);
        };
        let registered = self.find(secret, key).await?;
        Ok(registered.and_then(|registered| registered.last_used))
    }

    async fn close(&self) {
        let held = self.token.lock().await.take();
        if let Some(held) = held {
            self.give_back(&held).await;
        }
    }
}

/// The fingerprint, as [`twinkey_core::Credential::key_id`] has it; a key that is none of an SSH client's has a
/// name of its own.
fn identity(key: &Registered) -> KeyId {
    match ssh_key::PublicKey::from_openssh(&key.key) {
        Ok(public) => KeyId::new(openssh::fingerprint(&public)),
        Err(_) => KeyId::new(format!("deploy key {}", key.id)),
    }
}

#[async_trait]
impl Choose<DeployKeySecret> for DeployKeyProvider {
    fn choose(
        &self,
        current: &DeployKeySecret,
        label: &KeyLabel,
        random: &mut Random,
    ) -> Result<DeployKeySecret, DocumentError> {
        current.successor(label, random)
    }

    /// One that comes late stands beside the others, and the next rotation removes it: no fence is needed.
    async fn apply(
        &self,
        pending: &DeployKeySecret,
        _fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, ProviderError> {
        let Some(key) = &pending.key else {
            return Err(DocumentError::new("private_key", "is missing").into());
        };
        // Before the last look: what comes after it is the change alone.
        self.token(pending).await?;
        last_look.take(None).await.map_err(GithubError::LastLook)?;
        self.register(pending, key).await?;
        Ok(None)
    }
}
