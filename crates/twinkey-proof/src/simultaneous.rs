//! Every interleaving of two invocations at once, and of a person between them.

use std::cell::RefCell;

use twinkey_core::{Step, VersionId};
use twinkey_testkit::{Allowance, FakeKind, Invocation, Scene, ToldOnPanic, explore};

use crate::by_hand::hand;
use crate::settle::settle;
use crate::tally::{Declared, Overtaken, watch};
use crate::{Act, Case, Tally, now};

struct Begun {
    scene: Scene,
    token: VersionId,
    overtaken: Overtaken,
}

/// Every order of the outside calls of two simultaneous deliveries, with at most `switches` switches
/// away from an invocation that could have gone on.
#[must_use]
pub fn deliveries_at_once(case: Case, steps: [Step; 2], switches: usize) -> Tally {
    let tally = RefCell::new(Tally::default());
    explore(
        switches,
        || begun(case, steps, None),
        |begun| steps.map(|step| delivery(begun, step)).into(),
        |begun, order| {
            let context = format!("{case}, {} beside {}, {order:?}", steps[0], steps[1]);
            let _told = ToldOnPanic(&context);
            let settled = settle(&begun.scene, 0);
            settled.assert_by_itself(case);
            tally.borrow_mut().note(&settled, &begun.overtaken);
        },
    );
    tally.into_inner()
}

/// Every order of a whole rotation and one more delivery of one of its steps, within the bound.
#[must_use]
pub fn step_beside_its_rotation(case: Case, step: Step, switches: usize) -> Tally {
    let tally = RefCell::new(Tally::default());
    explore(
        switches,
        || begin_beside(case, step),
        |begun| {
            let whole: Invocation<'_> = Box::pin(async move {
                let _ = begun.scene.rotate(&begun.token).await;
            });
            vec![whole, delivery(begun, step)]
        },
        |begun, order| {
            let context = format!("{case}, {step} beside its rotation, {order:?}");
            let _told = ToldOnPanic(&context);
            let settled = settle(&begun.scene, 0);
            settled.assert_by_itself(case);
            tally.borrow_mut().note(&settled, &begun.overtaken);
        },
    );
    tally.into_inner()
}

/// The same as [`deliveries_at_once`] with a person, or time, stepping in between any two calls.
#[must_use]
pub fn with_a_person(case: Case, steps: [Step; 2], act: Act, switches: usize) -> Tally {
    let tally = RefCell::new(Tally::default());
    explore(
        switches,
        || begun(case, steps, Some(act)),
        |begun| {
            let mut all: Vec<Invocation<'_>> = steps.map(|step| delivery(begun, step)).into();
            all.push(hand(&begun.scene, act, &begun.overtaken));
            all
        },
        |begun, order| {
            let context = format!("{case}, {} beside {}, {act}, {order:?}", steps[0], steps[1]);
            let _told = ToldOnPanic(&context);
            let settled = settle(&begun.scene, 0);
            tally.borrow_mut().note(&settled, &begun.overtaken);
        },
    );
    tally.into_inner()
}

/// A rotation in flight, every step before the two delivered, as far as they pass.
fn begun(case: Case, steps: [Step; 2], act: Option<Act>) -> Begun {
    let scene = case.scene();
    let token = scene.begin();
    let first = steps[0].min(steps[1]);
    for step in Step::ALL.into_iter().filter(|step| *step < first) {
        if now(scene.step(step, &token)).is_err() {
            assert!(!case.can_rotate(), "{case}: {step} is refused");
            break;
        }
    }
    // P2's second exception: both may mint, until the one that comes too late has retired its own.
    let both_mint = steps == [Step::CreateSecret; 2] && case.kind.expires();
    let by_hand = act == Some(Act::PutNew);
    let allowance = Allowance {
        third_keys: usize::from(both_mint) + usize::from(by_hand),
        ..Allowance::default()
    };
    let declared = act.map_or(Declared::Nothing, Declared::ByActAmongOthers);
    watched(scene, token, allowance, declared)
}

fn begin_beside(case: Case, step: Step) -> Begun {
    let scene = case.scene();
    let token = scene.begin();
    let both_mint = step == Step::CreateSecret && case.kind.expires();
    let allowance = Allowance {
        third_keys: usize::from(both_mint),
        ..Allowance::default()
    };
    // Nothing tells a key that another delivery has just minted from one that was lost. (decision 9)
    let mistakable = case.kind == FakeKind::Token { listable: true } && both_mint;
    let declared = if mistakable {
        Declared::TakenForStray
    } else {
        Declared::Nothing
    };
    watched(scene, token, allowance, declared)
}

fn watched(scene: Scene, token: VersionId, allowance: Allowance, declared: Declared) -> Begun {
    let overtaken = watch(&scene, allowance, declared);
    scene.injector.disarm();
    scene.injector.yield_before_every_call();
    Begun {
        scene,
        token,
        overtaken,
    }
}

fn delivery(begun: &Begun, step: Step) -> Invocation<'_> {
    Box::pin(async move {
        // Either may be refused: what counts is the end.
        let _ = begun.scene.step(step, &begun.token).await;
    })
}
