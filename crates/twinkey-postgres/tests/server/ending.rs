//! The end of sessions that were opened with a key that is dead, and of no others.

use serde_json::{Value, json};
use twinkey_core::{Credential, ErrorKind};
use twinkey_test_postgres::tokio_postgres::Client;

use crate::scene::{Scene, Stored, soon};

const RIGHTS: &str = "GRANT pg_signal_backend, pg_read_all_stats TO rotator";

async fn scene_with(document: impl FnOnce(&mut Value)) -> (Scene, Stored) {
    let mut scene = Scene::start().await;
    let mut app = scene.document("app");
    document(&mut app);
    let first = scene.put(&app);
    (scene, first)
}

fn ending(document: &mut Value) {
    document["end_sessions"] = json!(true);
}

async fn is_open(client: &Client) -> bool {
    client.batch_execute("SELECT 1").await.is_ok()
}

/// The server answers when the session has been told to end; it ends a moment later.
async fn is_ended(client: &Client) {
    soon(async {
        while is_open(client).await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_document_that_says_so_ends_the_sessions_of_the_key_that_a_rotation_retires() {
    let (mut scene, first) = scene_with(ending).await;
    scene.sql(RIGHTS).await;
    let of_first = scene.consumer(&first).await;
    let second = scene.rotate(&first).await.unwrap();
    let of_second = scene.consumer(&second).await;
    assert!(is_open(&of_first).await, "its key is live");
    let third = scene.create(&second).await.unwrap();
    assert_eq!(third.document()["end_sessions"], json!(true));
    scene.apply(&second, &third).await.unwrap();
    is_ended(&of_first).await;
    assert!(is_open(&of_second).await, "the current key's are untouched");
    // A session of the new key, and the same change once more.
    let of_third = scene.consumer(&third).await;
    scene.apply(&second, &third).await.unwrap();
    assert!(is_open(&of_third).await, "it began after the change");
    assert!(is_open(&of_second).await);
}

#[tokio::test]
async fn without_it_no_session_is_ended() {
    let (mut scene, first) = scene_with(|_| ()).await;
    let of_first = scene.consumer(&first).await;
    let second = scene.rotate(&first).await.unwrap();
    let of_second = scene.consumer(&second).await;
    let third = scene.rotate(&second).await.unwrap();
    let _fourth = scene.rotate(&third).await.unwrap();
    assert!(is_open(&of_first).await && is_open(&of_second).await);
}

#[tokio::test]
async fn a_person_ends_the_sessions_of_dead_keys_in_both_roles_and_no_others() {
    let (mut scene, first) = scene_with(|_| ()).await;
    let of_first = scene.consumer(&first).await;
    let second = scene.rotate(&first).await.unwrap();
    let of_second = scene.consumer(&second).await;
    let third = scene.rotate(&second).await.unwrap();
    let of_third = scene.consumer(&third).await;
    let (provider, address) = (scene.provider.clone(), scene.address.clone());
    let end = |key: &Stored| {
        let (provider, value, address) = (&provider, key.secret.render(), &address);
        async move { provider.end_sessions(&value, address).await }
    };
    let error = end(&third).await.unwrap_err();
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Denied, "MissingRight")
    );
    assert!(is_open(&of_first).await, "nothing is done by halves");
    scene.sql(&error.hint.unwrap()).await;
    let counts = |ended: &[twinkey_postgres::EndedSessions]| -> Vec<(String, Option<u64>)> {
        let one = |it: &twinkey_postgres::EndedSessions| (it.role.to_string(), it.ended);
        ended.iter().map(one).collect()
    };
    let ended = end(&third).await.unwrap();
    let expected = |app| {
        vec![
            ("app".to_owned(), Some(app)),
            ("app_clone".to_owned(), Some(0)),
        ]
    };
    assert_eq!(counts(&ended), expected(1));
    is_ended(&of_first).await;
    assert!(is_open(&of_second).await && is_open(&of_third).await);
    assert_eq!(counts(&end(&third).await.unwrap()), expected(0));
    // A document put by hand, without fields of ours.
    let by_hand = scene.document(third.user());
    let by_hand = scene.put(&by_hand);
    assert_eq!(counts(&end(&by_hand).await.unwrap()), expected(0));
}

#[tokio::test]
async fn p11_what_is_missing_is_found_before_anything_is_changed() {
    let (mut scene, first) = scene_with(ending).await;
    let before = scene.fingerprint().await;
    let error = scene.ready_error(&first).await;
    assert_eq!(
        (error.kind, error.code),
        (ErrorKind::Denied, "MissingRight")
    );
    assert_eq!(scene.fingerprint().await, before);
    let untouched = scene
        .provider
        .end_sessions(&first.secret.render(), &scene.address)
        .await;
    assert_eq!(untouched.unwrap_err().code, "InvalidDocument");
    scene.sql(&error.hint.unwrap()).await;
    scene.rotate(&first).await.unwrap();
}

#[tokio::test]
async fn p10_a_pending_document_ends_sessions_only_if_the_current_one_does() {
    let (mut scene, first) = scene_with(|_| ()).await;
    let pending = scene.create(&first).await.unwrap();
    let mut other = pending.document();
    ending(&mut other);
    let other = scene.put(&other);
    let error = other.secret.continues(&first.secret).unwrap_err();
    assert_eq!(error.field, "end_sessions");
}
