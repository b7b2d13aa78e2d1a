//! Secrets Manager delivers a step.

use twinkey_aws::RotationToken;
use twinkey_core::{
    Engine, Failure, StepOutcome, StepRecord, StepReport, StepRequest, SystemClock,
};

use crate::function::{Invocation, random, write};
use crate::in_time::StoreInTime;
use crate::refusal::{Refusal, failed};

impl Invocation<'_> {
    /// Performs one delivery of one step.
    pub(crate) async fn step(
        &self,
        request: &StepRequest,
        rotation_token: Option<RotationToken>,
    ) -> Result<StepReport, Refusal> {
        let result = self.perform(request, rotation_token).await;
        let record = StepRecord {
            step: request.step,
            started_at: self.started_at,
            milliseconds: self.milliseconds(),
            outcome: match result.clone() {
                Ok(report) => StepOutcome::Passed(report),
                Err(failure) => StepOutcome::Failed(failure),
            },
        };
        let live_keys = self.function.store.labelled.take();
        write(&self.writer.step(request, &record, live_keys));
        result.map_err(|failure| {
            let what = format!("{} of {}", request.step, request.secret);
            Refusal::of(what, failure)
        })
    }

    async fn perform(
        &self,
        request: &StepRequest,
        rotation_token: Option<RotationToken>,
    ) -> Result<StepReport, Failure> {
        let kinds = self.function.kinds()?;
        let store = self.function.store.clone();
        let store = match rotation_token {
            Some(token) => StoreInTime {
                store: store.store.with_rotation_token(token),
                ..store
            },
            None => store,
        };
        let engine = Engine {
            store: &store,
            kinds: &kinds,
            clock: &SystemClock,
        };
        let result = engine.step(request, &mut random()).await;
        result.map_err(|error| store.deadline.judge(failed(&error)))
    }
}
