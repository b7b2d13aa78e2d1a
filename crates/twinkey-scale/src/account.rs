//! An account in one region: its quotas, and how long its answers take.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use twinkey_core::StoreError;

use crate::meter::Meter;
use crate::quota::{Bucket, Quota};
use crate::time::Time;

/// As the SDK does it for the product: three attempts, a random part of 100 ms, then of 200 ms, between them.
const ATTEMPTS: u32 = 3;
const FIRST_WAIT: u64 = 100;

/// An account in one region.
pub(crate) struct Account {
    pub(crate) time: Time,
    state: Mutex<State>,
}

struct State {
    random: StdRng,
    quotas: BTreeMap<Quota, (Bucket, Meter)>,
}

impl Account {
    /// With so much of each quota as others leave.
    pub(crate) fn new(time: Time, seed: u64, percent: u64) -> Self {
        let full = |quota| (quota, (Bucket::new(quota, percent), Meter::default()));
        let state = State {
            random: StdRng::seed_from_u64(seed),
            quotas: Quota::ALL.map(full).into(),
        };
        Self {
            time,
            state: Mutex::new(state),
        }
    }

    /// One call of the SDK: over the quota it is throttled, and repeated twice.
    pub(crate) async fn call(&self, quota: Quota) -> Result<(), StoreError> {
        for attempt in 1..=ATTEMPTS {
            if self.admit(quota) {
                self.wait_about(quota.milliseconds()).await;
                return Ok(());
            }
            if attempt < ATTEMPTS {
                let wait = self.random_up_to(FIRST_WAIT << (attempt - 1));
                self.time.pass(wait).await;
            }
        }
        self.meter(quota, |meter| meter.given_up += 1);
        Err(StoreError::Transient {
            doing: quota.name().into(),
            reason: "rate exceeded".into(),
        })
    }

    /// From half to one and a half times as long; one answer in a hundred takes five times as long.
    pub(crate) async fn wait_about(&self, milliseconds: u64) {
        let slow = if self.random_up_to(99) == 0 { 5 } else { 1 };
        let length = milliseconds / 2 + self.random_up_to(milliseconds);
        self.time.pass(length * slow).await;
    }

    pub(crate) fn random_up_to(&self, most: u64) -> u64 {
        self.state().random.random_range(0..=most)
    }

    /// A generator of its own for one invocation.
    pub(crate) fn random(&self) -> StdRng {
        StdRng::from_rng(&mut self.state().random)
    }

    pub(crate) fn meters(&self) -> BTreeMap<Quota, Meter> {
        let state = self.state();
        let meters = state.quotas.iter();
        meters
            .map(|(quota, (_, meter))| (*quota, meter.clone()))
            .collect()
    }

    fn admit(&self, quota: Quota) -> bool {
        let at = self.time.milliseconds();
        let mut state = self.state();
        let Some((bucket, meter)) = state.quotas.get_mut(&quota) else {
            return true;
        };
        meter.count(at);
        let allowed = bucket.take(at);
        meter.throttled += u64::from(!allowed);
        allowed
    }

    fn meter(&self, quota: Quota, change: impl FnOnce(&mut Meter)) {
        if let Some((_, meter)) = self.state().quotas.get_mut(&quota) {
            change(meter);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
