#![doc = include_str!("../README.md")]
#![allow(
    clippy::missing_panics_doc,
    reason = "a proof fails by panicking; each panic says which promise is broken, and where"
)]

mod act;
mod by_hand;
mod case;
mod crash;
mod crash_table;
pub mod figures;
mod frozen;
mod ledger;
mod page;
mod reach;
mod sabotage;
mod settle;
mod simultaneous;
mod tables;
mod tally;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub use act::Act;
pub use by_hand::act_at_every_point;
pub use case::{Case, Health};
pub use crash::{crash_points, pairs_of_crash_points};
pub use crash_table::{Crash, Row};
pub use frozen::{Frozen, Meanwhile, frozen_at_every_call};
pub use ledger::{Ledger, Progress, engine_sources, page_path, sources};
pub use page::page;
pub use reach::{Graph, reachable};
pub use settle::{Settled, settle};
pub use simultaneous::{
    abandon_beside_the_rest, abandon_with_a_person, abandoned_twice_at_once, deliveries_at_once,
    step_beside_its_rotation, with_a_person,
};
pub use tally::Tally;

/// More than any work over fakes takes.
const POLLS: usize = 100_000;

/// Runs a future over fakes: they never wait, so it is ready as soon as it is polled often enough.
pub fn now<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS {
        if let Poll::Ready(result) = work.as_mut().poll(&mut context) {
            return result;
        }
    }
    panic!("it waits for something that does not come")
}
