//! What the rotation service and, at last, a person do until everything is well again.

use std::fmt;

use twinkey_core::{Stage, VersionId};
use twinkey_testkit::{Allowance, FakeKind, Scene};

use crate::{Case, now};

/// What it took to get to a pair at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// For which reasons rotations were refused on the way, each once.
    pub refused: Vec<&'static str>,
    /// Whether a person had to put a document, since every rotation was refused.
    pub by_person: bool,
    /// How many rotations were delivered, with those that were refused, since a person last helped.
    pub rotations: usize,
}

impl Settled {
    /// Panics if anything but the next rotations was needed.
    pub fn assert_unaided(&self) {
        assert!(self.refused.is_empty() && !self.by_person, "{self}");
    }

    /// Panics if a person was needed, but where the current password is refused to begin with.
    pub fn assert_by_itself(&self, case: Case) {
        assert!(!self.by_person || !case.can_rotate(), "{self}");
    }

    /// Panics if a person was needed where the list in docs/PROOF.md does not say so.
    fn assert_is_listed(&self, kind: FakeKind) {
        let listed = |reason: &&str| match *reason {
            "InvalidDocument" => true,
            "CurrentRefused" => kind == FakeKind::Password,
            _ => false,
        };
        let last = self.refused.last();
        assert!(
            !self.by_person || last.is_some_and(listed),
            "{kind}: {self}"
        );
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.refused.join(", ");
        match (self.by_person, self.refused.is_empty()) {
            (true, _) => write!(f, "by a person ({refused})"),
            (false, false) => write!(f, "by itself after {refused}"),
            (false, true) => f.write_str("by itself"),
        }
    }
}

/// No schedule waits for more rotations than these until the pair is complete.
const ROTATIONS: usize = 4;

/// Delivers what is in flight, then rotates, without any further fault, until two keys are live and
/// both are labelled; where every rotation is refused, a person puts a document that works.
/// Panics if even that does not help. `strays` are declared ones, not counted.
pub fn settle(scene: &Scene, strays: usize) -> Settled {
    scene.injector.disarm();
    let unreadable = scene.document(&Stage::Current).is_none();
    let mut settled = Settled {
        refused: Vec::new(),
        by_person: false,
        rotations: 0,
    };
    if run_on(scene, strays, &mut settled) {
        return settled;
    }
    assert!(
        unreadable || settled.refused.last() != Some(&"InvalidDocument"),
        "a document that can be read was refused for ever"
    );
    let working = scene.working_document();
    let working = working.unwrap_or_else(|| scene.make_by_hand("TEST-mended"));
    scene.put_by_hand(&working);
    settled.by_person = true;
    settled.assert_is_listed(scene.provider.kind());
    let mut afterwards = Settled {
        rotations: 0,
        ..settled.clone()
    };
    assert!(
        run_on(scene, strays, &mut afterwards),
        "not even a person can mend it: {afterwards}\n{}",
        scene.picture()
    );
    settled.rotations = afterwards.rotations;
    settled
}

/// Rotates a few times; whether the pair came about.
fn run_on(scene: &Scene, strays: usize, settled: &mut Settled) -> bool {
    for _ in 0..ROTATIONS {
        // What is live beyond two was so before, and declared; nothing is added to it.
        let surplus = scene.judge().live().len().saturating_sub(2 + strays);
        scene.judge_every_call(Allowance {
            strays,
            third_keys: surplus,
            ..Allowance::default()
        });
        settled.rotations += 1;
        if let Err(reason) = rotate_once(scene)
            && !settled.refused.contains(&reason)
        {
            settled.refused.push(reason);
        }
        if is_well(scene, strays) {
            return true;
        }
    }
    false
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
