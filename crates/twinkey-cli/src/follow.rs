//! rotate on AWS: Secrets Manager is asked, its function rotates, and we look on. The labels tell how far it is;
//! what each step did, and why one failed, tells the function's log.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use tokio::time::Instant;
use twinkey_aws::{Asked, FunctionLog, ManualAsk, NotAsked, SecretsManagerStore};
use twinkey_core::{
    Failure, Outcome, Record, SecretId, Stage, Step, StepOutcome, StepRecord, Store, StoreError,
    SystemClock, policy,
};

use crate::arguments::Rotate;
use crate::place::Aws;
use crate::problem::Problem;
use crate::progress::Progress;
use crate::rotate::Done;

/// Secrets Manager repeats what failed; for how long, it does not say.
const PATIENCE: Duration = Duration::from_mins(15);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How far back the lines of a rotation may lie that somebody else has asked for.
const BACK: TimeDelta = TimeDelta::hours(1);
/// A look may be older than the answer to our request: so many are made before AWSPENDING counts as gone that was
/// never seen.
const LOOKS_AHEAD: u32 = 6;
/// How many more looks at the log an ended rotation is worth: its last lines arrive after the labels.
const LOOKS_BACK: u32 = 4;

/// Asks for a rotation, or joins the one in flight, and follows it to its end.
pub(crate) async fn rotate(
    aws: &Aws,
    rotate: &Rotate,
    progress: &Progress,
) -> Result<Done, Problem> {
    let (asked, joined) = ask(&aws.store, rotate).await?;
    if joined {
        progress.say(&format!("{} is in flight: following it", asked.token));
    }
    let seen = aws.store.look(&asked.secret).await?;
    let mut follower = Follower {
        store: &aws.store,
        log: seen.function.map(|function| aws.log(&function)),
        is_readable: true,
        unseen: 0,
        asked: &asked,
        since: Utc::now() - BACK,
        progress,
        told: BTreeSet::new(),
        shown: BTreeSet::new(),
        steps: Vec::new(),
        last_failure: None,
    };
    if joined {
        // What has failed before is no news.
        follower.read_log().await;
    }
    let timeout = rotate.timeout.unwrap_or(PATIENCE);
    follower.follow(timeout).await?;
    Ok(Done {
        record: follower.record(),
        joined,
        resumed: false,
    })
}

/// Whether it was in flight already. A forced request is not answered by another one.
async fn ask(store: &SecretsManagerStore, rotate: &Rotate) -> Result<(Asked, bool), Problem> {
    let ask = ManualAsk {
        secret: SecretId::new(&rotate.name),
        reason: rotate.reason.clone(),
        force: rotate.force,
    };
    let mut random: StdRng = rand::make_rng();
    let asked = store.rotate_one(&ask, &SystemClock, &mut random).await;
    match asked {
        Ok(asked) => Ok((asked, false)),
        Err(NotAsked::InProgress {
            secret,
            token: Some(token),
        }) if !rotate.force => {
            let reason = None;
            let asked = Asked {
                secret,
                token,
                reason,
            };
            Ok((asked, true))
        }
        Err(error) => Err(error.into()),
    }
}

struct Follower<'a> {
    store: &'a SecretsManagerStore,
    log: Option<FunctionLog>,
    /// Whether the log can be read, as far as is known.
    is_readable: bool,
    /// How often we have looked and not seen AWSPENDING on its version yet.
    unseen: u32,
    asked: &'a Asked,
    since: DateTime<Utc>,
    progress: &'a Progress,
    /// Lines that have been read.
    told: BTreeSet<String>,
    /// Steps that have been shown to pass.
    shown: BTreeSet<Step>,
    steps: Vec<StepRecord>,
    last_failure: Option<Failure>,
}

/// Where the labels say that a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Nowhere yet: the look may be older than the answer to our request.
    Unseen,
    /// AWSPENDING is on its version.
    Pending,
    /// So is AWSCURRENT.
    Published,
    /// Neither.
    Ended,
}

