//! The crash matrix: every outside call of a rotation, every fault, then the same rotation again.

use std::fmt;
use std::future::Future;

use twinkey_core::{RotationError, Step, StepReport};

use crate::{Call, Fault, Injector, ToldOnPanic};

/// Where the rotation is taken up again after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The step that failed is delivered again.
    SameStep,
    /// The whole rotation is delivered again, from its first step.
    WholeRotation,
    /// First every step of an older rotation arrives late, then the whole rotation again.
    StaleStepsFirst,
    /// The whole rotation again, but only after its key has expired.
    AfterExpiry,
}

impl Restart {
    /// Every restart there is.
    pub const ALL: [Self; 4] = [
        Self::SameStep,
        Self::WholeRotation,
        Self::StaleStepsFirst,
        Self::AfterExpiry,
    ];
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameStep => "the same step again",
            Self::WholeRotation => "the whole rotation again",
            Self::StaleStepsFirst => "steps of an older rotation, then the whole rotation again",
            Self::AfterExpiry => "the whole rotation again after the key's expiry",
        })
    }
}

/// One point of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct CrashPoint {
    /// The number of the outside call in the rotation.
    pub number: usize,
    /// The call.
    pub call: Call,
    /// In which step it is made.
    pub step: Step,
    /// What happened to it.
    pub fault: Fault,
    /// Which earlier call of the same delivery was struck too, and by what.
    pub also: Option<(Call, Fault)>,
    /// How the rotation is taken up again.
    pub restart: Restart,
}

impl CrashPoint {
    /// By which faults the calls of this name were struck in this delivery.
    pub fn struck(&self, name: &str) -> impl Iterator<Item = Fault> {
        let last = Some((self.call, self.fault));
        let all = self.also.into_iter().chain(last);
        all.filter(move |(call, _)| call.name == name)
            .map(|(_, fault)| fault)
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, name, step) = (self.number, self.call.name, self.step);
        let (fault, restart) = (self.fault, self.restart);
        write!(
            f,
            "call {number} ({name} in {step}), {fault:?}, then {restart}"
        )
    }
}

/// How a rotation ended that was struck by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It passed all the same: the engine repeated the call.
    Unnoticed,
    /// The redelivery passed.
    Redelivered,
    /// The redelivery ended it for good, for this reason, and the next rotation passed.
    NextRotation(&'static str),
}

/// One point of the matrix, and how it ended. That the promises held on the way is not in it:
/// where they do not, the world panics.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The point.
    pub point: CrashPoint,
    /// How it ended.
    pub ending: Ending,
}

/// A world in which one rotation is in flight, and that knows what must hold in it.
pub trait CrashWorld {
    /// Delivers one step of the rotation in flight.
    fn deliver(&mut self, step: Step) -> impl Future<Output = Result<StepReport, RotationError>>;
    /// Delivers one step of an older rotation; panics if that changes anything or claims to.
    fn deliver_stale(&mut self, step: Step) -> impl Future<Output = ()>;
    /// Lets the time pass after which the rotation's key has expired, if keys expire here.
    fn expire(&mut self) -> impl Future<Output = ()>;
    /// Begins another rotation, after the one in flight ended for good. Where nobody but a person
    /// could help, does first what that person would do.
    fn begin_another(&mut self) -> impl Future<Output = ()>;
    /// Panics unless the promises hold right after a fault (P1, P2).
    fn judge_after_fault(&mut self, point: &CrashPoint) -> impl Future<Output = ()>;
    /// Panics unless the promises hold at rest, after the rotation was finished (P1 to P5).
    fn judge_at_rest(&mut self, point: &CrashPoint) -> impl Future<Output = ()>;
}

/// Which faults and restarts a run goes through, for every outside call.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// What happens to a call.
    pub faults: &'a [Fault],
    /// How the rotation is taken up again.
    pub restarts: &'a [Restart],
}

impl Matrix<'static> {
    /// Every fault and every restart.
    pub const FULL: Self = Self {
        faults: &Fault::ALL,
        restarts: &Restart::ALL,
    };
}

