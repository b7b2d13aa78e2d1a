//! One invocation is frozen before an outside call while others pass, then goes on.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use twinkey_testkit::{Allowance, FakeKind, Scene, ToldOnPanic};

use crate::settle::settle;
use crate::{Case, now};

/// What happens while an invocation is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// The rotation is delivered again, and two whole rotations pass.
    TwoRotations,
    /// The rotation is ended by hand, and two whole rotations pass.
    EndedAndTwoRotations,
}

impl Meanwhile {
    /// Everything there is.
    pub const ALL: [Self; 2] = [Self::TwoRotations, Self::EndedAndTwoRotations];
}

impl Meanwhile {
    /// The calls right before which an invocation may freeze and be noticed. ("Frozen, then late" in
    /// docs/PROOF.md)
    fn declared(self, kind: FakeKind) -> &'static [&'static str] {
        match (self, kind) {
            (Self::TwoRotations, FakeKind::KeyPair) => &["change"],
            (Self::TwoRotations, _) => &[],
            (Self::EndedAndTwoRotations, FakeKind::Password) => &["put"],
            (Self::EndedAndTwoRotations, FakeKind::KeyPair) => &["retire", "put", "change"],
            (Self::EndedAndTwoRotations, FakeKind::Token { .. }) => &["retire", "mint", "put"],
        }
    }
}

impl fmt::Display for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoRotations => "delivered again, then two rotations",
            Self::EndedAndTwoRotations => "ended by hand, then two rotations",
        })
    }
}

/// What the late invocations did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// How many calls there were.
    pub calls: usize,
    /// The calls at which it was noticed: AWSCURRENT moved, or a third key lived for a while.
    pub noticed: BTreeSet<String>,
}

impl Frozen {
    /// Adds what happened in another case.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.noticed.extend(other.noticed);
    }
}

/// Freezes an invocation of the whole rotation before each of its calls in turn.
#[must_use]
pub fn frozen_at_every_call(case: Case, meanwhile: Meanwhile) -> Frozen {
    let calls = calls(case);
    let mut noticed = BTreeSet::new();
    for (number, name) in calls.iter().enumerate() {
        let context = format!("{case}, frozen at call {number} ({name}), {meanwhile}");
        let _told = ToldOnPanic(&context);
        if !frozen_at(case, meanwhile, number) {
            let declared = meanwhile.declared(case.kind);
            assert!(declared.contains(name), "the late invocation was noticed");
            noticed.insert((*name).to_owned());
        }
    }
    Frozen {
        calls: calls.len(),
        noticed,
    }
}

fn calls(case: Case) -> Vec<&'static str> {
    let scene = case.scene();
    let token = scene.begin();
    scene.injector.disarm();
    now(scene.rotate(&token)).expect("a calm rotation");
    let calls = scene.injector.calls().into_iter();
    calls.map(|call| call.name).collect()
}

/// Whether the late invocation changed nothing that a consumer or a server could notice.
fn frozen_at(case: Case, meanwhile: Meanwhile, call: usize) -> bool {
    let scene = case.scene();
    let token = scene.begin();
    scene.injector.freeze_at(call);
    let mut frozen = Box::pin(scene.rotate(&token));
    assert!(
        now(scene.injector.until_frozen(frozen.as_mut())),
        "the call was not reached"
    );
    match meanwhile {
        Meanwhile::TwoRotations => {
            let _ = now(scene.rotate(&token));
        }
        Meanwhile::EndedAndTwoRotations => scene.store.remove_pending(&scene.secret),
    }
    for _ in 0..2 {
        let token = scene.begin();
        now(scene.rotate(&token)).expect("a later rotation");
    }
    let before = scene.labels();
    // Of a rotation that was ended, a late put takes the labels off a key that may not be listed.
    let ended = meanwhile == Meanwhile::EndedAndTwoRotations;
    let strays = usize::from(ended && !case.kind.is_listed());
    scene.judge_every_call(Allowance {
        strays,
        third_keys: 1 - strays,
        ..Allowance::default()
    });
    scene.injector.thaw();
    let _ = now(frozen);
    let untouched = scene.labels() == before && has_pair(&scene);
    let settled = settle(&scene, strays);
    settled.assert_by_itself(case);
    untouched
}

/// Whether exactly two keys are live, and both published.
fn has_pair(scene: &Scene) -> bool {
    let allowance = Allowance {
        pair_at_rest: true,
        ..Allowance::default()
    };
    scene.judge().verdict(&allowance).is_ok()
}
