//! One request to rotate, from the asking to the answer: look where things stand, act, look again.

use std::time::Duration;

use twinkey_core::{Outcome, Record, SecretId, VersionId};

use crate::rotations::Begun;
use crate::run::{Ended, Run};
use crate::{Ask, Rotation, Service, ServiceError, Standing, Watch};

const POLL: Duration = Duration::from_millis(100);

/// The answer, or `None`: look again.
type Turn = Result<Option<Rotation>, ServiceError>;

pub(crate) struct Errand<'a> {
    service: &'a Service,
    secret: &'a SecretId,
    /// `None`: only finish what was interrupted.
    ask: Option<&'a Ask>,
    watch: &'a dyn Watch,
    /// The rotation of another process whose end is awaited.
    awaited: Option<VersionId>,
}

impl<'a> Errand<'a> {
    pub(crate) fn new(
        service: &'a Service,
        secret: &'a SecretId,
        ask: Option<&'a Ask>,
        watch: &'a dyn Watch,
    ) -> Self {
        Self {
            service,
            secret,
            ask,
            watch,
            awaited: None,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Rotation, ServiceError> {
        loop {
            let standing = self.service.standing(self.secret).await?;
            let turn = match &standing {
                Standing::Running(token) => self.wait(token).await,
                _ => match self.join().await? {
                    Some(rotation) => Ok(Some(rotation)),
                    None => self.act(&standing).await,
                },
            };
            if let Some(rotation) = turn? {
                return Ok(rotation);
            }
        }
    }

    async fn act(&mut self, standing: &Standing) -> Turn {
        match (standing, self.ask) {
            (Standing::Interrupted { token, has_value }, _) => self.resume(token, *has_value).await,
            (Standing::Idle, Some(ask)) => self.begin(ask).await,
            _ => Ok(None),
        }
    }

    async fn wait(&mut self, token: &VersionId) -> Turn {
        if self.awaited.as_ref() != Some(token) {
            self.watch.waiting(self.secret, token).await;
            self.awaited = Some(token.clone());
        }
        tokio::time::sleep(POLL).await;
        Ok(None)
    }

    /// The awaited rotation is over: its outcome answers the request, unless a person forced
    /// one of their own. If its process died instead, it is taken up next.
    async fn join(&mut self) -> Turn {
        let Some(token) = self
            .awaited
            .take()
            .filter(|token| self.is_answered_by(token))
        else {
            return Ok(None);
        };
        let Some(record) = self.service.store.record(self.secret, &token).await? else {
            return Ok(None);
        };
        match &record.outcome {
            Outcome::InProgress => Ok(None),
            Outcome::Succeeded => Ok(Some(joined(record))),
            Outcome::Failed(failure) => Err(ServiceError::Joined {
                failure: Box::new(failure.clone()),
                record: Box::new(record),
            }),
        }
    }

    /// Finishes an interrupted rotation with its own token.
    pub(crate) async fn resume(&mut self, token: &VersionId, has_value: bool) -> Turn {
        if !has_value && !self.is_answered_by(token) {
            let now = self.service.machine_now();
            self.service
                .store
                .detach_empty(self.secret, token, now)
                .await?;
            return Ok(None);
        }
        let lease = self.service.new_lease();
        if !self
            .service
            .store
            .take_up(self.secret, token, &lease)
            .await?
        {
            return Ok(None);
        }
        self.watch.resuming(self.secret, token).await;
        let run = Run::new(self.service, self.secret, token, lease);
        match run.steps(self.watch).await {
            Ok(ended) => self.after_resuming(token, ended).await,
            // It has ended without anything left behind: the request is served by its own rotation.
            Err(ServiceError::Step { pending: false, .. }) if self.asks_for_another_than(token) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn after_resuming(&mut self, token: &VersionId, ended: Ended) -> Turn {
        let Ended::Succeeded(record) = ended else {
            self.awaited = Some(token.clone());
            return Ok(None);
        };
        let joined = self.asks_for_another_than(token);
        if joined && !self.is_served().await? {
            return Ok(None);
        }
        Ok(Some(Rotation {
            record: *record,
            joined,
            resumed: true,
        }))
    }

    /// Begins and runs the rotation that was asked for.
    async fn begin(&mut self, ask: &Ask) -> Turn {
        let store = &self.service.store;
        // A late duplicate of a request that has been served.
        if let Some(record) = store.record(self.secret, &ask.token).await?
            && record.outcome == Outcome::Succeeded
        {
            return Ok(Some(joined(record)));
        }
        let forced = ask.token.is_forced();
        let seen = self.service.check(self.secret, forced).await?;
        let (lease, reason) = (self.service.new_lease(), ask.reason.as_deref());
        let begun = store
            .try_begin(self.secret, &ask.token, reason, &lease, seen.as_ref())
            .await?;
        match begun {
            Begun::InTheWay => Ok(None),
            Begun::Yes => {
                let run = Run::new(self.service, self.secret, &ask.token, lease);
                self.run_own(ask, run).await
            }
        }
    }

    async fn run_own(&mut self, ask: &Ask, run: Run<'_>) -> Turn {
        self.watch.beginning(self.secret, &ask.token).await;
        match run.steps(self.watch).await? {
            Ended::Succeeded(record) => Ok(Some(Rotation {
                record: *record,
                joined: false,
                resumed: false,
            })),
            Ended::TakenOver => {
                self.awaited = Some(ask.token.clone());
                Ok(None)
            }
        }
    }

    /// Whether the outcome of the rotation with this token answers the request.
    fn is_answered_by(&self, token: &VersionId) -> bool {
        self.ask
            .is_none_or(|ask| ask.token == *token || !ask.token.is_forced())
    }

    fn asks_for_another_than(&self, token: &VersionId) -> bool {
        self.ask.is_some_and(|ask| ask.token != *token)
    }

    /// What has just been finished serves the request, if another rotation would be refused now.
    async fn is_served(&self) -> Result<bool, ServiceError> {
        if self.ask.is_some_and(|ask| ask.token.is_forced()) {
            return Ok(false);
        }
        match self.service.check(self.secret, false).await {
            Ok(_) => Ok(false),
            Err(ServiceError::Overlap { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn joined(record: Record) -> Rotation {
    Rotation {
        record,
        joined: true,
        resumed: false,
    }
}
