//! Every state that can be reached at all: any number of deliveries, faults, retries and acts, in any
//! order, one at a time, over the real engine.
//!
//! A state is what the engine can see when it is called: the labelled versions in the order of their
//! values, which of their keys live, what else lives at the server, the server's fence, and how far the
//! rotation in flight has got. Names and times are left out, so the states are finitely many, and the
//! search goes on until there is none left that has not been tried.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use twinkey_core::{Credential, Stage, Step, Store, VersionId};
use twinkey_testkit::{
    Allowance, CrashPoint, FakeKind, FakeSecret, Fault, Restart, Scene, ToldOnPanic,
};

use crate::crash_table::loses_a_key;
use crate::settle::settle;
use crate::{Act, now};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Graph {
    /// How many states there are.
    pub states: usize,
    /// How many transitions between them were tried.
    pub transitions: usize,
    /// How many steps of other rotations than the one in flight were tried, and changed nothing.
    pub late_steps: usize,
    /// From how many states it takes whom to get to a pair at rest.
    pub settled: BTreeMap<String, usize>,
    /// The most rotations that it takes, counted from a person's help where that is needed.
    pub most_rotations: usize,
}

/// The faults of one delivery. A call that outlasts its caller is two, of which the second comes later: the
/// crash matrix has it.
const FAULTS: [Fault; 5] = [
    Fault::StopBefore,
    Fault::StopAfter,
    Fault::LoseReply,
    Fault::FailOnce,
    Fault::Deny,
];

/// One state, with the scene that shows it.
struct State {
    scene: Scene,
    allowance: Allowance,
    /// How many steps of the rotation in flight have passed: the service delivers no later one.
    passed: usize,
}

/// Tries everything from a secret that was never rotated, for one kind of key.
#[must_use]
pub fn reachable(kind: FakeKind, acts: &[Act]) -> Graph {
    let mut graph = Graph::default();
    // A key that a person makes beside the pair is a third one, until the next rotation.
    let allowance = Allowance {
        third_keys: usize::from(acts.contains(&Act::PutNew)),
        ..Allowance::default()
    };
    let start = State {
        scene: Scene::new(kind),
        allowance,
        passed: 0,
    };
    let mut seen = HashSet::from([start.name()]);
    let mut queue = VecDeque::from([start]);
    while let Some(state) = queue.pop_front() {
        graph.states += 1;
        let name = state.name();
        let told = format!("{kind}, from\n{name}");
        let _told = ToldOnPanic(&told);
        let settled = settle(&state.scene.fork(), 0);
        *graph.settled.entry(settled.to_string()).or_default() += 1;
        graph.most_rotations = graph.most_rotations.max(settled.rotations);
        graph.late_steps += state.late_steps_change_nothing();
        for next in state.successors(acts) {
            graph.transitions += 1;
            if seen.insert(next.name()) {
                queue.push_back(next);
            }
        }
    }
    graph
}

impl State {
    fn successors(&self, acts: &[Act]) -> Vec<Self> {
        let mut all = Vec::new();
        match self.in_flight() {
            Some(token) => {
                // Asked for again: that turns rotation on, if somebody turned it off.
                all.push(self.follow(self.passed, |scene| {
                    let begun = scene.store.rotate_secret(&scene.secret, &token);
                    begun.expect("the rotation in flight may be asked for again");
                }));
                self.deliver(&token, &mut all);
            }
            None => all.push(self.follow(0, |scene| {
                let _ = scene.begin();
            })),
        }
        for token in self.unpublished() {
            self.give_up(&token, &mut all);
        }
        let kind = self.scene.provider.kind();
        for act in acts.iter().filter(|act| act.applies_to(kind)) {
            all.push(self.follow(self.passed, |scene| act.perform(scene)));
        }
        all
    }

    /// Every step whose turn has come, or has been, undisturbed and with every fault at every call.
    fn deliver(&self, token: &VersionId, all: &mut Vec<Self>) {
        for (index, step) in Step::ALL.into_iter().enumerate().take(self.passed + 1) {
            let mut calls = 0;
            let mut passed = false;
            let calm = self.follow(self.passed, |scene| {
                passed = now(scene.step(step, token)).is_ok();
                calls = scene.injector.calls().len();
            });
            let further = if passed {
                self.passed.max(index + 1)
            } else {
                self.passed
            };
            all.push(
                Self {
                    passed: further,
                    ..calm
                }
                .ended(token),
            );
            for number in 0..calls {
                for fault in FAULTS {
                    all.push(self.strike(step, index, token, number, fault).ended(token));
                }
            }
        }
    }

    /// The versions of rotations that were not published, or are no longer: in flight, ended half-way, or
    /// passed by.
    fn unpublished(&self) -> Vec<VersionId> {
        let versions = self.scene.store.versions(&self.scene.secret).into_iter();
        let published = [Stage::Current, Stage::Previous];
        let labelled = versions.filter(|version| !version.stages.is_empty());
        labelled
            .filter(|version| !published.iter().any(|stage| version.stages.contains(stage)))
            .map(|version| version.id)
            .collect()
    }

    /// A rotation is given up, undisturbed and with every fault at every call.
    fn give_up(&self, token: &VersionId, all: &mut Vec<Self>) {
        let mut calls = 0;
        let calm = self.follow(self.passed, |scene| {
            let _ = now(scene.abandon(token));
            calls = scene.injector.calls().len();
        });
        all.push(calm.ended(token));
        for number in 0..calls {
            for fault in FAULTS {
                let struck = self.follow(self.passed, |scene| {
                    scene.injector.arm(number, fault);
                    let _ = now(scene.injector.run(scene.abandon(token)));
                });
                all.push(struck.ended(token));
            }
        }
    }

