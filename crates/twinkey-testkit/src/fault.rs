//! The fault injector: every outside call of the engine passes through it, known to it or not.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use tokio::sync::Notify;
use twinkey_core::{
    Choose, Description, DocumentError, ErrorKind, Fence, Issue, KeyLabel, LastLook, Listing,
    Origin, Provider, ProviderError, Random, Retired, RetiredKey, Retiring, SecretAddress,
    SecretId, SecretValue, Selector, Stage, Store, StoreError, Verdict, Version, VersionId,
};

/// What happens to one outside call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process dies before the call.
    StopBefore,
    /// The process dies after the call took effect.
    StopAfter,
    /// The call takes effect and its reply is lost.
    LoseReply,
    /// The call is refused once, without effect.
    RefuseOnce,
}

impl Fault {
    /// Every fault there is.
    pub const ALL: [Self; 4] = [
        Self::StopBefore,
        Self::StopAfter,
        Self::LoseReply,
        Self::RefuseOnce,
    ];
}

/// Counts outside calls and lets one of them fail. Clones are the same injector.
#[derive(Clone, Default)]
pub struct Injector(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    stopped: Notify,
    frozen: Notify,
    thawed: Notify,
}

#[derive(Default)]
struct State {
    calls: Vec<&'static str>,
    armed: Option<(usize, Fault)>,
    refused: Option<&'static str>,
    freeze: Option<usize>,
    yielding: bool,
    judge: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Injector")
            .field("calls", &self.lock().calls)
            .finish_non_exhaustive()
    }
}

impl Injector {
    /// Lets the `call`th outside call from now on fail, counted from zero.
    pub fn arm(&self, call: usize, fault: Fault) {
        let mut state = self.lock();
        state.calls.clear();
        state.armed = Some((call, fault));
    }

    /// Lets every call pass from now on, and forgets those that were made.
    pub fn disarm(&self) {
        let mut state = self.lock();
        state.calls.clear();
        state.armed = None;
        state.refused = None;
    }

    /// Refuses every call of this name until disarmed.
    pub fn refuse_every(&self, name: &'static str) {
        self.lock().refused = Some(name);
    }

    /// Freezes the `call`th outside call from now on before it takes effect, until thawed. Only
    /// that one call is held; whoever calls after it passes.
    pub fn freeze_at(&self, call: usize) {
        let mut state = self.lock();
        state.calls.clear();
        state.freeze = Some(call);
    }

    /// Runs a piece of work until one of its calls is frozen; whether that happened.
    pub async fn until_frozen<T>(
        &self,
        work: Pin<&mut (impl Future<Output = T> + ?Sized)>,
    ) -> bool {
        tokio::select! {
            biased;
            () = self.0.frozen.notified() => true,
            _ = work => false,
        }
    }

    /// Lets the frozen call go on.
    pub fn thaw(&self) {
        self.0.thawed.notify_one();
    }

