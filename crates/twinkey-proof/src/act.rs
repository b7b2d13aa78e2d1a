//! What a person, or the passing of time, can do at any point.

use std::fmt;

use twinkey_core::{Stage, Store};
use twinkey_testkit::{FakeKind, Scene};

use crate::case::past_every_expiry;
use crate::now;

/// What can happen besides rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// A person puts the current document again: a new version, and a rotation in flight is abandoned.
    PutCurrentAgain,
    /// A person puts the previous document again.
    PutPreviousAgain,
    /// A person puts the pending document: what a rotation has not published, they do.
    PutPending,
    /// A person makes a key at the server and puts its document.
    PutNew,
    /// A person puts a text that is no document.
    PutGarbage,
    /// A person takes AWSPENDING off, wherever it is.
    RemovePending,
    /// A person calls `CancelRotateSecret`, which turns rotation off and leaves AWSPENDING where it is.
    CancelRotateSecret,
    /// A person moves AWSCURRENT back to where AWSPREVIOUS is.
    MoveCurrentBack,
    /// A person moves AWSCURRENT on to where AWSPENDING is, if there is a value.
    PublishPending,
    /// Somebody breaks the current key at the server.
    BreakCurrent,
    /// Somebody breaks the previous key at the server.
    BreakPrevious,
    /// Every key that dies by itself has done so.
    LetAllExpire,
}

impl Act {
    /// Every act there is.
    pub const ALL: [Self; 12] = [
        Self::PutCurrentAgain,
        Self::PutPreviousAgain,
        Self::PutPending,
        Self::PutNew,
        Self::PutGarbage,
        Self::RemovePending,
        Self::CancelRotateSecret,
        Self::MoveCurrentBack,
        Self::PublishPending,
        Self::BreakCurrent,
        Self::BreakPrevious,
        Self::LetAllExpire,
    ];

    /// Whether it makes a difference for keys of a kind.
    #[must_use]
    pub fn applies_to(self, kind: FakeKind) -> bool {
        match self {
            Self::LetAllExpire => kind.expires(),
            // In one of two places a person cannot make a third key.
            Self::PutNew => kind != FakeKind::Password,
            _ => true,
        }
    }

    /// Whether it publishes a key that a rotation may be about to retire.
    #[must_use]
    pub fn publishes_key_at_stake(self) -> bool {
        matches!(
            self,
            Self::PutPreviousAgain
                | Self::PutPending
                | Self::MoveCurrentBack
                | Self::PublishPending
        )
    }

    /// Does it. What a person publishes although it does not work is not the engine's to answer for.
    pub fn perform(self, scene: &Scene) {
        match self {
            Self::PutCurrentAgain => put_again(scene, &Stage::Current),
            Self::PutPreviousAgain => put_again(scene, &Stage::Previous),
            Self::PutPending => put_again(scene, &Stage::Pending),
            Self::PutNew => {
                let document = scene.make_by_hand("TEST-by-hand");
                scene.put_by_hand(&document);
            }
            Self::PutGarbage => scene.put_text_by_hand("TEST-garbage"),
            Self::RemovePending => scene.store.remove_pending(&scene.secret),
            Self::CancelRotateSecret => {
                let _ = scene.store.cancel_rotate_secret(&scene.secret);
            }
            Self::MoveCurrentBack => move_current(scene, &Stage::Previous),
            Self::PublishPending => move_current(scene, &Stage::Pending),
            Self::BreakCurrent => break_key(scene, &Stage::Current),
            Self::BreakPrevious => break_key(scene, &Stage::Previous),
            Self::LetAllExpire => scene.clock.advance(past_every_expiry()),
        }
        if let Some(current) = scene.key(&Stage::Current)
            && !scene.server.accepts(&current)
        {
            scene.server.excuse(&current);
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PutCurrentAgain => "the current document is put again",
            Self::PutPreviousAgain => "the previous document is put again",
            Self::PutPending => "the pending document is put",
            Self::PutNew => "a key made by hand is put",
            Self::PutGarbage => "a text that is no document is put",
            Self::RemovePending => "AWSPENDING is removed",
            Self::CancelRotateSecret => {
                "CancelRotateSecret is called, and rotation turned on later"
            }
            Self::MoveCurrentBack => "AWSCURRENT is moved back",
            Self::PublishPending => "AWSCURRENT is moved on to AWSPENDING",
            Self::BreakCurrent => "the current key is broken at the server",
            Self::BreakPrevious => "the previous key is broken at the server",
            Self::LetAllExpire => "every key that can expire does",
        })
    }
}

fn put_again(scene: &Scene, stage: &Stage) {
    if let Some(document) = scene.document(stage) {
        scene.put_by_hand(&document);
    }
}

fn break_key(scene: &Scene, stage: &Stage) {
    if let Some(value) = scene.key(stage) {
        scene.server.break_by_hand(&value);
    }
}

/// To where another label is, if there is a value.
fn move_current(scene: &Scene, to: &Stage) {
    if scene.store.value(&scene.secret, to).is_none() {
        return;
    }
    let stage = Stage::Current;
    let (from, to) = (scene.version(&stage), scene.version(to));
    let moved = scene
        .store
        .move_stage(&scene.secret, &stage, from.as_ref(), to.as_ref());
    now(moved).expect("moved");
}
