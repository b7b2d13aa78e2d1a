//! P1 to P5 at every point of a rotation, counted in single requests: the real engine, the real providers, real
//! HTTP; the store is the strict fake. The embedded store and Secrets Manager stand in the suites at the top.

use std::collections::BTreeSet;

use twinkey_testkit::{Fault, Matrix, Restart};

use crate::scene::Scene;
use crate::world::{Before, World};

async fn matrix(before: Before, scene: impl AsyncFn() -> Scene) {
    let outcomes = Matrix::FULL
        .run(async |injector| World::new(scene().await, before, injector).await)
        .await;
    let points = outcomes.len();
    eprintln!("{points} crash points");
    assert!(points >= 300, "only {points} points: the matrix has shrunk");
    let restarts: BTreeSet<String> = outcomes
        .iter()
        .map(|it| it.point.restart.to_string())
        .collect();
    assert_eq!(restarts.len(), Restart::ALL.len());
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_request_of_a_first_rotation_of_a_token() {
    matrix(Before::Nothing, Scene::tokens).await;
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_request_and_signature_of_a_later_rotation_of_a_token() {
    matrix(Before::Rotations, Scene::tokens_by_kms).await;
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_request_where_a_person_has_revoked_the_current_token() {
    matrix(Before::CurrentTakenAway, Scene::tokens).await;
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_request_of_a_first_rotation_of_a_deploy_key() {
    matrix(Before::Nothing, Scene::deploy_keys).await;
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_request_and_signature_of_a_later_rotation_of_a_deploy_key() {
    matrix(Before::Rotations, Scene::deploy_keys_by_kms).await;
}

#[tokio::test]
async fn p1_to_p5_hold_at_every_request_where_a_person_has_removed_the_current_deploy_key() {
    matrix(Before::CurrentTakenAway, Scene::deploy_keys).await;
}

/// A second fault at every later call, of the delivery or of its recovery; what outlasted its caller lands before
/// each of them. With every fault and every restart it would take an hour: `cargo xtask prove` has all pairs, over
/// fakes.
async fn pairs(scene: impl AsyncFn() -> Scene) {
    let few = Matrix {
        faults: &[Fault::StopAfter, Fault::TimesOut],
        restarts: &[Restart::WholeRotation],
    };
    let pairs = few
        .run_twice(async |injector| {
            let world = World::new(scene().await, Before::Rotations, injector).await;
            world.struck_twice()
        })
        .await;
    eprintln!("{pairs} pairs");
    assert!(pairs >= 400, "only {pairs} pairs: the matrix has shrunk");
}

#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --long"]
async fn p1_to_p5_hold_at_every_pair_of_lost_replies_and_crashes_of_a_token() {
    pairs(Scene::tokens_by_kms).await;
}

#[tokio::test]
#[ignore = "takes minutes: cargo xtask test --long"]
async fn p1_to_p5_hold_at_every_pair_of_lost_replies_and_crashes_of_a_deploy_key() {
    pairs(Scene::deploy_keys_by_kms).await;
}
