//! Evenly spread out, by a clock and a pause that are handed in.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::Clock;

/// Waits. Handed in, so that tests need not.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Returns after `length`, by the clock that goes with it.
    async fn pause(&self, length: TimeDelta);
}

/// The machine's own timer, within a tokio runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioPause;

#[async_trait]
impl Pause for TokioPause {
    async fn pause(&self, length: TimeDelta) {
        tokio::time::sleep(length.to_std().unwrap_or_default()).await;
    }
}

/// Lets so many pass in a second.
pub(crate) struct Pace<'a> {
    clock: &'a dyn Clock,
    pause: &'a dyn Pause,
    interval: TimeDelta,
    next: DateTime<Utc>,
}

impl<'a> Pace<'a> {
    /// The first passes at once.
    pub(crate) fn new(clock: &'a dyn Clock, pause: &'a dyn Pause, per_second: u32) -> Self {
        let microseconds = 1_000_000 / i64::from(per_second.max(1));
        Self {
            clock,
            pause,
            interval: TimeDelta::microseconds(microseconds),
            next: clock.now(),
        }
    }

    /// Waits for its turn.
    pub(crate) async fn turn(&mut self) {
        let early = self.next - self.clock.now();
        // A clock that is set back must not make a tick wait for it.
        let early = early.min(self.interval);
        if early > TimeDelta::zero() {
            self.pause.pause(early).await;
        }
        self.next = self.clock.now() + self.interval;
    }
}
