//! The contracts find what is wrong: each defect of a store or a provider fails its suite.

use std::panic::{AssertUnwindSafe, catch_unwind};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::{
    Choose, Description, DocumentError, Fence, KeyLabel, LastLook, Listing, Origin, Provider,
    ProviderError, Random, Ready, Retired, RetiredKey, Retiring, SecretAddress, SecretId,
    SecretValue, Selector, Stage, Store, StoreError, Verdict, Version, VersionId,
};
use twinkey_testkit::{
    Deviation, FakeClock, FakeKind, FakeProvider, FakeSecret, FakeSecretsManager, FakeServer,
    NothingChanged, ProviderUnderTest, StoreUnderTest, provider_contract, store_contract_but,
};

/// Whether the suite panics.
fn fails(suite: impl Future<Output = ()>) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(suite))).is_err()
}

mod store {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Defect {
        None,
        TakesAnotherValueForTheSame,
        MovesALabelFromWherever,
        SaysConflictForWhatIsMissing,
        DatesEveryValueAlike,
        ShowsVersionsWithoutLabels,
        ReadsAVersionWhateverItsLabel,
        LetsAManualPutKeepTheRotation,
        LetsAStoreBeOneSecret,
    }

    const DEFECTS: [Defect; 8] = [
        Defect::TakesAnotherValueForTheSame,
        Defect::MovesALabelFromWherever,
        Defect::SaysConflictForWhatIsMissing,
        Defect::DatesEveryValueAlike,
        Defect::ShowsVersionsWithoutLabels,
        Defect::ReadsAVersionWhateverItsLabel,
        Defect::LetsAManualPutKeepTheRotation,
        Defect::LetsAStoreBeOneSecret,
    ];

    struct Defective {
        inner: FakeSecretsManager,
        defect: Defect,
    }

    impl Defective {
        fn has(&self, defect: Defect) -> bool {
            self.defect == defect
        }

        fn name(&self, secret: &SecretId) -> SecretId {
            if self.has(Defect::LetsAStoreBeOneSecret) {
                return SecretId::new("the only one");
            }
            secret.clone()
        }
    }

    #[async_trait]
    impl Store for Defective {
        fn address(&self, secret: &SecretId) -> SecretAddress {
            self.inner.address(secret)
        }

        async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
            let secret = self.name(secret);
            let mut description = self.inner.describe(&secret).await?;
            if self.has(Defect::ShowsVersionsWithoutLabels) {
                for version in self.inner.versions(&secret) {
                    description.versions.insert(version.id, version.stages);
                }
            }
            Ok(description)
        }

