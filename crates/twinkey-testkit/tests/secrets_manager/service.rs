//! The service side of a rotation: what it sends to a function, and when it stops.

use std::cell::RefCell;

use twinkey_core::{RotationError, Stage, Step, StepRequest, StepResult};
use twinkey_testkit::{FakeKind, FakeSecretsManager, RotationEnd, Scene};

use crate::secret::*;

/// A function that notes what it is sent, fails as it is told, and publishes at the end.
struct Function<'a> {
    store: &'a FakeSecretsManager,
    sent: RefCell<Vec<Step>>,
}

impl Function<'_> {
    async fn run(&self, request: StepRequest, fails: bool) -> Result<(), &'static str> {
        assert_eq!((request.secret, request.token), (secret(), id('b')));
        self.sent.borrow_mut().push(request.step);
        if fails {
            return Err("TEST-failure");
        }
        match request.step {
            Step::CreateSecret => put(self.store, 'b', &PENDING_IN_B).await,
            Step::FinishSecret => shift(self.store, Stage::Current, Some('a'), Some('b')).await,
            _ => Ok(()),
        }
        .map_err(|_| "the store refused")
    }
}

fn function(store: &FakeSecretsManager) -> Function<'_> {
    Function {
        store,
        sent: RefCell::default(),
    }
}

#[tokio::test]
async fn the_four_steps_come_in_order_and_awscurrent_ends_them() {
    let store = store();
    let function = function(&store);
    let end = store
        .service()
        .rotate(&secret(), &id('b'), async |request| {
            function.run(request, false).await
        })
        .await;
    assert_eq!(end.expect("begun"), RotationEnd::Succeeded);
    assert_eq!(*function.sent.borrow(), Step::ALL);
    assert_eq!(holder(&store, &Stage::Current), Some(id('b')));
}

/// "If rotation fails, Secrets Manager retries the entire rotation process multiple times."
#[tokio::test]
async fn after_a_failure_the_whole_rotation_comes_again_with_the_same_token() {
    let store = store();
    let (function, mut failures) = (function(&store), 1);
    let end = store
        .service()
        .rotate(&secret(), &id('b'), async |request| {
            let fails = request.step == Step::TestSecret && failures > 0;
            failures -= usize::from(fails);
            function.run(request, fails).await
        })
        .await;
    assert_eq!(end.expect("begun"), RotationEnd::Succeeded);
    let (again, all) = (&Step::ALL[..3], &Step::ALL[..]);
    assert_eq!(*function.sent.borrow(), [again, all].concat());
}

#[tokio::test]
async fn when_every_attempt_fails_awspending_stays_and_a_retry_may_pass() {
    let store = store();
    let function = function(&store);
    let service = store.service().attempts(2);
    let end = service
        .rotate(&secret(), &id('b'), async |request| {
            function
                .run(request.clone(), request.step == Step::SetSecret)
                .await
        })
        .await;
    let failed = RotationEnd::Failed {
        step: Step::SetSecret,
        error: "TEST-failure",
    };
    assert_eq!(end.expect("begun"), failed);
    assert_eq!(
        *function.sent.borrow(),
        [&Step::ALL[..2], &Step::ALL[..2]].concat()
    );
    assert_eq!(holder(&store, &Stage::Pending), Some(id('b')));
    let end = service
        .rotate(&secret(), &id('b'), async |request| {
            function.run(request, false).await
        })
        .await;
    assert_eq!(end.expect("a retry"), RotationEnd::Succeeded);
}

/// The reply of finishSecret is lost: AWSCURRENT says that the rotation is over.
#[tokio::test]
async fn it_stops_when_awscurrent_is_on_the_token_whatever_the_function_said() {
    let store = store();
    let function = function(&store);
    let end = store
        .service()
        .rotate(&secret(), &id('b'), async |request| {
            let step = request.step;
            function.run(request, false).await?;
            if step == Step::FinishSecret {
                return Err("TEST-lost reply");
            }
            Ok(())
        })
        .await;
    assert_eq!(end.expect("begun"), RotationEnd::Succeeded);
    assert_eq!(*function.sent.borrow(), Step::ALL);
}

#[tokio::test]
async fn a_put_by_hand_abandons_the_rotation() {
    let store = store();
    let function = function(&store);
    let end = store
        .service()
        .rotate(&secret(), &id('b'), async |request| {
            if request.step == Step::SetSecret {
                store.put_by_hand(&secret(), &id('d'), &value("d"));
            }
            function.run(request, false).await
        })
        .await;
    assert_eq!(end.expect("begun"), RotationEnd::Abandoned);
    assert_eq!(*function.sent.borrow(), Step::ALL[..2]);
    assert_eq!(holder(&store, &Stage::Pending), None);
    assert_eq!(holder(&store, &Stage::Current), Some(id('d')));
}

#[tokio::test]
async fn cancelling_ends_it_where_it_is() {
    let store = store();
    let function = function(&store);
    let end = store
        .service()
        .rotate(&secret(), &id('b'), async |request| {
            if request.step == Step::SetSecret {
                store.cancel_rotate_secret(&secret()).expect("cancelled");
            }
            function.run(request, false).await
        })
        .await;
    assert_eq!(end.expect("begun"), RotationEnd::Cancelled);
    assert_eq!(*function.sent.borrow(), Step::ALL[..2]);
    assert_eq!(holder(&store, &Stage::Pending), Some(id('b')));
}

#[tokio::test]
async fn a_function_that_does_nothing_has_not_published() {
    let store = store();
    let end = store
        .service()
        .rotate(&secret(), &id('b'), async |_| Ok::<_, ()>(()))
        .await;
    assert_eq!(end.expect("begun"), RotationEnd::NotPublished);
}

