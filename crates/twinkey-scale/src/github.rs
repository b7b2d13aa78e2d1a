//! GitHub, as far as it counts requests: by installation and hour.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::account::Account;

const MILLISECONDS: u64 = 150;
const HOUR: u64 = 3_600_000;

/// Requests that an installation has in an hour, whatever they are.
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
pub const REQUESTS_PER_HOUR: u64 = 5_000;
/// Of these, those that make something: the same page.
pub const POSTS_PER_HOUR: u64 = 500;

/// The requests of every installation.
pub(crate) struct Github {
    installations: usize,
    counts: Mutex<BTreeMap<(usize, u64), Requests>>,
}

/// Requests of one installation in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// All of them.
    pub all: u64,
    /// Those that make something.
    pub posts: u64,
}

impl Github {
    pub(crate) fn new(installations: usize) -> Self {
        Self {
            installations,
            counts: Mutex::default(),
        }
    }

    pub(crate) async fn request(&self, account: &Account, number: usize, makes: bool) {
        let at = (
            number % self.installations,
            account.time.milliseconds() / HOUR,
        );
        {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let requests = counts.entry(at).or_default();
            requests.all += 1;
            requests.posts += u64::from(makes);
        }
        account.wait_about(MILLISECONDS).await;
    }

    /// The most of either in any hour of any installation.
    pub(crate) fn most(&self) -> Requests {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        Requests {
            all: counts.values().map(|it| it.all).max().unwrap_or_default(),
            posts: counts.values().map(|it| it.posts).max().unwrap_or_default(),
        }
    }

    /// All of them, over all installations.
    pub(crate) fn sum(&self) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().map(|it| it.all).sum()
    }
}
