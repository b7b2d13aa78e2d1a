//! What many runs have come to, counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use twinkey_core::{Stage, VersionId};
use twinkey_testkit::{Allowance, Call, Judge, Scene};

use crate::{Act, Settled};

/// What many runs have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// How many runs there were.
    pub runs: usize,
    /// How often it took whom to get to a pair at rest.
    pub settled: BTreeMap<String, usize>,
    /// The most rotations that it took.
    pub most_rotations: usize,
    /// How often the current key died in one of the moments that docs/PROOF.md declares.
    pub overtaken: usize,
}

impl Tally {
    /// Counts one run.
    pub(crate) fn note(&mut self, settled: &Settled, overtaken: &Overtaken) {
        self.runs += 1;
        *self.settled.entry(settled.to_string()).or_default() += 1;
        self.most_rotations = self.most_rotations.max(settled.rotations);
        self.overtaken += usize::from(overtaken.seen.load(Ordering::Relaxed));
    }

    /// Adds other runs.
    pub(crate) fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.most_rotations = self.most_rotations.max(other.most_rotations);
        self.overtaken += other.overtaken;
        for (who, often) in &other.settled {
            *self.settled.entry(who.clone()).or_default() += often;
        }
    }
}

/// Why the current key may die, besides by its own expiry: the moments that no store and no server can
/// close without a lock that they share. ("Where the current key can die" in docs/PROOF.md)
#[derive(Clone, Debug)]
pub(crate) enum Declared {
    /// There is none.
    Nothing,
    /// A person publishes an older key between a last look and the change it was for.
    ByAct(Act),
    /// The same while other deliveries run: their calls may come in between.
    ByActAmongOthers(Act),
    /// The key of this rotation was taken for a stray by another createSecret, and is published right before or
    /// right after that makes it dead.
    TakenForStray(VersionId),
    /// This rotation is given up while its finishSecret is at work: that looked at the labels before AWSPENDING
    /// came off, and publishes after giving up has looked for the last time.
    GivenUpWhilePublished(VersionId),
}

/// Whether the current key died in a declared moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overtaken {
    seen: Arc<AtomicBool>,
    acted: Arc<Mutex<Option<Acted>>>,
}

/// What a person has done.
#[derive(Debug)]
struct Acted {
    /// How many calls had been made before.
    calls: usize,
    /// The key under AWSCURRENT from then on.
    published: Option<String>,
}

impl Overtaken {
    /// Lets the person act now.
    pub(crate) fn act(&self, act: Act, scene: &Scene) {
        let calls = scene.injector.calls().len();
        act.perform(scene);
        let published = scene.key(&Stage::Current);
        *self.acted() = Some(Acted { calls, published });
    }

    fn is_declared(&self, declared: &Declared, calls: &[Call], judge: &Judge) -> bool {
        let last = calls.last().map(|call| call.name);
        let is_current = |token| judge.current_version().as_ref() == Some(token);
        // What is judged is the effect of the last call; "change" is the moment right before apply's.
        let at_the_change = matches!(last, Some("retire" | "change"));
        let (act, among_others) = match declared {
            Declared::Nothing => return false,
            Declared::ByAct(act) => (act, false),
            Declared::ByActAmongOthers(act) => (act, true),
            Declared::TakenForStray(token) => {
                return matches!(last, Some("retire" | "move_stage")) && is_current(token);
            }
            Declared::GivenUpWhilePublished(token) => {
                return is_current(token) && crossed(calls);
            }
        };
        self.acted().as_ref().is_some_and(|acted| {
            let at_once = calls.len() - acted.calls <= 1;
            act.publishes_key_at_stake()
                && at_the_change
                && (at_once || among_others)
                && acted.published == judge.current_key()
        })
    }

    fn acted(&self) -> MutexGuard<'_, Option<Acted>> {
        self.acted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether finishSecret had looked before giving up took AWSPENDING off, and published after its last look.
fn crossed(calls: &[Call]) -> bool {
    let last = |by, name| {
        calls
            .iter()
            .rposition(|call| call.by == by && call.name == name)
    };
    let looked = last("finishSecret", "describe");
    let detached = last("abandon", "move_stage");
    let looked_again = last("abandon", "describe");
    let published = last("finishSecret", "move_stage");
    looked < detached && detached < looked_again && looked_again < published
}

/// Judges every call from now on; a current key that dies in a declared moment is noted.
pub(crate) fn watch(scene: &Scene, allowance: Allowance, declared: Declared) -> Overtaken {
    let overtaken = Overtaken::default();
    let (judge, injector, noting) = (scene.judge(), scene.injector.clone(), overtaken.clone());
    let is_declared = move |judge: &Judge| noting.is_declared(&declared, &injector.calls(), judge);
    let seen = overtaken.seen.clone();
    scene
        .injector
        .judge_every_call(move || match judge.verdict(&allowance) {
            Err(broken) if broken.promise == "P1" && is_declared(&judge) => {
                seen.store(true, Ordering::Relaxed);
                judge.excuse_current();
            }
            verdict => verdict.unwrap_or_else(|broken| panic!("{broken}")),
        });
    overtaken
}
