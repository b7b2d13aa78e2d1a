//! Virtual time: tokio's paused clock, which jumps to the next timer as soon as nobody has anything to do.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use twinkey_core::Clock;
use twinkey_testkit::FakeClock;

/// The time of everybody; the fakes' clock follows it.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    fake: FakeClock,
    began: Instant,
    start: DateTime<Utc>,
}

impl Time {
    /// Begins when the fakes' clock says so. Within a runtime whose clock is paused.
    pub(crate) fn new(fake: FakeClock) -> Self {
        Self {
            start: fake.now(),
            fake,
            began: Instant::now(),
        }
    }

    pub(crate) fn start(&self) -> DateTime<Utc> {
        self.start
    }

    pub(crate) fn milliseconds(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Lets time pass, and the fakes know of it.
    pub(crate) async fn pass(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        self.now();
    }
}

impl Clock for Time {
    fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.began.elapsed()).unwrap_or_default();
        let now = self.start + elapsed;
        self.fake.advance(now - self.fake.now());
        now
    }
}
