//! What a stand-in is expected not to pass.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::Deviation;

/// The deviations that have not been seen yet.
pub(super) struct Expected<'a>(Vec<&'a Deviation>);

impl<'a> Expected<'a> {
    pub(super) fn new(deviations: &'a [Deviation]) -> Self {
        Self(deviations.iter().collect())
    }

    pub(super) async fn judge(&mut self, case: &str, test: impl Future<Output = ()>) {
        let Some(at) = self.0.iter().position(|known| known.case == case) else {
            return test.await;
        };
        let known = self.0.remove(at);
        assert!(
            !passes(test).await,
            "{case} passes after all: it is a deviation no more ({})",
            known.why
        );
    }

    pub(super) fn were_all_cases(self) {
        assert!(self.0.is_empty(), "no such cases: {:?}", self.0);
    }
}

async fn passes(test: impl Future<Output = ()>) -> bool {
    let mut test = pin!(test);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| test.as_mut().poll(context)));
        match polled {
            Ok(poll) => poll.map(|()| true),
            Err(_) => Poll::Ready(false),
        }
    })
    .await
}
