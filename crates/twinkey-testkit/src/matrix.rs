//! The crash matrix: every outside call of a rotation, every fault, then the same rotation again.

use std::fmt;
use std::future::Future;

use twinkey_core::{RotationError, Step, StepReport};

use crate::{Fault, Injector};

/// One point of the matrix.
#[derive(Clone, Debug)]
pub struct CrashPoint {
    /// The number of the outside call in the rotation.
    pub call: usize,
    /// Its name.
    pub name: &'static str,
    /// What happened to it.
    pub fault: Fault,
    /// Whether the rotation was delivered again from its first step, or from the step that failed.
    pub from_the_start: bool,
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = if self.from_the_start {
            "whole rotation"
        } else {
            "same step"
        };
        write!(
            f,
            "call {} ({}), {:?}, then the {again} again",
            self.call, self.name, self.fault
        )
    }
}

/// A world in which one rotation is in flight, and that knows what must hold in it.
pub trait CrashWorld {
    /// Delivers one step of the rotation in flight.
    fn deliver(&mut self, step: Step) -> impl Future<Output = Result<StepReport, RotationError>>;
    /// Begins another rotation, after the one in flight ended for good.
    fn begin_another(&mut self) -> impl Future<Output = ()>;
    /// Panics unless the promises hold right after a fault (P1, P2).
    fn judge_after_fault(&mut self, point: &CrashPoint) -> impl Future<Output = ()>;
    /// Panics unless the promises hold at rest, after the rotation was finished (P1 to P5).
    fn judge_at_rest(&mut self, point: &CrashPoint) -> impl Future<Output = ()>;
}

/// Runs every point of the matrix, each in a world of its own, and returns how many there were.
///
/// `build` makes a world whose rotation has begun and whose outside calls pass the injector,
/// disarmed. A call that is added to the engine later is covered: the matrix counts them itself.
pub async fn crash_matrix<W: CrashWorld>(build: impl AsyncFn(Injector) -> W) -> usize {
    let calls = calls_of_a_calm_run(&build).await;
    let mut points = 0;
    for (call, name) in calls.into_iter().enumerate() {
        for fault in Fault::ALL {
            for from_the_start in [false, true] {
                let point = CrashPoint {
                    call,
                    name,
                    fault,
                    from_the_start,
                };
                run_point(&build, &point).await;
                points += 1;
            }
        }
    }
    points
}

async fn calls_of_a_calm_run<W: CrashWorld>(
    build: &impl AsyncFn(Injector) -> W,
) -> Vec<&'static str> {
    let injector = Injector::default();
    let mut world = build(injector.clone()).await;
    injector.disarm();
    deliver_from(&mut world, Step::CreateSecret)
        .await
        .expect("a calm run passes");
    injector.calls()
}

async fn run_point<W: CrashWorld>(build: &impl AsyncFn(Injector) -> W, point: &CrashPoint) {
    let injector = Injector::default();
    let mut world = build(injector.clone()).await;
    injector.arm(point.call, point.fault);
    let mut step = Step::CreateSecret;
    let hit = injector.run(deliver_noting(&mut world, &mut step)).await;
    injector.disarm();
    world.judge_after_fault(point).await;
    // A lost reply of a repeated call may go unnoticed: then there is nothing to deliver again.
    if !matches!(hit, Some(Ok(()))) {
        let from = if point.from_the_start {
            Step::CreateSecret
        } else {
            step
        };
        deliver_again(&mut world, from, point).await;
    }
    world.judge_at_rest(point).await;
}

async fn deliver_again<W: CrashWorld>(world: &mut W, from: Step, point: &CrashPoint) {
    let Err(error) = deliver_from(world, from).await else {
        return;
    };
    // Only a rotation that ended for good may need another one.
    assert!(!error.cause.is_transient(), "{point}: {error}");
    world.begin_another().await;
    deliver_from(world, Step::CreateSecret)
        .await
        .unwrap_or_else(|error| panic!("{point}: {error}"));
}

async fn deliver_noting<W: CrashWorld>(
    world: &mut W,
    current: &mut Step,
) -> Result<(), RotationError> {
    for step in Step::ALL {
        *current = step;
        world.deliver(step).await?;
    }
    Ok(())
}

async fn deliver_from<W: CrashWorld>(world: &mut W, first: Step) -> Result<(), RotationError> {
    for step in Step::ALL.into_iter().filter(|step| *step >= first) {
        world.deliver(step).await?;
    }
    Ok(())
}
