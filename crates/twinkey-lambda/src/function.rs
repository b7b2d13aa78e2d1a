//! One invocation: from the event to the answer, and to the lines in the log.

use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime};

use chrono::Utc;
use lambda_runtime::{Context, LambdaEvent};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::value::RawValue;
use twinkey_aws::{RotationToken, SecretsManagerStore};
use twinkey_catalog::Catalog;
use twinkey_core::{
    Engine, Failure, StepOutcome, StepRecord, StepReport, StepRequest, SystemClock,
};

use crate::deadline::{Began, within};
use crate::event::Event;
use crate::lines::Writer;
use crate::refusal::{Refusal, failed};

/// What an invocation works with. It keeps connections between two of them, and no value.
pub(crate) struct Function {
    pub(crate) store: SecretsManagerStore,
    /// Or why there is none: each invocation says so, since whoever asks for a rotation reads its answer,
    /// and not what a start has left in the log.
    pub(crate) catalog: Result<Catalog, Failure>,
    pub(crate) began: Began,
}

impl Function {
    /// Answers an event. The text stays text until we read it: the runtime's own error would quote it.
    pub(crate) async fn answer(
        &self,
        event: LambdaEvent<Box<RawValue>>,
    ) -> Result<StepReport, Refusal> {
        let (payload, context) = event.into_parts();
        let writer = Writer {
            function: &context.env_config.function_name,
            request_id: &context.request_id,
        };
        match Event::parse(payload.get()) {
            Ok(Event::Step {
                request,
                rotation_token,
            }) => {
                let record = self.record(&context, &request, rotation_token).await;
                write(&writer.step(&request, &record));
                answer(&request, record.outcome)
            }
            Err(error) => {
                let refusal = Refusal::from(&error);
                write(&[writer.event(&refusal.failure)]);
                Err(refusal)
            }
        }
    }

    async fn record(
        &self,
        context: &Context,
        request: &StepRequest,
        rotation_token: Option<RotationToken>,
    ) -> StepRecord {
        let (started_at, started) = (Utc::now(), Instant::now());
        let time = self.began.time_left(context.deadline(), SystemTime::now());
        let outcome = match within(time, self.step(request, rotation_token)).await {
            Ok(report) => StepOutcome::Passed(report),
            Err(failure) => StepOutcome::Failed(failure),
        };
        StepRecord {
            step: request.step,
            started_at,
            milliseconds: milliseconds(started.elapsed()),
            outcome,
        }
    }

    async fn step(
        &self,
        request: &StepRequest,
        rotation_token: Option<RotationToken>,
    ) -> Result<StepReport, Failure> {
        let kinds = self.catalog.as_ref().map_err(Failure::clone)?;
        let store = self.store.clone();
        let store = match rotation_token {
            Some(token) => store.with_rotation_token(token),
            None => store,
        };
        let engine = Engine {
            store: &store,
            kinds,
            clock: &SystemClock,
        };
        let mut random = StdRng::from_rng(&mut rand::rng());
        let result = engine.step(request, &mut random).await;
        result.map_err(|error| failed(&error))
    }
}

fn answer(request: &StepRequest, outcome: StepOutcome) -> Result<StepReport, Refusal> {
    match outcome {
        StepOutcome::Passed(report) => Ok(report),
        StepOutcome::Failed(failure) => {
            let what = format!("{} of {}", request.step, request.secret);
            Err(Refusal::of(what, failure))
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Lambda reads lines from stdout. Where nobody reads any more, nobody can be told.
fn write(lines: &[String]) {
    let mut output = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(output, "{line}");
    }
    let _ = output.flush();
}
