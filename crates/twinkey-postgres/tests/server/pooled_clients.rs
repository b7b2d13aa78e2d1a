//! Clients of a pooler that were there before their key was replaced, and the server connections that it keeps.

use serde_json::json;
use twinkey_core::{Credential, ErrorKind, Provider, Verdict};
use twinkey_test_postgres::PoolMode;
use twinkey_test_postgres::tokio_postgres::Client;

use crate::pooled::{MODES, Pooled, ask, is_open, who};
use crate::scene::{Stored, soon};

const RIGHTS: &str = "GRANT pg_signal_backend, pg_read_all_stats TO rotator";

/// A client of the first key, and the three first keys: the first is dead.
async fn after_two_rotations(pooled: &mut Pooled, first: Stored) -> (Client, [Stored; 3]) {
    pooled.scene.sql(RIGHTS).await;
    let client = pooled.consumer(&first).await;
    let before = who(&client).await;
    let second = pooled.scene.rotate(&first).await.unwrap();
    assert_eq!(who(&client).await, before, "its key is live");
    let third = pooled.scene.rotate(&second).await.unwrap();
    pooled.until_clients(1).await;
    (client, [first, second, third])
}

async fn is_ended(client: &Client) {
    soon(async { while is_open(client).await {} }).await;
}

/// How many sessions of `app`, and of its clone, a person's wish ends.
async fn end_sessions(pooled: &Pooled, key: &Stored) -> [Option<u64>; 2] {
    let (value, address) = (key.secret.render(), &pooled.scene.address);
    let ended = pooled.scene.provider.end_sessions(&value, address).await;
    let ended: Vec<_> = ended.unwrap().into_iter().map(|it| it.ended).collect();
    ended.try_into().unwrap()
}

#[tokio::test]
async fn an_open_client_works_on_when_its_key_is_dead_and_no_new_one_gets_in_with_it() {
    for mode in MODES {
        let mut pooled = Pooled::start(mode).await;
        let first = pooled.put_app();
        let (client, [first, second, third]) = after_two_rotations(&mut pooled, first).await;
        assert!(is_open(&client).await);
        assert!(!pooled.is_let_in(&first).await);
        assert!(pooled.is_let_in(&second).await && pooled.is_let_in(&third).await);
    }
}

#[tokio::test]
async fn in_transaction_mode_a_client_of_a_dead_key_gets_server_connections_of_the_new_one() {
    let mut pooled = Pooled::start(PoolMode::Transaction).await;
    let first = pooled.put_app();
    let (client, [_, _, third]) = after_two_rotations(&mut pooled, first).await;
    let (_, before) = who(&client).await;
    pooled.reconnect().await;
    pooled.until_servers("app", 0).await;
    let (acting, after) = who(&client).await;
    assert_eq!(acting, "app app");
    assert_ne!(before, after, "a server connection of the new key's");
    let of_third = pooled.consumer(&third).await;
    assert_eq!(who(&of_third).await.1, after, "it is one pool");
}

#[tokio::test]
async fn in_session_mode_a_client_keeps_its_server_connection_until_it_leaves() {
    let mut pooled = Pooled::start(PoolMode::Session).await;
    let first = pooled.put_app();
    let (client, _) = after_two_rotations(&mut pooled, first).await;
    let before = who(&client).await;
    pooled.reconnect().await;
    assert_eq!(who(&client).await, before);
    drop(client);
    pooled.until_servers("app", 0).await;
}

#[tokio::test]
async fn a_pooler_that_has_not_met_the_new_key_cannot_log_in_with_it() {
    let mut pooled = Pooled::start_impatient(PoolMode::Transaction).await;
    // The rotation goes past the pooler, and only consumers through it.
    let first = pooled.scene.put_app();
    let (client, [first, _, third]) = after_two_rotations(&mut pooled, first).await;
    pooled.reconnect().await;
    pooled.until_servers("app", 0).await;
    let failed = ask(&client, "SELECT 1").await;
    assert_eq!(failed.unwrap_err(), "query_wait_timeout");
    let log = pooled.scene.cluster.log();
    assert!(log.contains("password authentication failed for user \"app\""));
    assert!(pooled.is_let_in(&third).await, "after server_login_retry");
    assert!(!pooled.is_let_in(&first).await);
}

#[tokio::test]
async fn a_document_that_ends_sessions_ends_clients_in_session_mode_and_in_transaction_mode_not() {
    for mode in MODES {
        let mut pooled = Pooled::start(mode).await;
        let mut document = pooled.document();
        document["end_sessions"] = json!(true);
        let first = pooled.scene.put(&document);
        pooled.scene.sql(RIGHTS).await;
        let client = pooled.consumer(&first).await;
        let (_, before) = who(&client).await;
        let second = pooled.scene.rotate(&first).await.unwrap();
        let of_second = pooled.consumer(&second).await;
        let pending = pooled.scene.create(&second).await.unwrap();
        pooled.scene.apply(&second, &pending).await.unwrap();
        pooled.until_servers("app", 0).await;
        assert!(pooled.is_let_in(&pending).await);
        match mode {
            PoolMode::Session => is_ended(&client).await,
            PoolMode::Transaction => assert_ne!(who(&client).await.1, before),
        }
        assert!(is_open(&of_second).await, "the current key's are untouched");
    }
}