        async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
            let secret = self.name(secret);
            let at = match at {
                Selector::VersionAt(id, _) if self.has(Defect::ReadsAVersionWhateverItsLabel) => {
                    Selector::Version(id.clone())
                }
                at => at.clone(),
            };
            let mut read = self.inner.read(&secret, &at).await;
            if self.has(Defect::SaysConflictForWhatIsMissing) {
                read = read.map_err(|_| StoreError::Conflict {
                    secret,
                    reason: "it is not there".into(),
                });
            }
            let mut version = read?;
            if self.has(Defect::DatesEveryValueAlike) {
                version.created_at = DateTime::<Utc>::UNIX_EPOCH;
            }
            Ok(version)
        }

        async fn put(
            &self,
            secret: &SecretId,
            version: &VersionId,
            value: &SecretValue,
            stages: &[Stage],
        ) -> Result<(), StoreError> {
            let secret = self.name(secret);
            match self.inner.put(&secret, version, value, stages).await {
                Err(StoreError::Conflict { .. })
                    if self.has(Defect::TakesAnotherValueForTheSame) =>
                {
                    Ok(())
                }
                result => result,
            }
        }

        async fn move_stage(
            &self,
            secret: &SecretId,
            stage: &Stage,
            from: Option<&VersionId>,
            to: Option<&VersionId>,
        ) -> Result<(), StoreError> {
            let secret = self.name(secret);
            let description = self.inner.describe(&secret).await?;
            let from = if self.has(Defect::MovesALabelFromWherever) {
                description.holder(stage)
            } else {
                from
            };
            self.inner.move_stage(&secret, stage, from, to).await
        }
    }

    impl StoreUnderTest for Defective {
        fn store(&self) -> &dyn Store {
            self
        }

        async fn put_by_hand(&self, secret: &SecretId, version: &VersionId, value: &SecretValue) {
            let secret = self.name(secret);
            let description = self.inner.describe(&secret).await.unwrap_or_default();
            self.inner.put_by_hand(&secret, version, value);
            if let Some(pending) = description.holder(&Stage::Pending)
                && self.has(Defect::LetsAManualPutKeepTheRotation)
            {
                let put_back = self
                    .inner
                    .move_stage(&secret, &Stage::Pending, None, Some(pending));
                put_back.await.expect("it was on no version");
            }
        }

        async fn tag(&self, secret: &SecretId, key: &str, value: &str) {
            self.inner.tag(&self.name(secret), key, value);
        }

        async fn begin(&self, secret: &SecretId, token: &VersionId) -> Result<(), StoreError> {
            self.inner.rotate_secret(&self.name(secret), token)
        }
    }

    async fn run(defect: Defect) {
        run_but(defect, &[]).await;
    }

    async fn run_but(defect: Defect, cases: &[&'static str]) {
        let known = |case| Deviation { case, why: "TEST" };
        let deviations: Vec<Deviation> = cases.iter().copied().map(known).collect();
        store_contract_but(&deviations, async || Defective {
            inner: FakeSecretsManager::new(FakeClock::default()),
            defect,
        })
        .await;
    }

    #[test]
    fn a_known_deviation_is_let_pass_until_it_is_none_any_more() {
        let (defect, case) = (
            Defect::DatesEveryValueAlike,
            "values_are_dated_in_strict_order",
        );
        assert!(!fails(run_but(defect, &[case])));
        assert!(fails(run_but(Defect::None, &[case])), "it passes after all");
        assert!(fails(run_but(defect, &[case, "no_such_case"])));
    }

    #[test]
    fn every_defect_fails_the_contract_and_without_one_it_holds() {
        assert!(!fails(run(Defect::None)));
        for defect in DEFECTS {
            assert!(fails(run(defect)), "{defect:?} went unnoticed");
        }
    }
}

mod provider {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Defect {
        None,
        AcceptsEveryKey,
        SaysThatItRetired,
        NeverSaysAlreadyGone,
        TakesNoLastLook,
        PassesEveryFence,
        ListsNothing,
        ListsForEverySecret,
        CannotRetireWhatItLists,
        ChoosesTheSameAgain,
        MakesWhatItChooses,
        NeverTellsWhatItReplaced,
    }

    /// Each with a kind of key at which it can show.
    const DEFECTS: [(Defect, FakeKind); 11] = [
        (Defect::AcceptsEveryKey, FakeKind::KeyPair),
        (
            Defect::SaysThatItRetired,
            FakeKind::Token { listable: false },
        ),
        (Defect::NeverSaysAlreadyGone, FakeKind::Password),
        (Defect::TakesNoLastLook, FakeKind::Password),
        (Defect::PassesEveryFence, FakeKind::Password),
        (Defect::ListsNothing, FakeKind::KeyPair),
        (
            Defect::ListsForEverySecret,
            FakeKind::Token { listable: true },
        ),
        (
            Defect::CannotRetireWhatItLists,
            FakeKind::Token { listable: true },
        ),
        (Defect::ChoosesTheSameAgain, FakeKind::KeyPair),
        (Defect::MakesWhatItChooses, FakeKind::KeyPair),
        (Defect::NeverTellsWhatItReplaced, FakeKind::Password),
    ];

    struct Defective {
        inner: FakeProvider,
        server: FakeServer,
        defect: Defect,
    }

    impl Defective {
        fn has(&self, defect: Defect) -> bool {
            self.defect == defect
        }

        fn choice(&self) -> &dyn Choose<FakeSecret> {
            match self.inner.origin() {
                Origin::Chosen(choose) => choose,
                Origin::Issued(_) => unreachable!("asked only of chosen kinds"),
            }
        }
    }

    #[async_trait]
    impl Provider for Defective {
        type Secret = FakeSecret;

