//! One attempt at the four steps, under a lease that is renewed meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use tokio::task::AbortHandle;
use twinkey_core::{
    Engine, Failure, Outcome, Record, RotationError, SecretId, Step, StepOutcome, StepRecord,
    StepRequest, VersionId,
};

use crate::lease::Lease;
use crate::rotations::Closed;
use crate::{Service, ServiceError, Watch};

/// How an attempt ended without an error.
pub(crate) enum Ended {
    Succeeded(Box<Record>),
    /// The lease lapsed, and another process has gone on, or a person ended the rotation.
    TakenOver,
}

pub(crate) struct Run<'a> {
    service: &'a Service,
    hold: Hold,
}

/// Holds a lease until it is dropped.
struct Hold {
    service: Service,
    secret: SecretId,
    token: VersionId,
    lease: Lease,
    closed: bool,
    renewing: AbortHandle,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        service: &'a Service,
        secret: &SecretId,
        token: &VersionId,
        lease: Lease,
    ) -> Self {
        let hold = Hold::new(service.clone(), secret.clone(), token.clone(), lease);
        Self { service, hold }
    }

    /// Delivers the four steps and closes the rotation.
    pub(crate) async fn steps(mut self, watch: &dyn Watch) -> Result<Ended, ServiceError> {
        let mut random: StdRng = rand::make_rng();
        for step in Step::ALL {
            watch.before(&self.hold.secret, step).await;
            let (record, result) = self.deliver(step, &mut random).await;
            let ours = self.note(record.clone()).await?;
            watch.after(&self.hold.secret, &record).await;
            if let Err(error) = result {
                return self.fail(error).await;
            }
            if !ours {
                return Ok(Ended::TakenOver);
            }
        }
        match self.close(Outcome::Succeeded).await? {
            Closed::Ours { record, .. } => Ok(Ended::Succeeded(record)),
            Closed::NotOurs => Ok(Ended::TakenOver),
        }
    }

    async fn deliver(
        &self,
        step: Step,
        random: &mut StdRng,
    ) -> (StepRecord, Result<(), RotationError>) {
        let clock: Arc<_> = self.service.store.clock();
        let engine = Engine {
            store: &self.service.store,
            kinds: self.service.kinds.as_ref(),
            clock: clock.as_ref(),
        };
        let request = StepRequest {
            step,
            secret: self.hold.secret.clone(),
            token: self.hold.token.clone(),
        };
        let (started_at, start) = (clock.now(), Instant::now());
        let result = engine.step(&request, random).await;
        let outcome = match &result {
            Ok(report) => StepOutcome::Passed(report.clone()),
            Err(error) => StepOutcome::Failed(Failure::from(error)),
        };
        let record = StepRecord {
            step,
            started_at,
            milliseconds: milliseconds(start.elapsed()),
            outcome,
        };
        (record, result.map(|_| ()))
    }

    async fn note(&self, record: StepRecord) -> Result<bool, ServiceError> {
        let Hold {
            secret,
            token,
            lease,
            ..
        } = &self.hold;
        let store = &self.service.store;
        Ok(store.append_step(secret, token, lease, record).await?)
    }

    async fn fail(&mut self, error: RotationError) -> Result<Ended, ServiceError> {
        match self.close(Outcome::Failed(Failure::from(&error))).await? {
            Closed::Ours { record, pending } => Err(ServiceError::Step {
                error: Box::new(error),
                record,
                pending,
            }),
            Closed::NotOurs => Ok(Ended::TakenOver),
        }
    }

    async fn close(&mut self, outcome: Outcome) -> Result<Closed, ServiceError> {
        let Hold {
            secret,
            token,
            lease,
            ..
        } = &self.hold;
        let closed = self
            .service
            .store
            .close(secret, token, lease, outcome)
            .await?;
        self.hold.closed = true;
        Ok(closed)
    }
}

impl Hold {
    fn new(service: Service, secret: SecretId, token: VersionId, lease: Lease) -> Self {
        let renewing = tokio::spawn(renew(
            service.clone(),
            secret.clone(),
            token.clone(),
            lease.clone(),
        ));
        Self {
            service,
            secret,
            token,
            lease,
            closed: false,
            renewing: renewing.abort_handle(),
        }
    }
}

/// Whoever stops in the middle gives the lease back, so that the next one need not wait. If this
/// fails, the lease lapses.
impl Drop for Hold {
    fn drop(&mut self) {
        self.renewing.abort();
        if self.closed {
            return;
        }
        let store = &self.service.store;
        let _ = store.release_blocking(&self.secret, &self.token, &self.lease);
    }
}

/// Renews until the lease is somebody else's. A failed attempt is repeated: the lease outlasts three.
async fn renew(service: Service, secret: SecretId, token: VersionId, lease: Lease) {
    loop {
        tokio::time::sleep(service.renewal).await;
        let renewed = service.renewed(&lease);
        if let Ok(false) = service.store.renew(&secret, &token, &renewed).await {
            return;
        }
    }
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