    fn strike(
        &self,
        step: Step,
        index: usize,
        token: &VersionId,
        number: usize,
        fault: Fault,
    ) -> Self {
        let mut passed = self.passed;
        let mut struck = None;
        let scene = self.happens(|scene| {
            scene.injector.arm(number, fault);
            let result = now(scene.injector.run(scene.step(step, token)));
            if matches!(result, Some(Ok(_))) {
                passed = passed.max(index + 1);
            }
            struck = scene.injector.calls().get(number).copied();
        });
        let call = struck.expect("the call is reached again");
        let point = CrashPoint {
            number,
            call,
            step,
            fault,
            also: None,
            restart: Restart::SameStep,
        };
        if loses_a_key(scene.provider.kind(), &point) {
            // It has been declared, nobody can see it, and it dies by itself.
            for stray in scene.judge().strays() {
                scene.server.forget(&stray);
            }
        }
        self.judged(scene, passed)
    }

    /// A copy to which something has happened that mints nothing.
    fn follow(&self, passed: usize, happens: impl FnOnce(&Scene)) -> Self {
        self.judged(self.happens(happens), passed)
    }

    /// A scene to which something has happened, judged on the way.
    fn happens(&self, happens: impl FnOnce(&Scene)) -> Scene {
        let scene = self.scene.fork();
        scene.judge_every_call(self.allowance);
        happens(&scene);
        scene.injector.disarm();
        scene
    }

    fn judged(&self, scene: Scene, passed: usize) -> Self {
        scene.judge().judge(&self.allowance);
        Self {
            scene,
            passed,
            ..*self
        }
    }

    /// Every step of every other rotation that the store knows.
    fn late_steps_change_nothing(&self) -> usize {
        let in_flight = self.in_flight();
        let scene = self.scene.fork();
        let before = scene.picture();
        let mut tried = 0;
        for version in scene.store.versions(&scene.secret) {
            if Some(&version.id) == in_flight.as_ref() {
                continue;
            }
            for step in Step::ALL {
                let _ = now(scene.step(step, &version.id));
                assert_eq!(before, scene.picture(), "P5: a late {step} of {version:?}");
                tried += 1;
            }
        }
        tried
    }

    fn in_flight(&self) -> Option<VersionId> {
        let pending = self.scene.version(&Stage::Pending)?;
        (!self.scene.judge().at_rest()).then_some(pending)
    }

    /// Nothing of a rotation that has ended is remembered.
    fn ended(self, token: &VersionId) -> Self {
        let passed = if self.in_flight().as_ref() == Some(token) {
            self.passed
        } else {
            0
        };
        Self { passed, ..self }
    }

    /// What the engine can see, without names and times: two states with the same name are the same.
    fn name(&self) -> String {
        let mut name = String::new();
        let mut keys: Vec<String> = Vec::new();
        let versions = self.scene.store.versions(&self.scene.secret);
        for version in versions.iter().filter(|version| !version.stages.is_empty()) {
            let stages: Vec<String> = version.stages.iter().map(ToString::to_string).collect();
            let _ = write!(name, "{} ", stages.join("+"));
            let _ = match &version.value {
                Some((value, _)) => writeln!(
                    name,
                    "{}",
                    self.key(FakeSecret::parse(value).ok().as_ref(), &mut keys)
                ),
                None => writeln!(name, "no value"),
            };
        }
        let unknown = self.scene.judge().live();
        let unknown = unknown.iter().filter(|value| !keys.contains(value)).count();
        let described = now(self.scene.store.describe(&self.scene.secret));
        let on = described.expect("a secret").rotation_enabled;
        let (passed, fence) = (self.passed, self.fence(&versions));
        let _ = write!(
            name,
            "{unknown} more, {passed} steps passed, rotation on={on}, {fence}"
        );
        name
    }

    fn key(&self, secret: Option<&FakeSecret>, keys: &mut Vec<String>) -> String {
        let Some(secret) = secret else {
            return "garbage".into();
        };
        let Some(value) = &secret.value else {
            return "no key".into();
        };
        if !keys.contains(value) {
            keys.push(value.clone());
        }
        let number = keys.iter().position(|key| key == value).unwrap_or_default();
        let expired = secret
            .expires_at
            .is_some_and(|expiry| expiry <= self.scene.now());
        let server = &self.scene.server;
        let live = server.accepts(value);
        let by_hand = server.values_made_by_hand().contains(value);
        format!(
            "{} key {number} live={live} expired={expired} by hand={by_hand}",
            secret.account
        )
    }

    /// Where the server's fence stands among the values that are labelled.
    fn fence(&self, versions: &[twinkey_testkit::StoredVersion]) -> String {
        let marks = self.scene.server.fences();
        let place = |at| {
            let labelled = versions.iter().filter(|version| !version.stages.is_empty());
            labelled
                .filter(|version| {
                    version
                        .value
                        .as_ref()
                        .is_some_and(|(_, created)| *created < at)
                })
                .count()
        };
        format!(
            "{:?}",
            marks
                .into_iter()
                .map(|(account, at)| (account, place(at)))
                .collect::<Vec<_>>()
        )
    }
}
