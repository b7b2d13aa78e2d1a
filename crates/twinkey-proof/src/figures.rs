//! What the runs have shown, in figures: committed, and compared with every run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twinkey_core::Step;
use twinkey_testkit::{FakeKind, Restart};

use crate::crash_table::{Crash, crash_of};

use crate::{
    Act, Case, Frozen, Graph, Meanwhile, Progress, Tally, abandon_beside_the_rest,
    abandon_with_a_person, abandoned_twice_at_once, act_at_every_point, deliveries_at_once,
    frozen_at_every_call, pairs_of_crash_points, reachable, step_beside_its_rotation,
    with_a_person,
};

/// How far a run goes where going through everything would take too long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Which rotations are struck twice: the first, second, third.
    pub struck_twice: &'static [usize],
    /// How a rotation that is struck twice is taken up again after each of the two.
    pub restarts: &'static [Restart],
    /// How often the scheduler switches away from an invocation that could have gone on.
    pub switches: usize,
    /// The same where a person steps in between two invocations.
    pub switches_with_a_person: usize,
    /// What else happens in the search through all states.
    pub acts: &'static [Act],
}

/// Acts enough to lead to every kind of state, few enough for every day.
const FEW_ACTS: [Act; 4] = [
    Act::RemovePending,
    Act::MoveCurrentBack,
    Act::BreakCurrent,
    Act::LetAllExpire,
];

/// Every act but making a key by hand, which brings a third one to live: P2 is judged strictly.
const WITHOUT_NEW_KEYS: [Act; 11] = [
    Act::PutCurrentAgain,
    Act::PutPreviousAgain,
    Act::PutPending,
    Act::PutGarbage,
    Act::RemovePending,
    Act::CancelRotateSecret,
    Act::MoveCurrentBack,
    Act::PublishPending,
    Act::BreakCurrent,
    Act::BreakPrevious,
    Act::LetAllExpire,
];

/// How often the scheduler switches between a whole rotation and one more delivery.
pub const SWITCHES_BESIDE: usize = 3;

/// What every `cargo xtask test` goes through.
pub const EVERYDAY: Bounds = Bounds {
    struck_twice: &[2],
    restarts: &[Restart::WholeRotation],
    switches: 4,
    switches_with_a_person: 1,
    acts: &FEW_ACTS,
};

/// What `cargo xtask prove` goes through.
pub const DEEP: Bounds = Bounds {
    struck_twice: &[0, 1, 2],
    restarts: &Restart::ALL,
    switches: 5,
    switches_with_a_person: 2,
    acts: &WITHOUT_NEW_KEYS,
};

/// The figures of one kind of key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The crash matrix, by case.
    pub crash: BTreeMap<String, Crash>,
    /// One act at every point, by act.
    pub by_hand: BTreeMap<String, Tally>,
    /// One frozen invocation, by what happens meanwhile.
    pub frozen: BTreeMap<String, Frozen>,
    /// One more delivery beside its whole rotation, by step.
    #[serde(default)]
    pub beside: BTreeMap<String, Tally>,
    /// A rotation that is given up, by what else happens.
    #[serde(default)]
    pub given_up: BTreeMap<String, Tally>,
    /// What was gone through within bounds.
    pub bounded: Bounded,
}

/// The figures that depend on the bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bounded {
    /// Pairs of faults, by case.
    pub pairs: BTreeMap<String, usize>,
    /// Orders of two simultaneous deliveries.
    pub at_once: Tally,
    /// Orders of two simultaneous deliveries and a person.
    pub with_a_person: Tally,
    /// All states that can be reached.
    pub reach: Graph,
}

/// The cases of one kind.
pub fn cases(kind: FakeKind) -> impl Iterator<Item = Case> {
    Case::all()
        .into_iter()
        .filter(move |case| case.kind == kind)
}

/// Every crash point of every case.
#[must_use]
pub fn crash(kind: FakeKind) -> BTreeMap<String, Crash> {
    let one = |case: Case| (case.to_string(), crash_of(case));
    cases(kind).map(one).collect()
}

/// Every pair of faults within the bounds.
#[must_use]
pub fn pairs(kind: FakeKind, bounds: &Bounds) -> BTreeMap<String, usize> {
    let within = |case: &Case| bounds.struck_twice.contains(&case.rotations);
    let one = |case: Case| {
        let pairs = pairs_of_crash_points(case, bounds.restarts);
        (case.to_string(), pairs)
    };
    cases(kind).filter(within).map(one).collect()
}

/// The pairs of steps that are delivered at once: each beside itself and beside the next.
fn steps_at_once() -> Vec<[Step; 2]> {
    let same = Step::ALL.into_iter().map(|step| [step, step]);
    let next = Step::ALL.windows(2).map(|pair| [pair[0], pair[1]]);
    same.chain(next).collect()
}

