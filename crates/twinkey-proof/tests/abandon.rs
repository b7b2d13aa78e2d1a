//! A rotation that is half done is ended, from wherever it stands, whatever happens to any call.

use twinkey_core::{Retired, RetiredKey, RotationFailure, Stage, Step, Store, VersionId};
use twinkey_proof::{Case, now, settle};
use twinkey_testkit::{Allowance, Call, Fault, Scene, ToldOnPanic};

/// A rotation whose steps up to this one have passed.
fn half_done(case: Case, passed: &[Step]) -> (Scene, VersionId) {
    let scene = case.scene();
    let token = scene.begin();
    for step in passed {
        now(scene.step(*step, &token)).expect("passed");
    }
    scene.judge_every_call(Allowance::default());
    scene.injector.disarm();
    (scene, token)
}

fn is_ended(scene: &Scene, pending: Option<&String>) {
    assert_eq!(scene.version(&Stage::Pending), None);
    let dead = pending.is_none_or(|key| !scene.server.accepts(key));
    assert!(dead, "P7: the key that was given up works");
    scene.judge().judge(&Allowance::default());
    assert_eq!(scene.judge().strays(), Vec::<String>::new(), "P4");
}

/// Ends it without a disturbance; its calls.
fn calm(case: Case, passed: &[Step]) -> Vec<Call> {
    let (scene, token) = half_done(case, passed);
    let pending = scene.key(&Stage::Pending);
    now(scene.abandon(&token)).expect("ended");
    let calls = scene.injector.calls();
    is_ended(&scene, pending.as_ref());
    let before = scene.picture();
    let again = now(scene.abandon(&token)).expect("ended already");
    let gone = |retired: &RetiredKey| retired.how == Retired::AlreadyGone;
    assert!(again.iter().all(gone), "{again:?}");
    assert_eq!(before, scene.picture(), "ended once");
    settle(&scene, 0).assert_unaided();
    calls
}

fn struck(case: Case, passed: &[Step], number: usize, fault: Fault) {
    let (scene, token) = half_done(case, passed);
    let pending = scene.key(&Stage::Pending);
    scene.injector.arm(number, fault);
    let _ = now(scene.injector.run(scene.abandon(&token)));
    scene.injector.disarm();
    now(scene.abandon(&token)).expect("ended");
    now(scene.injector.land());
    is_ended(&scene, pending.as_ref());
    settle(&scene, 0).assert_unaided();
}

#[test]
fn p4_p7_a_rotation_is_ended_from_every_step_whatever_happens_to_any_call() {
    for case in Case::all().into_iter().filter(|case| case.can_rotate()) {
        for passed in 0..Step::ALL.len() {
            let passed = &Step::ALL[..passed];
            let told = format!("{case}, after {passed:?}");
            let _told = ToldOnPanic(&told);
            for (number, call) in calm(case, passed).into_iter().enumerate() {
                for fault in Fault::ALL.into_iter().filter(|fault| fault.strikes(call)) {
                    let told = format!("call {number} ({}), {fault:?}", call.name);
                    let _told = ToldOnPanic(&told);
                    struck(case, passed, number, fault);
                }
            }
        }
    }
}

#[test]
fn p1_what_has_been_published_is_not_ended() {
    for case in Case::all().into_iter().filter(|case| case.can_rotate()) {
        let (scene, token) = half_done(case, &Step::ALL);
        let before = scene.picture();
        let error = now(scene.abandon(&token)).expect_err("it has passed");
        assert!(matches!(error, RotationFailure::OutOfOrder(_)), "{error}");
        assert_eq!(before, scene.picture());
    }
}

#[test]
fn p1_what_a_person_publishes_meanwhile_is_not_ended() {
    for case in Case::all().into_iter().filter(|case| case.can_rotate()) {
        let passed = &Step::ALL[..3];
        let calls = calm(case, passed);
        let look = calls.iter().rposition(|call| call.name == "describe");
        let (scene, token) = half_done(case, passed);
        scene.injector.freeze_at(look.expect("a last look"));
        let mut abandon = Box::pin(scene.abandon(&token));
        assert!(now(scene.injector.until_frozen(abandon.as_mut())));
        let (stage, current) = (Stage::Current, scene.version(&Stage::Current));
        let published =
            scene
                .store
                .move_stage(&scene.secret, &stage, current.as_ref(), Some(&token));
        now(published).expect("published");
        scene.injector.thaw();
        let error = now(abandon).expect_err("it has passed");
        assert!(matches!(error, RotationFailure::OutOfOrder(_)), "{error}");
        assert!(scene.works(&Stage::Current), "P1: {case}");
    }
}

#[test]
fn a_rotation_is_ended_although_rotation_is_turned_off() {
    for case in Case::all().into_iter().filter(|case| case.can_rotate()) {
        let (scene, token) = half_done(case, &Step::ALL[..2]);
        let pending = scene.key(&Stage::Pending);
        let left = scene.store.cancel_rotate_secret(&scene.secret);
        assert_eq!(left.expect("rotation was on"), Some(token.clone()));
        now(scene.abandon(&token)).expect("ended");
        is_ended(&scene, pending.as_ref());
    }
}

#[test]
fn p10_a_document_of_another_server_is_sent_nowhere_and_stays_for_a_person() {
    use twinkey_core::Credential;
    for case in Case::all().into_iter().filter(|case| case.rotations == 2) {
        let scene = case.scene();
        let token = scene.begin();
        let mut foreign = scene.document(&Stage::Current).expect("a document");
        foreign.server = "elsewhere".into();
        foreign.value = Some("TEST-foreign".into());
        now(scene.put_pending(&token, &foreign.render()));
        let before = scene.picture();
        let error = now(scene.abandon(&token)).expect_err("another server");
        assert_eq!(error.error_type(), "InvalidDocument");
        assert_eq!(before, scene.picture());
    }
}

#[test]
fn p1_p3_a_key_that_a_person_has_put_again_is_not_ended() {
    let cases = Case::all().into_iter();
    for case in cases.filter(|case| case.can_rotate() && case.rotations == 2) {
        let (scene, token) = half_done(case, &Step::ALL[..3]);
        let pending = scene.document(&Stage::Pending).expect("a document");
        let former = scene.document(&Stage::Current).expect("a document");
        let key = pending.value.clone().expect("a key");
        // First AWSCURRENT holds it by another version, then AWSPREVIOUS does.
        for put in [&pending, &former] {
            scene.put_by_hand(put);
            let _ = now(scene.abandon(&token));
            assert!(scene.server.accepts(&key), "{case}");
        }
        assert_eq!(scene.key(&Stage::Previous), Some(key), "{case}");
    }
}
