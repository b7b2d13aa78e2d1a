//! Much at once: no error that a person would see.

use serde_json::Value;
use tokio::task::JoinSet;
use twinkey_core::{SecretId, Stage, Step};
use twinkey_test_postgres::Options;

use crate::scene::Scene;
use crate::vault::Vault;

/// A server with as many connections as most have, which tells who comes and who goes.
async fn talkative() -> Scene {
    let options = Options {
        settings: vec![("log_disconnections".into(), "on".into())],
        ..Options::default()
    };
    Scene::start_with(&options).await
}

/// How many connections there were at once, at the most.
fn peak(log: &str) -> usize {
    let (mut open, mut peak) = (0_usize, 0);
    for line in log.lines() {
        if line.contains("connection authorized: ") {
            open += 1;
        } else if line.contains("disconnection: ") {
            open = open.saturating_sub(1);
        }
        peak = peak.max(open);
    }
    peak
}

#[tokio::test]
async fn fifty_secrets_of_one_server_rotate_at_once_and_again_within_a_hundred_connections() {
    const SECRETS: usize = 50;
    let scene = talkative().await;
    let vault = Vault::at(&scene);
    let names: Vec<String> = (0..SECRETS).map(|at| format!("app_{at}")).collect();
    for name in &names {
        scene.application(name).await;
        vault.put(name, &scene.document(name));
    }
    for _ in 0..2 {
        let before = scene.cluster.log().len();
        let mut rotations = JoinSet::new();
        for name in names.clone() {
            let (vault, token) = (vault.clone(), vault.begin(&name));
            rotations.spawn(async move { vault.deliver(&name, &token).await });
        }
        for rotated in rotations.join_all().await {
            rotated.unwrap();
        }
        let log = scene.cluster.log().split_off(before);
        let peak = peak(&log);
        assert!((2..97).contains(&peak), "{peak} connections");
        assert!(!log.contains("FATAL"), "nobody is sent away");
    }
    for name in &names {
        for stage in [Stage::Current, Stage::Previous] {
            let document = vault.document(name, &stage);
            assert!(logs_in(&scene, &document).await, "{name}: {stage}");
        }
    }
}

#[tokio::test]
async fn p5_ten_invocations_of_one_rotation_at_once_end_as_one_and_none_fails() {
    const INVOCATIONS: usize = 10;
    let scene = talkative().await;
    let vault = Vault::at(&scene);
    vault.put("app/db", &scene.document("app"));
    for _ in 0..3 {
        let token = vault.begin("app/db");
        for step in Step::ALL {
            let mut deliveries = JoinSet::new();
            for _ in 0..INVOCATIONS {
                let (vault, token) = (vault.clone(), token.clone());
                deliveries.spawn(async move { vault.step("app/db", &token, step).await });
            }
            for delivered in deliveries.join_all().await {
                delivered.unwrap();
            }
        }
        assert_two_keys(&scene, &vault).await;
    }
}

#[tokio::test]
async fn p5_ten_whole_deliveries_of_one_rotation_at_once_publish_it_and_none_fails() {
    const INVOCATIONS: usize = 10;
    let scene = talkative().await;
    let vault = Vault::at(&scene);
    vault.put("app/db", &scene.document("app"));
    for _ in 0..3 {
        let token = vault.begin("app/db");
        let mut deliveries = JoinSet::new();
        for _ in 0..INVOCATIONS {
            let (vault, token) = (vault.clone(), token.clone());
            deliveries.spawn(async move { vault.deliver("app/db", &token).await });
        }
        for delivered in deliveries.join_all().await {
            delivered.unwrap();
        }
        let current = vault.store.versions(&SecretId::new("app/db"));
        let mut current = current
            .iter()
            .filter(|it| it.stages.contains(&Stage::Current));
        assert!(current.any(|version| version.id == token));
        assert_two_keys(&scene, &vault).await;
    }
}

/// The two that are published log in, and of all others none.
async fn assert_two_keys(scene: &Scene, vault: &Vault) {
    for version in vault.store.versions(&SecretId::new("app/db")) {
        let Some((value, _)) = version.value else {
            continue;
        };
        let document: Value = serde_json::from_str(value.expose()).unwrap();
        let published = [Stage::Current, Stage::Previous];
        let is_published = published.iter().any(|stage| version.stages.contains(stage));
        let live = logs_in(scene, &document).await;
        assert_eq!(live, is_published, "{:?}", version.stages);
    }
}

async fn logs_in(scene: &Scene, document: &Value) -> bool {
    let text = |field: &str| document[field].as_str().unwrap();
    let (user, password) = (text("username"), text("password"));
    let login = scene.cluster.can_log_in(user, password, "postgres");
    login.await.unwrap()
}