impl Follower<'_> {
    async fn follow(&mut self, timeout: Duration) -> Result<(), Problem> {
        let deadline = Instant::now() + timeout;
        let mut wait = FIRST_WAIT;
        loop {
            match self.look().await? {
                Position::Published => {
                    self.read_log().await;
                    for step in Step::ALL {
                        self.see(step);
                    }
                    return Ok(());
                }
                Position::Ended => return Err(self.ended().await),
                position => {
                    if let Some(failure) = self.read_log().await {
                        return Err(self.failed(failure, position));
                    }
                }
            }
            if Instant::now() + wait > deadline {
                return Err(self.unfinished(timeout));
            }
            tokio::time::sleep(wait).await;
            wait = LONGEST_WAIT.min(wait * 3 / 2);
        }
    }

    /// A store that is away for a while is no reason to stop looking.
    async fn look(&mut self) -> Result<Position, Problem> {
        let token = &self.asked.token;
        let description = match self.store.describe(&self.asked.secret).await {
            Err(StoreError::Transient { doing, reason }) => {
                self.progress.say(&format!("{doing}: {reason}"));
                return Ok(Position::Unseen);
            }
            other => other?,
        };
        if !self.is_readable && description.slot(token).is_some() {
            self.see(Step::CreateSecret);
        }
        if description.carries(token, &Stage::Current) {
            return Ok(Position::Published);
        }
        if description.carries(token, &Stage::Pending) {
            self.unseen = LOOKS_AHEAD;
            return Ok(Position::Pending);
        }
        self.unseen += 1;
        Ok(if self.unseen <= LOOKS_AHEAD {
            Position::Unseen
        } else {
            Position::Ended
        })
    }

    /// Shows what is new in the log, and returns the failure that came last, if it is new.
    async fn read_log(&mut self) -> Option<Failure> {
        let log = self.log.as_ref().filter(|_| self.is_readable)?;
        let lines = match log.steps(&self.asked.token, self.since).await {
            Ok(lines) => lines,
            Err(StoreError::Transient { .. }) => return None,
            Err(error) => {
                self.progress
                    .say(&format!("the function's log cannot be read: {error}"));
                self.progress
                    .say(&format!("with the right to: {}", self.command()));
                self.is_readable = false;
                return None;
            }
        };
        let mut failure = None;
        for logged in lines {
            if self.told.insert(logged.line) {
                failure = self.show(&logged.step);
                self.steps.push(logged.step);
            }
        }
        failure
    }

    fn show(&mut self, step: &StepRecord) -> Option<Failure> {
        let StepOutcome::Failed(failure) = &step.outcome else {
            if self.shown.insert(step.step) {
                self.progress.step(step);
            }
            return None;
        };
        self.progress.step(step);
        let message = format!(
            "{} of {}: {}",
            step.step, self.asked.secret, failure.message
        );
        let failure = Failure {
            message,
            ..failure.clone()
        };
        self.last_failure = Some(failure.clone());
        Some(failure)
    }

    fn see(&mut self, step: Step) {
        if self.shown.insert(step) {
            self.progress.seen(step);
        }
    }

    /// A step has failed. What Secrets Manager does with that, it does without us.
    fn failed(&self, failure: Failure, position: Position) -> Problem {
        if position == Position::Pending {
            self.progress.say(&format!(
                "{} is still in flight: Secrets Manager may repeat what has failed",
                self.asked.token
            ));
        }
        let hint = failure.hint.clone().unwrap_or_else(|| self.next_look());
        Problem(failure).with_hint(hint)
    }

    /// AWSPENDING is gone: createSecret refused and took it off, or a person did.
    async fn ended(&mut self) -> Problem {
        for _ in 0..LOOKS_BACK {
            if let Some(failure) = self.read_log().await {
                return Problem(failure);
            }
            if !self.is_readable || self.log.is_none() {
                break;
            }
            tokio::time::sleep(LONGEST_WAIT / 2).await;
        }
        match self.last_failure.clone() {
            Some(failure) => Problem(failure),
            None => Problem::new("RotationAbandoned", format!(
                "rotation {} of {} has ended without a new key: AWSPENDING was taken off its version",
                self.asked.token, self.asked.secret
            ))
            .with_hint(self.next_look()),
        }
    }

    fn unfinished(&self, timeout: Duration) -> Problem {
        let length = TimeDelta::from_std(timeout).unwrap_or(TimeDelta::MAX);
        let far = self.shown.last().map_or_else(
            || "no step is known to have passed".into(),
            |step| format!("{step} has passed"),
        );
        let failure = self.last_failure.as_ref().map(|failure| {
            format!(
                "; the last failure: {} [{}]",
                failure.message, failure.error_type
            )
        });
        let message = format!(
            "rotation {} of {} has not finished within {}; {far}{}",
            self.asked.token,
            self.asked.secret,
            policy::spell(length),
            failure.unwrap_or_default()
        );
        Problem::new("RotationUnfinished", message).with_hint(self.next_look())
    }

    fn next_look(&self) -> String {
        format!(
            "it goes on without this command: twinkey status NAME; what its steps say: {}",
            self.command()
        )
    }

    fn command(&self) -> String {
        let log = self.log.as_ref();
        let command = log.map(|log| log.command(&self.asked.token, self.since));
        command.unwrap_or_else(|| "aws logs filter-log-events".into())
    }

    fn record(self) -> Record {
        Record {
            secret: self.asked.secret.clone(),
            token: self.asked.token.clone(),
            trigger: self.asked.token.trigger(),
            reason: self.asked.reason.clone(),
            started_at: self
                .steps
                .first()
                .map_or(self.since + BACK, |step| step.started_at),
            finished_at: Some(Utc::now()),
            steps: self.steps,
            outcome: Outcome::Succeeded,
        }
    }
}
