//! The demo's own clock: it runs faster than the machine's, so that minutes pass in seconds.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::Clock;

/// A clock that started at the machine's time and has run faster ever since.
pub(crate) struct FastClock {
    start: DateTime<Utc>,
    started: Instant,
    factor: i32,
}

impl FastClock {
    pub(crate) fn new(factor: i32) -> Self {
        Self {
            start: Utc::now(),
            started: Instant::now(),
            factor,
        }
    }
}

impl Clock for FastClock {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.started.elapsed()).unwrap_or_default();
        self.start + elapsed * self.factor
    }
}
