//! The scheduler: rotates what is due, each secret by its own schedule.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{Id, JoinError, JoinSet};
use twinkey_core::{Policy, RotationFailure, SecretId, Stage, Store, StoreError, VersionId};

use crate::agenda::Agenda;
use crate::{Ask, Rotation, Service, ServiceError, Standing, Unwatched, VersionSummary, Watch};

/// How many rotations run at once.
const AT_ONCE: usize = 8;

/// Rotates what is due until it is told to stop.
pub struct Scheduler {
    service: Service,
    tick: Duration,
    report: Arc<dyn Fn(&Event) + Send + Sync>,
    watch: Arc<dyn Watch>,
}

/// What a scheduler has to say: one for each rotation that ended, and for each new problem.
#[derive(Clone, Debug)]
pub enum Event {
    /// A rotation came about.
    Rotated(Box<Rotation>),
    /// A rotation did not come about, and will be tried again.
    Failed {
        /// The secret.
        secret: SecretId,
        /// Why.
        error: Box<ServiceError>,
        /// When it is tried again.
        retry_at: DateTime<Utc>,
    },
    /// A secret cannot be scheduled: its tags or its document are wrong, or cannot be read.
    /// Said once, and again when it changes.
    Problem {
        /// The secret, if it is about one.
        secret: Option<SecretId>,
        /// What is wrong.
        error: Box<ServiceError>,
    },
}

type Attempt = Result<Option<Rotation>, ServiceError>;

/// What is to be done for one secret.
enum Duty {
    Finish,
    Rotate(VersionId),
}

impl Scheduler {
    /// Looks every `tick` at what is due by the store's clock.
    pub fn new(
        service: Service,
        tick: Duration,
        report: impl Fn(&Event) + Send + Sync + 'static,
    ) -> Self {
        Self {
            service,
            tick,
            report: Arc::new(report),
            watch: Arc::new(Unwatched),
        }
    }

    /// Lets somebody look on while rotations run.
    #[must_use]
    pub fn with_watch(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = watch;
        self
    }

    /// Runs until `shutdown` completes, and then until the rotations that run have ended.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut rounds = Rounds::new(self);
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            rounds.start_due().await;
            tokio::select! {
                () = &mut shutdown => break,
                () = tokio::time::sleep(rounds.scheduler.tick) => {}
                Some(ended) = rounds.running.join_next_with_id() => rounds.note(ended),
            }
        }
        while let Some(ended) = rounds.running.join_next_with_id().await {
            rounds.note(ended);
        }
    }

    async fn duty(&self, secret: &SecretId) -> Result<Option<Duty>, ServiceError> {
        match self.service.standing(secret).await? {
            Standing::Interrupted { .. } => Ok(Some(Duty::Finish)),
            Standing::Running(_) => Ok(None),
            Standing::Idle => Ok(self.due_token(secret).await?.map(Duty::Rotate)),
        }
    }

    /// The token of the rotation that is due now. Whoever computes it gets the same.
    async fn due_token(&self, secret: &SecretId) -> Result<Option<VersionId>, ServiceError> {
        let store = self.service.store();
        let description = store.describe(secret).await?;
        let policy = Policy::parse(&description.tags).map_err(|error| ServiceError::NotBegun {
            secret: secret.clone(),
            cause: Box::new(RotationFailure::Policy(error)),
        })?;
        let Some(schedule) = policy.schedule else {
            return Ok(None);
        };
        let due = self.service.due_as_described(secret, &description).await?;
        let (Some(mut slot), Some(mut at)) = (due.slot, due.at) else {
            return Ok(None);
        };
        // The slot's own rotation is AWSCURRENT: somebody was quicker, or a clock was set back.
        let token = VersionId::scheduled(&store.address(secret), slot);
        if description.carries(&token, &Stage::Current) {
            let Some(next) = schedule.next_after(slot) else {
                return Ok(None);
            };
            (slot, at) = (next, next.max(at));
        }
        if at > store.clock().now() {
            return Ok(None);
        }
        self.unused_token(secret, slot).await.map(Some)
    }

    /// A slot whose rotation ended with a stored but dead value needs another token: a version
    /// holds one value for ever.
    async fn unused_token(
        &self,
        secret: &SecretId,
        slot: DateTime<Utc>,
    ) -> Result<VersionId, ServiceError> {
        let store = self.service.store();
        let (address, versions) = (store.address(secret), store.versions(secret).await?);
        let mut moment = slot;
        loop {
            let token = VersionId::scheduled(&address, moment);
            let used_up = |version: &VersionSummary| {
                version.id == token && !version.stages.contains(&Stage::Pending)
            };
            if !versions.iter().any(used_up) {
                return Ok(token);
            }
            moment += TimeDelta::seconds(1);
        }
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Scheduler({:?}, every {:?})",
            self.service.store(),
            self.tick
        )
    }
}

