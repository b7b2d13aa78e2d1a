//! Who still uses the key that the next rotation replaces.

use chrono::Utc;
use twinkey_core::{InUse, Provider};
use twinkey_test_postgres::tokio_postgres::Client;

use crate::scene::{Scene, Stored};

/// As the engine looks before it stores a value.
async fn look(scene: &Scene, current: &Stored) -> Option<InUse> {
    let ready = scene.provider.ready(&current.secret, &scene.address).await;
    ready.unwrap().in_use
}

async fn named(scene: &Scene, key: &Stored, application: &str) -> Client {
    let consumer = scene.consumer(key).await;
    let name = format!("SET application_name TO '{application}'");
    consumer.batch_execute(&name).await.unwrap();
    consumer
}

/// A server counts a session until it has seen that it ended.
async fn until_gone(scene: &Scene, role: &str) {
    let query = format!("SELECT count(*)::text FROM pg_stat_activity WHERE usename = '{role}'");
    while scene.ask(&query).await.as_deref() != Some("0") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_sessions_of_the_key_that_is_replaced_are_counted_and_no_others() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    assert_eq!(look(&scene, &first).await, None, "there is no twin yet");
    let second = scene.rotate(&first).await.unwrap();
    until_gone(&scene, "app").await;
    let none = look(&scene, &second).await.unwrap();
    assert!(none.is_over() && none.key.as_str() == "app", "{none:?}");
    let _billing = [
        named(&scene, &first, "billing").await,
        named(&scene, &first, "billing").await,
    ];
    let _other = named(&scene, &first, "re\nport").await;
    let _current = named(&scene, &second, "current").await;
    let seen = look(&scene, &second).await.unwrap();
    // A newline comes as the server writes it: `?`, or since version 16 `\x0a`.
    let told = seen.to_string().replace("\\x0a", "?");
    assert_eq!(told, "3 sessions: billing (2), re?port (1)");
    assert_eq!(
        seen.newest_at, None,
        "not shown to an admin without the right"
    );
}

#[tokio::test]
async fn an_admin_that_may_read_all_statistics_sees_from_where_and_since_when() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    scene.sql("GRANT pg_read_all_stats TO rotator").await;
    let before = Utc::now();
    let _billing = named(&scene, &first, "billing").await;
    for seen in [
        look(&scene, &second).await.unwrap(),
        scene.provider.in_use(&first.secret).await.unwrap().unwrap(),
    ] {
        assert_eq!(seen.to_string(), "1 session: billing at 127.0.0.1 (1)");
        let age = seen.newest_at.unwrap() - before;
        assert!(age.num_seconds().abs() < 60, "{age}");
    }
}

#[tokio::test]
async fn more_applications_than_are_told_are_counted_all_the_same() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    let second = scene.rotate(&first).await.unwrap();
    let mut open = Vec::new();
    for number in 0..InUse::MOST_CONSUMERS + 3 {
        open.push(named(&scene, &first, &format!("application {number}")).await);
    }
    let seen = look(&scene, &second).await.unwrap();
    assert_eq!(seen.sessions, open.len() as u64);
    assert_eq!(seen.consumers.len(), InUse::MOST_CONSUMERS);
}
