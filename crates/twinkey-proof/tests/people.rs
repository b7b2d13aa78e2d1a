//! What needs a person, and that what the person does helps.

use twinkey_core::{Credential, RotationFailure, Slot, Stage, Store, VersionId};
use twinkey_proof::{now, settle};
use twinkey_testkit::{FakeKind, Scene};

fn warm(kind: FakeKind) -> Scene {
    let scene = Scene::new(kind);
    for _ in 0..2 {
        let token = scene.begin();
        now(scene.rotate(&token)).expect("a quiet rotation");
    }
    scene
}

fn fail(scene: &Scene, token: &VersionId) -> RotationFailure {
    now(scene.rotate(token)).expect_err("refused").cause
}

#[test]
fn p10_a_pending_document_that_points_elsewhere_waits_for_a_person() {
    for kind in FakeKind::ALL {
        let scene = warm(kind);
        let token = scene.begin();
        let mut foreign = scene.document(&Stage::Current).expect("a document");
        foreign.server = "elsewhere".into();
        foreign.value = Some("TEST-foreign".into());
        now(scene.put_pending(&token, &foreign.render()));
        for _ in 0..3 {
            assert_eq!(
                fail(&scene, &token).error_type(),
                "InvalidDocument",
                "{kind}"
            );
        }
        let current = scene.document(&Stage::Current).expect("a document");
        scene.put_by_hand(&current);
        let slot = Stage::Slot(Slot::B);
        let removed = scene
            .store
            .move_stage(&scene.secret, &slot, Some(&token), None);
        now(removed).expect("removed");
        // Whoever took the slot label off a key that cannot be listed has hidden it.
        let hidden = usize::from(!kind.is_listed());
        settle(&scene, hidden).assert_unaided();
    }
}

#[test]
fn p4_keys_of_a_server_that_was_left_are_never_forgotten_silently() {
    let scene = warm(FakeKind::KeyPair);
    let left = [Stage::Current, Stage::Previous].map(|stage| scene.key(&stage).expect("a key"));
    let mut moved = scene.make_by_hand("TEST-elsewhere");
    moved.server = "elsewhere".into();
    scene.put_by_hand(&moved);
    let token = scene.begin();
    let failure = fail(&scene, &token);
    assert!(
        matches!(
            failure,
            RotationFailure::Document {
                whose: "previous",
                ..
            }
        ),
        "{failure}"
    );
    // A person ends them where they are, puts the document once more, so that AWSPREVIOUS is its
    // own, and takes the slot labels off the versions of the server that was left.
    for key in &left {
        scene.server.break_by_hand(key);
    }
    scene.put_by_hand(&moved);
    for stage in [Slot::A, Slot::B].map(Stage::Slot) {
        let holder = scene.version(&stage);
        let removed = scene
            .store
            .move_stage(&scene.secret, &stage, holder.as_ref(), None);
        now(removed).expect("removed");
    }
    settle(&scene, 0).assert_unaided();
}