#[tokio::test]
async fn while_another_rotation_is_pending_nothing_is_sent() {
    let store = rotating();
    let refused = store
        .service()
        .rotate(&secret(), &id('c'), async |_| -> Result<(), ()> {
            panic!("sent")
        })
        .await;
    is_conflict(&refused);
}

/// "If you set `RotateImmediately` to false, Secrets Manager tests the rotation configuration by
/// running the testSecret step of the Lambda rotation function. This test creates an AWSPENDING
/// version of the secret and then removes it."
#[tokio::test]
async fn rotate_immediately_false_sends_test_secret_alone_and_cleans_up() {
    for answer in [Ok(()), Err("TEST-refusal")] {
        let (store, mut sent) = (store(), Vec::new());
        let said = store
            .service()
            .test_configuration(&secret(), &id('b'), async |request| {
                assert_eq!(holder(&store, &Stage::Pending), Some(id('b')));
                assert_eq!(store.value(&secret(), &Stage::Pending), None);
                sent.push(request.step);
                answer
            })
            .await;
        assert_eq!(said.expect("begun"), answer);
        assert_eq!(sent, [Step::TestSecret]);
        let left: Vec<_> = store.versions(&secret()).into_iter().collect();
        assert!(left.len() == 1 && left[0].id == id('a'), "{left:?}");
    }
}

#[tokio::test]
async fn a_configuration_is_not_tested_with_the_version_of_a_rotation() {
    let store = rotating();
    for token in ['a', 'b', 'c'] {
        let refused = store
            .service()
            .test_configuration(&secret(), &id(token), async |_| -> Result<(), ()> {
                panic!("sent")
            })
            .await;
        is_conflict(&refused);
    }
    assert_eq!(holder(&store, &Stage::Pending), Some(id('b')));
}

/// The engine behind the service: what the vendor may do to it.
mod engine {
    use super::*;

    async fn send(scene: &Scene, token: char) -> RotationEnd<RotationError> {
        let service = scene.store.service().attempts(50);
        let token = id(token);
        let end = service.rotate(&scene.secret, &token, async |request| {
            scene.step(request.step, &request.token).await
        });
        end.await.expect("begun")
    }

    async fn rotate(scene: &Scene, token: char) {
        let end = send(scene, token).await;
        assert!(matches!(end, RotationEnd::Succeeded), "{end:?}");
    }

    #[tokio::test]
    async fn p2_p3_rotations_sent_by_the_service_leave_two_keys() {
        for kind in FakeKind::ALL {
            let scene = Scene::new(kind);
            for token in ['b', 'c', 'd'] {
                rotate(&scene, token).await;
            }
            assert_eq!(scene.server.live(), 2, "{kind}");
            assert_eq!(scene.server.most_live(), 2, "{kind}");
        }
    }

    #[tokio::test]
    async fn p2_p3_throttled_rotations_end_as_the_calm_run() {
        for kind in FakeKind::ALL {
            for calls in 1..12 {
                let scene = Scene::new(kind);
                for token in ['b', 'c', 'd'] {
                    scene.store.throttle_next(calls);
                    rotate(&scene, token).await;
                }
                assert_eq!(scene.server.live(), 2, "{kind}, {calls} calls");
                assert_eq!(scene.server.most_live(), 2, "{kind}, {calls} calls");
            }
        }
    }

    #[tokio::test]
    async fn a_tested_configuration_changes_nothing() {
        for kind in FakeKind::ALL {
            let scene = Scene::new(kind);
            rotate(&scene, 'b').await;
            scene.store.remove_pending(&scene.secret);
            let picture = || format!("{:?}", scene.store.versions(&scene.secret));
            let (before, live) = (picture(), scene.server.live());
            let said = scene
                .store
                .service()
                .test_configuration(&scene.secret, &id('c'), async |request| {
                    scene.step(request.step, &request.token).await
                })
                .await
                .expect("begun");
            assert_eq!(said.expect("usable").result, StepResult::OnlyChecked);
            assert_eq!(picture(), before, "{kind}");
            assert_eq!(scene.server.live(), live, "{kind}");
        }
    }

    /// Reads that lag may end a rotation, since a key that was just stored looks like one that
    /// nobody holds; what consumers read is never touched.
    #[tokio::test]
    async fn p1_p2_reads_that_lag_cost_attempts_and_at_worst_a_rotation() {
        for kind in FakeKind::ALL {
            for lag in 1..20 {
                let scene = Scene::new(kind);
                scene.store.lag_reads(lag);
                for token in ['b', 'c', 'd', 'e'] {
                    let end = send(&scene, token).await;
                    let ended = matches!(end, RotationEnd::Succeeded | RotationEnd::Abandoned);
                    assert!(ended, "{kind}, lag {lag}: {end:?}");
                    let works =
                        scene.key(&Stage::Current).is_none() || scene.works(&Stage::Current);
                    assert!(works, "P1: {kind}, lag {lag}, rotation {token}");
                }
                scene.store.lag_reads(0);
                rotate(&scene, 'f').await;
                rotate(&scene, 'g').await;
                assert_eq!(scene.server.live(), 2, "P3: {kind}, lag {lag}");
                // A createSecret that does not see its own put mints once more, and retires that key
                // when the put is refused: the exception of two simultaneous deliveries.
                let most = 2 + usize::from(!kind.is_listed());
                assert!(scene.server.most_live() <= most, "P2: {kind}, lag {lag}");
            }
        }
    }
}
