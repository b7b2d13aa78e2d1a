//! The servers of the keys: a fake for each secret, and what reaching it costs.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use twinkey_core::{
    Choose, Credential as _, DocumentError, Fence, Issue, KeyLabel, Kinds, LastLook, Listing,
    Origin, Provider, ProviderError, Random, Ready, Retired, RetiredKey, Retiring, Rotator,
    SecretAddress, SecretValue, Verdict,
};
use twinkey_testkit::{FakeClock, FakeProvider, FakeSecret, FakeServer};

use crate::account::Account;
use crate::github::Github;
use crate::load::Kind;
use crate::quota::Quota;

/// The server of each secret, by the number that its document names.
pub(crate) struct Servers {
    pub(crate) all: Vec<(Kind, FakeServer)>,
    pub(crate) clock: FakeClock,
    /// Before the beginning nothing takes time or counts.
    pub(crate) costs: Option<(Arc<Account>, Arc<Github>)>,
}

impl Servers {
    pub(crate) fn provider(&self, number: usize) -> FakeProvider {
        let (kind, server) = &self.all[number];
        FakeProvider::new(kind.fake(), server.clone(), self.clock.clone())
    }
}

impl Kinds for Servers {
    fn open(&self, value: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError> {
        let document = FakeSecret::parse(value)?;
        let number: usize = document
            .server
            .parse()
            .map_err(|_| DocumentError::new("server", "is no number"))?;
        let provider = self.provider(number);
        let Some((account, github)) = &self.costs else {
            return Ok(Box::new(provider));
        };
        Ok(Box::new(Priced {
            inner: provider,
            kind: self.all[number].0,
            number,
            account: account.clone(),
            github: github.clone(),
        }))
    }
}

/// A provider whose every call costs what the real one's does.
struct Priced {
    inner: FakeProvider,
    kind: Kind,
    number: usize,
    account: Arc<Account>,
    github: Arc<Github>,
}

impl Priced {
    async fn pay(&self, call: &str) -> Result<(), ProviderError> {
        let price = self.kind.price(call);
        for _ in 0..price.reads {
            self.account.call(Quota::GetSecretValue).await?;
        }
        for request in 0..price.requests {
            let makes = request < price.posts;
            self.github.request(&self.account, self.number, makes).await;
        }
        if price.database > 0 {
            self.account.wait_about(price.database).await;
        }
        Ok(())
    }
}

#[async_trait]
impl Provider for Priced {
    type Secret = FakeSecret;

    fn origin(&self) -> Origin<'_, FakeSecret> {
        match self.inner.origin() {
            Origin::Chosen(_) => Origin::Chosen(self),
            Origin::Issued(_) => Origin::Issued(self),
        }
    }

    async fn ready(
        &self,
        current: &FakeSecret,
        address: &SecretAddress,
    ) -> Result<Ready<FakeSecret>, ProviderError> {
        self.pay("ready").await?;
        self.inner.ready(current, address).await
    }

    async fn verify(&self, secret: &FakeSecret) -> Result<Verdict, ProviderError> {
        self.pay("verify").await?;
        self.inner.verify(secret).await
    }

    async fn retire(&self, key: Retiring<'_, FakeSecret>) -> Result<Retired, ProviderError> {
        self.pay("retire").await?;
        self.inner.retire(key).await
    }

    async fn list(
        &self,
        current: &FakeSecret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        self.pay("list").await?;
        self.inner.list(current, address).await
    }

    fn lifetime(&self) -> Option<TimeDelta> {
        Provider::lifetime(&self.inner)
    }

    async fn close(&self) {
        // What is counted here reads no secret, so nothing can fail.
        let _ = self.pay("close").await;
    }
}

#[async_trait]
impl Choose<FakeSecret> for Priced {
    fn choose(
        &self,
        current: &FakeSecret,
        label: &KeyLabel,
        random: &mut Random,
    ) -> Result<FakeSecret, DocumentError> {
        self.inner.choose(current, label, random)
    }

    async fn apply(
        &self,
        pending: &FakeSecret,
        fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, ProviderError> {
        self.pay("apply").await?;
        self.inner.apply(pending, fence, last_look).await
    }
}

#[async_trait]
impl Issue<FakeSecret> for Priced {
    async fn mint(
        &self,
        current: &FakeSecret,
        label: &KeyLabel,
    ) -> Result<FakeSecret, ProviderError> {
        self.pay("mint").await?;
        self.inner.mint(current, label).await
    }
}
