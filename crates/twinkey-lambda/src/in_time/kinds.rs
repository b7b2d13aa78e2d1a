//! Kinds of keys whose servers must answer in time.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use twinkey_catalog::{Catalog, Wrap};
use twinkey_core::{
    Choose, DocumentError, ErrorKind, Fence, InUse, Issue, KeyLabel, Kinds, LastLook, Listing,
    Origin, Provider, ProviderError, Random, Ready, Retired, RetiredKey, Retiring, Rotator,
    SecretAddress, SecretValue, Verdict,
};

use crate::deadline::Deadline;

/// Kinds of keys whose servers must answer in time.
pub(crate) struct KindsInTime<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) deadline: &'a Deadline,
}

impl Kinds for KindsInTime<'_> {
    fn open(&self, value: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        self.catalog.open_wrapped(self.deadline, value)
    }
}

impl Wrap for Deadline {
    fn wrap<P: Provider<Secret: 'static> + 'static>(&self, provider: P) -> Box<dyn Rotator> {
        Box::new(ProviderInTime {
            provider,
            deadline: self.clone(),
        })
    }
}

/// A provider whose calls end in time, each by itself: the engine must learn which one did not, since a key may
/// have been made in it.
struct ProviderInTime<P> {
    provider: P,
    deadline: Deadline,
}

impl<P: Provider> ProviderInTime<P> {
    async fn keep<T>(
        &self,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let done = self.deadline.keep(call).await;
        done.unwrap_or_else(|| Err(late()))
    }
}

fn late() -> ProviderError {
    ProviderError {
        kind: ErrorKind::Transient,
        code: "DeadlineExceeded",
        message: "a call to the key's server: no answer until then".into(),
        hint: None,
        retry_after: None,
    }
}

#[async_trait]
impl<P: Provider<Secret: 'static>> Provider for ProviderInTime<P> {
    type Secret = P::Secret;

    fn origin(&self) -> Origin<'_, P::Secret> {
        match self.provider.origin() {
            Origin::Chosen(_) => Origin::Chosen(self),
            Origin::Issued(_) => Origin::Issued(self),
        }
    }

    async fn ready(
        &self,
        current: &P::Secret,
        address: &SecretAddress,
    ) -> Result<Ready<P::Secret>, ProviderError> {
        self.keep(self.provider.ready(current, address)).await
    }

    async fn verify(&self, secret: &P::Secret) -> Result<Verdict, ProviderError> {
        self.keep(self.provider.verify(secret)).await
    }

    async fn retire(&self, key: Retiring<'_, P::Secret>) -> Result<Retired, ProviderError> {
        self.keep(self.provider.retire(key)).await
    }

    async fn list(
        &self,
        current: &P::Secret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        self.keep(self.provider.list(current, address)).await
    }

    fn lifetime(&self) -> Option<TimeDelta> {
        self.provider.lifetime()
    }

    async fn in_use(&self, secret: &P::Secret) -> Result<Option<InUse>, ProviderError> {
        self.keep(self.provider.in_use(secret)).await
    }

    async fn last_used(&self, secret: &P::Secret) -> Result<Option<DateTime<Utc>>, ProviderError> {
        self.keep(self.provider.last_used(secret)).await
    }

    async fn close(&self) {
        self.deadline.keep(self.provider.close()).await;
    }
}

const OTHER_ORIGIN: &str = "the engine asked for the origin first";

#[async_trait]
impl<P: Provider<Secret: 'static>> Choose<P::Secret> for ProviderInTime<P> {
    fn choose(
        &self,
        current: &P::Secret,
        label: &KeyLabel,
        random: &mut Random,
    ) -> Result<P::Secret, DocumentError> {
        match self.provider.origin() {
            Origin::Chosen(choose) => choose.choose(current, label, random),
            Origin::Issued(_) => unreachable!("{OTHER_ORIGIN}"),
        }
    }

    async fn apply(
        &self,
        pending: &P::Secret,
        fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, ProviderError> {
        match self.provider.origin() {
            Origin::Chosen(choose) => self.keep(choose.apply(pending, fence, last_look)).await,
            Origin::Issued(_) => unreachable!("{OTHER_ORIGIN}"),
        }
    }
}

#[async_trait]
impl<P: Provider<Secret: 'static>> Issue<P::Secret> for ProviderInTime<P> {
    async fn mint(
        &self,
        current: &P::Secret,
        label: &KeyLabel,
    ) -> Result<P::Secret, ProviderError> {
        match self.provider.origin() {
            Origin::Issued(issue) => self.keep(issue.mint(current, label)).await,
            Origin::Chosen(_) => unreachable!("{OTHER_ORIGIN}"),
        }
    }
}
