//! As whom the clients of a pooler act, whoever had the server connection before.

use twinkey_core::{Provider, Verdict};
use twinkey_test_postgres::PoolMode;

use crate::pooled::{MODES, Pooled, ask, who};

#[tokio::test]
async fn p6_both_twins_act_as_the_owner_in_every_server_connection_that_another_has_left() {
    let mut pooled = Pooled::start(PoolMode::Session).await;
    let first = pooled.put_app();
    let second = pooled.scene.rotate(&first).await.unwrap();
    for key in [&first, &second] {
        let expected = format!("{} app", key.user());
        pooled.until_clients(0).await;
        let before = pooled.consumer(key).await;
        let (acting, connection) = who(&before).await;
        assert_eq!(acting, expected);
        ask(&before, "SET ROLE NONE").await.unwrap();
        drop(before);
        pooled.until_clients(0).await;
        let after = pooled.consumer(key).await;
        assert_eq!(who(&after).await, (expected, connection));
        let name = format!("made_by_{}", key.user());
        ask(&after, &format!("CREATE TABLE {name} ()"))
            .await
            .unwrap();
        let owner = format!("SELECT tableowner::text FROM pg_tables WHERE tablename = '{name}'");
        assert_eq!(pooled.scene.ask(&owner).await.as_deref(), Some("app"));
    }
    assert!(pooled.scene.cluster.log().contains("DISCARD ALL"));
}

#[tokio::test]
async fn p6_in_transaction_mode_what_one_client_sets_is_the_next_ones_too() {
    for always in [false, true] {
        let reset = format!("server_reset_query_always = {}", u8::from(always));
        let mut pooled = Pooled::start_with(PoolMode::Transaction, &[&reset]).await;
        let first = pooled.put_app();
        let second = pooled.scene.rotate(&first).await.unwrap();
        pooled.until_clients(0).await;
        let (one, next) = (
            pooled.consumer(&second).await,
            pooled.consumer(&second).await,
        );
        let (_, connection) = who(&one).await;
        ask(&one, "BEGIN; SET LOCAL ROLE app_clone; COMMIT")
            .await
            .unwrap();
        assert_eq!(
            who(&next).await,
            ("app_clone app".into(), connection.clone())
        );
        ask(&one, "SET ROLE app_clone").await.unwrap();
        pooled.until_clients(2).await;
        let acting = if always { "app" } else { "app_clone" };
        assert_eq!(
            who(&next).await,
            (format!("app_clone {acting}"), connection)
        );
        let verdict = pooled.scene.provider.verify(&second.secret).await.unwrap();
        match verdict {
            Verdict::Accepted => assert!(always),
            Verdict::Refused { reason } => {
                assert!(!always && reason.contains("acts as app_clone"), "{reason}");
            }
            other @ Verdict::NoKey => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn p6_a_probe_leaves_nothing_behind_in_a_server_connection() {
    for mode in MODES {
        let mut pooled = Pooled::start(mode).await;
        let mut document = pooled.document();
        document["probe"] = "SELECT 1".into();
        let first = pooled.scene.put(&document);
        let verdict = pooled.scene.provider.verify(&first.secret).await.unwrap();
        assert_eq!(verdict, Verdict::Accepted);
        pooled.until_clients(0).await;
        let client = pooled.consumer(&first).await;
        ask(&client, "CREATE TABLE mine ()").await.unwrap();
    }
}
