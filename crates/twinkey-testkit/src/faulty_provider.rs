//! A provider whose every call passes the injector.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::{
    Choose, DocumentError, ErrorKind, Fence, InUse, Issue, KeyLabel, LastLook, ListedKey, Listing,
    Origin, Provider, ProviderError, Random, Ready, Retired, RetiredKey, Retiring, SecretAddress,
    Verdict, VersionStamp,
};

use crate::injector::{Effect, Injected};
use crate::{Injector, NothingChanged};

/// A provider whose every call passes the injector.
#[derive(Clone, Debug)]
pub struct FaultyProvider<P> {
    inner: P,
    injector: Injector,
}

impl<P> FaultyProvider<P> {
    /// Wraps a provider.
    pub fn new(inner: P, injector: Injector) -> Self {
        Self { inner, injector }
    }
}

#[async_trait]
impl<P> Provider for FaultyProvider<P>
where
    P: Provider + Clone + 'static,
    P::Secret: 'static,
{
    type Secret = P::Secret;

    fn origin(&self) -> Origin<'_, P::Secret> {
        match self.inner.origin() {
            Origin::Chosen(_) => Origin::Chosen(self),
            Origin::Issued(_) => Origin::Issued(self),
        }
    }

    async fn ready(
        &self,
        current: &P::Secret,
        address: &SecretAddress,
    ) -> Result<Ready<P::Secret>, ProviderError> {
        self.injector
            .call("ready", self.inner.ready(current, address), None)
            .await
    }

    async fn verify(&self, secret: &P::Secret) -> Result<Verdict, ProviderError> {
        self.injector
            .call("verify", self.inner.verify(secret), None)
            .await
    }

    async fn retire(&self, key: Retiring<'_, P::Secret>) -> Result<Retired, ProviderError> {
        let (secret, listed) = match &key {
            Retiring::Secret(secret) => (P::Secret::clone(secret), None),
            Retiring::Listed { key, current } => {
                (P::Secret::clone(current), Some(ListedKey::clone(key)))
            }
        };
        let late = || -> Effect {
            let inner = self.inner.clone();
            Box::pin(async move {
                let current = &secret;
                let key = match &listed {
                    Some(key) => Retiring::Listed { key, current },
                    None => Retiring::Secret(current),
                };
                let _ = inner.retire(key).await;
            })
        };
        let work = self.inner.retire(key);
        self.injector
            .call("retire", work, Some(Box::new(late)))
            .await
    }

    async fn list(
        &self,
        current: &P::Secret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        self.injector
            .call("list", self.inner.list(current, address), None)
            .await
    }

    fn lifetime(&self) -> Option<TimeDelta> {
        self.inner.lifetime()
    }

    async fn in_use(&self, secret: &P::Secret) -> Result<Option<InUse>, ProviderError> {
        self.inner.in_use(secret).await
    }

    async fn last_used(&self, secret: &P::Secret) -> Result<Option<DateTime<Utc>>, ProviderError> {
        self.inner.last_used(secret).await
    }

    /// No call of its own: it changes no key, and a process that dies does not make it.
    async fn close(&self) {
        self.inner.close().await;
    }
}

const OTHER_ORIGIN: &str = "the engine asked for the origin first";

#[async_trait]
impl<P> Choose<P::Secret> for FaultyProvider<P>
where
    P: Provider + Clone + 'static,
    P::Secret: 'static,
{
    fn choose(
        &self,
        current: &P::Secret,
        label: &KeyLabel,
        random: &mut Random,
    ) -> Result<P::Secret, DocumentError> {
        let Origin::Chosen(choose) = self.inner.origin() else {
            unreachable!("{OTHER_ORIGIN}")
        };
        choose.choose(current, label, random)
    }

    async fn apply(
        &self,
        pending: &P::Secret,
        fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, ProviderError> {
        let Origin::Chosen(choose) = self.inner.origin() else {
            unreachable!("{OTHER_ORIGIN}")
        };
        // The last look has passed: only the change itself is late.
        let late = || -> Effect {
            let (inner, pending, fence) = (self.inner.clone(), pending.clone(), fence.clone());
            Box::pin(async move {
                if let Origin::Chosen(choose) = inner.origin() {
                    let _ = choose.apply(&pending, &fence, &NothingChanged).await;
                }
            })
        };
        let last_look = Moment {
            last_look,
            injector: &self.injector,
        };
        let work = choose.apply(pending, fence, &last_look);
        self.injector
            .call("apply", work, Some(Box::new(late)))
            .await
    }
}

/// The moment between the last look and the change that it was for, as a call of its own: anything may
/// happen in it.
struct Moment<'a> {
    last_look: &'a dyn LastLook,
    injector: &'a Injector,
}

#[async_trait]
impl LastLook for Moment<'_> {
    async fn take(&self, replaced: Option<&VersionStamp>) -> Result<(), ProviderError> {
        self.last_look.take(replaced).await?;
        self.injector.call("change", async { Ok(()) }, None).await
    }
}

#[async_trait]
impl<P> Issue<P::Secret> for FaultyProvider<P>
where
    P: Provider + Clone + 'static,
    P::Secret: 'static,
{
    async fn mint(
        &self,
        current: &P::Secret,
        label: &KeyLabel,
    ) -> Result<P::Secret, ProviderError> {
        let Origin::Issued(issue) = self.inner.origin() else {
            unreachable!("{OTHER_ORIGIN}")
        };
        let late = || -> Effect {
            let (inner, current, label) = (self.inner.clone(), current.clone(), label.clone());
            Box::pin(async move {
                if let Origin::Issued(issue) = inner.origin() {
                    let _ = issue.mint(&current, &label).await;
                }
            })
        };
        let work = issue.mint(current, label);
        self.injector.call("mint", work, Some(Box::new(late))).await
    }
}

impl Injected for ProviderError {
    fn no_answer() -> Self {
        injected(ErrorKind::Transient, "no answer (injected)")
    }

    fn denied() -> Self {
        injected(ErrorKind::Denied, "no right (injected)")
    }
}

fn injected(kind: ErrorKind, message: &str) -> ProviderError {
    ProviderError {
        kind,
        code: "Injected",
        message: message.into(),
        hint: None,
        retry_after: None,
    }
}
