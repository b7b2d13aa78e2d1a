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
    let mut points = 0;
    for point in points_of_a_calm_run(&build).await {
        let mut trial = Trial::begin(&build).await;
        assert!(trial.strike(&point).await, "{point} was not reached");
        trial.finish(&point).await;
        points += 1;
    }
    points
}

/// The same with a second fault at every point of every recovery.
pub async fn double_crash_matrix<W: CrashWorld>(build: impl AsyncFn(Injector) -> W) -> usize {
    let mut points = 0;
    for first in points_of_a_calm_run(&build).await {
        for fault in Fault::ALL {
            for call in 0.. {
                let mut trial = Trial::begin(&build).await;
                trial.strike(&first).await;
                let second = CrashPoint {
                    call,
                    name: "a call of the recovery",
                    fault,
                    from_the_start: true,
                };
                if !trial.strike(&second).await {
                    break;
                }
                trial.finish(&first).await;
                points += 1;
            }
        }
    }
    points
}

async fn points_of_a_calm_run<W: CrashWorld>(
    build: &impl AsyncFn(Injector) -> W,
) -> Vec<CrashPoint> {
    let mut trial = Trial::begin(build).await;
    deliver_from(&mut trial.world, Step::CreateSecret)
        .await
        .expect("a calm run passes");
    let mut points = Vec::new();
    for (call, name) in trial.injector.calls().into_iter().enumerate() {
        for fault in Fault::ALL {
            for from_the_start in [false, true] {
                points.push(CrashPoint {
                    call,
                    name,
                    fault,
                    from_the_start,
                });
            }
        }
    }
    points
}

/// One world, on its way through one or two faults.
struct Trial<W> {
    world: W,
    injector: Injector,
    /// Where the rotation is delivered from next; `None`: it has passed.
    from: Option<Step>,
}

impl<W: CrashWorld> Trial<W> {
    async fn begin(build: &impl AsyncFn(Injector) -> W) -> Self {
        let injector = Injector::default();
        let world = build(injector.clone()).await;
        injector.disarm();
        Self {
            world,
            injector,
            from: Some(Step::CreateSecret),
        }
    }

    /// Delivers what is left of the rotation and lets one call fail; whether that call was reached.
    async fn strike(&mut self, point: &CrashPoint) -> bool {
        let Some(first) = self.from else { return false };
        self.injector.arm(point.call, point.fault);
        let mut step = first;
        let work = deliver_noting(&mut self.world, first, &mut step);
        let passed = matches!(self.injector.run(work).await, Some(Ok(())));
        let struck = self.injector.calls().get(point.call).copied();
        self.injector.disarm();
        // A lost reply of a repeated call may go unnoticed: then there is nothing to deliver again.
        self.from = if passed {
            None
        } else {
            Some(if point.from_the_start {
                Step::CreateSecret
            } else {
                step
            })
        };
        if let Some(name) = struck {
            self.world
                .judge_after_fault(&CrashPoint {
                    name,
                    ..point.clone()
                })
                .await;
        }
        struck.is_some()
    }

    async fn finish(mut self, point: &CrashPoint) {
        if let Some(from) = self.from
            && let Err(error) = deliver_from(&mut self.world, from).await
        {
            // Only a rotation that ended for good may need another one.
            assert!(!error.cause.is_transient(), "{point}: {error}");
            self.world.begin_another().await;
            let again = deliver_from(&mut self.world, Step::CreateSecret).await;
            again.unwrap_or_else(|error| panic!("{point}: {error}"));
        }
        self.world.judge_at_rest(point).await;
    }
}

async fn deliver_noting<W: CrashWorld>(
    world: &mut W,
    first: Step,
    current: &mut Step,
) -> Result<(), RotationError> {
    for step in Step::ALL.into_iter().filter(|step| *step >= first) {
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