#[tokio::test]
async fn a_new_key_is_accepted_a_moment_after_a_client_of_the_dead_one_made_the_pooler_fail() {
    let mut pooled = Pooled::start_impatient(PoolMode::Transaction).await;
    let first = pooled.put_app();
    pooled.scene.sql(RIGHTS).await;
    let client = pooled.consumer(&first).await;
    let second = pooled.scene.rotate(&first).await.unwrap();
    let pending = pooled.scene.create(&second).await.unwrap();
    pooled.until_clients(1).await;
    pooled.scene.apply(&second, &pending).await.unwrap();
    pooled.reconnect().await;
    pooled.until_servers("app", 0).await;
    assert!(ask(&client, "SELECT 1").await.is_err());
    soon(async {
        loop {
            match pooled.scene.provider.verify(&pending.secret).await {
                Ok(verdict) => return assert_eq!(verdict, Verdict::Accepted),
                Err(error) => assert_eq!(error.kind, ErrorKind::Transient, "{error}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn end_sessions_ends_clients_of_a_live_key_too_that_were_given_older_server_connections() {
    for reconnects in [false, true] {
        let mut pooled = Pooled::start(PoolMode::Session).await;
        let first = pooled.put_app();
        let (client, [_, _, third]) = after_two_rotations(&mut pooled, first).await;
        if reconnects {
            pooled.reconnect().await;
            pooled.until_servers("app", 1).await;
        }
        let of_third = pooled.consumer(&third).await;
        assert!(is_open(&of_third).await);
        let ended = end_sessions(&pooled, &third).await;
        is_ended(&client).await;
        if reconnects {
            assert_eq!(ended, [Some(1), Some(0)]);
            assert!(is_open(&of_third).await);
        } else {
            assert_eq!(ended, [Some(2), Some(0)]);
            is_ended(&of_third).await;
        }
    }
}

#[tokio::test]
async fn p7_in_transaction_mode_the_pooler_itself_ends_clients_of_a_dead_key() {
    let mut pooled = Pooled::start(PoolMode::Transaction).await;
    let first = pooled.put_app();
    let (client, [first, _, third]) = after_two_rotations(&mut pooled, first).await;
    end_sessions(&pooled, &third).await;
    pooled.until_servers("app", 0).await;
    assert!(is_open(&client).await, "nothing at the server does");
    pooled.pooler.console("KILL postgres").await.unwrap();
    is_ended(&client).await;
    pooled.pooler.console("RESUME postgres").await.unwrap();
    assert!(pooled.is_let_in(&third).await && !pooled.is_let_in(&first).await);
}

#[tokio::test]
async fn in_use_counts_server_connections_with_or_without_a_client() {
    for mode in MODES {
        let mut pooled = Pooled::start(mode).await;
        let first = pooled.put_app();
        let (client, [first, ..]) = after_two_rotations(&mut pooled, first).await;
        drop(client);
        pooled.until_clients(0).await;
        let cached = pooled.in_use(&first).await;
        assert!(!cached.is_over(), "nobody uses what the pooler keeps");
        let sooner = pooled.pooler.console("SET server_idle_timeout = 1").await;
        sooner.unwrap();
        soon(async { while !pooled.in_use(&first).await.is_over() {} }).await;
    }
}

#[tokio::test]
async fn in_use_tells_an_applications_name_and_the_poolers_address() {
    for mode in MODES {
        let mut pooled = Pooled::start(mode).await;
        pooled.scene.sql(RIGHTS).await;
        let first = pooled.put_app();
        let second = pooled.scene.rotate(&first).await.unwrap();
        pooled.until_clients(0).await;
        pooled.reconnect().await;
        pooled.until_servers("app", 0).await;
        let client = pooled.consumer(&first).await;
        ask(&client, "SET application_name TO 'billing'")
            .await
            .unwrap();
        assert!(is_open(&client).await);
        let scene = &pooled.scene;
        let ready = scene.provider.ready(&second.secret, &scene.address).await;
        let seen = ready.unwrap().in_use.unwrap();
        assert_eq!(seen.to_string(), "1 session: billing at 127.0.0.1 (1)");
        pooled.reconnect().await;
        if mode == PoolMode::Transaction {
            pooled.until_servers("app", 0).await;
            let unseen = pooled.in_use(&first).await;
            assert!(unseen.is_over(), "a client without a transaction");
            assert!(is_open(&client).await);
        }
    }
}