        fn origin(&self) -> Origin<'_, FakeSecret> {
            match self.inner.origin() {
                Origin::Chosen(_) => Origin::Chosen(self),
                issued @ Origin::Issued(_) => issued,
            }
        }

        async fn ready(
            &self,
            current: &FakeSecret,
            address: &SecretAddress,
        ) -> Result<Ready<FakeSecret>, ProviderError> {
            self.inner.ready(current, address).await
        }

        async fn verify(&self, secret: &FakeSecret) -> Result<Verdict, ProviderError> {
            let verdict = self.inner.verify(secret).await?;
            let lies = self.has(Defect::AcceptsEveryKey) && verdict != Verdict::NoKey;
            Ok(if lies { Verdict::Accepted } else { verdict })
        }

        async fn retire(&self, key: Retiring<'_, FakeSecret>) -> Result<Retired, ProviderError> {
            let listed = matches!(key, Retiring::Listed { .. });
            if self.has(Defect::CannotRetireWhatItLists) && listed {
                return Ok(Retired::AlreadyGone);
            }
            if self.has(Defect::SaysThatItRetired)
                && let Retiring::Secret(secret) = key
                && self.inner.verify(secret).await? == Verdict::Accepted
            {
                return Ok(Retired::Refused);
            }
            let retired = self.inner.retire(key).await?;
            let lies = self.has(Defect::NeverSaysAlreadyGone);
            Ok(if lies { Retired::Refused } else { retired })
        }

        async fn list(
            &self,
            current: &FakeSecret,
            address: &SecretAddress,
        ) -> Result<Listing, ProviderError> {
            let mut address = address.clone();
            if self.has(Defect::ListsForEverySecret) {
                address.secret = SecretId::new("contract/key");
            }
            if self.has(Defect::ListsNothing) {
                return Ok(Listing::Keys(Vec::new()));
            }
            self.inner.list(current, &address).await
        }
    }

    #[async_trait]
    impl Choose<FakeSecret> for Defective {
        fn choose(
            &self,
            current: &FakeSecret,
            label: &KeyLabel,
            random: &mut Random,
        ) -> Result<FakeSecret, DocumentError> {
            if self.has(Defect::ChoosesTheSameAgain) {
                let mut random = StdRng::seed_from_u64(1);
                return self.choice().choose(current, label, &mut random);
            }
            let chosen = self.choice().choose(current, label, random)?;
            if self.has(Defect::MakesWhatItChooses) {
                let value = chosen.value.clone().unwrap_or_default();
                self.server.add_by_hand(&chosen.account, &value);
            }
            Ok(chosen)
        }

        async fn apply(
            &self,
            pending: &FakeSecret,
            fence: &Fence,
            last_look: &dyn LastLook,
        ) -> Result<Option<RetiredKey>, ProviderError> {
            let mut fence = fence.clone();
            if self.has(Defect::PassesEveryFence) {
                fence.pending.created_at = DateTime::<Utc>::MAX_UTC;
            }
            let look = if self.has(Defect::TakesNoLastLook) {
                &NothingChanged
            } else {
                last_look
            };
            let replaced = self.choice().apply(pending, &fence, look).await?;
            Ok(replaced.filter(|_| !self.has(Defect::NeverTellsWhatItReplaced)))
        }
    }

    async fn run(defect: Defect, kind: FakeKind) {
        let clock = FakeClock::default();
        let server = FakeServer::new(clock.clone());
        let inner = FakeProvider::new(kind, server.clone(), clock);
        let current = inner.first_document();
        let wrong = FakeSecret {
            value: Some("TEST-wrong".into()),
            ..current.clone()
        };
        let elsewhere = FakeSecret {
            server: "elsewhere".into(),
            ..current.clone()
        };
        let provider = Defective {
            inner,
            server,
            defect,
        };
        provider_contract(ProviderUnderTest {
            provider,
            current,
            wrong,
            elsewhere: vec![elsewhere],
        })
        .await;
    }

    #[test]
    fn every_defect_fails_the_contract_and_without_one_it_holds() {
        for (defect, kind) in DEFECTS {
            assert!(!fails(run(Defect::None, kind)), "{kind}");
            assert!(fails(run(defect, kind)), "{defect:?} went unnoticed");
        }
    }
}