/// A scheduler at work.
struct Rounds {
    scheduler: Scheduler,
    agenda: Agenda,
    running: JoinSet<Attempt>,
    secrets: HashMap<Id, SecretId>,
}

impl Rounds {
    fn new(scheduler: Scheduler) -> Self {
        Self {
            scheduler,
            agenda: Agenda::default(),
            running: JoinSet::new(),
            secrets: HashMap::new(),
        }
    }

    /// Starts what is due and not running yet.
    async fn start_due(&mut self) {
        let names = match self.scheduler.service.store().names().await {
            Ok(names) => names,
            Err(error) => return self.problem(None, error.into()),
        };
        self.agenda.no_problem(None);
        let now = self.now();
        for secret in names {
            let busy = self.secrets.values().any(|running| *running == secret);
            if self.running.len() < AT_ONCE && !busy && self.agenda.allows(&secret, now) {
                self.start_if_due(secret).await;
            }
        }
    }

    async fn start_if_due(&mut self, secret: SecretId) {
        match self.scheduler.duty(&secret).await {
            Ok(duty) => {
                self.agenda.no_problem(Some(&secret));
                if let Some(duty) = duty {
                    self.start(secret, duty);
                }
            }
            Err(error) => self.problem(Some(secret), error),
        }
    }

    fn start(&mut self, secret: SecretId, duty: Duty) {
        let (service, watch) = (self.scheduler.service.clone(), self.scheduler.watch.clone());
        let name = secret.clone();
        let task = self.running.spawn(async move {
            match duty {
                Duty::Finish => service.resume(&name, watch.as_ref()).await,
                Duty::Rotate(token) => {
                    let ask = Ask {
                        token,
                        reason: None,
                    };
                    service.rotate(&name, ask, watch.as_ref()).await.map(Some)
                }
            }
        });
        self.secrets.insert(task.id(), secret);
    }

    fn note(&mut self, ended: Result<(Id, Attempt), JoinError>) {
        let (id, attempt) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err(stopped())),
        };
        let Some(secret) = self.secrets.remove(&id) else {
            return;
        };
        match attempt {
            Ok(rotation) => {
                self.agenda.succeeded(&secret);
                if let Some(rotation) = rotation {
                    (self.scheduler.report)(&Event::Rotated(Box::new(rotation)));
                }
            }
            Err(ServiceError::Overlap { wait, .. }) => {
                self.agenda.postponed(&secret, self.now() + wait);
            }
            Err(error) => self.failed(secret, error),
        }
    }

    fn failed(&mut self, secret: SecretId, error: ServiceError) {
        let retry_at = self.agenda.failed(&secret, self.now(), error.retry_after());
        (self.scheduler.report)(&Event::Failed {
            secret,
            error: Box::new(error),
            retry_at,
        });
    }

    fn problem(&mut self, secret: Option<SecretId>, error: ServiceError) {
        if self.agenda.is_news(secret.as_ref(), &error.to_string()) {
            (self.scheduler.report)(&Event::Problem {
                secret,
                error: Box::new(error),
            });
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.scheduler.service.store().clock().now()
    }
}

/// A task that panicked: its lease has been released, and the next attempt goes on from there.
fn stopped() -> ServiceError {
    ServiceError::Store(StoreError::Transient {
        doing: "rotating".into(),
        reason: "the task stopped unexpectedly".into(),
    })
}
