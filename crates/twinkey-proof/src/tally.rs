//! What many runs have come to, counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use twinkey_testkit::{Allowance, Scene};

use crate::{Act, Settled};

/// What many runs have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many runs there were.
    pub runs: usize,
    /// How often it took whom to get to a pair at rest.
    pub settled: BTreeMap<String, usize>,
    /// How often the current key died in one of the moments that docs/PROOF.md declares.
    pub overtaken: usize,
}

impl Tally {
    /// Counts one run.
    pub(crate) fn note(&mut self, settled: &Settled, overtaken: &Overtaken) {
        self.runs += 1;
        *self.settled.entry(settled.to_string()).or_default() += 1;
        self.overtaken += usize::from(overtaken.seen.load(Ordering::Relaxed));
    }

    /// Adds other runs.
    pub(crate) fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.overtaken += other.overtaken;
        for (who, often) in &other.settled {
            *self.settled.entry(who.clone()).or_default() += often;
        }
    }
}

/// Why the current key may die, besides by its own expiry: the moments that no store and no server can
/// close without a lock that they share. ("Where the current key can die" in docs/PROOF.md)
#[derive(Clone, Copy, Debug)]
pub(crate) enum Declared {
    /// There is none.
    Nothing,
    /// A person publishes an older key between a last look and the change it was for.
    ByAct(Act),
    /// The same while other deliveries run: their calls may come in between.
    ByActAmongOthers(Act),
    /// A key that another delivery has just minted is taken for a stray, and is published right before or
    /// right after it dies.
    TakenForStray,
}

/// Whether the current key died in a declared moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overtaken {
    seen: Arc<AtomicBool>,
    /// How many calls had been made when the person acted.
    acted_at: Arc<AtomicUsize>,
}

impl Overtaken {
    /// Notes that the person acts now.
    pub(crate) fn acts(&self, scene: &Scene) {
        let calls = scene.injector.calls().len();
        self.acted_at.store(calls, Ordering::Relaxed);
    }

    fn is_declared(&self, declared: Declared, scene_calls: &[&'static str]) -> bool {
        let last = scene_calls.last().copied();
        // What is judged is the effect of the last call; "change" is the moment right before apply's.
        let at_the_change = matches!(last, Some("retire" | "change"));
        let since_the_act = scene_calls.len() - self.acted_at.load(Ordering::Relaxed);
        match declared {
            Declared::Nothing => false,
            Declared::ByAct(act) => {
                act.publishes_key_at_stake() && at_the_change && since_the_act <= 1
            }
            Declared::ByActAmongOthers(act) => act.publishes_key_at_stake() && at_the_change,
            Declared::TakenForStray => matches!(last, Some("retire" | "move_stage")),
        }
    }
}

/// Judges every call from now on; a current key that dies in a declared moment is noted.
pub(crate) fn watch(scene: &Scene, allowance: Allowance, declared: Declared) -> Overtaken {
    let overtaken = Overtaken::default();
    let (judge, injector, noting) = (scene.judge(), scene.injector.clone(), overtaken.clone());
    let calls = move || injector.calls().iter().map(|call| call.name).collect();
    scene
        .injector
        .judge_every_call(move || match judge.verdict(&allowance) {
            Err(broken)
                if broken.promise == "P1" && {
                    let calls: Vec<&'static str> = calls();
                    noting.is_declared(declared, &calls)
                } =>
            {
                noting.seen.store(true, Ordering::Relaxed);
                judge.excuse_current();
            }
            verdict => verdict.unwrap_or_else(|broken| panic!("{broken}")),
        });
    overtaken
}
