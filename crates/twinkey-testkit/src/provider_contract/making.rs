//! Making keys: chosen and applied, or issued.

use rand::SeedableRng;
use rand::rngs::StdRng;
use twinkey_core::{
    Choose, Credential, ErrorKind, Fence, Issue, KeyLabel, Listing, Origin, Provider, Retired,
    RetiredKey, Retiring, VersionId, VersionStamp,
};

use super::looks::{Counted, LabelMoved, NothingChanged};
use super::{Bench, Held, address, documents};

impl<P: Provider> Bench<P> {
    /// Makes a key while the current one stays live.
    pub(super) async fn make_beside(
        &mut self,
        current: &Held<P::Secret>,
        stale: &VersionStamp,
    ) -> Held<P::Secret> {
        let held = current.secret.key_id().is_some();
        let (new, _) = self.make(current, stale).await;
        documents::follows(&new.secret, &current.secret, &self.elsewhere);
        assert!(new.secret.key_id().is_some(), "a key has an identity");
        assert_ne!(new.secret.key_id(), current.secret.key_id());
        self.is_accepted(&new.secret).await;
        if held {
            self.is_accepted(&current.secret).await;
        } else {
            self.verdict(&current.secret).await;
        }
        self.lists(current, &[&new.secret], &[]).await;
        new
    }

    /// Makes one more beside `beside`; `oldest` has to go for it.
    pub(super) async fn make_in_place_of(
        &mut self,
        oldest: &Held<P::Secret>,
        beside: &Held<P::Secret>,
        stale: &VersionStamp,
    ) -> Held<P::Secret> {
        if !self.has_fixed_slots(&beside.secret).await {
            self.retire(&oldest.secret, beside).await;
            return self.make_beside(beside, stale).await;
        }
        let (new, replaced) = self.make(beside, stale).await;
        let how = replaced.map(|key| key.how);
        assert_eq!(how, Some(Retired::Replaced), "apply tells what it replaced");
        documents::follows(&new.secret, &beside.secret, &self.elsewhere);
        self.is_accepted(&new.secret).await;
        self.is_refused(&oldest.secret).await;
        // The place is the newer key's: whoever retires the older one late must not touch it.
        self.is_gone_already(&oldest.secret).await;
        self.is_accepted(&new.secret).await;
        self.is_accepted(&beside.secret).await;
        new
    }

    async fn make(
        &mut self,
        current: &Held<P::Secret>,
        stale: &VersionStamp,
    ) -> (Held<P::Secret>, Option<RetiredKey>) {
        let ready = self.ready(&current.secret).await;
        let stamp = self.stamp();
        assert_eq!(
            self.is_chosen(),
            matches!(self.provider.origin(), Origin::Chosen(_)),
            "the origin is constant"
        );
        let (secret, replaced) = match self.provider.origin() {
            Origin::Issued(issue) => (mint(issue, &ready, &stamp).await, None),
            Origin::Chosen(choose) => {
                let fence = Fence {
                    address: address(),
                    pending: stamp.clone(),
                    current: current.stamp.clone(),
                };
                self.choose_and_apply(choose, &ready, current, fence, stale)
                    .await
            }
        };
        (Held { secret, stamp }, replaced)
    }

    async fn choose_and_apply(
        &self,
        choose: &dyn Choose<P::Secret>,
        ready: &P::Secret,
        current: &Held<P::Secret>,
        fence: Fence,
        stale: &VersionStamp,
    ) -> (P::Secret, Option<RetiredKey>) {
        let seed = self.stamps.unsigned_abs() * 2;
        let version = &fence.pending.id;
        let pending = self.choose(choose, ready, current, version, seed).await;
        let late = &stale.id;
        let late = self.choose(choose, ready, current, late, seed + 1).await;
        assert_ne!(pending.render(), late.render(), "each value is fresh");
        if self.has_fixed_slots(ready).await {
            late.continues(&pending)
                .expect_err("both are for the place beside current");
        }
        self.the_last_look_decides(choose, &pending, &fence, current)
            .await;
        let look = Counted::default();
        let applied = choose.apply(&pending, &fence, &look).await;
        let replaced = applied.expect("applied");
        assert!(look.times() > 0, "apply takes the last look");
        let again = choose.apply(&pending, &fence, &NothingChanged).await;
        assert_eq!(
            again.expect("repeatable"),
            None,
            "there is nothing left to replace"
        );
        let fence = Fence {
            pending: stale.clone(),
            ..fence
        };
        match choose.apply(&late, &fence, &NothingChanged).await {
            Err(error) => assert_eq!(error.kind, ErrorKind::Conflict, "{error}"),
            Ok(_) => self.a_late_key_is_found(current, ready, &late).await,
        }
        self.is_refused(&late).await;
        self.is_accepted(&pending).await;
        (pending, replaced)
    }

    /// Where keys stand beside each other there may be no fence: the next rotation ends the late one.
    async fn a_late_key_is_found(
        &self,
        current: &Held<P::Secret>,
        ready: &P::Secret,
        late: &P::Secret,
    ) {
        assert!(
            matches!(self.list(ready, &address()).await, Listing::Keys(_)),
            "a later rotation has passed, and the server does not list its keys"
        );
        self.lists(current, &[late], &[]).await;
        let retired = self.provider.retire(Retiring::Secret(late)).await;
        retired.expect("it can be ended");
    }

    /// Never touches the server: what it chose is no key yet.
    async fn choose(
        &self,
        choose: &dyn Choose<P::Secret>,
        ready: &P::Secret,
        current: &Held<P::Secret>,
        version: &VersionId,
        seed: u64,
    ) -> P::Secret {
        let label = KeyLabel {
            address: address(),
            version: version.clone(),
        };
        let before = (self.verdict(ready).await, self.keys(current).await);
        let chosen = |seed| choose.choose(ready, &label, &mut StdRng::seed_from_u64(seed));
        let pending = chosen(seed).expect("chosen");
        let again = chosen(seed).expect("chosen");
        assert_eq!(pending.render(), again.render(), "pure but for `random`");
        pending.continues(ready).expect("the successor");
        self.is_refused(&pending).await;
        let after = (self.verdict(ready).await, self.keys(current).await);
        assert_eq!(after, before, "choose never touches the server");
        pending
    }

    async fn the_last_look_decides(
        &self,
        choose: &dyn Choose<P::Secret>,
        pending: &P::Secret,
        fence: &Fence,
        current: &Held<P::Secret>,
    ) {
        let before = (
            self.verdict(&current.secret).await,
            self.keys(current).await,
        );
        let error = choose
            .apply(pending, fence, &LabelMoved)
            .await
            .expect_err("a label was moved at the last moment");
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        self.is_refused(pending).await;
        let after = (
            self.verdict(&current.secret).await,
            self.keys(current).await,
        );
        assert_eq!(after, before, "the last look is taken before the change");
    }
}

async fn mint<S: Credential>(issue: &dyn Issue<S>, current: &S, stamp: &VersionStamp) -> S {
    let label = KeyLabel {
        address: address(),
        version: stamp.id.clone(),
    };
    issue.mint(current, &label).await.expect("minted")
}