/// Every order of two simultaneous deliveries within the bounds.
#[must_use]
pub fn at_once(kind: FakeKind, bounds: &Bounds) -> Tally {
    let mut sum = Tally::default();
    for case in cases(kind) {
        for steps in steps_at_once() {
            sum.add(&deliveries_at_once(case, steps, bounds.switches));
        }
    }
    sum
}

/// Every order of a whole rotation and one more delivery of one of its steps; not of finishSecret, which the
/// service delivers only after testSecret has passed, and that is the engine's to rely on.
#[must_use]
pub fn beside_a_rotation(kind: FakeKind) -> BTreeMap<String, Tally> {
    let of_step = |step: Step| {
        let mut sum = Tally::default();
        for case in cases(kind) {
            sum.add(&step_beside_its_rotation(case, step, SWITCHES_BESIDE));
        }
        (step.to_string(), sum)
    };
    let early = Step::ALL
        .into_iter()
        .filter(|step| *step != Step::FinishSecret);
    early.map(of_step).collect()
}

/// Every order of giving a rotation up, from every point at which one can stand, and of what else happens.
#[must_use]
pub fn given_up(kind: FakeKind) -> BTreeMap<String, Tally> {
    let (mut beside, mut twice, mut person) =
        (Tally::default(), Tally::default(), Tally::default());
    for case in cases(kind).filter(|case| case.can_rotate()) {
        for passed in 0..Step::ALL.len() {
            beside.add(&abandon_beside_the_rest(case, passed, SWITCHES_BESIDE));
            twice.add(&abandoned_twice_at_once(case, passed));
            for act in Act::ALL.into_iter().filter(|act| act.applies_to(kind)) {
                person.add(&abandon_with_a_person(case, passed, act));
            }
        }
    }
    let named = [
        ("beside the rest of its rotation", beside),
        ("twice at once", twice),
        ("and a person, or time", person),
    ];
    named.map(|(what, tally)| (what.into(), tally)).into()
}

/// Every order of two simultaneous deliveries and a person within the bounds.
#[must_use]
pub fn a_person_between(kind: FakeKind, bounds: &Bounds) -> Tally {
    let mut sum = Tally::default();
    for case in cases(kind) {
        for act in Act::ALL.into_iter().filter(|act| act.applies_to(kind)) {
            for steps in steps_at_once() {
                let switches = bounds.switches_with_a_person;
                sum.add(&with_a_person(case, steps, act, switches));
            }
        }
    }
    sum
}

/// Every act at every point of every rotation.
#[must_use]
pub fn by_hand(kind: FakeKind) -> BTreeMap<String, Tally> {
    let mut all: BTreeMap<String, Tally> = BTreeMap::new();
    for act in Act::ALL.into_iter().filter(|act| act.applies_to(kind)) {
        for case in cases(kind) {
            let sum = all.entry(act.to_string()).or_default();
            sum.add(&act_at_every_point(case, act));
        }
    }
    all
}

/// An invocation frozen at every call.
#[must_use]
pub fn frozen(kind: FakeKind) -> BTreeMap<String, Frozen> {
    let mut all: BTreeMap<String, Frozen> = BTreeMap::new();
    for meanwhile in Meanwhile::ALL {
        for case in cases(kind).filter(|case| case.can_rotate()) {
            let sum = all.entry(meanwhile.to_string()).or_default();
            sum.add(frozen_at_every_call(case, meanwhile));
        }
    }
    all
}

/// All of it, for one kind of key.
#[must_use]
pub fn figures(kind: FakeKind, bounds: &Bounds, progress: &Progress) -> Figures {
    let told = |what: &str| progress(&format!("{kind}: {what}"));
    told("every crash point");
    let crash = crash(kind);
    told("an act at every point");
    let by_hand = by_hand(kind);
    told("frozen at every call");
    let frozen = frozen(kind);
    told("one more delivery beside a rotation");
    let beside = beside_a_rotation(kind);
    told("given up");
    let given_up = given_up(kind);
    Figures {
        crash,
        by_hand,
        frozen,
        beside,
        given_up,
        bounded: bounded(kind, bounds, progress),
    }
}

/// What depends on the bounds, for one kind of key.
#[must_use]
pub fn bounded(kind: FakeKind, bounds: &Bounds, progress: &Progress) -> Bounded {
    let told = |what: &str| progress(&format!("{kind}: {what}"));
    told("pairs of crash points");
    let pairs = pairs(kind, bounds);
    told("two deliveries at once");
    let at_once = at_once(kind, bounds);
    told("two deliveries and a person");
    let with_a_person = a_person_between(kind, bounds);
    told("every state that can be reached");
    Bounded {
        pairs,
        at_once,
        with_a_person,
        reach: reachable(kind, bounds.acts),
    }
}
