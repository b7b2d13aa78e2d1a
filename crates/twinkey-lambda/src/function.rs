//! One invocation: from the event to the answer, and to the lines in the log.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use lambda_runtime::{Context, LambdaEvent};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::value::RawValue;
use twinkey_aws::SecretsManagerStore;
use twinkey_catalog::Catalog;
use twinkey_core::Failure;

use crate::answer::Answer;
use crate::deadline::Began;
use crate::event::Event;
use crate::in_time::{KindsInTime, StoreInTime};
use crate::lines::Writer;
use crate::refusal::Refusal;

/// What an invocation works with. It keeps connections between two of them, and no value.
pub(crate) struct Function {
    pub(crate) config: SdkConfig,
    pub(crate) store: StoreInTime<SecretsManagerStore>,
    /// Or why there is none: each invocation says so, since whoever asks for a rotation reads its answer,
    /// and not what a start has left in the log.
    pub(crate) catalog: Result<Catalog, Failure>,
    pub(crate) began: Began,
}

/// One event at work.
#[derive(Clone, Copy)]
pub(crate) struct Invocation<'a> {
    pub(crate) function: &'a Function,
    pub(crate) writer: Writer<'a>,
    /// How much time there is.
    pub(crate) time: Duration,
    pub(crate) started_at: DateTime<Utc>,
    started: Instant,
}

impl Function {
    /// Answers an event. The text stays text until we read it: the runtime's own error would quote it.
    pub(crate) async fn answer(
        &self,
        event: LambdaEvent<Box<RawValue>>,
    ) -> Result<Answer, Refusal> {
        let (payload, context) = event.into_parts();
        let invocation = self.begin(&context);
        match Event::parse(payload.get()) {
            Ok(Event::Step {
                request,
                rotation_token,
            }) => {
                let passed = invocation.step(&request, rotation_token).await;
                passed.map(Answer::Step)
            }
            Ok(Event::RotateDue) => {
                let report = invocation.tick().await;
                report.map(|report| Answer::Tick(report.into()))
            }
            Ok(Event::Rotate(ask)) => invocation.rotate(&ask).await.map(Answer::Asked),
            Ok(Event::Abandon(ask)) => invocation.abandon(&ask).await.map(Answer::Abandoned),
            Err(error) => {
                let refusal = Refusal::from(&error);
                write(&[invocation.writer.event(&refusal.failure)]);
                Err(refusal)
            }
        }
    }

    fn begin<'a>(&'a self, context: &'a Context) -> Invocation<'a> {
        let time = self.began.time_left(context.deadline(), SystemTime::now());
        self.store.deadline.begin(time);
        Invocation {
            function: self,
            writer: Writer {
                function: &context.env_config.function_name,
                request_id: &context.request_id,
            },
            time,
            started_at: Utc::now(),
            started: Instant::now(),
        }
    }

    /// The kinds of keys, whose servers must answer in time.
    pub(crate) fn kinds(&self) -> Result<KindsInTime<'_>, Failure> {
        let catalog = self.catalog.as_ref().map_err(Failure::clone)?;
        let deadline = &self.store.deadline;
        Ok(KindsInTime { catalog, deadline })
    }
}

impl Invocation<'_> {
    /// How long it has taken so far, in milliseconds.
    pub(crate) fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

pub(crate) fn random() -> StdRng {
    StdRng::from_rng(&mut rand::rng())
}

/// Lambda reads lines from stdout. Where nobody reads any more, nobody can be told.
pub(crate) fn write(lines: &[String]) {
    let mut output = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(output, "{line}");
    }
    let _ = output.flush();
}
