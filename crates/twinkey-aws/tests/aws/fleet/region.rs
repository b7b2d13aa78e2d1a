//! Managed secrets behind the strict fake, and a clock that pauses move.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use twinkey_aws::{
    Abandon, Action, Fleet, Limits, Patience, Pause, Report, SecretReport, SecretsManagerStore,
};
use twinkey_core::{
    Clock, RetiredKey, RotationFailure, SCHEDULE_TAG, SecretId, Slot, Stage, Store, StoreError,
    VersionId,
};
use twinkey_test_aws::SecretsManagerServer;
use twinkey_testkit::{FakeClock, FakeSecretsManager};

use crate::world::{config, id, value};

pub(crate) struct Region {
    pub(crate) server: SecretsManagerServer,
    pub(crate) store: SecretsManagerStore,
    pub(crate) clock: FakeClock,
    pub(crate) limits: Limits,
}

/// Moves the clock instead of waiting.
struct Skip(FakeClock);

#[async_trait]
impl Pause for Skip {
    async fn pause(&self, length: TimeDelta) {
        self.0.advance(length);
    }
}

/// Takes AWSPENDING off and knows no server.
struct Detach(SecretsManagerStore);

#[async_trait]
impl Abandon for Detach {
    async fn abandon(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        self.0
            .move_stage(secret, &Stage::Pending, Some(token), None)
            .await?;
        Ok(Vec::new())
    }
}

impl Region {
    pub(crate) async fn new() -> Self {
        let clock = FakeClock::default();
        Self::over(FakeSecretsManager::new(clock.clone()), clock).await
    }

    pub(crate) async fn over(fake: FakeSecretsManager, clock: FakeClock) -> Self {
        let server = SecretsManagerServer::start(fake, clock.clone()).await;
        Self {
            store: SecretsManagerStore::new(&config(&server.endpoint()), Patience::default()),
            server,
            clock,
            limits: Limits::default(),
        }
    }

    /// The same secrets at the same moment, elsewhere.
    pub(crate) async fn fork(&self) -> Self {
        let clock = self.clock.fork();
        Self::over(self.server.fake().fork(clock.clone()), clock).await
    }

    /// A value put by hand, and a schedule.
    pub(crate) fn secret(&self, name: &str, schedule: &str) {
        let (fake, secret) = (self.server.fake(), SecretId::new(name));
        fake.put_by_hand(&secret, &id('a'), &value());
        fake.tag(&secret, SCHEDULE_TAG, schedule);
    }

    /// A whole rotation from `from` to `to`, in no time.
    pub(crate) async fn rotated(&self, name: &str, from: char, to: char) {
        self.pending(name, to).await;
        let (fake, secret) = (self.server.fake(), SecretId::new(name));
        let (from, to) = (id(from), id(to));
        let moved = fake.move_stage(&secret, &Stage::Current, Some(&from), Some(&to));
        moved.await.expect("promoted");
    }

    /// A rotation as far as setSecret.
    pub(crate) async fn pending(&self, name: &str, token: char) {
        let (fake, secret) = (self.server.fake(), SecretId::new(name));
        let token = id(token);
        fake.rotate_secret(&secret, &token).expect("begun");
        let slot = if token == id('b') { Slot::B } else { Slot::A };
        let stages = [Stage::Pending, Stage::Slot(slot)];
        let value = value();
        let put = fake.put(&secret, &token, &value, &stages);
        put.await.expect("stored");
    }

    pub(crate) fn pass(&self, minutes: i64) {
        self.clock.advance(TimeDelta::minutes(minutes));
    }

    pub(crate) async fn tick(&self) -> Report {
        self.tick_by(&Detach(self.store.clone())).await
    }

    pub(crate) async fn tick_by(&self, abandon: &dyn Abandon) -> Report {
        let deadline = self.clock.now() + TimeDelta::minutes(5);
        let report = self.tick_until(abandon, deadline).await.expect("listed");
        assert_eq!(self.server.count("GetSecretValue"), 0, "no value is read");
        report
    }

    pub(crate) async fn tick_for(&self, seconds: i64) -> Report {
        let deadline = self.clock.now() + TimeDelta::seconds(seconds);
        self.tick_until(&Detach(self.store.clone()), deadline)
            .await
            .expect("listed")
    }

    pub(crate) async fn try_tick(&self) -> Result<Report, StoreError> {
        let deadline = self.clock.now() + TimeDelta::minutes(5);
        self.tick_until(&Detach(self.store.clone()), deadline).await
    }

    async fn tick_until(
        &self,
        abandon: &dyn Abandon,
        deadline: DateTime<Utc>,
    ) -> Result<Report, StoreError> {
        let fleet = Fleet {
            store: &self.store,
            abandon,
            clock: &self.clock,
            pause: &Skip(self.clock.clone()),
            limits: self.limits,
        };
        fleet.rotate_due(deadline).await
    }
}

/// What was done for the only secret.
pub(crate) fn only(report: &Report) -> &SecretReport {
    let [secret] = &report.secrets[..] else {
        panic!("one secret: {report:?}");
    };
    secret
}

pub(crate) fn actions(report: &Report) -> Vec<Action> {
    report.secrets.iter().map(|secret| secret.action).collect()
}

pub(crate) fn code(secret: &SecretReport) -> Option<&'static str> {
    secret.reason.as_ref().map(|reason| reason.code)
}
