//! A person asks for one rotation, or ends one.

use twinkey_aws::{Asked, ManualAsk, NotAsked};
use twinkey_core::{Engine, Failure, RotationFailure, SecretId, SystemClock};

use crate::answer::{AbandonedAnswer, AskedAnswer};
use crate::event::AbandonAsk;
use crate::function::{Invocation, random, write};
use crate::in_time::no_answer;
use crate::refusal::{Refusal, named};

impl Invocation<'_> {
    /// Asks Secrets Manager for one rotation.
    pub(crate) async fn rotate(&self, ask: &ManualAsk) -> Result<AskedAnswer, Refusal> {
        let result = self.ask(ask).await;
        write(&[self.writer.rotate(self, ask, &result)]);
        result.map(AskedAnswer::from).map_err(|failure| {
            let what = format!("a rotation of {}", ask.secret);
            Refusal::of(what, failure)
        })
    }

    async fn ask(&self, ask: &ManualAsk) -> Result<Asked, Failure> {
        // A function that is set up wrongly would fail each step of it.
        self.function.kinds()?;
        let store = &self.function.store;
        let mut random = random();
        let asked = store.store.rotate_one(ask, &SystemClock, &mut random);
        let Some(asked) = store.deadline.keep(asked).await else {
            let error = no_answer("DescribeSecret or RotateSecret", &ask.secret);
            return Err(store
                .deadline
                .judge(Failure::from(&RotationFailure::from(error))));
        };
        asked.map_err(|error| not_asked(&error, &ask.secret))
    }

    /// Ends one rotation.
    pub(crate) async fn abandon(&self, ask: &AbandonAsk) -> Result<AbandonedAnswer, Refusal> {
        let result = self.abandon_in_time(ask).await;
        write(&[self.writer.abandon(self, ask, &result)]);
        result.map_err(|failure| {
            let what = format!("abandoning {} of {}", ask.token, ask.secret);
            Refusal::of(what, failure)
        })
    }

    async fn abandon_in_time(&self, ask: &AbandonAsk) -> Result<AbandonedAnswer, Failure> {
        let kinds = self.function.kinds()?;
        let store = &self.function.store;
        let engine = Engine {
            store,
            kinds: &kinds,
            clock: &SystemClock,
        };
        let failed = |failure: &RotationFailure| {
            store
                .deadline
                .judge(named(Failure::from(failure), &ask.secret))
        };
        // A server's mark names a secret by its ARN.
        let arn = store.deadline.keep(store.store.arn(&ask.secret)).await;
        let arn = arn.unwrap_or_else(|| Err(no_answer("DescribeSecret", &ask.secret)));
        let secret = arn.map_err(|error| failed(&error.into()))?;
        match engine.abandon(&secret, &ask.token).await {
            Ok(retired) => Ok(AbandonedAnswer::new(secret, ask.token.clone(), retired)),
            Err(failure) => Err(failed(&failure)),
        }
    }
}

fn not_asked(error: &NotAsked, secret: &SecretId) -> Failure {
    match error {
        NotAsked::Refused(failure) => named(Failure::from(failure.as_ref()), secret),
        error => Failure::new(error.error_type(), error.to_string(), error.hint()),
    }
}
