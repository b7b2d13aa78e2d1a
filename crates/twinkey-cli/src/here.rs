//! rotate --here: the engine in this process, by the caller's rights, for a secret without a function.

use std::time::Instant;

use rand::rngs::StdRng;
use twinkey_aws::SelfDriven;
use twinkey_core::{
    Engine, Failure, Outcome, Record, RotationError, SecretId, Step, StepOutcome, StepRecord,
    StepRequest, VersionId,
};
use twinkey_local::Watch;

use crate::arguments::Rotate;
use crate::place::{Aws, Opened};
use crate::problem::Problem;
use crate::progress::Progress;
use crate::rotate::Done;

pub(crate) async fn rotate(
    opened: &Opened,
    aws: &Aws,
    rotate: &Rotate,
    progress: &Progress,
) -> Result<Done, Problem> {
    let name = SecretId::new(&rotate.name);
    loop {
        let token = VersionId::manual(&mut rand::rng(), rotate.force);
        let rotation = SelfDriven::begin(aws.store.clone(), &name, token).await?;
        let resumed = rotation.is_resumed();
        if resumed {
            progress.resuming(&name, rotation.token()).await;
        }
        let reason = rotate.reason.clone().filter(|_| !resumed);
        let record = steps(opened, &rotation, reason, progress).await?;
        // What was left behind is no answer to somebody whose key has leaked.
        if !(resumed && rotate.force) {
            return Ok(Done {
                record,
                joined: resumed,
                resumed,
            });
        }
    }
}

/// The four steps, and a label less afterwards. What was interrupted goes on the next time.
async fn steps(
    opened: &Opened,
    rotation: &SelfDriven,
    reason: Option<String>,
    progress: &Progress,
) -> Result<Record, Problem> {
    let kinds = opened.kinds().await?;
    let engine = Engine {
        store: rotation,
        kinds: kinds.as_ref(),
        clock: opened.clock.as_ref(),
    };
    let mut random: StdRng = rand::make_rng();
    let mut record = Record {
        secret: rotation.secret().clone(),
        token: rotation.token().clone(),
        trigger: rotation.token().trigger(),
        reason,
        started_at: opened.clock.now(),
        finished_at: None,
        steps: Vec::new(),
        outcome: Outcome::InProgress,
    };
    for step in Step::ALL {
        progress.before(rotation.secret(), step).await;
        let (delivery, result) = deliver(&engine, rotation, step, &mut random).await;
        progress.step(&delivery);
        record.steps.push(delivery);
        result?;
    }
    record.finished_at = Some(opened.clock.now());
    record.outcome = Outcome::Succeeded;
    // Beside AWSCURRENT it stands in nobody's way.
    if let Err(error) = rotation.close().await {
        progress.say(&format!("AWSPENDING stays on the new version: {error}"));
    }
    Ok(record)
}

async fn deliver(
    engine: &Engine<'_>,
    rotation: &SelfDriven,
    step: Step,
    random: &mut StdRng,
) -> (StepRecord, Result<(), RotationError>) {
    let request = StepRequest {
        step,
        secret: rotation.secret().clone(),
        token: rotation.token().clone(),
    };
    let (started_at, start) = (engine.clock.now(), Instant::now());
    let result = engine.step(&request, random).await;
    let outcome = match &result {
        Ok(report) => StepOutcome::Passed(report.clone()),
        Err(error) => StepOutcome::Failed(Failure::from(error)),
    };
    let record = StepRecord {
        step,
        started_at,
        milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        outcome,
    };
    (record, result.map(drop))
}