    /// The calls since the injector was armed or disarmed, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<&'static str> {
        self.lock().calls.clone()
    }

    /// Lets every call wait for its next poll before it is made, so that [`crate::explore()`] can choose
    /// whose turn it is.
    pub fn yield_before_every_call(&self) {
        self.lock().yielding = true;
    }

    /// Runs after every call that took effect; it panics where a promise is broken.
    pub fn judge_every_call(&self, judge: impl Fn() + Send + Sync + 'static) {
        self.lock().judge = Some(Arc::new(judge));
    }

    /// Runs a piece of work until it ends, or until the injector stops the process in it.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.0.stopped.notified() => None,
            result = work => Some(result),
        }
    }

    /// Passes one outside call.
    pub async fn call<T, E>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>>,
        lost: impl FnOnce() -> E,
    ) -> Result<T, E> {
        if self.lock().yielding {
            yield_once().await;
        }
        let number = self.count(name);
        self.wait_if_frozen(number).await;
        match self.fault(number) {
            None => self.effect(work).await,
            Some(Fault::RefuseOnce) => Err(lost()),
            Some(Fault::LoseReply) => self.effect(work).await.and_then(|_| Err(lost())),
            Some(Fault::StopBefore) => self.stop().await,
            Some(Fault::StopAfter) => {
                let _ = self.effect(work).await;
                self.stop().await
            }
        }
    }

    async fn effect<T>(&self, work: impl Future<Output = T>) -> T {
        let result = work.await;
        let judge = self.lock().judge.clone();
        if let Some(judge) = judge {
            judge();
        }
        result
    }

    async fn stop<T>(&self) -> T {
        self.0.stopped.notify_one();
        std::future::pending().await
    }

    async fn wait_if_frozen(&self, number: usize) {
        if self.lock().freeze.take_if(|call| *call == number).is_some() {
            self.0.frozen.notify_one();
            self.0.thawed.notified().await;
        }
    }

    fn count(&self, name: &'static str) -> usize {
        let mut state = self.lock();
        state.calls.push(name);
        state.calls.len() - 1
    }

    fn fault(&self, number: usize) -> Option<Fault> {
        let state = self.lock();
        if state
            .refused
            .is_some_and(|name| state.calls.get(number) == Some(&name))
        {
            return Some(Fault::RefuseOnce);
        }
        state
            .armed
            .filter(|(call, _)| *call == number)
            .map(|(_, fault)| fault)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn yield_once() {
    let mut yielded = false;
    let turn = |_: &mut Context<'_>| {
        if std::mem::replace(&mut yielded, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    };
    std::future::poll_fn(turn).await;
}

fn store_lost() -> StoreError {
    StoreError::Transient {
        doing: "an outside call".into(),
        reason: "no answer (injected)".into(),
    }
}

fn provider_lost() -> ProviderError {
    ProviderError {
        kind: ErrorKind::Transient,
        code: "Injected",
        message: "no answer (injected)".into(),
        hint: None,
        retry_after: None,
    }
}

/// A store whose every call passes the injector.
#[derive(Clone, Debug)]
pub struct FaultyStore<S> {
    inner: S,
    injector: Injector,
}

impl<S> FaultyStore<S> {
    /// Wraps a store.
    pub fn new(inner: S, injector: Injector) -> Self {
        Self { inner, injector }
    }
}

#[async_trait]
impl<S: Store> Store for FaultyStore<S> {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        self.inner.address(secret)
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        self.injector
            .call("describe", self.inner.describe(secret), store_lost)
            .await
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        self.injector
            .call("read", self.inner.read(secret, at), store_lost)
            .await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        self.injector
            .call(
                "put",
                self.inner.put(secret, version, value, stages),
                store_lost,
            )
            .await
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        self.injector
            .call(
                "move_stage",
                self.inner.move_stage(secret, stage, from, to),
                store_lost,
            )
            .await
    }
}

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
impl<P: Provider> Provider for FaultyProvider<P> {
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
    ) -> Result<P::Secret, ProviderError> {
        self.injector
            .call("ready", self.inner.ready(current, address), provider_lost)
            .await
    }

    async fn verify(&self, secret: &P::Secret) -> Result<Verdict, ProviderError> {
        self.injector
            .call("verify", self.inner.verify(secret), provider_lost)
            .await
    }

    async fn retire(&self, key: Retiring<'_, P::Secret>) -> Result<Retired, ProviderError> {
        self.injector
            .call("retire", self.inner.retire(key), provider_lost)
            .await
    }

    async fn list(
        &self,
        current: &P::Secret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        self.injector
            .call("list", self.inner.list(current, address), provider_lost)
            .await
    }
}

const OTHER_ORIGIN: &str = "the engine asked for the origin first";

#[async_trait]
impl<P: Provider> Choose<P::Secret> for FaultyProvider<P> {
    fn choose(&self, current: &P::Secret, random: &mut Random) -> Result<P::Secret, DocumentError> {
        let Origin::Chosen(choose) = self.inner.origin() else {
            unreachable!("{OTHER_ORIGIN}")
        };
        choose.choose(current, random)
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
        self.injector
            .call(
                "apply",
                choose.apply(pending, fence, last_look),
                provider_lost,
            )
            .await
    }
}

#[async_trait]
impl<P: Provider> Issue<P::Secret> for FaultyProvider<P> {
    async fn mint(
        &self,
        current: &P::Secret,
        label: &KeyLabel,
    ) -> Result<P::Secret, ProviderError> {
        let Origin::Issued(issue) = self.inner.origin() else {
            unreachable!("{OTHER_ORIGIN}")
        };
        self.injector
            .call("mint", issue.mint(current, label), provider_lost)
            .await
    }
}
