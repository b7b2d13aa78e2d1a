//! A rotation that comes too early leaves nothing behind, wherever it is struck.

use chrono::TimeDelta;
use twinkey_core::{MIN_OVERLAP_TAG, RotationFailure, Stage, Step, VersionId};
use twinkey_proof::now;
use twinkey_testkit::{Allowance, Call, FakeKind, Fault, Scene, ToldOnPanic};

const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// A pair, whose current key is younger than the overlap, and a rotation that has begun all the same.
fn too_early(kind: FakeKind) -> (Scene, VersionId) {
    let scene = Scene::new(kind);
    for _ in 0..2 {
        let token = scene.begin();
        now(scene.rotate(&token)).expect("a quiet rotation");
    }
    scene.store.tag(&scene.secret, MIN_OVERLAP_TAG, "10m");
    scene.judge_every_call(Allowance {
        pair_at_rest: true,
        ..Allowance::default()
    });
    let token = scene.begin();
    scene.injector.disarm();
    (scene, token)
}

fn is_refused(scene: &Scene, token: &VersionId) {
    let error = now(scene.step(Step::CreateSecret, token)).expect_err("too early");
    assert!(
        matches!(error.cause, RotationFailure::Overlap { .. }),
        "{error}"
    );
}

/// The calls of a refusal that nothing disturbs.
fn calls(kind: FakeKind) -> Vec<Call> {
    let (scene, token) = too_early(kind);
    is_refused(&scene, &token);
    scene.injector.calls()
}

fn struck(kind: FakeKind, number: usize, fault: Fault) {
    let (scene, token) = too_early(kind);
    let keys = scene.server.live_values();
    scene.injector.arm(number, fault);
    let work = scene.step(Step::CreateSecret, &token);
    let result = now(scene.injector.run(work));
    assert!(!matches!(result, Some(Ok(_))), "it is too early");
    scene.injector.disarm();
    // As the service does, while AWSPENDING is still on it.
    if scene.version(&Stage::Pending).as_ref() == Some(&token) {
        is_refused(&scene, &token);
    }
    now(scene.injector.land());
    assert_eq!(scene.version(&Stage::Pending), None, "nothing is left");
    assert_eq!(scene.server.live_values(), keys);
    scene.clock.advance(OVERLAP);
    let token = scene.begin();
    now(scene.rotate(&token)).expect("its time has come");
}

#[test]
fn p9_a_rotation_that_comes_too_early_is_refused_at_every_crash_point() {
    for kind in FakeKind::ALL {
        let calls = calls(kind);
        assert!(calls.iter().any(|call| call.changes), "the label comes off");
        for (number, call) in calls.into_iter().enumerate() {
            for fault in Fault::ALL {
                if fault.strikes(call) {
                    let told = format!("{kind}, call {number} ({}), {fault:?}", call.name);
                    let _told = ToldOnPanic(&told);
                    struck(kind, number, fault);
                }
            }
        }
    }
}
