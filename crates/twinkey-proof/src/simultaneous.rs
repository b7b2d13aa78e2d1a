//! Every interleaving of two invocations at once, and of a person between them.

use std::cell::RefCell;

use twinkey_core::{Step, VersionId};
use twinkey_testkit::{Allowance, Invocation, Scene, ToldOnPanic, explore};

use crate::by_hand::hand;
use crate::settle::settle;
use crate::tally::{Declared, Overtaken, watch};
use crate::{Act, Case, Tally, now};

static STEPS: [Step; 4] = Step::ALL;

/// A rotation in flight, with every call judged.
struct Begun {
    scene: Scene,
    token: VersionId,
    overtaken: Overtaken,
    /// What may live when every delivery has returned.
    afterwards: Allowance,
}

/// Every order of the outside calls of two simultaneous deliveries, with at most `switches` switches
/// away from an invocation that could have gone on.
#[must_use]
pub fn deliveries_at_once(case: Case, steps: [Step; 2], switches: usize) -> Tally {
    every_order(
        &format!("{case}, {} beside {}", steps[0], steps[1]),
        switches,
        || {
            let both_mint = case.kind.is_issued() && steps == [Step::CreateSecret; 2];
            let minted = usize::from(both_mint);
            begin(case, earlier(steps), minted, None, |_| Declared::Nothing)
        },
        |begun| steps.map(|step| delivery(begun, step)).into(),
        Needs::Nobody(case),
    )
}

/// Every order of a whole rotation and one more delivery of one of its steps, within the bound.
#[must_use]
pub fn step_beside_its_rotation(case: Case, step: Step, switches: usize) -> Tally {
    let mints_too = case.kind.is_issued() && step == Step::CreateSecret;
    every_order(
        &format!("{case}, {step} beside its rotation"),
        switches,
        || {
            begin(case, &[], usize::from(mints_too), None, |token| {
                // Nothing tells a key that another delivery has just minted from one that was lost. (decision 9)
                if mints_too && case.kind.is_listed() {
                    Declared::TakenForStray(token)
                } else {
                    Declared::Nothing
                }
            })
        },
        |begun| vec![deliveries(begun, &STEPS), delivery(begun, step)],
        Needs::Nobody(case),
    )
}

/// The same as [`deliveries_at_once`] with a person, or time, stepping in between any two calls.
#[must_use]
pub fn with_a_person(case: Case, steps: [Step; 2], act: Act, switches: usize) -> Tally {
    every_order(
        &format!("{case}, {} beside {}, {act}", steps[0], steps[1]),
        switches,
        || {
            let both_mint = case.kind.is_issued() && steps == [Step::CreateSecret; 2];
            let minted = usize::from(both_mint);
            begin(case, earlier(steps), minted, Some(act), |_| {
                Declared::ByActAmongOthers(act)
            })
        },
        |begun| {
            let mut all: Vec<Invocation<'_>> = steps.map(|step| delivery(begun, step)).into();
            all.push(hand(&begun.scene, act, &begun.overtaken));
            all
        },
        Needs::WhoeverIsListed,
    )
}

/// Every order of ending a rotation, of which so many steps have passed, and of the rest of it.
#[must_use]
pub fn abandon_beside_the_rest(case: Case, passed: usize, switches: usize) -> Tally {
    let (passed, rest) = STEPS.split_at(passed);
    every_order(
        &format!("{case}, ended after {passed:?} beside the rest"),
        switches,
        || begin(case, passed, 0, None, Declared::GivenUpWhilePublished),
        |begun| vec![deliveries(begun, rest), abandon(begun)],
        Needs::WhoeverIsListed,
    )
}

/// Every order of ending a rotation twice at once.
#[must_use]
pub fn abandoned_twice_at_once(case: Case, passed: usize) -> Tally {
    let passed = &STEPS[..passed];
    every_order(
        &format!("{case}, ended twice after {passed:?}"),
        usize::MAX,
        || begin(case, passed, 0, None, |_| Declared::Nothing),
        |begun| vec![abandon(begun), abandon(begun)],
        Needs::Nobody(case),
    )
}

/// Every order of ending a rotation and of a person's deed.
#[must_use]
pub fn abandon_with_a_person(case: Case, passed: usize, act: Act) -> Tally {
    let passed = &STEPS[..passed];
    every_order(
        &format!("{case}, ended after {passed:?}, {act}"),
        usize::MAX,
        || begin(case, passed, 0, Some(act), |_| Declared::ByAct(act)),
        |begun| vec![abandon(begun), hand(&begun.scene, act, &begun.overtaken)],
        Needs::WhoeverIsListed,
    )
}

/// Who may be needed until everything is well again.
#[derive(Clone, Copy)]
enum Needs {
    /// Nobody, where the current key can be rotated at all.
    Nobody(Case),
    /// A person, where the list in docs/PROOF.md says so.
    WhoeverIsListed,
}

fn every_order(
    what: &str,
    switches: usize,
    build: impl Fn() -> Begun,
    start: impl for<'a> Fn(&'a Begun) -> Vec<Invocation<'a>>,
    needs: Needs,
) -> Tally {
    let tally = RefCell::new(Tally::default());
    explore(switches, build, start, |begun, order| {
        let context = format!("{what}, {order:?}");
        let _told = ToldOnPanic(&context);
        // Whoever has minted a key that was not stored has ended it by now.
        begun.scene.judge().judge(&begun.afterwards);
        let settled = settle(&begun.scene, 0);
        if let Needs::Nobody(case) = needs {
            settled.assert_by_itself(case);
        }
        tally.borrow_mut().note(&settled, &begun.overtaken);
    });
    tally.into_inner()
}

/// The steps before the first of these two.
fn earlier(steps: [Step; 2]) -> &'static [Step] {
    let first = steps[0].min(steps[1]);
    let all = Step::ALL.iter();
    let before = all.take_while(|step| **step < first).count();
    &STEPS[..before]
}

/// A rotation in flight, these steps delivered, as far as they pass; so many keys may be minted beside the one
/// that is stored. ("Where a third key can live")
fn begin(
    case: Case,
    passed: &[Step],
    minted: usize,
    by_hand: Option<Act>,
    declared: impl Fn(VersionId) -> Declared,
) -> Begun {
    let scene = case.scene();
    let token = scene.begin();
    for step in passed {
        if now(scene.step(*step, &token)).is_err() {
            assert!(!case.can_rotate(), "{case}: {step} is refused");
            break;
        }
    }
    let afterwards = Allowance {
        third_keys: usize::from(by_hand == Some(Act::PutNew)),
        ..Allowance::default()
    };
    let allowance = Allowance {
        third_keys: afterwards.third_keys + minted,
        ..afterwards
    };
    let overtaken = watch(&scene, allowance, declared(token.clone()));
    scene.injector.disarm();
    scene.injector.yield_before_every_call();
    Begun {
        scene,
        token,
        overtaken,
        afterwards,
    }
}

fn delivery(begun: &Begun, step: Step) -> Invocation<'_> {
    Box::pin(async move {
        // Either may be refused: what counts is the end.
        let _ = begun.scene.step(step, &begun.token).await;
    })
}

/// These steps one after the other, up to the first that is refused.
fn deliveries<'a>(begun: &'a Begun, steps: &'static [Step]) -> Invocation<'a> {
    Box::pin(async move {
        for step in steps {
            if begun.scene.step(*step, &begun.token).await.is_err() {
                return;
            }
        }
    })
}

fn abandon(begun: &Begun) -> Invocation<'_> {
    Box::pin(async move {
        let _ = begun.scene.abandon(&begun.token).await;
    })
}
