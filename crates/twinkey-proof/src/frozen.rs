//! One invocation is frozen before an outside call while others pass, then goes on.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use twinkey_testkit::{Allowance, Scene};

use crate::settle::{Settled, settle};
use crate::{Case, ToldOnPanic, now};

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
    scene.judge_every_call(Allowance {
        third_keys: 1,
        ..Allowance::default()
    });
    scene.injector.thaw();
    let _ = now(frozen);
    let untouched = scene.labels() == before && has_pair(&scene);
    // What was minted late, and is forgotten by the labels that were taken off it, dies by itself.
    assert!(
        untouched || meanwhile != Meanwhile::TwoRotations,
        "a late invocation was noticed"
    );
    let strays = usize::from(!untouched && !case.kind.is_listed());
    assert_eq!(settle(&scene, strays), Settled::ByItself);
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