impl Matrix<'_> {
    /// Runs every point of the matrix, each in a world of its own.
    ///
    /// `build` makes a world whose rotation has begun and whose outside calls pass the injector,
    /// disarmed. A call that is added to the engine later is covered: the matrix counts them itself.
    pub async fn run<W: CrashWorld>(&self, build: impl AsyncFn(Injector) -> W) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for point in self.points(&build).await {
            let _told = ToldOnPanic(&point);
            let mut trial = Trial::begin(&build).await;
            assert!(
                trial.strike(&point).await.is_some(),
                "{point} was not reached"
            );
            let ending = trial.finish(&point).await;
            outcomes.push(Outcome { point, ending });
        }
        outcomes
    }

    /// The same with a second fault at every later call of the same delivery and at every call of its
    /// recovery, and every call that outlasted its caller taking effect before every later call of either.
    /// Returns how many pairs there were.
    pub async fn run_twice<W: CrashWorld>(&self, build: impl AsyncFn(Injector) -> W) -> usize {
        let mut pairs = 0;
        for first in self.points(&build).await {
            for fault in self.faults {
                pairs += second_fault(&build, &first, *fault).await;
                if first.fault.spares_the_process() {
                    pairs += fault_in_the_same_delivery(&build, &first, *fault).await;
                }
            }
            if first.fault.lands_late() {
                pairs += late_landing(&build, &first).await;
            }
            if first.fault == Fault::TimesOut {
                pairs += landing_in_the_same_delivery(&build, &first).await;
            }
        }
        pairs
    }

    async fn points<W: CrashWorld>(&self, build: &impl AsyncFn(Injector) -> W) -> Vec<CrashPoint> {
        let mut points = Vec::new();
        for (number, (step, call)) in calm_calls(build).await.into_iter().enumerate() {
            for fault in self.faults.iter().filter(|fault| fault.strikes(call)) {
                points.extend(self.restarts.iter().map(|restart| CrashPoint {
                    number,
                    call,
                    step,
                    fault: *fault,
                    also: None,
                    restart: *restart,
                }));
            }
        }
        points
    }
}

/// The calls of a rotation that nothing disturbs, as far as it passes.
async fn calm_calls<W: CrashWorld>(build: &impl AsyncFn(Injector) -> W) -> Vec<(Step, Call)> {
    let mut trial = Trial::begin(build).await;
    let mut calls = Vec::new();
    for step in Step::ALL {
        trial.injector.disarm();
        let passed = trial.world.deliver(step).await.is_ok();
        calls.extend(trial.injector.calls().into_iter().map(|call| (step, call)));
        if !passed {
            break;
        }
    }
    calls
}

async fn second_fault<W: CrashWorld>(
    build: &impl AsyncFn(Injector) -> W,
    first: &CrashPoint,
    fault: Fault,
) -> usize {
    let mut pairs = 0;
    for number in 0.. {
        let told = format!("{first}; then {fault:?} at call {number} of the recovery");
        let _told = ToldOnPanic(&told);
        let mut trial = Trial::begin(build).await;
        trial.strike(first).await;
        let second = CrashPoint {
            number,
            fault,
            ..*first
        };
        match trial.strike(&second).await {
            None => return pairs,
            Some(call) if fault.strikes(call) => {
                trial.finish(first).await;
                pairs += 1;
            }
            Some(_) => {}
        }
    }
    unreachable!("a recovery ends")
}

async fn fault_in_the_same_delivery<W: CrashWorld>(
    build: &impl AsyncFn(Injector) -> W,
    first: &CrashPoint,
    fault: Fault,
) -> usize {
    let mut pairs = 0;
    for number in first.number + 1.. {
        let told = format!("{first}; and {fault:?} at call {number} of the same delivery");
        let _told = ToldOnPanic(&told);
        let mut trial = Trial::begin(build).await;
        let second = CrashPoint {
            number,
            fault,
            also: Some((first.call, first.fault)),
            ..*first
        };
        match trial.strike_twice(first, &second).await {
            None => return pairs,
            Some(call) if fault.strikes(call) => {
                trial.finish(first).await;
                pairs += 1;
            }
            Some(_) => {}
        }
    }
    unreachable!("a delivery ends")
}

