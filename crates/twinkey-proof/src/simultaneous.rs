//! Every interleaving of two invocations at once, and of a person between them.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use twinkey_core::{Step, VersionId};
use twinkey_testkit::{Allowance, FakeKind, Invocation, Scene, explore};

use crate::by_hand::is_overtaken;
use crate::settle::{Settled, settle};
use crate::{Act, Case, ToldOnPanic, now};

struct Begun {
    scene: Scene,
    token: VersionId,
}

/// Every order of the outside calls of two simultaneous deliveries, with at most `switches` switches
/// away from an invocation that could have gone on. Returns how many orders there were.
pub fn deliveries_at_once(case: Case, steps: [Step; 2], switches: usize) -> usize {
    explore(
        switches,
        || begun(case, steps, None),
        |begun| steps.map(|step| delivery(begun, step)).into(),
        |begun, order| {
            let context = format!("{case}, {} beside {}, {order:?}", steps[0], steps[1]);
            let _told = ToldOnPanic(&context);
            assert_eq!(settle(&begun.scene, 0), Settled::ByItself);
        },
    )
}

/// What came of one late delivery beside a whole rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// How many orders there were.
    pub orders: usize,
    /// In how many the late one took the other's new key for a stray, and it was published meanwhile.
    pub overtaken: usize,
}

/// Every order of a whole rotation and one more delivery of one of its steps, within the bound.
pub fn step_beside_its_rotation(case: Case, step: Step, switches: usize) -> Beside {
    let overtaken = Cell::new(0);
    // Nothing tells a key that another delivery has just minted from one that was lost. (decision 9)
    let mistakable = case.kind == FakeKind::Token { listable: true } && step == Step::CreateSecret;
    let orders = explore(
        switches,
        || {
            let flag = Arc::new(AtomicBool::new(false));
            let begun = begun(case, [Step::CreateSecret; 2], None);
            watch(&begun.scene, mistakable.then(|| flag.clone()));
            (begun, flag)
        },
        |(begun, _)| {
            let whole: Invocation<'_> = Box::pin(async move {
                let _ = begun.scene.rotate(&begun.token).await;
            });
            vec![whole, delivery(begun, step)]
        },
        |(begun, flag), order| {
            let context = format!("{case}, {step} beside its rotation, {order:?}");
            let _told = ToldOnPanic(&context);
            overtaken.set(overtaken.get() + usize::from(flag.load(Ordering::Relaxed)));
            assert_eq!(settle(&begun.scene, 0), Settled::ByItself);
        },
    );
    Beside {
        orders,
        overtaken: overtaken.get(),
    }
}

/// Judges every call; a broken P1 is noted, if there is where to, and fails the run otherwise.
fn watch(scene: &Scene, flag: Option<Arc<AtomicBool>>) {
    let allowance = Allowance {
        third_keys: usize::from(scene.provider.kind().expires()),
        ..Allowance::default()
    };
    let judge = scene.judge();
    scene
        .injector
        .judge_every_call(move || match (judge.verdict(&allowance), &flag) {
            (Err(broken), Some(flag)) if broken.promise == "P1" => {
                flag.store(true, Ordering::Relaxed);
                judge.excuse_current();
            }
            (verdict, _) => verdict.unwrap_or_else(|broken| panic!("{broken}")),
        });
}

/// The same with a person, or time, stepping in between any two calls.
pub fn with_a_person(case: Case, steps: [Step; 2], act: Act, switches: usize) -> usize {
    explore(
        switches,
        || begun(case, steps, Some(act)),
        |begun| {
            let mut all: Vec<Invocation<'_>> = steps.map(|step| delivery(begun, step)).into();
            all.push(Box::pin(async move {
                begun.scene.injector.turn().await;
                act.perform(&begun.scene);
            }));
            all
        },
        |begun, order| {
            let context = format!("{case}, {} beside {}, {act}, {order:?}", steps[0], steps[1]);
            let _told = ToldOnPanic(&context);
            settle(&begun.scene, 0);
        },
    )
}

/// A rotation in flight, every step before the two delivered.
fn begun(case: Case, steps: [Step; 2], act: Option<Act>) -> Begun {
    let scene = case.scene();
    let token = scene.begin();
    let first = steps[0].min(steps[1]);
    for step in Step::ALL.into_iter().filter(|step| *step < first) {
        now(scene.step(step, &token)).expect("passed");
    }
    // P2's second exception: both may mint, until the one that comes too late has retired its own.
    let both_mint = steps == [Step::CreateSecret; 2] && case.kind.expires();
    let by_hand = act == Some(Act::PutNew);
    let allowance = Allowance {
        third_keys: usize::from(both_mint) + usize::from(by_hand),
        ..Allowance::default()
    };
    let judge = scene.judge();
    scene
        .injector
        .judge_every_call(move || match judge.verdict(&allowance) {
            // See `act_at_every_point`, which counts these.
            Err(broken)
                if broken.promise == "P1" && act.is_some_and(|act| is_overtaken(&judge, act)) =>
            {
                judge.excuse_current();
            }
            verdict => verdict.unwrap_or_else(|broken| panic!("{broken}")),
        });
    scene.injector.yield_before_every_call();
    Begun { scene, token }
}

fn delivery(begun: &Begun, step: Step) -> Invocation<'_> {
    Box::pin(async move {
        // Either may be refused: what counts is the end.
        let _ = begun.scene.step(step, &begun.token).await;
    })
}
