//! What every provider must do, in one suite.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::{
    Credential, ErrorKind, Fence, KeyLabel, LastLook, Origin, Provider, ProviderError, Retired,
    Retiring, SecretAddress, SecretId, Verdict, VersionId, VersionStamp,
};

/// A provider at a server on which the key in `current` is live.
pub struct ProviderUnderTest<P: Provider> {
    /// The provider.
    pub provider: P,
    /// A document whose key is live, or which holds none yet.
    pub current: P::Secret,
}

/// Runs the whole suite at one server. Panics at the first thing that does not hold.
pub async fn provider_contract<P: Provider>(test: ProviderUnderTest<P>) {
    let bench = Bench {
        provider: test.provider,
        random: StdRng::seed_from_u64(11),
        stamps: 0,
    };
    bench.run(test.current).await;
}

/// A last look for tests of a provider without a store: nothing has changed.
#[derive(Clone, Copy, Debug)]
pub struct NothingChanged;

#[async_trait]
impl LastLook for NothingChanged {
    async fn take(&self, _: Option<&VersionStamp>) -> Result<(), ProviderError> {
        Ok(())
    }
}

struct Bench<P> {
    provider: P,
    random: StdRng,
    stamps: i64,
}

impl<P: Provider> Bench<P> {
    async fn run(mut self, current: P::Secret) {
        let current = self.readiness_changes_nothing_and_repeats(&current).await;
        let first = self.a_new_key_works_beside_the_current_one(&current).await;
        Self::a_document_survives_its_own_rendering(&first);
        let second = self.a_new_key_works_beside_the_current_one(&first).await;
        self.a_retired_key_is_refused_and_no_other_is_touched(&second, &first)
            .await;
    }

    async fn readiness_changes_nothing_and_repeats(&mut self, current: &P::Secret) -> P::Secret {
        let before = self.provider.verify(current).await.expect("an answer");
        let ready = self
            .provider
            .ready(current, &address())
            .await
            .expect("ready");
        self.provider
            .ready(&ready, &address())
            .await
            .expect("ready again");
        assert_eq!(
            self.provider.verify(current).await.expect("an answer"),
            before
        );
        ready
    }

    async fn a_new_key_works_beside_the_current_one(&mut self, current: &P::Secret) -> P::Secret {
        let held = current.key_id().is_some();
        let new = self.make(current).await;
        new.continues(current).expect("the same target");
        assert!(new.key_id().is_some(), "a key has an identity");
        assert_ne!(new.key_id(), current.key_id());
        assert_eq!(
            self.provider.verify(&new).await.expect("an answer"),
            Verdict::Accepted
        );
        let old = self.provider.verify(current).await.expect("an answer");
        assert_eq!(
            old,
            if held {
                Verdict::Accepted
            } else {
                Verdict::NoKey
            }
        );
        new
    }

    /// Makes a key by its origin; a chosen one is applied twice, and an older one is fenced off.
    async fn make(&mut self, current: &P::Secret) -> P::Secret {
        let stale = self.stamp();
        let (old, new) = (self.stamp(), self.stamp());
        match self.provider.origin() {
            Origin::Issued(issue) => {
                let label = KeyLabel {
                    address: address(),
                    version: new.id,
                };
                issue.mint(current, &label).await.expect("minted")
            }
            Origin::Chosen(choose) => {
                let pending = choose.choose(current, &mut self.random).expect("chosen");
                let late = choose.choose(current, &mut self.random).expect("chosen");
                let fence = Fence {
                    address: address(),
                    pending: new,
                    current: old,
                };
                for _ in 0..2 {
                    choose
                        .apply(&pending, &fence, &NothingChanged)
                        .await
                        .expect("repeatable");
                }
                let fence = Fence {
                    pending: stale,
                    ..fence
                };
                let error = choose
                    .apply(&late, &fence, &NothingChanged)
                    .await
                    .expect_err("a later rotation has passed");
                assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
                pending
            }
        }
    }

    fn a_document_survives_its_own_rendering(secret: &P::Secret) {
        let again = P::Secret::parse(&secret.render()).expect("our own document");
        assert_eq!(again.render(), secret.render());
        assert_eq!(again.key_id(), secret.key_id());
        assert_eq!(again.expires_at(), secret.expires_at());
    }

    async fn a_retired_key_is_refused_and_no_other_is_touched(
        &mut self,
        doomed: &P::Secret,
        other: &P::Secret,
    ) {
        let how = self
            .provider
            .retire(Retiring::Secret(doomed))
            .await
            .expect("retired");
        assert_eq!(how, Retired::Refused, "the refusal is observed");
        let verdict = self.provider.verify(doomed).await.expect("an answer");
        assert!(matches!(verdict, Verdict::Refused { .. }), "{verdict:?}");
        let again = self
            .provider
            .retire(Retiring::Secret(doomed))
            .await
            .expect("repeatable");
        assert_eq!(again, Retired::AlreadyGone);
        assert_eq!(
            self.provider.verify(other).await.expect("an answer"),
            Verdict::Accepted
        );
    }

    fn stamp(&mut self) -> VersionStamp {
        self.stamps += 1;
        let created_at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(self.stamps);
        VersionStamp {
            id: VersionId::random(&mut self.random),
            created_at,
        }
    }
}

fn address() -> SecretAddress {
    SecretAddress {
        store: "contract".into(),
        secret: SecretId::new("contract/key"),
    }
}
