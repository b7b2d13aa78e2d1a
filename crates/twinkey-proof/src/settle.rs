//! What the rotation service and, at last, a person do until everything is well again.

use std::fmt;

use twinkey_core::{Stage, VersionId};
use twinkey_testkit::{Allowance, FakeKind, Scene};

use crate::now;

/// Who it took to get to a pair at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Settled {
    /// The rotation in flight, delivered again, and at most two more.
    ByItself,
    /// A person, since every rotation was refused for this reason.
    ByPerson(&'static str),
}

impl Settled {
    /// Panics if a person was needed where the list in docs/PROOF.md does not say so.
    pub fn assert_is_listed(self, scene: &Scene) {
        let kind = scene.provider.kind();
        let listed = match self {
            Self::ByItself | Self::ByPerson("InvalidDocument") => true,
            Self::ByPerson(reason) => reason == "CurrentRefused" && kind == FakeKind::Password,
        };
        assert!(listed, "{kind}: only {self}");
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByItself => f.write_str("by itself"),
            Self::ByPerson(reason) => write!(f, "by a person ({reason})"),
        }
    }
}

/// No schedule waits for more rotations than these until the pair is complete.
const ROTATIONS: usize = 3;

/// Delivers what is in flight, then rotates, without any further fault, until two keys are live and
/// both are labelled; where every rotation is refused, a person puts a document that works.
/// Panics if even that does not help. `strays` are declared ones, not counted.
pub fn settle(scene: &Scene, strays: usize) -> Settled {
    scene.injector.disarm();
    scene.judge_every_call(Allowance {
        strays,
        third_keys: 1,
        ..Allowance::default()
    });
    let unreadable = scene.document(&Stage::Current).is_none();
    let Err(reason) = run_on(scene, strays) else {
        return Settled::ByItself;
    };
    assert!(
        unreadable || reason != "InvalidDocument",
        "a document that can be read was refused for ever"
    );
    let working = scene.working_document();
    let working = working.unwrap_or_else(|| scene.make_by_hand("TEST-mended"));
    scene.put_by_hand(&working);
    if let Err(reason) = run_on(scene, strays) {
        panic!(
            "not even a person can mend it: {reason}\n{}",
            scene.picture()
        );
    }
    let settled = Settled::ByPerson(reason);
    settled.assert_is_listed(scene);
    settled
}

fn run_on(scene: &Scene, strays: usize) -> Result<(), &'static str> {
    let mut reason = "the pair does not come about";
    for _ in 0..=ROTATIONS {
        reason = rotate_once(scene).err().unwrap_or(reason);
        if is_well(scene, strays) {
            return Ok(());
        }
    }
    Err(reason)
}

/// As the service does: the rotation in flight if there is one, else a new one.
fn rotate_once(scene: &Scene) -> Result<(), &'static str> {
    match scene.version(&Stage::Pending) {
        Some(token) if !scene.judge().at_rest() => {
            // Asking again for the rotation in flight turns rotation on, if somebody turned it off.
            let begun = scene.store.rotate_secret(&scene.secret, &token);
            begun.expect("the rotation in flight may be asked for again");
            deliver(scene, &token)
        }
        _ => deliver(scene, &scene.begin()),
    }
}

fn deliver(scene: &Scene, token: &VersionId) -> Result<(), &'static str> {
    let rotated = now(scene.rotate(token));
    rotated.map(drop).map_err(|error| error.cause.error_type())
}

fn is_well(scene: &Scene, strays: usize) -> bool {
    let judge = scene.judge();
    let allowance = Allowance {
        strays,
        pair_at_rest: true,
        ..Allowance::default()
    };
    judge.at_rest() && judge.verdict(&allowance).is_ok() && judge.strays().len() <= strays
}
