//! A person, or time, steps in at every point of a rotation.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use twinkey_testkit::{Allowance, FakeKind, Invocation, Judge, Scene, explore};

use crate::settle::settle;
use crate::{Act, Case, ToldOnPanic};

/// What happened when one act came at every point of one rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHand {
    /// How many points there were.
    pub points: usize,
    /// How often it took whom to get to a pair at rest.
    pub settled: BTreeMap<String, usize>,
    /// How often a person published an older key that the rotation was just about to retire.
    pub overtaken: usize,
}

impl ByHand {
    /// Adds what happened in another case.
    pub fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.overtaken += other.overtaken;
        for (who, often) in &other.settled {
            *self.settled.entry(who.clone()).or_default() += often;
        }
    }
}

/// One act at every point of a rotation that is then delivered again, in one case.
#[must_use]
pub fn act_at_every_point(case: Case, act: Act) -> ByHand {
    let result = RefCell::new(ByHand::default());
    let points = explore(
        usize::MAX,
        || Watched::begin(case, act),
        |watched| vec![rotation(&watched.scene), hand(&watched.scene, act)],
        |watched, order| {
            let context = format!("{case}, {act}, {order:?}");
            let _told = ToldOnPanic(&context);
            let mut result = result.borrow_mut();
            result.overtaken += usize::from(watched.overtaken.load(Ordering::Relaxed));
            let who = settle(&watched.scene, 0);
            *result.settled.entry(who.to_string()).or_default() += 1;
        },
    );
    let mut result = result.into_inner();
    result.points = points;
    result
}

struct Watched {
    scene: Scene,
    overtaken: Arc<AtomicBool>,
}

impl Watched {
    fn begin(case: Case, act: Act) -> Self {
        let scene = case.scene();
        let overtaken = Arc::new(AtomicBool::new(false));
        let allowance = Allowance {
            third_keys: usize::from(act == Act::PutNew),
            ..Allowance::default()
        };
        let (judge, flag) = (scene.judge(), overtaken.clone());
        scene
            .injector
            .judge_every_call(move || match judge.verdict(&allowance) {
                // A person has published an older key right before its retirement: only a lock that
                // store and server share could have kept it alive.
                Err(broken) if broken.promise == "P1" && is_overtaken(&judge, act) => {
                    flag.store(true, Ordering::Relaxed);
                    judge.excuse_current();
                }
                verdict => verdict.unwrap_or_else(|broken| panic!("{broken}")),
            });
        scene.injector.yield_before_every_call();
        Self { scene, overtaken }
    }
}

/// Whether a broken P1 may be the person's doing. A password is never retired, only replaced under the
/// server's lock, so there it never is.
pub(crate) fn is_overtaken(judge: &Judge, act: Act) -> bool {
    act.publishes_older_key() && judge.kind() != FakeKind::Password
}

fn rotation(scene: &Scene) -> Invocation<'_> {
    let token = scene.begin();
    Box::pin(async move {
        // It may be refused: what counts is the end.
        let _ = scene.rotate(&token).await;
    })
}

/// One call, as the engine's are: first its turn, then the deed.
fn hand(scene: &Scene, act: Act) -> Invocation<'_> {
    Box::pin(async move {
        scene.injector.turn().await;
        act.perform(scene);
    })
}
