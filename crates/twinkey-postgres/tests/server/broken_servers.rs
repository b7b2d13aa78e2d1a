//! Servers that cannot do what they are asked: each says so in its own words, and goes on where it was.

use postgres_protocol::escape::escape_literal;
use twinkey_core::{ErrorKind, Provider, ProviderError, Verdict};
use twinkey_test_postgres::tokio_postgres::Client;
use twinkey_test_postgres::{FullDisk, Options};

use crate::mishap::{Underway, assert_told};
use crate::scene::{ADMIN, ADMIN_PASSWORD, Scene, address, soon};

const READ_ONLY: (ErrorKind, &str) = (ErrorKind::Transient, "ServerReadOnly");
const BUSY: (ErrorKind, &str) = (ErrorKind::Transient, "ServerBusy");
const FULL: (ErrorKind, &str) = (ErrorKind::Transient, "DiskFull");

#[tokio::test]
async fn p11_behind_a_failover_the_standby_changes_nothing_and_once_promoted_goes_on() {
    let mut scene = Scene::start().await;
    let rotation = Underway::begin(&mut scene).await;
    let primary = scene.cluster.follow_a_new_primary().unwrap();
    // Consumers may well read there.
    let verdict = scene.provider.verify(&rotation.current.secret).await;
    assert_eq!(verdict.unwrap(), Verdict::Accepted);
    for error in rotation.fails(&scene).await {
        assert_told(&error, READ_ONLY, "", "name the primary in host");
    }
    rotation.assert_untouched(&scene).await;
    // It follows: what is done at the primary arrives.
    let root = primary.superuser("postgres").await.unwrap();
    let done = "CREATE ROLE from_the_primary; COMMENT ON ROLE from_the_primary IS 'arrived'";
    root.batch_execute(done).await.unwrap();
    let arrived = "SELECT count(*)::text FROM pg_roles WHERE rolname = 'from_the_primary'";
    soon(async { while scene.ask(arrived).await.as_deref() != Some("1") {} }).await;
    for error in rotation.fails(&scene).await {
        assert_told(&error, READ_ONLY, "", "wait for the failover");
    }
    primary.stop().unwrap();
    let promoted = scene.ask("SELECT pg_promote()::text").await;
    assert_eq!(promoted.as_deref(), Some("true"));
    rotation.finish(&scene).await;
}

#[tokio::test]
async fn p11_a_server_that_still_recovers_is_waited_for() {
    let mut scene = Scene::start().await;
    let rotation = Underway::begin(&mut scene).await;
    scene.cluster.recover_for_ever().unwrap();
    for error in rotation.all_fails(&scene).await {
        let expected = (ErrorKind::Transient, "ServerNotReady");
        assert_told(&error, expected, "SQLSTATE 57P03", "wait until it has");
    }
    scene.cluster.recover().unwrap();
    rotation.assert_untouched(&scene).await;
    rotation.finish(&scene).await;
}

#[tokio::test]
async fn p11_a_server_whose_disk_is_full_refuses_a_first_and_a_later_rotation_until_there_is_room()
{
    let options = Options {
        fillable_disk: true,
        ..Options::default()
    };
    let mut scene = Scene::start_with(&options).await;
    let rotation = Underway::begin(&mut scene).await;
    let ours = std::mem::replace(&mut scene.address, address("shop/db"));
    scene.application("shop").await;
    let document = scene.document("shop");
    let first = scene.put(&document);
    let clone = scene.create(&first).await.unwrap();
    let holder = fill_roles(&scene).await;
    let before = scene.fingerprint().await;
    let created = scene.apply(&first, &clone).await.unwrap_err();
    scene.address = ours;
    let replaced = scene.apply(&rotation.current, &rotation.pending).await;
    for error in [created, replaced.unwrap_err()] {
        let what = "No space left on device (SQLSTATE 53100)";
        assert_told(&error, FULL, what, "free space");
    }
    assert_eq!(scene.fingerprint().await, before);
    rotation.assert_live(&scene).await;
    assert!(scene.is_live(&first).await);
    scene.cluster.free_disk().unwrap();
    drop(holder);
    rotation.finish(&scene).await;
    scene.address = address("shop/db");
    scene.apply(&first, &clone).await.unwrap();
    assert!(scene.is_live(&first).await && scene.is_live(&clone).await);
}

