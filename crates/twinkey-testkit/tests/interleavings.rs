//! Every interleaving of two simultaneous invocations, over the real engine.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use twinkey_core::{Stage, Step, VersionId};
use twinkey_testkit::*;

/// How often the scheduler may switch away from an invocation that could have gone on. Races
/// need few switches; all orders of the longest pair would be millions.
const PREEMPTIONS: usize = 4;

struct World {
    scene: Scene,
    token: VersionId,
}

/// Fakes never wait: everything is ready when it is polled.
fn now<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = work.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Both keys in place, a rotation begun, and every step before `first` delivered.
fn world(kind: FakeKind, rotations: usize, first: Step) -> World {
    let scene = Scene::new(kind);
    for _ in 0..rotations {
        let token = scene.begin();
        now(scene.rotate(&token)).expect("a quiet rotation");
    }
    let token = scene.begin();
    for step in Step::ALL.into_iter().filter(|step| *step < first) {
        now(scene.step(step, &token)).expect("passed");
    }
    scene.injector.yield_before_every_call();
    World { scene, token }
}

/// Delivers the two steps at once in every order, then the whole rotation again, and judges.
fn simultaneous(kind: FakeKind, rotations: usize, first: Step, second: Step) -> usize {
    explore(
        PREEMPTIONS,
        || world(kind, rotations, first),
        |world| {
            let invocation = |step| -> Invocation<'_> {
                Box::pin(async move {
                    // Either may be refused: what counts is the end.
                    let _ = world.scene.step(step, &world.token).await;
                })
            };
            vec![invocation(first), invocation(second)]
        },
        |world, order| {
            // The declared exception: until the loser of two createSecret has retired its own.
            let both_mint = first == Step::CreateSecret
                && second == first
                && matches!(kind, FakeKind::Token { .. });
            judge(kind, rotations, usize::from(both_mint), &world, order);
        },
    )
}

fn judge(kind: FakeKind, rotations: usize, declared: usize, world: &World, order: &[usize]) {
    let scene = &world.scene;
    let case = format!("{kind:?} after {rotations} rotations, {order:?}");
    let keyless = rotations == 0 && matches!(kind, FakeKind::Token { .. });
    assert!(keyless || scene.works(&Stage::Current), "P1 {case}");
    assert!(scene.server.most_live() <= 2 + declared, "P2 {case}");
    if now(scene.rotate(&world.token)).is_err() {
        let another = scene.begin();
        now(scene.rotate(&another)).unwrap_or_else(|error| panic!("{case}: {error}"));
    }
    if keyless {
        let second = scene.begin();
        now(scene.rotate(&second)).unwrap_or_else(|error| panic!("{case}: {error}"));
    }
    assert!(
        scene.works(&Stage::Current) && scene.works(&Stage::Previous),
        "P3 {case}"
    );
    assert_eq!(scene.server.live(), 2, "P2, P4 {case}");
}

#[test]
fn p5_every_interleaving_of_two_deliveries_of_the_same_step_ends_as_the_calm_run() {
    for kind in FakeKind::ALL {
        for step in Step::ALL {
            for rotations in [0, 1, 2] {
                let orders = simultaneous(kind, rotations, step, step);
                eprintln!(
                    "{kind:?} after {rotations} rotations: {step} twice at once: {orders} orders"
                );
            }
        }
    }
}

#[test]
fn p5_every_interleaving_of_neighbouring_steps_ends_as_the_calm_run() {
    for kind in FakeKind::ALL {
        for pair in Step::ALL.windows(2) {
            for rotations in [0, 1, 2] {
                let orders = simultaneous(kind, rotations, pair[0], pair[1]);
                eprintln!(
                    "{kind:?} after {rotations} rotations: {} beside {}: {orders} orders",
                    pair[0], pair[1]
                );
            }
        }
    }
}
