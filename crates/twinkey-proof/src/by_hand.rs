//! A person, or time, steps in at every point of a rotation.

use std::cell::RefCell;

use twinkey_testkit::{Allowance, Invocation, Scene, ToldOnPanic, explore};

use crate::settle::settle;
use crate::tally::{Declared, Overtaken, watch};
use crate::{Act, Case, Tally};

/// One act at every point of a rotation that is then delivered again, in one case.
#[must_use]
pub fn act_at_every_point(case: Case, act: Act) -> Tally {
    let tally = RefCell::new(Tally::default());
    explore(
        usize::MAX,
        || begin(case, act),
        |(scene, overtaken)| vec![rotation(scene), hand(scene, act, overtaken)],
        |(scene, overtaken), order| {
            let context = format!("{case}, {act}, {order:?}");
            let _told = ToldOnPanic(&context);
            let settled = settle(&scene, 0);
            tally.borrow_mut().note(&settled, &overtaken);
        },
    );
    tally.into_inner()
}

fn begin(case: Case, act: Act) -> (Scene, Overtaken) {
    let scene = case.scene();
    let allowance = Allowance {
        third_keys: usize::from(act == Act::PutNew),
        ..Allowance::default()
    };
    let overtaken = watch(&scene, allowance, Declared::ByAct(act));
    scene.injector.disarm();
    scene.injector.yield_before_every_call();
    (scene, overtaken)
}

fn rotation(scene: &Scene) -> Invocation<'_> {
    let token = scene.begin();
    Box::pin(async move {
        // It may be refused: what counts is the end.
        let _ = scene.rotate(&token).await;
    })
}

/// One call, as the engine's are: first its turn, then the deed.
pub(crate) fn hand<'a>(scene: &'a Scene, act: Act, overtaken: &'a Overtaken) -> Invocation<'a> {
    Box::pin(async move {
        scene.injector.turn().await;
        overtaken.act(act, scene);
    })
}
