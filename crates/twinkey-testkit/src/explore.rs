//! Every interleaving of several invocations, at the granularity of outside calls.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A future that one thread polls.
pub type Invocation<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs `start`'s invocations in every order in which their outside calls can follow each
/// other with at most `preemptions` switches away from an invocation that could have gone on, each
/// order in a world of its own, and returns how many orders there were.
///
/// Between two outside calls an invocation runs alone: that is where it waits when its
/// [`crate::Injector`] has been told to [`crate::Injector::yield_before_every_call`]. `judge` sees the world at the
/// end of each order, and the order itself: which invocation made the first call, the second, …
pub fn explore<W>(
    preemptions: usize,
    build: impl Fn() -> W,
    start: impl for<'a> Fn(&'a W) -> Vec<Invocation<'a>>,
    judge: impl Fn(W, &[usize]),
) -> usize {
    let mut order: Vec<Choice> = Vec::new();
    let mut orders = 0;
    loop {
        let world = build();
        follow(&mut order, preemptions, start(&world));
        orders += 1;
        let taken: Vec<usize> = order.iter().map(Choice::invocation).collect();
        judge(world, &taken);
        if !next(&mut order) {
            return orders;
        }
    }
}

/// One point at which more than one invocation could have made the next call.
struct Choice {
    runnable: Vec<usize>,
    taken: usize,
}

impl Choice {
    fn invocation(&self) -> usize {
        self.runnable[self.taken]
    }
}

/// Follows the order as far as it goes, then always lets the same invocation go on.
fn follow(order: &mut Vec<Choice>, preemptions: usize, invocations: Vec<Invocation<'_>>) {
    let mut running: Vec<Option<Invocation<'_>>> = invocations.into_iter().map(Some).collect();
    let mut context = Context::from_waker(Waker::noop());
    // Up to its first call an invocation does nothing that another could see: that is no choice.
    for slot in &mut running {
        advance(slot, &mut context);
    }
    let (mut last, mut left) = (None, preemptions);
    for step in 0.. {
        let runnable = runnable(&running, last, left);
        if runnable.is_empty() {
            return;
        }
        if step == order.len() {
            order.push(Choice { runnable, taken: 0 });
        }
        let chosen = order[step].invocation();
        left -=
            usize::from(last.is_some_and(|last: usize| last != chosen && running[last].is_some()));
        last = Some(chosen);
        advance(&mut running[chosen], &mut context);
    }
}

/// Lets an invocation make its next call and go on to where it waits before the one after.
fn advance(slot: &mut Option<Invocation<'_>>, context: &mut Context<'_>) {
    if let Some(invocation) = slot
        && let Poll::Ready(()) = invocation.as_mut().poll(context)
    {
        *slot = None;
    }
}

/// Who can make the next call; whoever made the last one comes first.
fn runnable(
    running: &[Option<Invocation<'_>>],
    last: Option<usize>,
    preemptions_left: usize,
) -> Vec<usize> {
    let alive = |index: &usize| running[*index].is_some();
    let last = last.filter(alive);
    if preemptions_left == 0 && last.is_some() {
        return last.into_iter().collect();
    }
    let others = (0..running.len())
        .filter(alive)
        .filter(|index| Some(*index) != last);
    last.into_iter().chain(others).collect()
}

/// The next order in depth-first sequence; whether there is one.
fn next(order: &mut Vec<Choice>) -> bool {
    while let Some(mut last) = order.pop() {
        last.taken += 1;
        if last.taken < last.runnable.len() {
            order.push(last);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    async fn yield_once() {
        let mut yielded = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    async fn invocation(name: char, log: &RefCell<String>) {
        for _ in 0..2 {
            yield_once().await;
            log.borrow_mut().push(name);
        }
    }

    #[test]
    fn every_order_is_seen_once() {
        let seen: RefCell<BTreeSet<String>> = RefCell::default();
        let orders = explore(
            usize::MAX,
            || RefCell::new(String::new()),
            |log| {
                let make = |name| -> Invocation<'_> { Box::pin(invocation(name, log)) };
                vec![make('a'), make('b')]
            },
            |log, _| {
                seen.borrow_mut().insert(log.into_inner());
            },
        );
        let expected = ["aabb", "abab", "abba", "baab", "baba", "bbaa"];
        assert!(expected.iter().all(|order| seen.borrow().contains(*order)));
        assert_eq!(seen.borrow().len(), expected.len());
        assert_eq!(orders, expected.len(), "no order is run twice");
    }
}
