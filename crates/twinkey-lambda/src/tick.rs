//! A schedule asks for what is due.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use twinkey_aws::{Fleet, Limits, Patience, Report, SecretsManagerStore, TokioPause};
use twinkey_core::{Engine, Failure, RotationFailure, SystemClock};

use crate::function::{Invocation, write};
use crate::refusal::Refusal;

/// Two calls of a secret, `ListSecretVersionIds` and `RotateSecret`, fit into what [`Limits::for_asking`] keeps for them:
/// so a tick comes to its own end, and tells what it did, whatever hangs.
const HURRIED: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    call: Duration::from_millis(2400),
};

impl Invocation<'_> {
    /// Asks for every rotation that is due.
    pub(crate) async fn tick(&self) -> Result<Report, Refusal> {
        let result = self.rotate_due().await;
        write(&[self.writer.tick(self, &result)]);
        result.map_err(|failure| Refusal::of("the tick", failure))
    }

    async fn rotate_due(&self) -> Result<Report, Failure> {
        let kinds = self.function.kinds()?;
        let limits = Limits::default();
        // What abandons ends early enough for what comes after it: its outcome must be told.
        let asking = limits.for_asking.to_std().unwrap_or_default();
        let in_time = &self.function.store;
        in_time.deadline.begin(self.time.saturating_sub(asking));
        let engine = Engine {
            store: in_time,
            kinds: &kinds,
            clock: &SystemClock,
        };
        let fleet = Fleet {
            store: &SecretsManagerStore::new(&self.function.config, HURRIED),
            abandon: &engine,
            clock: &SystemClock,
            pause: &TokioPause,
            limits,
        };
        let until = Utc::now() + TimeDelta::from_std(self.time).unwrap_or_default();
        let report = tokio::time::timeout(self.time, fleet.rotate_due(until)).await;
        match report {
            Ok(report) => report.map_err(|error| Failure::from(&RotationFailure::from(error))),
            Err(_) => Err(self.late()),
        }
    }

    /// The list of secrets alone took longer.
    fn late(&self) -> Failure {
        let message = format!(
            "ended after {} ms, before Lambda would have ended the function; which rotations were asked for, \
             the next tick sees",
            self.time.as_millis()
        );
        let hint = "see whether the function reaches Secrets Manager (subnets, security groups, endpoints), \
                    and give it a timeout of at least 30 seconds";
        Failure::new("DeadlineExceeded", message, Some(hint.into()))
    }
}
