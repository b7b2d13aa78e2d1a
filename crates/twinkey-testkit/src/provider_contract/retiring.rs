//! Retiring keys: seen to be refused, repeatable, and none but the one that is meant.

use twinkey_core::{Credential, Listing, Provider, Retired, Retiring, Verdict, VersionStamp};

use super::{Bench, Held, address};

impl<P: Provider> Bench<P> {
    /// Of two live keys the newer goes; where the server lists them, the older goes first as a listed
    /// one.
    pub(super) async fn retire_the_newest(
        &mut self,
        first: Held<P::Secret>,
        second: Held<P::Secret>,
        stale: &VersionStamp,
    ) {
        let listing = self.list(&second.secret, &address()).await;
        if !matches!(listing, Listing::Keys(_)) {
            self.retire(&second.secret, &first).await;
            return;
        }
        self.retire_listed(&first.secret, &second).await;
        let third = self.make_beside(&second, stale).await;
        self.retire(&third.secret, &second).await;
    }

    /// Retires a key by its document; `other` stays.
    pub(super) async fn retire(&self, doomed: &P::Secret, other: &Held<P::Secret>) {
        let before = self.verdict(doomed).await;
        let held = before != Verdict::NoKey;
        if held {
            let how = self.provider.retire(Retiring::Secret(doomed)).await;
            assert_eq!(
                how.expect("retired"),
                Retired::Refused,
                "the refusal is observed"
            );
            self.is_refused(doomed).await;
        }
        self.is_gone_already(doomed).await;
        self.is_accepted(&other.secret).await;
        self.lists(other, &[&other.secret], &[doomed]).await;
    }

    /// Retires a key that only the server's list knows; `other` stays.
    async fn retire_listed(&self, doomed: &P::Secret, other: &Held<P::Secret>) {
        let Listing::Keys(keys) = self.list(&other.secret, &address()).await else {
            panic!("the server listed its keys a moment ago");
        };
        let id = doomed.key_id();
        let mut found = keys.iter().filter(|key| Some(&key.key_id) == id.as_ref());
        let key = found.next().expect("a live key is listed");
        assert!(found.next().is_none(), "a key is listed once");
        for expected in [Retired::Refused, Retired::AlreadyGone] {
            let current = &other.secret;
            let how = self
                .provider
                .retire(Retiring::Listed { key, current })
                .await;
            assert_eq!(how.expect("retired"), expected);
            self.is_refused(doomed).await;
        }
        self.is_gone_already(doomed).await;
        self.is_accepted(&other.secret).await;
        self.lists(other, &[&other.secret], &[doomed]).await;
    }

    /// Retiring what is dead already is success, however often.
    pub(super) async fn is_gone_already(&self, dead: &P::Secret) {
        for _ in 0..2 {
            let how = self.provider.retire(Retiring::Secret(dead)).await;
            assert_eq!(how.expect("repeatable"), Retired::AlreadyGone);
        }
    }
}
