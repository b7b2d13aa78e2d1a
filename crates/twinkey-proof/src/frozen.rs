//! One invocation is frozen before an outside call while others pass, then goes on.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use twinkey_core::{Step, VersionId};
use twinkey_testkit::{Allowance, FakeKind, Invocation, Scene, ToldOnPanic};

use crate::settle::settle;
use crate::{Case, now};

/// Which invocation freezes, and what happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// A rotation freezes; it is delivered again, and two whole rotations pass.
    TwoRotations,
    /// A rotation freezes; a person takes AWSPENDING off, and two whole rotations pass.
    EndedAndTwoRotations,
    /// A rotation freezes; it is given up, and two whole rotations pass.
    GivenUpAndTwoRotations,
    /// A rotation of which so many steps have passed is given up, and that freezes; the rest of it is
    /// delivered, and two whole rotations pass.
    GivingUp(usize),
}

impl Meanwhile {
    /// Everything there is.
    pub const ALL: [Self; 7] = [
        Self::TwoRotations,
        Self::EndedAndTwoRotations,
        Self::GivenUpAndTwoRotations,
        Self::GivingUp(0),
        Self::GivingUp(1),
        Self::GivingUp(2),
        Self::GivingUp(3),
    ];

    /// Where a late invocation is noticed, and how, in the words of [`Frozen::noticed`]. ("Frozen, then
    /// late" in docs/PROOF.md)
    fn declared(self, kind: FakeKind) -> &'static [&'static str] {
        let ended = matches!(
            self,
            Self::EndedAndTwoRotations | Self::GivenUpAndTwoRotations
        );
        match kind {
            FakeKind::KeyPair if ended => &[
                "`retire` of createSecret: labels move",
                "`put` of createSecret: labels move",
                "`change` of setSecret: a third key",
            ],
            FakeKind::KeyPair if self == Self::TwoRotations => {
                &["`change` of setSecret: a third key"]
            }
            FakeKind::Password if ended => &["`put` of createSecret: labels move"],
            FakeKind::Token { listable: true } if ended => &[
                "`retire` of createSecret: a third key",
                "`mint` of createSecret: a third key",
                "`put` of createSecret: labels move",
            ],
            FakeKind::Token { listable: false } if ended => &[
                "`retire` of createSecret: a third key",
                "`mint` of createSecret: a third key",
                "`put` of createSecret: a third key",
            ],
            _ => &[],
        }
    }

    /// A rotation in flight, its first steps delivered.
    fn begin(self, case: Case) -> (Scene, VersionId) {
        let scene = case.scene();
        let token = scene.begin();
        if let Self::GivingUp(passed) = self {
            for step in &Step::ALL[..passed] {
                now(scene.step(*step, &token)).expect("a calm step");
            }
        }
        scene.injector.disarm();
        (scene, token)
    }

    /// The invocation that freezes. It may be refused: what counts is what it leaves.
    fn invocation<'a>(self, scene: &'a Scene, token: &'a VersionId) -> Invocation<'a> {
        Box::pin(async move {
            match self {
                Self::GivingUp(_) => drop(scene.abandon(token).await),
                _ => drop(scene.rotate(token).await),
            }
        })
    }

    fn happens(self, scene: &Scene, token: &VersionId) {
        match self {
            Self::TwoRotations => {
                now(scene.rotate(token)).expect("delivered again");
            }
            Self::EndedAndTwoRotations => scene.store.remove_pending(&scene.secret),
            Self::GivenUpAndTwoRotations => {
                now(scene.abandon(token)).expect("given up");
            }
            Self::GivingUp(passed) => {
                for step in &Step::ALL[passed..] {
                    let _ = now(scene.step(*step, token));
                }
            }
        }
        for _ in 0..2 {
            let token = scene.begin();
            now(scene.rotate(&token)).expect("a later rotation");
        }
    }
}

