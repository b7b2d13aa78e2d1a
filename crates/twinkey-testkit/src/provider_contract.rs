//! What every provider must do, in one suite.

mod documents;
mod looks;
mod making;
mod retiring;

use chrono::{DateTime, TimeDelta, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::{
    Credential, KeyId, Listing, Origin, Provider, SecretAddress, SecretId, Verdict, VersionId,
    VersionStamp,
};

pub use looks::NothingChanged;

/// A provider at a server of its own, with the documents that the suite cannot make up itself.
pub struct ProviderUnderTest<P: Provider> {
    /// The provider.
    pub provider: P,
    /// A document whose key is live, or which holds none yet.
    pub current: P::Secret,
    /// As `current`, but with a key that the server has never known.
    pub wrong: P::Secret,
    /// As `current`, but each for another target: one document for each field that names it.
    pub elsewhere: Vec<P::Secret>,
}

/// Runs the whole suite at one server, where two keys are live at most at any moment.
///
/// It makes and retires keys for the secret `contract/key` of a store `contract`; the key in
/// `current` does not outlive it.
///
/// # Panics
///
/// At the first thing that does not hold; the message says what was expected.
pub async fn provider_contract<P: Provider>(test: ProviderUnderTest<P>) {
    documents::check(&test);
    let ProviderUnderTest {
        provider,
        current,
        wrong,
        elsewhere,
    } = test;
    let mut bench = Bench {
        provider,
        elsewhere,
        random: StdRng::seed_from_u64(11),
        stamps: 0,
    };
    // Older than every other: an invocation that has slept through all that follows.
    let stale = bench.stamp();
    let current = bench.held(current);
    bench.a_wrong_key_is_refused(&current, &wrong).await;
    let current = bench.readiness_changes_nothing_and_repeats(current).await;
    let first = bench.make_beside(&current, &stale).await;
    let second = bench.make_in_place_of(&current, &first, &stale).await;
    bench.retire_the_newest(first, second, &stale).await;
}

/// A document, and when its version was stored.
struct Held<S> {
    secret: S,
    stamp: VersionStamp,
}

struct Bench<P: Provider> {
    provider: P,
    elsewhere: Vec<P::Secret>,
    random: StdRng,
    stamps: i64,
}

impl<P: Provider> Bench<P> {
    async fn a_wrong_key_is_refused(&self, current: &Held<P::Secret>, wrong: &P::Secret) {
        let before = self.verdict(&current.secret).await;
        let said = self.is_refused(wrong).await;
        documents::shows_nothing(&said, wrong, &current.secret);
        self.is_gone_already(wrong).await;
        assert_eq!(
            self.verdict(&current.secret).await,
            before,
            "what is wrong in a document takes nothing from the key that is right"
        );
    }

    async fn readiness_changes_nothing_and_repeats(
        &self,
        current: Held<P::Secret>,
    ) -> Held<P::Secret> {
        let before = (
            self.verdict(&current.secret).await,
            self.keys(&current).await,
        );
        let ready = self.ready(&current.secret).await;
        let again = self.ready(&ready).await;
        assert_eq!(again.render(), ready.render(), "ready completes once");
        assert_eq!(ready.key_id(), current.secret.key_id());
        ready.same_target(&current.secret).expect("the same target");
        let after = (self.verdict(&ready).await, self.keys(&current).await);
        assert_eq!(after, before, "ready is read-only");
        Held {
            secret: ready,
            stamp: current.stamp,
        }
    }

    async fn ready(&self, current: &P::Secret) -> P::Secret {
        let ready = self.provider.ready(current, &address()).await;
        ready.expect("a rotation can succeed").secret
    }

    /// The server's answer, twice the same.
    async fn verdict(&self, secret: &P::Secret) -> Verdict {
        let verdict = self.provider.verify(secret).await.expect("an answer");
        let again = self.provider.verify(secret).await.expect("an answer");
        assert_eq!(verdict, again, "verify is read-only");
        assert_eq!(
            verdict == Verdict::NoKey,
            secret.key_id().is_none(),
            "NoKey is what is said of a document without a key, and of no other"
        );
        verdict
    }

    async fn is_accepted(&self, secret: &P::Secret) {
        assert_eq!(self.verdict(secret).await, Verdict::Accepted);
    }

    /// Returns the server's reason.
    async fn is_refused(&self, secret: &P::Secret) -> String {
        match self.verdict(secret).await {
            Verdict::Refused { reason } => reason,
            verdict => panic!("a refusal was expected: {verdict:?}"),
        }
    }

    /// The keys of this secret, if the server lists them: twice the same, and none of them another's.
    async fn keys(&self, current: &Held<P::Secret>) -> Option<Vec<KeyId>> {
        let keys = ids(self.list(&current.secret, &address()).await);
        let again = ids(self.list(&current.secret, &address()).await);
        assert_eq!(keys, again, "list is read-only");
        let other = SecretAddress {
            secret: SecretId::new("contract/other"),
            ..address()
        };
        let theirs = ids(self.list(&current.secret, &other).await);
        for key in keys.iter().flatten() {
            let shared = theirs.iter().flatten().any(|other| other == key);
            assert!(!shared, "{key} is listed for another secret too");
        }
        keys
    }

    /// Which keys of ours are listed, if the server lists them.
    async fn lists(&self, current: &Held<P::Secret>, live: &[&P::Secret], dead: &[&P::Secret]) {
        let Some(keys) = self.keys(current).await else {
            return;
        };
        let listed = |secret: &&&P::Secret| {
            let id = secret.key_id();
            id.is_some_and(|id| keys.contains(&id))
        };
        assert_eq!(live.iter().filter(listed).count(), live.len(), "{keys:?}");
        assert_eq!(dead.iter().filter(listed).count(), 0, "{keys:?}");
    }

    async fn list(&self, current: &P::Secret, address: &SecretAddress) -> Listing {
        let listing = self.provider.list(current, address).await;
        listing.expect("the server says what it has")
    }

    async fn has_fixed_slots(&self, current: &P::Secret) -> bool {
        matches!(self.list(current, &address()).await, Listing::FixedSlots)
    }

    fn is_chosen(&self) -> bool {
        matches!(self.provider.origin(), Origin::Chosen(_))
    }

    fn held(&mut self, secret: P::Secret) -> Held<P::Secret> {
        let stamp = self.stamp();
        Held { secret, stamp }
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

fn ids(listing: Listing) -> Option<Vec<KeyId>> {
    match listing {
        Listing::Keys(keys) => Some(keys.into_iter().map(|key| key.key_id).collect()),
        Listing::FixedSlots => None,
        Listing::CannotList { dead_within } => {
            assert!(
                dead_within > TimeDelta::zero(),
                "a key that nobody lists dies at a known time"
            );
            None
        }
    }
}

fn address() -> SecretAddress {
    SecretAddress {
        store: "contract".into(),
        secret: SecretId::new("contract/key"),
    }
}
