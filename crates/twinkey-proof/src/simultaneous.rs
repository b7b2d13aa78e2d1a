//! Every interleaving of two invocations at once, and of a person between them.

use twinkey_core::{Step, VersionId};
use twinkey_testkit::{Allowance, Invocation, Scene, explore};

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
            Err(broken) if broken.promise == "P1" && act.is_some_and(Act::publishes_older_key) => {
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