impl fmt::Display for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoRotations => "a rotation, delivered again meanwhile",
            Self::EndedAndTwoRotations => "a rotation, ended by hand meanwhile",
            Self::GivenUpAndTwoRotations => "a rotation, given up meanwhile",
            Self::GivingUp(_) => "giving one up, which is delivered on meanwhile",
        })
    }
}

/// What the late invocations did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// How many calls there were.
    pub calls: usize,
    /// At which of them it was noticed, and how.
    pub noticed: BTreeSet<String>,
}

impl Frozen {
    /// Adds what happened in another case.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.noticed.extend(other.noticed);
    }
}

/// Freezes an invocation before each of its calls in turn.
#[must_use]
pub fn frozen_at_every_call(case: Case, meanwhile: Meanwhile) -> Frozen {
    let calls = calls(case, meanwhile);
    let mut noticed = BTreeSet::new();
    for (number, call) in calls.iter().enumerate() {
        let context = format!("{case}, {meanwhile}, frozen at call {number}, {call}");
        let _told = ToldOnPanic(&context);
        if let Some(what) = frozen_at(case, meanwhile, number, call) {
            let told = format!("{call}: {what}");
            let declared = meanwhile.declared(case.kind);
            assert!(
                declared.contains(&told.as_str()),
                "the late one was noticed: {told}"
            );
            noticed.insert(told);
        }
    }
    Frozen {
        calls: calls.len(),
        noticed,
    }
}

/// The calls of an invocation that nothing disturbs, each with its step.
fn calls(case: Case, meanwhile: Meanwhile) -> Vec<String> {
    let (scene, token) = meanwhile.begin(case);
    if let Meanwhile::GivingUp(_) = meanwhile {
        now(meanwhile.invocation(&scene, &token));
        let calls = scene.injector.calls().into_iter();
        return calls.map(|call| format!("`{}`", call.name)).collect();
    }
    let mut all = Vec::new();
    for step in Step::ALL {
        now(scene.step(step, &token)).expect("a calm rotation");
        let calls = scene.injector.calls().into_iter();
        all.extend(calls.map(|call| format!("`{}` of {step}", call.name)));
        scene.injector.disarm();
    }
    all
}

/// What a consumer or a server could notice of the late invocation.
fn frozen_at(case: Case, meanwhile: Meanwhile, number: usize, call: &str) -> Option<&'static str> {
    let (scene, token) = meanwhile.begin(case);
    // Frozen between mint and put, it has a key in its hands. ("Where a third key can live")
    let in_hands = case.kind.is_issued() && call == "`put` of createSecret";
    scene.judge_every_call(Allowance {
        third_keys: usize::from(in_hands),
        ..Allowance::default()
    });
    scene.injector.freeze_at(number);
    let mut frozen = meanwhile.invocation(&scene, &token);
    assert!(
        now(scene.injector.until_frozen(frozen.as_mut())),
        "the call was not reached"
    );
    meanwhile.happens(&scene, &token);
    let before = scene.labels();
    // Of a rotation that was ended, a late put takes the labels off a key that may not be listed.
    let ended = matches!(
        meanwhile,
        Meanwhile::EndedAndTwoRotations | Meanwhile::GivenUpAndTwoRotations
    );
    let strays = usize::from(ended && !case.kind.is_listed());
    scene.judge_every_call(Allowance {
        strays,
        third_keys: 1 - strays,
        ..Allowance::default()
    });
    scene.injector.thaw();
    now(frozen);
    let noticed = if scene.judge().live().len() > 2 {
        Some("a third key")
    } else if scene.labels() != before {
        Some("labels move")
    } else {
        assert!(has_pair(&scene), "P3");
        None
    };
    let settled = settle(&scene, strays);
    settled.assert_by_itself(case);
    noticed
}

/// Whether exactly two keys are live, and both published.
fn has_pair(scene: &Scene) -> bool {
    let allowance = Allowance {
        pair_at_rest: true,
        ..Allowance::default()
    };
    scene.judge().verdict(&allowance).is_ok()
}