/// Leaves no room for another version of a role or its comment: old ones are kept for a session that
/// might still look at them, and the files do not grow.
async fn fill_roles(scene: &Scene) -> Client {
    scene.sql("CREATE ROLE filler").await;
    let holder = scene.root().await;
    let look = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_authid";
    holder.batch_execute(look).await.unwrap();
    scene.cluster.fill_disk(FullDisk::Data).unwrap();
    let verifier = scene
        .ask("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
        .await
        .unwrap();
    let filler = scene.root().await;
    for statement in [
        format!("ALTER ROLE filler PASSWORD {}", escape_literal(&verifier)),
        "COMMENT ON ROLE filler IS 'x'".into(),
    ] {
        let full = loop {
            if let Err(error) = filler.batch_execute(&statement).await {
                break error;
            }
        };
        assert_eq!(full.code().unwrap().code(), "53100", "{full:?}");
    }
    holder
}

#[tokio::test]
async fn p11_a_server_that_stops_because_its_write_ahead_log_finds_no_room_goes_on_when_it_is_back()
{
    let options = Options {
        fillable_disk: true,
        ..Options::default()
    };
    let mut scene = Scene::start_with(&options).await;
    let rotation = Underway::begin(&mut scene).await;
    scene.cluster.fill_disk(FullDisk::All).unwrap();
    let error = use_up_the_log(&scene, &rotation).await;
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
    let codes = [
        "DiskFull",
        "ConnectionLost",
        "ServerNotReady",
        "ServerUnreachable",
    ];
    assert!(codes.contains(&error.code), "{error}");
    assert!(scene.cluster.log().contains("No space left on device"));
    scene.cluster.free_disk().unwrap();
    scene.cluster.stop().unwrap();
    scene.cluster.resume().unwrap();
    assert!(scene.is_live(&rotation.current).await, "current (P1)");
    rotation.finish(&scene).await;
}

/// Changes until the next piece of the log has no place any longer.
async fn use_up_the_log(scene: &Scene, rotation: &Underway) -> ProviderError {
    const PIECES: usize = 100;
    for _ in 0..PIECES {
        if let Err(error) = scene.apply(&rotation.current, &rotation.pending).await {
            return error;
        }
        if let Ok(root) = scene.cluster.superuser("postgres").await {
            let _ = root.batch_execute("SELECT pg_switch_wal()").await;
        }
    }
    panic!("there was room for {PIECES} pieces")
}

#[tokio::test]
async fn p11_a_server_without_a_free_connection_is_busy_for_the_admin_and_for_consumers() {
    let options = Options {
        settings: vec![("max_connections".into(), "12".into())],
        ..Options::default()
    };
    let mut scene = Scene::start_with(&options).await;
    let mut rotation = Underway::begin(&mut scene).await;
    scene.application("crowd").await;
    rotation.look_again(&scene).await;
    let crowd = crowd(&scene).await;
    for error in rotation.all_fails(&scene).await {
        assert_told(&error, BUSY, "SQLSTATE 53300", "max_connections");
    }
    drop(crowd);
    alone(&scene, "crowd").await;
    rotation.assert_untouched(&scene).await;
    rotation.finish(&scene).await;
}

/// As many sessions as there is room for.
async fn crowd(scene: &Scene) -> Vec<Client> {
    let mut crowd = Vec::new();
    loop {
        let password = crate::scene::PASSWORD;
        match scene.cluster.connect("crowd", password, "postgres").await {
            Ok(one) => crowd.push(one),
            Err(error) => {
                assert!(error.to_string().contains("53300"), "{error}");
                return crowd;
            }
        }
    }
}

async fn alone(scene: &Scene, role: &str) {
    let there = format!("SELECT count(*)::text FROM pg_stat_activity WHERE usename = '{role}'");
    soon(async { while scene.ask(&there).await.as_deref() != Some("0") {} }).await;
}

#[tokio::test]
async fn p11_a_role_or_a_database_that_has_all_the_connections_it_may_have_is_busy() {
    let mut scene = Scene::start().await;
    let first = scene.put_app();
    scene.sql("ALTER ROLE app CONNECTION LIMIT 1").await;
    let mut rotation = Underway::after(&mut scene, &first, 2).await;
    // A consumer holds the one that current may have.
    let consumer = scene.consumer(&rotation.current).await;
    let error = scene.provider.verify(&rotation.current.secret).await;
    let for_role = "too many connections for role \"app\" (SQLSTATE 53300)";
    assert_told(&error.unwrap_err(), BUSY, for_role, "CONNECTION LIMIT");
    drop(consumer);
    alone(&scene, "app").await;
    // The admin may have no further one.
    let sql = format!("ALTER ROLE {ADMIN} CONNECTION LIMIT 1");
    scene.sql(&sql).await;
    rotation.look_again(&scene).await;
    let connected = scene.cluster.connect(ADMIN, ADMIN_PASSWORD, "postgres");
    let admin = connected.await.unwrap();
    for error in rotation.fails(&scene).await {
        assert_told(
            &error,
            BUSY,
            "too many connections for role \"rotator\"",
            "CONNECTION LIMIT",
        );
    }
    rotation.assert_untouched(&scene).await;
    drop(admin);
    alone(&scene, ADMIN).await;
    // The database is full for everybody who is no superuser.
    scene
        .sql("ALTER DATABASE postgres CONNECTION LIMIT 0")
        .await;
    for error in rotation.all_fails(&scene).await {
        assert_told(
            &error,
            BUSY,
            "too many connections for database",
            "CONNECTION LIMIT",
        );
    }
    scene
        .sql("ALTER DATABASE postgres CONNECTION LIMIT -1")
        .await;
    rotation.assert_untouched(&scene).await;
    rotation.finish(&scene).await;
}
