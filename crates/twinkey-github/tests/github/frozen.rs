//! One delivery freezes before one of its outside calls, others pass meanwhile, and then it goes on.

use std::cell::Cell;
use std::pin::pin;

use chrono::TimeDelta;
use twinkey_core::{RotationError, Stage, Step};
use twinkey_testkit::{Call, Injector, ToldOnPanic};

use crate::scene::Scene;
use crate::world::{Before, World};

/// What passes while one delivery of a rotation is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    /// The same rotation, delivered again.
    Again,
    /// That, and the next rotation.
    AgainAndNext,
    /// The rotation is given up, and the next one passes.
    GivenUpAndNext,
}

impl Meanwhile {
    const ALL: [Self; 3] = [Self::Again, Self::AgainAndNext, Self::GivenUpAndNext];

    /// Where the rotation ends after the delivery's last look at the labels, and that goes on to make a key:
    /// docs/PROOF.md, "Frozen, then late". The next rotation removes a deploy key; a token is dead within the hour.
    /// `calls`: the delivery's, up to the frozen one.
    fn may_leave_a_third(self, world: &World, step: Step, calls: &[Call]) -> bool {
        if world.is_issued() {
            let has_looked = calls.iter().any(|call| call.name == "delete");
            self == Self::GivenUpAndNext && step == Step::CreateSecret && has_looked
        } else {
            let registers = calls.last().is_some_and(|call| call.name == "register");
            self != Self::Again && registers
        }
    }

    async fn happens(self, world: &World) {
        if self == Self::GivenUpAndNext {
            world.scene.abandon(&world.token).await;
        } else {
            let at = Cell::new(Step::CreateSecret);
            rotate(world, &at).await.expect("delivered again");
        }
        if self != Self::Again {
            world.scene.rotate().await.expect("the next rotation");
        }
    }
}

/// Delivers the whole rotation; `at`: the step that it is in.
async fn rotate(world: &World, at: &Cell<Step>) -> Result<(), RotationError> {
    for step in Step::ALL {
        at.set(step);
        world.step(step, &world.token).await?;
    }
    Ok(())
}

/// Returns which call was frozen, if the rotation has so many.
async fn freeze(scene: Scene, call: usize, meanwhile: Meanwhile) -> Option<&'static str> {
    let told = format!("frozen before call {call}, {meanwhile:?}");
    let _told = ToldOnPanic(&told);
    let injector = Injector::default();
    let world = World::new(scene, Before::Rotations, injector.clone()).await;
    injector.freeze_at(call);
    let step = Cell::new(Step::CreateSecret);
    let mut frozen = pin!(rotate(&world, &step));
    if !injector.until_frozen(frozen.as_mut()).await {
        return None;
    }
    let calls = injector.calls();
    let name = calls.last().expect("the frozen one").name;
    let third = meanwhile.may_leave_a_third(&world, step.get(), &calls);
    let told = format!("{name} in {}, {told}", step.get());
    let _told = ToldOnPanic(&told);
    meanwhile.happens(&world).await;
    injector.thaw();
    // It may be refused: what counts is what it leaves.
    let _ = frozen.await;
    let current = world.scene.document(&Stage::Current);
    assert!(world.works(&current), "P1");
    let keys = world.live() + world.lost();
    assert!(keys <= 2 + usize::from(third), "P2: {keys} keys");
    if third && world.is_issued() {
        world.scene.clock.advance(TimeDelta::minutes(62));
        world.scene.rotate().await.expect("after an hour");
    }
    world.scene.rotate().await.expect("the next rotation");
    assert_eq!((world.live(), world.lost()), (2, 0), "P2, P3 and P4");
    Some(name)
}

async fn at_every_call(scene: impl AsyncFn() -> Scene) {
    for meanwhile in Meanwhile::ALL {
        let mut seen = Vec::new();
        while let Some(name) = freeze(scene().await, seen.len(), meanwhile).await {
            seen.push(name);
        }
        assert!(seen.len() >= 15, "{meanwhile:?}: only {seen:?}");
        assert!(seen.contains(&"sign"), "{seen:?}");
    }
}

#[tokio::test]
async fn p5_a_frozen_delivery_of_a_tokens_rotation_comes_late_and_harms_nothing() {
    at_every_call(Scene::tokens_by_kms).await;
}

#[tokio::test]
async fn p5_a_frozen_delivery_of_a_deploy_keys_rotation_comes_late_and_harms_nothing() {
    at_every_call(Scene::deploy_keys_by_kms).await;
}