async fn late_landing<W: CrashWorld>(
    build: &impl AsyncFn(Injector) -> W,
    first: &CrashPoint,
) -> usize {
    for number in 0.. {
        let told = format!("{first}; it lands before call {number} of the recovery");
        let _told = ToldOnPanic(&told);
        let mut trial = Trial::begin(build).await;
        trial.strike(first).await;
        trial.injector.land_before(number);
        let recovered = trial.recover().await;
        if trial.injector.land().await {
            return number;
        }
        trial.go_on(recovered, first).await;
    }
    unreachable!("a recovery ends")
}

async fn landing_in_the_same_delivery<W: CrashWorld>(
    build: &impl AsyncFn(Injector) -> W,
    first: &CrashPoint,
) -> usize {
    for number in first.number + 1.. {
        let told = format!("{first}; it lands before call {number} of the same delivery");
        let _told = ToldOnPanic(&told);
        let mut trial = Trial::begin(build).await;
        trial.injector.land_before(number);
        trial.strike(first).await;
        if trial.injector.is_late() {
            return number - first.number - 1;
        }
        trial.finish(first).await;
    }
    unreachable!("a delivery ends")
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

    /// Delivers what is left of the rotation and lets one call fail; which one, if it was reached.
    async fn strike(&mut self, point: &CrashPoint) -> Option<Call> {
        let first = self.from?;
        self.injector.arm(point.number, point.fault);
        self.deliver_struck(first, point).await
    }

    /// The same with another call before it that fails and leaves the process alive.
    async fn strike_twice(&mut self, first: &CrashPoint, second: &CrashPoint) -> Option<Call> {
        self.injector.arm(second.number, second.fault);
        self.injector.arm_also(first.number, first.fault);
        self.deliver_struck(Step::CreateSecret, second).await
    }

    async fn deliver_struck(&mut self, first: Step, point: &CrashPoint) -> Option<Call> {
        let mut step = first;
        let work = deliver_noting(&mut self.world, first, &mut step);
        let passed = matches!(self.injector.run(work).await, Some(Ok(())));
        let struck = self.injector.calls().get(point.number).copied();
        self.injector.disarm();
        // A lost reply of a repeated call may go unnoticed: then there is nothing to deliver again.
        self.from = match point.restart {
            _ if passed => None,
            Restart::SameStep => Some(step),
            _ => Some(Step::CreateSecret),
        };
        if let Some(call) = struck {
            let point = CrashPoint {
                call,
                step,
                ..*point
            };
            self.world.judge_after_fault(&point).await;
            self.prepare(point.restart).await;
        }
        struck
    }

    async fn prepare(&mut self, restart: Restart) {
        match restart {
            Restart::SameStep | Restart::WholeRotation => {}
            Restart::StaleStepsFirst => {
                for step in Step::ALL {
                    self.world.deliver_stale(step).await;
                }
            }
            Restart::AfterExpiry => self.world.expire().await,
        }
    }

    async fn finish(mut self, point: &CrashPoint) -> Ending {
        let recovered = self.recover().await;
        self.injector.land().await;
        self.go_on(recovered, point).await
    }

    /// Delivers what is left of the rotation.
    async fn recover(&mut self) -> Result<Ending, RotationError> {
        match self.from {
            None => Ok(Ending::Unnoticed),
            Some(from) => deliver_from(&mut self.world, from)
                .await
                .map(|()| Ending::Redelivered),
        }
    }

    /// Where that ended for good, the next rotation passes; then the promises hold at rest.
    async fn go_on(
        mut self,
        recovered: Result<Ending, RotationError>,
        point: &CrashPoint,
    ) -> Ending {
        self.injector.disarm();
        let ending = match recovered {
            Ok(ending) => ending,
            Err(error) => {
                assert!(!error.cause.is_transient(), "{point}: {error}");
                self.world.begin_another().await;
                let again = deliver_from(&mut self.world, Step::CreateSecret).await;
                again.unwrap_or_else(|error| panic!("{point}: {error}"));
                Ending::NextRotation(error.cause.error_type())
            }
        };
        self.world.judge_at_rest(point).await;
        ending
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
