//! The fault injector: every outside call of the engine passes through it, known to it or not.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::Notify;

use crate::{Call, Fault};

/// The effect of a call whose caller is gone.
pub type Effect = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes the effect of a call, from copies of its arguments.
pub type LateCall<'a> = Option<Box<dyn FnOnce() -> Effect + Send + 'a>>;

/// An error that the injector can make up.
pub trait Injected {
    /// Nothing came back: whether the call took effect is unknown.
    fn no_answer() -> Self;
    /// Our rights do not allow it: nothing has changed.
    fn denied() -> Self;
}

/// Counts outside calls and lets one of them fail. Clones are the same injector.
#[derive(Clone, Default)]
pub struct Injector {
    shared: Arc<Shared>,
    /// On whose behalf the calls are made that pass this clone.
    by: &'static str,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    stopped: Notify,
    frozen: Notify,
    thawed: Notify,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    late: Vec<Effect>,
    land_before: Option<usize>,
    armed: Vec<(usize, Fault)>,
    failing: Option<&'static str>,
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
    /// The same injector, for calls that are made on behalf of this.
    #[must_use]
    pub fn on_behalf_of(&self, by: &'static str) -> Self {
        Self { by, ..self.clone() }
    }

    /// Lets the `call`th outside call from now on fail, counted from zero.
    pub fn arm(&self, call: usize, fault: Fault) {
        let mut state = self.lock();
        state.calls.clear();
        state.armed = vec![(call, fault)];
    }

    /// Lets one more call fail, counted from the same one as those that are armed already.
    pub fn arm_also(&self, call: usize, fault: Fault) {
        self.lock().armed.push((call, fault));
    }

    /// Lets every call pass from now on, and forgets those that were made.
    pub fn disarm(&self) {
        let mut state = self.lock();
        state.calls.clear();
        state.armed.clear();
        state.failing = None;
        state.land_before = None;
    }

    /// Lets the calls that outlasted their caller take effect now; whether there were any.
    pub async fn land(&self) -> bool {
        let late = std::mem::take(&mut self.lock().late);
        let any = !late.is_empty();
        for effect in late {
            self.effect(effect).await;
        }
        any
    }

    /// Whether there are calls that outlasted their caller and have not taken effect yet.
    #[must_use]
    pub fn is_late(&self) -> bool {
        !self.lock().late.is_empty()
    }

    /// Lets them take effect right before the `call`th outside call, counted like those that are armed.
    pub fn land_before(&self, call: usize) {
        self.lock().land_before = Some(call);
    }

    /// Lets every call of this name fail until disarmed.
    pub fn fail_every(&self, name: &'static str) {
        self.lock().failing = Some(name);
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
            () = self.shared.frozen.notified() => true,
            _ = work => false,
        }
    }

    /// Lets the frozen call go on.
    pub fn thaw(&self) {
        self.shared.thawed.notify_one();
    }

    /// The calls since the injector was armed or disarmed, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Lets every call wait for its next poll before it is made, so that [`crate::explore()`] can choose
    /// whose turn it is.
    pub fn yield_before_every_call(&self) {
        self.lock().yielding = true;
    }

    /// Waits for the next poll, if told to yield: for deeds of a test that take turns with the calls.
    pub async fn turn(&self) {
        if self.lock().yielding {
            yield_once().await;
        }
    }

    /// Runs after every call that took effect; it panics where a promise is broken.
    pub fn judge_every_call(&self, judge: impl Fn() + Send + Sync + 'static) {
        self.lock().judge = Some(Arc::new(judge));
    }

    /// Runs a piece of work until it ends, or until the injector stops the process in it.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.shared.stopped.notified() => None,
            result = work => Some(result),
        }
    }

    /// Passes one outside call. `late` makes its effect after the caller is gone; none if the call
    /// changes nothing. For those who wrap another interface than a store's or a provider's, such as the
    /// transport below a provider.
    pub async fn call<T, E: Injected>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>>,
        late: LateCall<'_>,
    ) -> Result<T, E> {
        self.turn().await;
        let number = self.count(Call {
            by: self.by,
            name,
            changes: late.is_some(),
        });
        self.wait_if_frozen(number).await;
        if self
            .lock()
            .land_before
            .take_if(|call| *call == number)
            .is_some()
        {
            self.land().await;
        }
        match self.fault(number) {
            None => self.effect(work).await,
            Some(Fault::FailOnce) => Err(E::no_answer()),
            Some(Fault::Deny) => Err(E::denied()),
            Some(Fault::LoseReply) => self.effect(work).await.and_then(|_| Err(E::no_answer())),
            Some(Fault::StopBefore) => self.stop().await,
            Some(Fault::StopAfter) => {
                let _ = self.effect(work).await;
                self.stop().await
            }
            Some(Fault::SlowBeyondDeadline) => {
                self.lock().late.extend(late.map(|effect| effect()));
                self.stop().await
            }
            Some(Fault::TimesOut) => {
                self.lock().late.extend(late.map(|effect| effect()));
                Err(E::no_answer())
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
        self.shared.stopped.notify_one();
        std::future::pending().await
    }

    async fn wait_if_frozen(&self, number: usize) {
        if self.lock().freeze.take_if(|call| *call == number).is_some() {
            self.shared.frozen.notify_one();
            self.shared.thawed.notified().await;
        }
    }

    fn count(&self, call: Call) -> usize {
        let mut state = self.lock();
        state.calls.push(call);
        state.calls.len() - 1
    }

    fn fault(&self, number: usize) -> Option<Fault> {
        let state = self.lock();
        if state.failing.is_some_and(|name| {
            state
                .calls
                .get(number)
                .is_some_and(|call| call.name == name)
        }) {
            return Some(Fault::FailOnce);
        }
        let armed = state.armed.iter().find(|(call, _)| *call == number);
        armed.map(|(_, fault)| *fault)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
