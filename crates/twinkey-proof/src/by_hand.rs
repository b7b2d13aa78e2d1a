//! A person, or time, steps in at every point of a rotation.

use std::collections::BTreeMap;

use twinkey_core::Stage;
use twinkey_testkit::{Allowance, Invocation, Scene, explore};

use crate::settle::{Settled, settle};
use crate::{Act, Case};

/// What happened when one act came at every point of one rotation.
#[derive(Clone, Debug, Default)]
pub struct ByHand {
    /// How many points there were.
    pub points: usize,
    /// How often it took whom to get to a pair at rest.
    pub settled: BTreeMap<Settled, usize>,
    /// How often a person published an older key that the rotation was just about to retire.
    pub overtaken: usize,
}

/// One act at every point of a rotation that is then delivered again, in one case.
#[must_use]
pub fn act_at_every_point(case: Case, act: Act) -> ByHand {
    let result = std::cell::RefCell::new(ByHand::default());
    let points = explore(
        usize::MAX,
        || begun(case, act),
        |scene| vec![rotation(scene), hand(scene, act)],
        |scene, order| {
            let mut result = result.borrow_mut();
            let context = format!("{case}, {act}, {order:?}");
            let _told = crate::ToldOnPanic(&context);
            if case.health == crate::Health::Healthy && act.publishes_older_key() {
                result.overtaken += usize::from(is_dead(&scene));
            }
            *result.settled.entry(settle(&scene, 0)).or_default() += 1;
        },
    );
    let mut result = result.into_inner();
    result.points = points;
    result
}

fn begun(case: Case, act: Act) -> Scene {
    let scene = case.scene();
    let third_keys = usize::from(act == Act::PutNew);
    scene.judge_every_call(Allowance {
        third_keys,
        older_key_published: act.publishes_older_key(),
        ..Allowance::default()
    });
    scene.injector.yield_before_every_call();
    scene
}

fn rotation(scene: &Scene) -> Invocation<'_> {
    let token = scene.begin();
    Box::pin(async move {
        // It may be refused: what counts is the end.
        let _ = scene.rotate(&token).await;
    })
}

/// One call, as the injector's are: first its turn, then the deed.
fn hand(scene: &Scene, act: Act) -> Invocation<'_> {
    Box::pin(async move {
        scene.injector.turn().await;
        act.perform(scene);
    })
}

fn is_dead(scene: &Scene) -> bool {
    let current = scene.key(&Stage::Current);
    current.is_some_and(|value| !scene.server.accepts(&value) && !scene.server.is_excused(&value))
}
